"""A real stream: settings searched, measured beside the sequential pipeline, and a user's own files read."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from rich.console import Console

from dockyard.reading import Asked, read_stream, summary
from dockyard.recipe.workspace import Workspace
from dockyard.run.live_display import LiveDisplay
from dockyard.workflow import build
from shared.contract.errors import InputProblem
from shared.contract.measurement import Scope, Throughput
from shared.contract.record import RecordStatus
from shared.contract.streaming import FrameReading
from tests.integration.few_plates import add_few_plates

Recipe = Callable[[dict[str, Any]], Path]

FRAMES = 120

STREAM: dict[str, Any] = {
    "model": "license_plate",
    "target": "intel-openvino",
    "optimizations": ["baseline"],
    "measure": {"threads": 2, "cycles": 3, "burst_s": 0.05, "warmup": 2, "max_rounds": 3, "samples": 8},
    "stream": {"frames": FRAMES, "search_s": 20, "burst_s": 2},
}


def read(workspace: Workspace, recipe: Path, asked: Asked) -> tuple[list[FrameReading], str]:
    """Read sources, and return the lines in their order and the summary."""
    readings: list[FrameReading] = []
    with LiveDisplay(Console(file=io.StringIO())) as display:
        result = read_stream(workspace, str(recipe), asked, readings.append, display, engine="docker")
    return readings, summary(result)


def test_a_stream_goes_the_whole_way(
    docker_executor: object, workspace: Workspace, recipe_file: Recipe, tmp_path: Path
) -> None:
    """It reads what the sequential pipeline reads, and a user's files with the settings that were found."""
    recipe = recipe_file({**STREAM, "data": add_few_plates(workspace, 40)})
    printed = io.StringIO()
    built = build(workspace, str(recipe), Console(file=printed, width=200), engine="docker")
    own = {one.record.variant: one for one in built.assessments if one.record.model == "license_plate"}
    assert {one.record.status for one in own.values()} == {RecordStatus.MEASURED}, printed.getvalue()
    assert {one.record.scope for one in own.values()} == {Scope.STREAM}
    assert all(isinstance(one.measured, Throughput) for one in own["baseline"].record.rounds)
    parity = f"parity: in all {FRAMES} frames it read what the sequential pipeline reads"
    assert parity in own["baseline"].record.warnings
    assert own["baseline"].speedup is not None
    assert own["baseline"].drop is not None
    assert abs(own["baseline"].drop.estimate) < 0.02
    assert "license_plate" in own["baseline"].record.artifacts, "how it is run is part of what was measured"

    video = next((workspace.state / "data").glob("license_plate_clip-*/clip/clip.mp4"))
    gate, street = tmp_path / "gate.mp4", tmp_path / "street.mp4"
    for file, count in ((gate, 50), (street, 30)):
        first_frames(video, file, count)
    asked = Asked([str(gate), str(street)], "baseline", annotated=tmp_path / "drawn")
    readings, told = read(workspace, recipe, asked)
    assert Counter(one.source for one in readings) == {str(gate): 50, str(street): 30}
    for source in (gate, street):
        numbers = [one.frame for one in readings if one.source == str(source)]
        assert numbers == sorted(numbers)
    assert told.startswith("80 frames in ")
    for name, count in (("1-gate.mp4", 50), ("2-street.mp4", 30)):
        with av.open(str(tmp_path / "drawn" / name)) as drawn:
            assert sum(1 for _ in drawn.decode(video=0)) == count

    with pytest.raises(InputProblem, match="no such file"):
        read(workspace, recipe, Asked([str(tmp_path / "gat.mp4")], "baseline"))
    with pytest.raises(InputProblem, match="no variant 'baselin'"):
        read(workspace, recipe, Asked([str(gate)], "baselin"))


def first_frames(video: Path, short: Path, count: int) -> None:
    """Write the first frames of a video that has a picture in each packet, in order."""
    with av.open(str(video)) as source, av.open(str(short), "w") as target:
        (stream,) = source.streams.video
        copy = target.add_stream_from_template(stream)
        for number, packet in enumerate(source.demux(stream)):
            if number == count or packet.dts is None:
                return
            packet.stream = copy
            target.mux(packet)
