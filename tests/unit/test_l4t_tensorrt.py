"""The target `l4t-tensorrt` with stand-ins for what only a Jetson has: trtexec, TensorRT's package, CUDA."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.models import load_model
from dockyard.recipe.targets import load_target, with_defaults
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.job_folder import place_code
from shared.contract.artifact import MANIFEST_FILE, Manifest
from shared.contract.codec import encode
from shared.contract.errors import EnvironmentProblem, JobFailed
from shared.contract.job import Job
from shared.contract.model import Network
from shared.contract.stages import Compile, NetworkFiles
from shared.harness.toolchain import Product
from shared.inference.session import Unsupported
from tests.fakes import attempt
from tests.stand_ins import trtexec as trtexec_stand_in
from tests.stand_ins.tensorrt import HEADER_BYTES, TensorRT

sys.path.insert(0, str(PRODUCT / "targets" / "tensorrt-engines"))
sys.path.insert(0, str(PRODUCT / "targets" / "jetson-engines"))
from compilation import EngineCompiler
from cudart import CudaRuntime, open_library
from engine_building import build_plan
from engine_making import l4t_release
from engine_wish import Wish
from gpu import Gpu, GpuError
from jetson_engines import JetsonEngines, versions
from layer_info import precisions_of, read_layers
from messages import error_summary
from plan_release import refusal, release_of, settings_of
from trtexec_program import find_program, run

OURS = Workspace(PRODUCT)
TARGET = load_target(OURS, "l4t-tensorrt", "test")
RELEASES = {"8.5": "8.5.2.2", "10.3": "10.3.0", "10.16": "10.16.1"}
"""What TensorRT's package calls itself, by toolchain."""

ORIN = Gpu("Orin", "8.7", 8, 12060)
FLOAT32 = ["decode", "boxes:0"]


class HostCuda:
    """CUDA on a GPU whose memory is the host's."""

    def __init__(self, gpu: Gpu = ORIN) -> None:
        self.gpu, self.memory, self.waited = gpu, [], 0

    def find(self) -> Gpu:
        return self.gpu

    def allocate(self, size: int) -> int:
        self.memory.append(ctypes.create_string_buffer(size))
        return ctypes.addressof(self.memory[-1])

    def new_stream(self) -> int:
        return 5

    def to_gpu(self, destination: int, origin: int, size: int, stream: int) -> None:
        assert stream == 5
        ctypes.memmove(destination, origin, size)

    from_gpu = to_gpu

    def synchronize(self, stream: int) -> None:
        self.waited += 1


@pytest.fixture
def network() -> Network:
    """The example model, its channels first."""
    found = load_model(OURS, "digits", "test")
    assert isinstance(found, Network)
    return replace(found, input=found.input.in_layout("NCHW"))


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A folder with what `optimize` left: a graph in int8 and float16."""
    folder = tmp_path / "prepared"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"\x08\x09 int8 fp16")
    return folder


def manifest_of(network: Network, **settings: Any) -> Manifest:
    """The manifest of what was prepared."""
    known = {"precision": "int8", "rest": "float16", "float32": FLOAT32, "weighted": ["conv", "dense"]}
    return Manifest("onnx", "tensorrt-onnx", "1.32", network.input, settings={**known, **settings})


def compiled(
    network: Network, prepared: Path, toolchain: str, method: str = "int8", **changes: Any
) -> tuple[Path, Product]:
    """Compile what was prepared for a toolchain; return the folder with the engine, and the product."""
    output, cache = prepared.parent / "engine", prepared.parent / "cache"
    output.mkdir(exist_ok=True)
    cache.mkdir(exist_ok=True)
    asked = {key: value for key, value in changes.items() if key not in ("manifest", "cuda")}
    options = with_defaults(asked, TARGET.option_schema(method, toolchain))
    target = JetsonEngines(lambda: TensorRT(RELEASES[toolchain]), lambda: changes.get("cuda", HostCuda()))
    manifest = changes.get("manifest", manifest_of(network))
    compiler = EngineCompiler(target)
    return output, compiler.compile(network, prepared, manifest, output, method, options, cache)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts the trtexec of a release on the PATH, and nothing else but the system's programs."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(release: str) -> None:
        trtexec_stand_in.install(folder, release)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return put


Put = Callable[[str], None]


@pytest.mark.parametrize("toolchain", RELEASES)
def test_trtexec_compiles(network: Network, prepared: Path, on_path: Put, toolchain: str) -> None:
    """Each release's trtexec makes an engine whose manifest says what it is for; the report is told in which
    precisions it computes and what trtexec's clocks say.
    """
    on_path(toolchain)
    folder, product = compiled(network, prepared, toolchain)
    size = (folder / "model.engine").stat().st_size
    assert product.format == "tensorrt-engine"
    assert product.built_for is not None
    assert product.built_for.processor == "Orin, compute capability 8.7"
    header = product.settings["header"]
    assert header.startswith(f"{toolchain}.")
    assert product.settings == {
        "release": RELEASES[toolchain],
        "header": header,
        "engine_bytes": size,
        "gpu": "Orin",
        "compute_capability": "8.7",
        "multiprocessors": 8,
        "builder": "trtexec",
    }
    built_for, precisions, clocks, restless = product.notes.remarks
    assert built_for.endswith(f"compute capability 8.7, and runs with TensorRT {RELEASES[toolchain]} alone")
    assert precisions == ("read back from it: of 2 operations with weights 1 int8, 1 not found in the engine")
    assert product.notes.details["precisions"] == {"int8": 1, "not found in the engine": 1}
    assert clocks == "trtexec's clocks, medians: to the GPU 0.25 ms, on it 1.50, back 0.12"
    assert "lock its clocks (jetson_clocks)" in restless
    assert product.notes.details["trtexec"]["gpu_ms"] == 1.5
    (layers,) = product.notes.tables
    # The stand-in's graph is float16 where a release types the network by it.
    first = ("conv, relu", "CaskConvolution", "int8", "fp16")
    decoded = "fp32" if toolchain == "8.5" else "fp16"
    assert layers.rows == (first, ("decode", "PointWiseV2", "fp16", decoded))


@pytest.mark.parametrize(
    ("precision", "rest", "told"),
    [("fp32", "float32", []), ("fp16", "float16", ["--fp16"]), ("int8", "float32", ["--int8"])],
)
def test_8_5_may_round_to_what_the_graph_has(
    network: Network,
    prepared: Path,
    on_path: Put,
    capfd: pytest.CaptureFixture[str],
    precision: str,
    rest: str,
    told: list[str],
) -> None:
    """A release without strongly typed networks is allowed the types that the graph has, and no other."""
    on_path("8.5")
    manifest = manifest_of(network, precision=precision, rest=rest)
    compiled(network, prepared, "8.5", precision, manifest=manifest)
    line = next(line for line in capfd.readouterr().out.splitlines() if "RUNNING" in line)
    flags = [flag for flag in line.split() if flag in ("--int8", "--fp16")]
    assert flags == told
    assert ("--layerPrecisions=decode:fp32,boxes:0:fp32" in line) == bool(told)
    assert "--memPoolSize=workspace:1024 " in line


@pytest.mark.parametrize("builder", ["trtexec", "python"])
def test_times_of_tactics_are_kept(network: Network, prepared: Path, on_path: Put, builder: str) -> None:
    """What a compilation timed is in the cache for the next one, which uses it and adds to it."""
    on_path("10.3")
    cache = prepared.parent / "cache" / "timing.cache"
    compiled(network, prepared, "10.3", builder=builder)
    assert cache.read_bytes() == b"timings\n"
    compiled(network, prepared, "10.3", builder=builder)
    assert cache.read_bytes() == b"timings\n" * 2


@pytest.mark.parametrize("builder", ["trtexec", "python"])
@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (
            b"\x08 no kernel",
            r"Internal Error \((Could not find any implementation for node conv|No kernel)\.",
        ),
        (b"no graph", r"TensorRT (does not read the graph|cannot read the operation)"),
    ],
)
def test_a_build_that_fails_says_why(
    network: Network, prepared: Path, on_path: Put, builder: str, graph: bytes, told: str
) -> None:
    """Where TensorRT builds nothing its own line says why, and there is no engine."""
    on_path("10.3")
    (prepared / "model.onnx").write_bytes(graph)
    with pytest.raises(ValueError, match=told) as failed:
        compiled(network, prepared, "10.3", builder=builder)
    assert "optimizer.cpp" not in error_summary(str(failed.value))
    assert list((prepared.parent / "engine").iterdir()) == []


def test_what_is_no_prepared_graph_is_refused(network: Network, prepared: Path, on_path: Put) -> None:
    """What was not typed for TensorRT is refused before anything is built."""
    on_path("10.3")
    manifest = replace(manifest_of(network), settings={})
    with pytest.raises(JobFailed, match=r"onnx that nobody typed for TensorRT\n.*its types in the manifest"):
        compiled(network, prepared, "10.3", manifest=manifest)


def test_without_trtexec(network: Network, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where trtexec is not, that is an error that says what to do; the Python API builds without it, and the
    clocks are a remark.
    """
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(
        EnvironmentProblem, match=r"no trtexec on the PATH, nor /usr/src/.*\n.*builder: python"
    ):
        compiled(network, prepared, "10.3")
    _, product = compiled(network, prepared, "10.3", builder="python")
    assert product.notes.remarks[-1] == "without trtexec, its clocks were not read"


def test_clocks_that_fail_are_a_remark(network: Network, prepared: Path, on_path: Put) -> None:
    """An engine that another release's trtexec cannot run is kept; why its clocks were not read is told."""
    on_path("10.16")
    folder, product = compiled(network, prepared, "10.3", builder="python")
    assert (folder / "model.engine").is_file()
    assert product.notes.remarks[-1].startswith(
        "trtexec's clocks could not be read: the engine was built by another TensorRT, or for another device"
    )


def asked_of(folder: Path) -> dict[str, Any]:
    """What the stand-in's builder was asked for."""
    document: dict[str, Any] = json.loads((folder / "model.engine").read_bytes()[HEADER_BYTES:])
    return document


@pytest.mark.parametrize("toolchain", RELEASES)
def test_the_python_api_compiles(network: Network, prepared: Path, on_path: Put, toolchain: str) -> None:
    """TensorRT's Python API builds in the graph's types where the network can be strongly typed; else with
    the types allowed and the nodes that stay in float32 held, but for those of indices. Never TF32.
    """
    on_path(toolchain)
    names = [*FLOAT32, "indices"]
    manifest = manifest_of(network, float32=names)
    folder, product = compiled(network, prepared, toolchain, builder="python", manifest=manifest)
    asked = asked_of(folder)
    is_weak = toolchain == "8.5"
    assert asked["strongly_typed"] != is_weak
    assert asked["flags"] == (["FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS"] if is_weak else [])
    assert asked["precisions"] == {
        "conv": "HALF",
        "decode": "FLOAT" if is_weak else "HALF",
        "indices": "HALF",
    }
    assert asked["workspace"] == 1024 << 20
    assert "of 2 operations with weights 1 fp16, 1 not found" in product.notes.remarks[1]
    assert product.settings["builder"] == "python"


def test_times_of_another_device_are_left_aside(tmp_path: Path) -> None:
    """A timing cache that TensorRT does not take is begun anew."""
    graph, cache = tmp_path / "model.onnx", tmp_path / "timing.cache"
    graph.write_bytes(b"\x08")
    cache.write_bytes(b"foreign")
    build_plan(TensorRT("10.3.0"), Wish(graph, 1, timing_cache=cache))
    assert cache.read_bytes() == b"timings\n"


def loaded(network: Network, folder: Path, product: Product, release: str, gpu: Gpu = ORIN) -> Any:
    """Load a compiled engine with a release, on a GPU."""
    manifest = Manifest(product.format, "l4t-tensorrt", "test", product.input, settings=product.settings)
    target = JetsonEngines(lambda: TensorRT(release), lambda: HostCuda(gpu))
    return target.load(network, folder, manifest, 1)


def test_an_engine_runs(network: Network, prepared: Path, on_path: Put) -> None:
    """An image goes to the GPU, its outputs come back; they stay as they are when the next call is made."""
    on_path("8.5")
    folder, product = compiled(network, prepared, "8.5")
    session = loaded(network, folder, product, "8.5.2.2")
    image = np.arange(1024, dtype=np.float32).reshape(1, 1, 32, 32)
    first = session.run(image)["digit"]
    second = session.run(image + 1)["digit"]
    assert first.tolist() == [[0, 2, 4, 6, 8, 10, 12, 14, 16, 18]]
    assert second.tolist() == [[2, 4, 6, 8, 10, 12, 14, 16, 18, 20]]
    assert session.settings["runtime"] == "TensorRT 8.5.2.2"
    assert (session.settings["gpu"], session.settings["compute_capability"]) == ("Orin", "8.7")


def test_an_engine_is_checked_without_being_loaded(network: Network, prepared: Path, on_path: Put) -> None:
    """Whether an engine is for this device and this TensorRT is told without a session."""
    on_path("8.5")
    folder, product = compiled(network, prepared, "8.5")
    manifest = Manifest(product.format, "l4t-tensorrt", "8.5", product.input, settings=product.settings)
    engines = JetsonEngines(lambda: TensorRT("8.5.2.2"), HostCuda)
    engines.check(folder, manifest)
    xavier = Gpu("Xavier", "7.2", 8, 11040)
    with pytest.raises(Unsupported, match="this GPU is Xavier"):
        JetsonEngines(lambda: TensorRT("8.5.2.2"), lambda: HostCuda(xavier)).check(folder, manifest)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((1, 32, 32, 1), np.float32),
        np.zeros((1, 1, 32, 32), np.uint8),
        np.zeros((1, 1, 1, 1), np.float32),
    ],
    ids=["layout", "type", "one pixel for all"],
)
def test_a_wrong_image_is_refused(network: Network, prepared: Path, on_path: Put, image: Any) -> None:
    """An image of another shape or type is refused, not stretched or rounded into the input."""
    on_path("8.5")
    folder, product = compiled(network, prepared, "8.5")
    session = loaded(network, folder, product, "8.5.2.2")
    with pytest.raises(ValueError, match=r"takes float32 \(1, 1, 32, 32\), not"):
        session.run(image)


@pytest.mark.parametrize(
    ("release", "gpu", "told"),
    [
        ("10.3.0", ORIN, r"built with TensorRT 8\.5\.2\.2 and runs with no other .* 10\.3\.0: build it anew"),
        (
            "8.5.2.2",
            Gpu("Xavier", "7.2", 8, 11040),
            r"built for Orin of .* 8\.7 .*; this GPU is Xavier of .* 7\.2",
        ),
        ("8.5.2.2", Gpu("Orin", "8.7", 16, 12060), r"with 8 multiprocessors; this GPU is .* with 16 multi"),
    ],
    ids=["release", "GPU", "board"],
)
def test_an_engine_of_elsewhere_is_refused(
    network: Network, prepared: Path, on_path: Put, release: str, gpu: Gpu, told: str
) -> None:
    """An engine of another release, GPU or board is refused by a sentence that says what to do."""
    on_path("8.5")
    folder, product = compiled(network, prepared, "8.5")
    with pytest.raises(Unsupported, match=told):
        loaded(network, folder, product, release, gpu)


def plan_of(*release: int, size: int = 100) -> bytes:
    """An engine's bytes, nothing in it."""
    return (b"ftrt".ljust(24, b"\0") + bytes(release)).ljust(size, b"\0")


def test_a_file_that_is_no_whole_engine_is_refused() -> None:
    """No engine, one that was cut off, and one in place of the manifest's own are refused before TensorRT
    sees them; one that was just built is not.
    """
    plan = plan_of(8, 5, 2, 2)
    settings = settings_of(plan, "8.5.2.2", ORIN, None)
    assert refusal(plan, settings, "8.5.2.2", ORIN) == ""
    assert refusal(b"ftrt", settings, "8.5.2.2", ORIN) == "the file is no engine of TensorRT: build it anew"
    assert refusal(b"vtrt" + plan[4:], settings, "8.5.2.2", ORIN).startswith("the file is no engine")
    assert refusal(plan[:50], settings, "8.5.2.2", ORIN).endswith(
        "50 bytes, its manifest says 100: it was cut off"
    )
    other = plan_of(8, 6, 1, 2)
    assert "built with TensorRT 8.6.1.2" in refusal(other, settings, "8.5.2.2", ORIN)


def test_a_header_that_tells_nothing_of_the_release() -> None:
    """Where the bytes of a release's engines are no release, the manifest's word counts."""
    plan = plan_of(0, 0, 7, 0)
    settings = settings_of(plan, "8.5.2.2", ORIN, "35.4.1")
    assert (settings["header"], settings["l4t"]) == ("0.0.7.0", "35.4.1")
    assert refusal(plan, settings, "8.5.2.2", ORIN) == ""
    assert "built with TensorRT 8.5.2.2" in refusal(plan, settings, "10.3.0", ORIN)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_engine_or_not(content: bytes) -> None:
    """Bytes that do not begin as an engine does have no release; those that do have one where whole."""
    assert release_of(content) is None
    assert (release_of(b"ftrt" + content) is not None) == (len(content) >= 24)


INSPECTED = {
    "Layers": [
        {
            "Name": "Reformatting CopyNode for Input Tensor 0 to conv",
            "LayerType": "Reformat",
            "Inputs": [{"Name": "image", "Format/Datatype": "Row major linear FP32"}],
            "Outputs": [
                {"Name": "x", "Format/Datatype": "Thirty-two wide channel vectorized row major Int8 format"}
            ],
            "ParameterType": "Reformat",
            "TacticName": "convolution_input",
        },
        {
            "Name": "__myl_FcAdd",
            "LayerType": "fusion",
            "Inputs": [{"Format/Datatype": "Int8"}, {"Format/Datatype": "Half"}],
            "Outputs": [{"Format/Datatype": "Half"}, {"Format/Datatype": "Int32"}],
            "TacticName": "sm80_xmma_gemm_i8i8_i8i32_f32",
            "Metadata": "[ONNX Layer: dense]\x1f[ONNX Layer: add]\x1e[ONNX Layer: dense]",
        },
        {
            "Name": "cast",
            "LayerType": "Convert",
            "Inputs": [{"Format/Datatype": "N/A due to dynamic shapes"}],
        },
        {"Name": "conv", "LayerType": "CaskConvolution"},
        "a layer + by its name alone",
        {"Inputs": 3, "Outputs": [None]},
    ]
}


def test_layers_are_read() -> None:
    """Precisions are read in each release's words; what multiplies is told from what prepares its input; what
    is not understood is left out.
    """
    reformat, dense, cast, convolution, name, odd = read_layers(json.dumps(INSPECTED))
    assert (reformat.reads, reformat.writes, reformat.multiplies) == (("fp32",), ("int8",), False)
    assert (dense.reads, dense.writes, dense.operations) == (("int8", "fp16"), ("fp16",), ("dense", "add"))
    assert (cast.reads, cast.multiplies, odd.reads) == ((), False, ())
    assert (name.operations, convolution.operations) == (("a layer", "by its name alone"), ("conv",))
    layers = (reformat, dense, cast, convolution, name, odd)
    assert precisions_of(layers, ["dense", "add", "conv", "elsewhere"]) == {"dense": "int8", "add": "int8"}


@given(st.text())
def test_any_text_is_layers_or_refused(text: str) -> None:
    """What is no list of layers is refused as that."""
    with pytest.raises(ValueError):  # noqa: PT011 - json's own is one
        read_layers(text)


def test_l4t_release(tmp_path: Path) -> None:
    """The device's release is read from NVIDIA's file; where that is not, or is another, there is none."""
    file = tmp_path / "nv_tegra_release"
    assert l4t_release(str(file)) is None
    file.write_text("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n# KERNEL")
    assert l4t_release(str(file)) == "36.4.3"
    file.write_text("something else")
    assert l4t_release(str(file)) is None


def test_a_program_is_found_where_nvidia_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """trtexec is found in NVIDIA's folder where it is not on the PATH."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_program((tmp_path,)) is None
    program = trtexec_stand_in.install(tmp_path, "8.5")
    assert find_program((tmp_path,)) == str(program)


def test_a_programs_output_is_bounded(capfd: pytest.CaptureFixture[str]) -> None:
    """A program that never stops talking fills neither memory nor the job's log; how it ended is known."""
    script = "import os, signal\nfor i in range(30000): print(i)\nos.kill(os.getpid(), signal.SIGKILL)"
    ended = run([sys.executable, "-c", script, "x" * 100])
    printed = capfd.readouterr().out.splitlines()
    assert len(printed) == 20_000
    assert printed[0] == "trtexec: 0"
    assert len(ended.log.splitlines()) <= 4000
    assert ended.log.startswith("0\n1\n")
    assert (ended.status, ended.reason) == (
        -9,
        "signal 9 ended trtexec; 9 often means that memory was short",
    )


def test_without_the_vendors_package() -> None:
    """Where TensorRT cannot be imported the job is not measured, with what the device needs."""
    with pytest.raises(Unsupported, match=r"TensorRT cannot be loaded here \(No module.*runtime nvidia"):
        versions()


# CUDA's runtime by ctypes: the wrapper with a library that was compiled for the tests, and with a real one.


@pytest.fixture(scope="session")
def stand_in_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that stands in for libcudart, compiled."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here to compile the library that stands in for CUDA's")
    library = tmp_path_factory.mktemp("cuda") / "libcudart.so.12"
    source = PRODUCT / "tests" / "stand_ins" / "cudart.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


def opened(library: Path) -> ctypes.CDLL:
    """A copy of a library by itself, with counts of its own."""
    own = library.with_name(f"{len(list(library.parent.iterdir()))}-{library.name}")
    shutil.copyfile(library, own)
    return open_library((own.name,), (f"{own.parent}/",))


def test_ctypes_calls_cuda(stand_in_library: Path) -> None:
    """The GPU's facts are read, bytes go to its memory and back, each call is made once."""
    library = opened(stand_in_library)
    cuda = CudaRuntime(library)
    assert (cuda.find(), cuda.release()) == (ORIN, "12.6")
    calls = library.stand_in_calls()
    there, stream = cuda.allocate(4), cuda.new_stream()
    sent, received = ctypes.create_string_buffer(b"abcd", 4), ctypes.create_string_buffer(4)
    cuda.to_gpu(there, ctypes.addressof(sent), 4, stream)
    cuda.from_gpu(ctypes.addressof(received), there, 4, stream)
    cuda.synchronize(stream)
    assert received.raw == b"abcd"
    assert library.stand_in_calls() - calls == 5


@pytest.mark.parametrize(
    ("function", "call"),
    [
        ("cudaMalloc", lambda cuda: cuda.allocate(1)),
        ("cudaStreamCreate", lambda cuda: cuda.new_stream()),
        ("cudaMemcpyAsync", lambda cuda: cuda.to_gpu(cuda.allocate(1), cuda.allocate(1), 0, 5)),
        ("cudaMemcpyAsync", lambda cuda: cuda.from_gpu(cuda.allocate(1), cuda.allocate(1), 0, 5)),
        ("cudaStreamSynchronize", lambda cuda: cuda.synchronize(5)),
        ("cudaDeviceGetAttribute", lambda cuda: cuda.find()),
        ("cudaGetDeviceProperties", lambda cuda: cuda.find()),
        ("cudaSetDevice", lambda cuda: cuda.find()),
        ("cudaRuntimeGetVersion", lambda cuda: cuda.release()),
    ],
)
def test_every_error_of_cuda_is_told(
    stand_in_library: Path, function: str, call: Callable[[CudaRuntime], Any]
) -> None:
    """A function that fails is named with CUDA's own words, or its code where CUDA has none."""
    library = opened(stand_in_library)
    for code, words in ((2, "out of memory"), (77, "an unknown error")):
        library.stand_in_fail(function.encode(), code)
        with pytest.raises(GpuError, match=rf"^{function}: {words} \(error {code}\)$"):
            call(CudaRuntime(library))


def test_no_gpu_is_told(stand_in_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a driver, without a GPU, and where CUDA does not answer, the device is said to be missing."""
    library = opened(stand_in_library)
    library.stand_in_fail(b"cudaGetDeviceCount", 100)
    with pytest.raises(Unsupported, match=r"no NVIDIA GPU is here.* \(cudaGetDeviceCount: no device"):
        CudaRuntime(library).find()
    library.stand_in_fail(b"", 0)
    monkeypatch.setenv("NO_GPU", "1")
    with pytest.raises(Unsupported, match="the driver has none"):
        CudaRuntime(library).find()
    monkeypatch.setenv("NO_DRIVER", "1")
    with pytest.raises(Unsupported, match="there is no driver"):
        CudaRuntime(library).find()


def test_no_library_is_told() -> None:
    """Where CUDA's runtime is not, that is said, with the loader's words."""
    with pytest.raises(Unsupported, match=r"CUDA's runtime cannot be loaded: libno\.so: cannot open"):
        open_library(("libno.so",), ("", "/nowhere/"))


def test_a_real_library_answers() -> None:
    """CUDA's own library has all that is called, and finds a GPU or says that there is none."""
    cuda, lack = attempt(Unsupported, lambda: CudaRuntime(open_library()))
    if cuda is None:
        pytest.skip(str(lack))
    gpu, missing = attempt(Unsupported, cuda.find)
    assert gpu.capability if gpu else "no NVIDIA GPU is here" in str(missing)


# The whole job under the Python of JetPack 5.


def python38() -> str:
    """A Python 3.8 with what every image has; DOCKYARD_PYTHON38 names it."""
    python = os.environ.get("DOCKYARD_PYTHON38") or shutil.which("python3.8") or ""
    lacks = (
        subprocess.run([python, "-c", "import numpy, cv2, psutil"], capture_output=True) if python else None
    )
    if lacks is None or lacks.returncode != 0:
        pytest.skip("no Python 3.8 with numpy, OpenCV and psutil here; DOCKYARD_PYTHON38 may name one")
    return python


@pytest.mark.parametrize("builder", ["trtexec", "python"])
def test_a_job_runs_on_python_38(
    network: Network, prepared: Path, tmp_path: Path, stand_in_library: Path, builder: str
) -> None:
    """Under Python 3.8 the entry script compiles an engine from a job's folder and runs it: files, ctypes and
    numpy are real, trtexec, TensorRT and CUDA stand-ins.
    """
    python = python38()
    programs = tmp_path / "bin"
    programs.mkdir()
    trtexec_stand_in.install(programs, "8.5")
    folder = tmp_path / "job"
    place_code(OURS, "l4t-tensorrt", folder)
    source = folder / "inputs" / "digits"
    shutil.copytree(prepared, source)
    (source / MANIFEST_FILE).write_text(json.dumps(encode(manifest_of(network))))
    options = with_defaults({"builder": builder}, TARGET.option_schema("int8", "8.5"))
    (folder / "cache").mkdir()
    parameters = Compile(NetworkFiles(network, "inputs/digits"), options, "cache", False)
    job = Job("digits/int8/compile", "digits", "l4t-tensorrt", "8.5", "int8", 1, parameters)
    (folder / "job.json").write_text(json.dumps(encode(job)))
    code = folder / "code"
    paths = [code, code / "targets" / "l4t-tensorrt", PRODUCT / "tests" / "stand_ins"]
    script = PRODUCT / "tests" / "fixtures" / "l4t_job.py"
    done = subprocess.run(
        [python, "-B", str(script), str(folder)],
        env={
            "PATH": f"{programs}:/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "LD_LIBRARY_PATH": str(stand_in_library.parent),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["python"].startswith("3.8")
    result = found["result"]
    assert (result["status"], result["reason"]) == ("done", "")
    assert result["versions"] == {"tensorrt": "8.5.2.2", "cuda": "12.6"}
    assert {file["path"] for file in result["artifact"]["files"]} == {"manifest.json", "model.engine"}
    assert "trtexec's clocks, medians: to the GPU 0.25 ms" in result["notes"]["remarks"][2]
    assert found["digit"] == [[0, 2, 4, 6, 8, 10, 12, 14, 16, 18]]
