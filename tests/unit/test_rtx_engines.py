"""What is read of an engine of TensorRT for RTX without that and without a GPU: its header, its kernels."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.workspace import PRODUCT

sys.path.insert(0, str(PRODUCT / "targets" / "tensorrt-engines"))
sys.path.insert(0, str(PRODUCT / "targets" / "rtx-tensorrt"))
from messages import plain
from plan_header import CAPABILITIES, HEADER_BYTES, LATER, MAGIC, UnreadablePlan, read_header
from plan_layers import EngineLayer, precisions_of, read_layers

RELEASE = (1, 7, 1, 116)
BODY = 100

REAL = bytes.fromhex(
    "76747274 00000000 02000000 00000000 84bac300 00000000 01070174 76747274"
    "7e000000 00000000 00000000 00000000 00000000 00000080 b2b20000 00000000".replace(" ", "")
)
"""The header of the licence-plate reader's engine as TensorRT for RTX 1.7.1.116 writes it by default."""

TENSORS = rb"""
descriptors {
  tensor={ alignment=32 dims={ 1 3 } name="image.1" offset=0 rank0=0 region="" strides={ 1 } type=float }
  tensor={ alignment=128 dims={ 1 3 } mem_prop=0 name="quantized" offset=0 region="devmem" type=int8 }
  tensor={ alignment=128 const_payload_size=4 dims={ 1 } name="weights" offset=5 rank0=1 type=int8 }
  tensor={ alignment=128 const_payload_size=4 dims={ 1 } name="bias" offset=5 rank0=1 type=float }
  tensor={ alignment=128 dims={ 1 } name="places" offset=5 rank0=1 type=int32 }
  tensor={ alignment=128 dims={ 1 } name="sum" offset=5 rank0=1 type=half }
  sub_tensor={ base="sum" const_offset=0 dims={ 1 } name="part" offset=0 strides={ 1 } type=half }
}
"""
QUANTIZE = (
    b'  function={ name=Quan args={ "image.1" "quantized" } input_args={ "image.1" } shape_args_count=0'
    b' output_args={ "quantized" } kernel_kind=1 layers="[ONNX Layer: image_Quantize]" swap_ab=false }\n'
)
WAIT = b"  wait={ name=w0 stream=0 }\n"
CONVOLUTION = (
    b'  corrltn={ name="conv" output={"sum" } input={"quantized" "weights" "bias" "places" } stream=0'
    b' layers="[ONNX Layer: conv]\n[ONNX Layer: conv/Relu]" }\n'
)
SOFTMAX = (
    b'  function={ name=Soft args={ "part" "image.1" } input_args={ "part" } output_args={ "image.1" }'
    b' layers="[ONNX Layer: conv]\n[ONNX Layer: Softmax]" }\n'
)
BEGIN, END = b"main {\n label bb1: \n", b"shape_main {\n label bb2: \n}\n"
PROGRAM = TENSORS + BEGIN + QUANTIZE + WAIT + CONVOLUTION + SOFTMAX + END
"""Kernels in the form in which engines have them."""


MYELIN = (
    "IBuilder::buildSerializedNetwork: Error Code 1: Myelin ([pass.cpp:337: check_turing_op_compatibility] "
    "Cannot compile operation 'dense' for Turing (SM75): FP32 GEMM is not supported. In compileGraph at "
    "/_src/optimizer/myelin/codeGenerator.cpp:2012)"
)
CUDA = (
    "IRuntime::deserializeCudaEngine: Error Code 1: Cuda Runtime (In ScopedCudaStream at "
    "/_src/common/dispatch/cudaResources.cpp:25 (cudaError 35: CUDA driver version is insufficient))"
)


def plan(mask: int, release: tuple[int, ...] = RELEASE, body: int = BODY) -> bytes:
    """An engine's file with a header of its own and nothing in it."""
    size = HEADER_BYTES + body
    head = MAGIC + struct.pack("<IIIQ", 0, 2, 0, size) + bytes(release) + MAGIC + struct.pack("<I", mask)
    return head.ljust(size, b"\0")


def test_a_real_header() -> None:
    """Release, compute capabilities and size are read as they were asked of the builder."""
    size = 12_827_268
    header = read_header(REAL.ljust(size, b"\0"))
    assert (header.release, header.size) == ("1.7.1.116", size)
    assert header.capabilities == ("8.0", "8.6", "8.9", "12.0", "12.1")
    assert header.runs_on_later


@given(
    st.sets(st.sampled_from(range(len(CAPABILITIES))), min_size=1),
    st.booleans(),
    st.tuples(*[st.integers(0, 255)] * 4),
)
def test_every_header_is_read(bits: set[int], later: bool, release: tuple[int, ...]) -> None:
    """Whatever release and capabilities an engine was built for are read back."""
    mask = sum(1 << bit for bit in bits) | later << LATER
    header = read_header(plan(mask, release))
    assert header.capabilities == tuple(CAPABILITIES[bit] for bit in sorted(bits))
    assert header.runs_on_later == later
    assert header.release == ".".join(map(str, release))


@given(st.binary(max_size=200))
def test_other_bytes_are_no_engine(content: bytes) -> None:
    """What does not begin as an engine does is refused as such, however short."""
    with pytest.raises(UnreadablePlan, match="no engine of TensorRT for RTX"):
        read_header(content)


@given(st.integers(HEADER_BYTES, HEADER_BYTES + BODY - 1))
def test_a_file_that_was_cut_off(size: int) -> None:
    """An engine with fewer bytes than its header says is refused before TensorRT sees it."""
    with pytest.raises(UnreadablePlan, match=f"has {size} bytes, its header says {HEADER_BYTES + BODY}"):
        read_header(plan(4)[:size])


@pytest.mark.parametrize(
    ("mask", "release", "capability", "told"),
    [
        (0b100, "1.7.1.116", "8.6", ""),
        (0b1000000, "1.7.1.116", "13.0", ""),
        (0b100, "1.8.0.2", "8.6", "built with TensorRT for RTX 1.7.1.116 and runs with no other release"),
        (
            0b10100,
            "1.7.1.116",
            "8.9",
            "compute capability 8.6, 12.0; this one has 8.9: name it in the option",
        ),
        (0b1000010, "1.7.1.116", "8.9", "compute capability 8.0; this one has 8.9"),
        (0b100, "1.7.1.116", "13.0", "compute capability 8.6; this one has 13.0"),
    ],
    ids=["the same", "a later GPU", "another release", "another GPU", "a known GPU is not later", "too new"],
)
def test_where_an_engine_runs(mask: int, release: str, capability: str, told: str) -> None:
    """An engine of another release or for other GPUs is refused by a sentence that says what to do."""
    refusal = read_header(plan(mask)).refusal(release, capability)
    assert told in refusal
    assert bool(told) == bool(refusal)


def test_kernels_of_an_engine() -> None:
    """Each kernel has the ONNX operations that it does, and the precisions that it reads and writes; indices
    and what only waits are none.
    """
    quantize, wait, convolution, softmax = read_layers(b"\0\1\2" + PROGRAM + b"\xff")
    assert quantize == EngineLayer("function", ("fp32",), ("int8",), ("image_Quantize",))
    assert (wait.kind, wait.reads, wait.layers) == ("wait", (), ())
    assert convolution == EngineLayer("corrltn", ("int8", "fp32"), ("fp16",), ("conv", "conv/Relu"))
    assert softmax == EngineLayer("function", ("fp16",), ("fp32",), ("conv", "Softmax"))


def test_the_precision_of_an_operation() -> None:
    """An operation is as precise as what its convolution reads, wherever else a part of it is done."""
    layers = read_layers(PROGRAM)
    assert precisions_of(layers, ["conv", "Softmax", "elsewhere"]) == {"conv": "int8", "Softmax": "fp16"}


@given(st.binary(max_size=300), st.integers(0, len(PROGRAM)))
def test_engines_that_are_not_understood(content: bytes, cut: int) -> None:
    """Other bytes, and programs that were cut off, give fewer kernels, never an error."""
    assert len(read_layers(content)) <= len(content)
    assert len(read_layers(PROGRAM[:cut] + content)) <= 4 + len(content)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (MYELIN, "Myelin (Cannot compile operation 'dense' for Turing (SM75): FP32 GEMM is not supported.)"),
        (CUDA, "Cuda Runtime ( (cudaError 35: CUDA driver version is insufficient))"),
        ("one\n  line", "one line"),
        ("", ""),
    ],
    ids=["compiler", "CUDA", "plain", "nothing"],
)
def test_messages_without_places(message: str, line: str) -> None:
    """Of TensorRT's messages, functions, codes and places in its sources are left out."""
    assert plain(message) == line


@given(st.text())
def test_any_message_stays_one_line(message: str) -> None:
    """Whatever TensorRT says becomes one line, empty only where it says nothing."""
    line = plain(message)
    assert len(line.splitlines()) <= 1
    assert bool(line) == bool(message.strip())


SUMMARY = "import sys, entry; print(entry.CAPABILITIES.error_summary(sys.argv[1]))"


def test_a_failed_build_has_tensorrts_line(tmp_path: Path) -> None:
    """The entry script reads TensorRT's messages as what it has in common with the Jetsons' does."""
    (tmp_path / "tensorrt_rtx_bindings.py").touch()
    targets = PRODUCT / "targets"
    paths = [PRODUCT, targets / "rtx-tensorrt", targets / "tensorrt-engines", tmp_path]
    done = subprocess.run(
        [sys.executable, "-B", "-c", SUMMARY, f"\n{MYELIN}\nmore"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == plain(MYELIN), done.stderr
