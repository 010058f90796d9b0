"""DeepStream's pipeline in software: a real build, its lines beside those of our own stream."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rich.console import Console

from dockyard.deliver.find import measured_artifact
from dockyard.engines import Limits
from dockyard.engines.docker import DockerExecutor
from dockyard.reading import Asked
from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import Workspace
from dockyard.run.datasets import generated
from dockyard.run.job_folder import place_code
from dockyard.workflow import BuildResult, build
from shared.contract.codec import decode, encode
from shared.contract.errors import JobFailed
from shared.contract.measurement import Throughput
from shared.contract.model import Network, Pipeline
from shared.contract.record import Record, RecordStatus
from shared.contract.stages import NetworkFiles, PipelineFiles
from shared.contract.streaming import FrameReading
from tests.integration.conftest import DOCKYARD, new_workspace
from tests.integration.few_plates import add_few_plates
from tests.integration.test_streams import first_frames, read

TARGET, TOOLCHAIN = "deepstream-software", "1.22"
FRAMES = 100
FIXTURES = Path(__file__).parents[1] / "fixtures"

LAPTOP: dict[str, Any] = {
    "model": "license_plate",
    "target": TARGET,
    "optimizations": ["baseline"],
    "measure": {"threads": 2, "cycles": 3, "burst_s": 0.05, "warmup": 2, "max_rounds": 3, "samples": 8},
    "stream": {"frames": FRAMES, "burst_s": 2},
}

TEST_IMAGES = 298
"""Of the licence plates' own data."""


@pytest.fixture(scope="module")
def built(
    docker_executor: object, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Path, BuildResult]:
    """The recipe of a laptop, built: its workspace, its file, and what came of it."""
    workspace = new_workspace(tmp_path_factory.mktemp("deepstream"))
    recipe = tmp_path_factory.mktemp("recipe") / "laptop.json"
    recipe.write_text(json.dumps({**LAPTOP, "data": add_few_plates(workspace, 40)}))
    printed = io.StringIO()
    result = build(workspace, str(recipe), Console(file=printed, width=200), engine="docker")
    assert {one.record.status for one in result.assessments} == {RecordStatus.MEASURED}, printed.getvalue()
    return workspace, recipe, result


def record_of(result: BuildResult) -> Record:
    """Return the record of the pipeline's variant."""
    found = [one.record for one in result.assessments if one.record.model == "license_plate"]
    return next(one for one in found if one.variant != "reference")


def clip_of(workspace: Workspace, tmp_path: Path) -> Path:
    """Return a video with the frames that were judged."""
    video = next((workspace.state / "data").glob("license_plate_clip-*/clip/clip.mp4"))
    short = tmp_path / "gate.mp4"
    first_frames(video, short, FRAMES)
    return short


def texts(reading: FrameReading) -> list[tuple[str, str | None] | None]:
    """Return what was read of each object of a frame."""
    answers = [one.answers.get("reader") for one in reading.objects]
    return [None if one is None else (one.text, one.country) for one in answers]


def test_it_is_measured_beside_tensorflow_and_every_key_is_told(
    built: tuple[Workspace, Path, BuildResult],
) -> None:
    """Frames a second, quality, parity with the sequential pipeline, and where each key came from."""
    record = record_of(built[2])
    assert all(isinstance(one.measured, Throughput) for one in record.rounds)
    assert record.quality is not None
    assert len(record.quality.samples) == FRAMES
    assert record.quality.metrics["exact"] > 0.9
    assert any(one.startswith("parity: in ") for one in record.warnings)
    (table,) = record.notes["license_plate"].tables
    assert {row[0] for row in table.rows} == {"detector.txt", "reader.txt"}
    assert all(row[4] for row in table.rows)


def test_its_lines_are_those_that_nvinfers_rules_predict_frame_by_frame(
    built: tuple[Workspace, Path, BuildResult], docker_executor: DockerExecutor, tmp_path: Path
) -> None:
    """GStreamer's frames are our own stream's, and all that differs from it is how nvinfer makes inputs."""
    workspace, recipe, result = built
    clip = clip_of(workspace, tmp_path)
    readings, told = read(workspace, recipe, Asked([str(clip)], "baseline"))
    assert told.startswith(f"{FRAMES} frames in ")
    assert [one.frame for one in readings] == list(range(FRAMES))
    assert {one.source for one in readings} == {str(clip)}
    job = job_with(workspace, record_of(result), {"clip.mp4": clip}, "deepstream_lines.py", tmp_path)
    lines = left_by(job, docker_executor, "predicted.jsonl").read_text().splitlines()
    predicted = [decode(FrameReading, json.loads(line)) for line in lines]
    for reading, expected in zip(readings, predicted, strict=True):
        assert texts(reading) == texts(expected), f"frame {reading.frame}"
        for one, other in zip(reading.objects, expected.objects, strict=True):
            assert one.box == pytest.approx(other.box, abs=0.01)


def test_parsers_in_c_and_python_agree_on_every_test_image(
    built: tuple[Workspace, Path, BuildResult], docker_executor: DockerExecutor, tmp_path: Path
) -> None:
    """Real outputs of both networks; and what nvinfer's way to make inputs costs stays small."""
    workspace, _, result = built
    sets = generated(DOCKYARD, "license_plate", lambda *_: None)
    given = {name: sets / name / "test" for name in ("scenes", "plates")}
    job = job_with(workspace, record_of(result), given, "deepstream_parity.py", tmp_path)
    found = json.loads(left_by(job, docker_executor, "parity.json").read_text())
    scenes, plates = found["scenes"], found["plates"]
    assert (scenes["images"], plates["images"]) == (TEST_IMAGES, TEST_IMAGES)
    assert scenes["boxes alike"] == TEST_IMAGES
    assert plates["texts alike"] == TEST_IMAGES
    assert scenes["texts alike"] >= scenes["right"] > 0
    assert scenes["grey levels apart"] <= 1
    assert abs(scenes["right"] - scenes["right by nvinfer"]) <= 0.02 * TEST_IMAGES, found


def job_with(
    workspace: Workspace, record: Record, given: Mapping[str, Path], script: str, tmp_path: Path
) -> Path:
    """Make a job of the target with what was measured, other files by their places, and a test's script."""
    folder = tmp_path / f"job-{uuid4().hex}"
    pipeline = load_model(workspace, "license_plate", "test")
    assert isinstance(pipeline, Pipeline)
    files = []
    for name in pipeline.networks:
        network = load_model(workspace, name, "test")
        assert isinstance(network, Network)
        files.append(NetworkFiles(network, f"inputs/{name}"))
        shutil.copytree(measured_artifact(workspace, record, name), folder / "inputs" / name)
    shutil.copytree(measured_artifact(workspace, record, pipeline.name), folder / "inputs" / "settings")
    for place, file in given.items():
        copy = shutil.copytree if file.is_dir() else shutil.copyfile
        copy(file, folder / "inputs" / place)
    said = encode(PipelineFiles(pipeline.nodes, tuple(files)))
    (folder / "inputs" / "pipeline.json").write_text(json.dumps(said))
    (folder / "outputs").mkdir()
    place_code(workspace, TARGET, folder)
    entry = folder / "code" / "targets" / TARGET / "entry.py"
    entry.rename(entry.with_name("target_entry.py"))
    shutil.copyfile(FIXTURES / script, entry)
    return folder


def left_by(job: Path, executor: DockerExecutor, name: str) -> Path:
    """Run a job, and return a file that it has left."""
    lines: list[str] = []
    executor.run(TARGET, TOOLCHAIN, job, Limits(600, 4096), lines.append)
    left = job / "outputs" / name
    assert left.is_file(), "\n".join(lines[-20:])
    return left


def test_what_only_a_jetson_can_do_is_refused(
    built: tuple[Workspace, Path, BuildResult], tmp_path: Path
) -> None:
    workspace, recipe, _ = built
    clip = clip_of(workspace, tmp_path)
    with pytest.raises(JobFailed, match="draws no videos"):
        read(workspace, recipe, Asked([str(clip)], "baseline", annotated=tmp_path / "drawn"))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(JobFailed, match=r"broken\.mp4.*cannot be read"):
        read(workspace, recipe, Asked([str(broken)], "baseline"))
