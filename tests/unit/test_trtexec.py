"""Command lines of trtexec are taken by the release that they are for, and what it leaves is read."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.workspace import PRODUCT
from shared.contract.errors import InputProblem
from tests.stand_ins.trtexec import CALLS, FLAGS, install

sys.path.insert(0, str(PRODUCT / "targets" / "tensorrt-engines"))
sys.path.insert(0, str(PRODUCT / "targets" / "jetson-engines"))
from engine_wish import Wish
from layer_info import read_layers
from trtexec_commands import DIALECTS, build_command, clock_command, dialect_of
from trtexec_output import KEYS, read_clocks, read_summary, why_failed

TYPES: dict[str, tuple[str, ...]] = {"fp32": (), "fp16": ("fp16",), "int8": ("int8", "fp16")}
EVERY_BUILD = list(product(DIALECTS, TYPES))
NAMES = ["decode", "boxes:0", "a/b [Mul]", "x=1"]
"""Of nodes that stay in float32; colons and equal signs are in those of TensorFlow's graphs."""


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    """An engine in float16 of a graph that is there."""
    graph = tmp_path / "model.onnx"
    graph.write_bytes(b"\x08\x09 int8 fp16")
    return Wish(graph, 1024, TYPES["fp16"], timing_cache=tmp_path / "timing.cache")


def command_of(program: str, release: str, wish: Wish) -> list[str]:
    """The command line that builds an engine, and leaves its layers, beside the graph."""
    folder = wish.graph.parent
    return build_command(program, release, wish, folder / "model.engine", folder / "layers.json")


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("release", "precision"), EVERY_BUILD)
def test_each_release_takes_its_command_lines(
    wish: Wish, release: str, precision: str, tmp_path: Path
) -> None:
    """A release builds an engine in each precision and times it; the three clocks and the layers are read."""
    program = str(install(tmp_path, release))
    asked = replace(wish, types=TYPES[precision], in_float32=tuple(NAMES))
    built = run(command_of(program, release, asked))
    assert built.returncode == 0, built.stdout
    engine = tmp_path / "model.engine"
    assert engine.read_bytes().startswith(b"ftrt")
    assert (tmp_path / "timing.cache").is_file()
    convolution, decode = read_layers((tmp_path / "layers.json").read_text())
    assert (convolution.multiplies, decode.multiplies) == (True, False)
    # A strongly typed network has its graph's types, whatever is asked; the graph is int8.
    assert convolution.reads == (precision if release == "8.5" else "int8",)
    times = tmp_path / "times.json"
    timed = run(clock_command(program, release, engine, times, 3.0))
    assert timed.returncode == 0, timed.stdout
    clocks = read_clocks(times.read_text())
    assert clocks.to_gpu_ns == (250_000,) * CALLS
    assert clocks.host_ns == (1_875_000,) * CALLS
    summary = read_summary(timed.stdout)
    assert summary.queries_per_s == pytest.approx(666.667)
    assert summary.remarks == ("the GPU's times vary by more than 1 %: lock its clocks (jetson_clocks)",)


@pytest.mark.parametrize("release", DIALECTS)
@pytest.mark.parametrize("other", DIALECTS)
def test_no_release_takes_a_flag_of_another(wish: Wish, release: str, other: str, tmp_path: Path) -> None:
    """A command line for another release ends with the flag that is not known, unless all of them are."""
    command = command_of(str(install(tmp_path, release)), other, wish)
    known = {*FLAGS["common"], *FLAGS["releases"][release]}
    unknown = [flag for flag in command[1:] if flag.partition("=")[0] not in known]
    done = run(command)
    assert done.returncode == (1 if unknown else 0)
    if unknown:
        assert why_failed(done.stdout).startswith(
            "this release of trtexec does not take a flag: Unknown option"
        )


def test_what_each_release_is_told(wish: Wish) -> None:
    """A release types the network as its graph is where it can; where it cannot, it is told what it may round
    to, and in which nodes not. No TF32.
    """
    asked = replace(wish, types=TYPES["int8"], in_float32=("decode", "boxes:0"))
    lines = {release: command_of("trtexec", release, asked) for release in DIALECTS}
    held = ["--precisionConstraints=obey", "--layerPrecisions=decode:fp32,boxes:0:fp32"]
    assert lines["8.5"][3:9] == ["--buildOnly", "--int8", "--fp16", *held, "--noTF32"]
    assert lines["10.3"][3:6] == lines["10.16"][3:6] == ["--skipInference", "--stronglyTyped", "--noTF32"]
    assert lines["11.1"][3:5] == ["--skipInference", "--noTF32"]
    plain = command_of("trtexec", "8.5", replace(asked, types=()))
    assert plain[3:5] == ["--buildOnly", "--noTF32"]


@pytest.mark.parametrize("name", ["a,b", "it's", "*", ""])
def test_a_name_that_cannot_be_told_is_refused(wish: Wish, name: str) -> None:
    """trtexec 8.5 splits names at commas and quotes: such a node is refused, and nothing held to float32 by
    mistake; a release that is told no names takes any.
    """
    asked = replace(wish, in_float32=("decode", name))
    with pytest.raises(InputProblem, match=r"cannot be told .*\n.*builder: python"):
        command_of("trtexec", "8.5", asked)
    assert command_of("trtexec", "10.3", asked)


def test_an_unknown_release_is_refused() -> None:
    """Flags are never guessed: a release that is not known is refused with the nearest."""
    with pytest.raises(InputProblem, match=r"flags of trtexec 10\.4 are not known\n.*valid: 10\.16"):
        dialect_of("10.4")
    assert dialect_of("10.3.0.26") is DIALECTS["10.3"]


@pytest.mark.parametrize("release", DIALECTS)
def test_why_it_failed(wish: Wish, release: str, tmp_path: Path) -> None:
    """A graph that is none, an engine that is missing and one of another release are each told in a line."""
    program, engine = str(install(tmp_path, release)), tmp_path / "model.engine"
    wish.graph.write_bytes(b"no graph")
    no_graph = run(command_of(program, release, wish))
    assert no_graph.returncode == 1
    assert why_failed(no_graph.stdout).startswith("TensorRT does not read the graph: ModelImporter.cpp:735: ")
    times = tmp_path / "times.json"
    missing = run(clock_command(program, release, engine, times, 1.0))
    assert why_failed(missing.stdout) == "the engine's file cannot be opened"
    engine.write_bytes(b"ftrt".ljust(24, b"\0") + bytes((8, 2, 1, 8)))
    older = run(clock_command(program, release, engine, times, 1.0))
    told = why_failed(older.stdout)
    assert told.startswith("the engine was built by another TensorRT, or for another device: ")
    assert "Version tag does not match" in told
    assert not times.exists()


def test_silence_is_no_reason() -> None:
    """A log that says nothing of a failure gives no reason, in place of a made-up one."""
    assert why_failed("[11/28/2026-20:00:00] [I] === Model Options ===\nhello") == ""


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """What is no output of trtexec is refused as that; reading a log never fails."""
    assert isinstance(why_failed(text), str)
    assert read_summary(text).remarks == ()
    for read in (read_clocks, read_layers):
        with pytest.raises(ValueError):  # noqa: PT011 - json's own is one
            read(text)


times_ms = st.floats(0, 1e6, allow_nan=False)
entries = st.lists(st.fixed_dictionaries(dict.fromkeys(KEYS, times_ms)), min_size=1, max_size=5)


@given(entries)
def test_clocks_are_in_nanoseconds(calls: list[dict[str, float]]) -> None:
    """Each call's clocks come back in nanoseconds, in the order of the file."""
    clocks = read_clocks(json.dumps(calls))
    assert clocks.gpu_ns == tuple(round(call["computeMs"] * 1e6) for call in calls)
    assert len(clocks.host_ns) == len(calls)


@pytest.mark.parametrize("value", [None, "1", True, -1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(value: object) -> None:
    """A time that is missing, no number, negative or endless is refused, not taken for fast."""
    call = {**dict.fromkeys(KEYS, 1.0), "computeMs": value}
    with pytest.raises(ValueError, match="a time that is none: computeMs"):
        read_clocks(json.dumps([call]))
