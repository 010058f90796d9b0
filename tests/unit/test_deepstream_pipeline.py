"""A DeepStream pipeline as data: what is described is whole, and the software stand-in runs the same."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.workspace import PRODUCT
from shared.contract.artifact import MANIFEST_FILE, Manifest
from shared.contract.codec import encode
from shared.contract.errors import InputProblem, JobFailed
from shared.contract.model import Network, Pipeline
from shared.contract.stages import NetworkFiles, PipelineFiles
from shared.contract.streaming import Tracking
from shared.inference.video import Patience

sys.path.insert(0, str(PRODUCT / "targets" / "nvinfer-configs"))
sys.path.insert(0, str(PRODUCT / "targets" / "deepstream-parsers"))
sys.path.insert(0, str(PRODUCT / "targets" / "deepstream-pipeline"))
from live_sources import LiveSource
from nvinfer_keys import table
from nvinfer_text import read
from pipeline_description import (
    MUX,
    SINK,
    GstElement,
    GstLink,
    Inference,
    PipelineDescription,
    Wish,
    branch_of,
    describe,
    launch_line,
    picture,
    problems,
)
from software_pipeline import in_software, sink_name
from stream_files import OUTPUTS_FILE, PARSERS_FILE, Made, gather, read_files, write_files

INFERENCES = (Inference("detector", "/run/detector.txt"), Inference("reader", "/run/reader.txt"))
SOURCES = st.sampled_from(
    ["a.mp4", "b c.mkv", "raw.h264", "/x/y.ts", "rtsp://user:secret@camera/1", "/dev/video0", "d.avi"]
)


def wish(*sources: str, **changes: object) -> Wish:
    return replace(Wish(sources, (1280, 720), INFERENCES), **changes)  # type: ignore[arg-type]


@given(st.lists(SOURCES, min_size=1, max_size=5), st.booleans(), st.booleans())
def test_whatever_is_wished_for_is_a_whole_pipeline(
    sources: list[str], draws: bool, has_tracker: bool
) -> None:
    """Each element gets its data from one before it, and every source ends in a pad of the mux of its own."""
    described = describe(wish(*sources, draws=draws, tracker="/lib/tracker.so" if has_tracker else None))
    assert problems(described) == []
    pads = [link.pad for link in described.links if link.target == MUX]
    assert pads == [f"sink_{number}" for number in range(len(sources))]
    assert described.elements[-1].name == SINK
    assert [one.name for one in described.of("nvinfer")] == ["detector", "reader"]
    stock, rest = in_software(described, ["I420"] * len(sources))
    assert problems(stock) == []
    assert not [one for one in stock.elements if one.factory.startswith("nv")]
    assert all(stock.element(sink_name(number)).factory == "appsink" for number in range(len(sources)))
    assert [one.name for one in rest if one.factory == "nvinfer"] == ["detector", "reader"]


def test_a_file_goes_through_its_demuxer_and_a_raw_stream_through_none() -> None:
    described = describe(wish("gate.mp4", "raw.h264"))
    assert [one.factory for one in described.elements[:5]] == [
        *("filesrc", "qtdemux", "h264parse", "nvv4l2decoder", "queue")
    ]
    assert [one.factory for one in described.elements[5:8]] == ["filesrc", "h264parse", "nvv4l2decoder"]
    assert described.before("h264parse0") == ("qtdemux0",)
    assert described.before("h264parse1") == ("filesrc1",)
    assert next(link for link in described.links if link.origin == "qtdemux0").is_late


def test_the_tracker_is_between_the_detector_and_what_reads_its_objects() -> None:
    described = describe(wish("gate.mp4", tracker="/lib/tracker.so"))
    names = [one.name for one in described.elements]
    assert names.index("detector") < names.index("tracker") < names.index("reader")


@pytest.mark.parametrize("source", ["http://camera/video", "gate.webm", "photo.jpg"])
def test_what_it_cannot_read_is_refused(source: str) -> None:
    with pytest.raises(InputProblem):
        describe(wish(source))


def test_what_is_wrong_with_a_pipeline_is_found_without_running_it() -> None:
    elements = (GstElement("a", "filesrc"), GstElement("b", "queue"), GstElement("b", "queue"))
    broken = PipelineDescription(elements, (GstLink("b", "a"), GstLink("a", "nowhere")))
    assert len(problems(broken)) == 3
    assert any("two elements" in one for one in problems(broken))
    assert any("not before it" in one for one in problems(broken))
    assert any("nowhere" in one for one in problems(broken))


def test_a_launch_line_quotes_what_has_spaces() -> None:
    line = launch_line(describe(wish('my "gate".mp4')))
    assert 'location="my \\"gate\\".mp4"' in line
    assert "mux.sink_0" in line


def test_the_picture_in_the_documents_is_of_todays_pipeline() -> None:
    described = describe(
        Wish(("video.mp4",), (1280, 720), (Inference("detector", ""), Inference("reader", "")))
    )
    assert picture(described) in (PRODUCT / "docs" / "deepstream.md").read_text(encoding="utf-8")


def files_of(folder: Path, model: str = "license_plate", **changes: object) -> PipelineFiles:
    """Make the artifacts of a pipeline, and return them; the detector's is changed."""
    models = PRODUCT / "models"
    pipeline = Pipeline.from_model_json(model, json.loads((models / model / "model.json").read_text()))
    found = []
    for name in pipeline.networks:
        network = Network.from_model_json(name, json.loads((models / name / "model.json").read_text()))
        spec = network.input.in_layout("NCHW")
        if name == "lp_detector":
            spec = replace(spec, **changes)  # type: ignore[arg-type]
        place = folder / "inputs" / name
        place.mkdir(parents=True)
        (place / MANIFEST_FILE).write_text(json.dumps(encode(Manifest("onnx", "t", "1", spec))))
        found.append(NetworkFiles(network, f"inputs/{name}"))
    return PipelineFiles(pipeline.nodes, tuple(found))


def settings_in(tmp_path: Path, release: str = "7.1", tracking: Tracking | None = None) -> Path:
    settings = tmp_path / "settings"
    settings.mkdir()
    write_files(files_of(tmp_path), tmp_path, settings, Made(release), tracking or Tracking())
    return settings


def beside(tmp_path: Path) -> dict[str, Path]:
    """Return files that stand for what is made elsewhere."""
    file = tmp_path / "made elsewhere"
    file.touch()
    return dict.fromkeys((PARSERS_FILE, "lp_detector.onnx", "lp_reader.onnx"), file)


@pytest.mark.parametrize("release", sorted(table().releases))
def test_what_is_written_for_each_release_is_what_its_nvinfer_takes(tmp_path: Path, release: str) -> None:
    settings, run = settings_in(tmp_path, release), tmp_path / "run"
    run.mkdir()
    found = gather(settings, run, beside(tmp_path))
    assert [one.config for one in found.nodes] == ["detector.txt", "reader.txt"]
    assert found == read_files(settings)
    assert (run / OUTPUTS_FILE).is_file()


def test_every_key_is_told_with_where_it_came_from(tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.mkdir()
    notes = write_files(files_of(tmp_path), tmp_path, settings, Made("7.1"), Tracking())
    (told,) = notes.tables
    assert all(row[4] for row in told.rows)
    written = read((settings / "reader.txt").read_text(), "ini", "reader.txt")
    assert len([row for row in told.rows if row[0] == "reader.txt"]) == len(written.entries)


def test_a_configuration_that_somebody_changed_is_checked_before_it_is_run(tmp_path: Path) -> None:
    settings, run = settings_in(tmp_path), tmp_path / "run"
    run.mkdir()
    reader = settings / "reader.txt"
    reader.write_text(reader.read_text().replace("process-mode=2", "process-mode=1"))
    with pytest.raises(JobFailed, match="process-mode"):
        gather(settings, run, beside(tmp_path))


def test_a_pipeline_of_every_object_tells_the_parsers_which_boxes_are_one(tmp_path: Path) -> None:
    """nvinfer keeps what the parser leaves, and the reader is run on each of it."""
    settings = tmp_path / "settings"
    settings.mkdir()
    write_files(files_of(tmp_path, "license_plate_streets"), tmp_path, settings, Made("7.1"), Tracking())
    assert "\nscore.minimum 0.5\nobjects.nms_iou 0.5\n" in (settings / OUTPUTS_FILE).read_text()
    detector, reader = (
        read((settings / f"{one}.txt").read_text(), "ini", one) for one in ("detector", "reader")
    )
    assert detector.value("cluster-mode") == "4"
    assert (reader.value("process-mode"), reader.value("operate-on-gie-id")) == (
        "2",
        detector.value("gie-unique-id"),
    )


def test_a_vote_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match="vote"):
        settings_in(tmp_path, tracking=Tracking(vote=True))


def test_a_branch_is_a_sources_own(tmp_path: Path) -> None:
    """What is started again of a source is all that lies before the mux, and nothing of another one."""
    description = describe(wish("rtsp://camera/1", "b.mp4"))
    assert branch_of(description, 0) == (
        "rtspsrc0",
        "rtph264depay0",
        "h264parse0",
        "nvv4l2decoder0",
        "queue0",
    )
    assert branch_of(description, 1)[0] == "filesrc1"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def live_source(clock: Clock) -> LiveSource:
    return LiveSource(
        ("rtspsrc0",), Patience(open_s=5.0, read_s=2.0, first_wait_s=0.5, longest_wait_s=4.0), clock
    )


def started_at(own: LiveSource, clock: Clock, until: float) -> list[float]:
    """When a source that never answers is started again, up to a moment."""
    found = []
    while clock.now < until:
        clock.now = round(clock.now + 0.1, 3)
        if own.is_due():
            found.append(clock.now)
            own.starts_again()
            own.breaks_off()
    return found


def test_waits_double_until_it_comes_back() -> None:
    """It is started again after 0.5 s, 1, 2, 4 and 4; a frame ends that, and the next wait is short again."""
    clock = Clock()
    own = live_source(clock)
    own.hears()
    own.breaks_off()
    assert started_at(own, clock, 12.0) == [0.5, 1.5, 3.5, 7.5, 11.5]
    own = live_source(clock)
    own.hears()
    clock.now = 20.0
    own.breaks_off()
    assert started_at(own, clock, 20.6) == [20.5]
    assert own.reconnects == 1


def test_what_is_silent_has_broken_off() -> None:
    """One that sends nothing for too long is started again; while it is opened it has longer."""
    clock = Clock()
    own = live_source(clock)
    clock.now = 4.0
    assert not own.is_due()
    own.hears()
    clock.now = 6.2
    assert not own.is_due()
    clock.now = 6.8
    assert own.is_due()


def test_errors_while_it_is_away_count_once() -> None:
    """What its elements say while it is waited for neither puts it off nor brings it on."""
    clock = Clock()
    own = live_source(clock)
    own.hears()
    own.breaks_off()
    clock.now = 0.4
    own.breaks_off()
    assert not own.is_due()
    clock.now = 0.5
    assert own.is_due()
