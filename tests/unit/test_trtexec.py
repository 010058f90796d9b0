"""Command lines of trtexec are taken by the release that they are for, and what it leaves is read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.workspace import PRODUCT
from shared.contract.errors import InputProblem
from tests.stand_ins.trtexec import CALLS, FLAGS, install

sys.path.insert(0, str(PRODUCT / "targets" / "l4t-tensorrt"))
from trtexec_commands import DIALECTS, Build, Shapes, build_command, clock_command, dialect_of, shape_of
from trtexec_output import KEYS, read_clocks, read_layers, read_summary, why_failed

SHAPES = Shapes("image", (1, 3, 64, 256), (8, 3, 64, 256), (16, 3, 64, 256))
EVERY_BUILD = [
    (release, precision) for release, dialect in DIALECTS.items() for precision in dialect.precisions
]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A build of a graph that is there."""
    (tmp_path / "model.onnx").write_bytes(b"\x08\x09")
    return Build(
        graph=tmp_path / "model.onnx",
        engine=tmp_path / "model.engine",
        precision="fp16",
        workspace_mb=1024,
        timing_cache=tmp_path / "timing.cache",
        layers=tmp_path / "layers.json",
        shapes=SHAPES,
    )


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("release", "precision"), EVERY_BUILD)
def test_each_release_takes_its_command_lines(
    build: Build, release: str, precision: str, tmp_path: Path
) -> None:
    """A release builds an engine in each precision and times it; the three clocks and the layers are read."""
    program = str(install(tmp_path, release))
    wanted = Build(**{**vars(build), "precision": precision})
    built = run(build_command(program, release, wanted))
    assert built.returncode == 0, built.stdout
    assert build.engine.read_bytes().startswith(b"ftrt")
    assert build.timing_cache.is_file()
    assert [name for name, _ in read_layers(build.layers.read_text())] == ["conv"]
    times = tmp_path / "times.json"
    shape = shape_of("image", SHAPES.usual)
    timed = run(clock_command(program, release, build.engine, times, 3.0, shape))
    assert timed.returncode == 0, timed.stdout
    clocks = read_clocks(times.read_text())
    assert clocks.to_gpu_ns == (250_000,) * CALLS
    assert clocks.host_ns == (1_875_000,) * CALLS
    summary = read_summary(timed.stdout)
    assert summary.queries_per_s == pytest.approx(666.667)
    assert summary.remarks == ("the GPU's times vary by more than 1 %: lock its clocks (jetson_clocks)",)


@pytest.mark.parametrize("release", DIALECTS)
@pytest.mark.parametrize("other", DIALECTS)
def test_no_release_takes_a_flag_of_another(build: Build, release: str, other: str, tmp_path: Path) -> None:
    """A command line for another release ends with the flag that is not known, unless all of them are."""
    command = build_command(str(install(tmp_path, release)), other, build)
    known = {*FLAGS["common"], *FLAGS["releases"][release]}
    unknown = [flag for flag in command[1:] if flag.partition("=")[0] not in known]
    done = run(command)
    assert done.returncode == (1 if unknown else 0)
    if unknown:
        assert why_failed(done.stdout).startswith(
            "this release of trtexec does not take a flag: Unknown option"
        )


def test_what_each_release_is_told(build: Build) -> None:
    """Precision is a flag where the network is weakly typed and none where the graph has it; the release's
    own word ends the build; a fixed shape has no flags.
    """
    wanted = Build(**{**vars(build), "precision": "int8", "shapes": None})
    lines = {release: build_command("trtexec", release, wanted) for release in DIALECTS}
    assert lines["8.5"][3:6] == ["--buildOnly", "--int8", "--fp16"]
    assert lines["10.3"][3:6] == ["--skipInference", "--int8", "--fp16"]
    assert lines["11.1"][3:5] == ["--skipInference", "--memPoolSize=workspace:1024"]
    assert not [flag for flag in lines["8.5"] if "Shapes" in flag]
    assert "--optShapes=image:8x3x64x256" in build_command("trtexec", "8.5", build)


def test_an_unknown_release_or_precision_is_refused(build: Build) -> None:
    """Flags are never guessed: a release or a precision that is not known is refused with the nearest."""
    with pytest.raises(InputProblem, match=r"flags of trtexec 10\.4 are not known\n.*valid: 10\.16"):
        dialect_of("10.4")
    assert dialect_of("10.3.0.26") is DIALECTS["10.3"]
    with pytest.raises(InputProblem, match="no precision 'fp8'"):
        build_command("trtexec", "8.5", Build(**{**vars(build), "precision": "fp8"}))


@pytest.mark.parametrize("release", DIALECTS)
def test_why_it_failed(build: Build, release: str, tmp_path: Path) -> None:
    """A graph that is none, an engine that is missing and one of another release are each told in a line."""
    program = str(install(tmp_path, release))
    build.graph.write_bytes(b"no graph")
    no_graph = run(build_command(program, release, build))
    assert no_graph.returncode == 1
    assert why_failed(no_graph.stdout).startswith("TensorRT does not read the graph: ModelImporter.cpp:735: ")
    times = tmp_path / "times.json"
    missing = run(clock_command(program, release, build.engine, times, 1.0))
    assert why_failed(missing.stdout) == "the engine's file cannot be opened"
    build.engine.write_bytes(b"ftrt".ljust(24, b"\0") + bytes((8, 2, 1, 8)))
    older = run(clock_command(program, release, build.engine, times, 1.0))
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
