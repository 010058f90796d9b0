"""DeepStream on a Jetson with stand-ins for its metadata and its pipeline: lines, crops, clocks, ends."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.targets import load_target
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import JobFailed
from shared.contract.model import PipelineNode
from shared.contract.streaming import Answer, FrameReading
from shared.inference.session import Unsupported
from tests.stand_ins.deepstream import (
    NO_NUMBER,
    Buffer,
    Gst,
    Program,
    Pyds,
    Rect,
    ServiceMaker,
    batch_of,
    classified,
    found_frame,
    found_object,
)

sys.path.insert(0, str(PRODUCT / "targets" / "deepstream-parsers"))
sys.path.insert(0, str(PRODUCT / "targets" / "nvinfer-configs"))
sys.path.insert(0, str(PRODUCT / "targets" / "tensorrt-engines"))
sys.path.insert(0, str(PRODUCT / "targets" / "jetson-engines"))
sys.path.insert(0, str(PRODUCT / "targets" / "deepstream-pipeline"))
sys.path.insert(0, str(PRODUCT / "targets" / "deepstream-l4t"))
from arrivals import Arrivals
from deepstream_l4t import metadata_reader
from deepstream_reader import DeepStreamReader, Elements, Vendor
from metadata import BatchMetadata, Meaning, TrackNumbers, crop_of, read_objects
from passage import Passages
from pipeline_description import Inference, PipelineDescription
from pyds_metadata import PydsMetadata
from service_maker_metadata import ServiceMakerMetadata

MEANING = Meaning({2: "reader"}, True, (640.0, 480.0))
PLATE = "dy1|AB12|D|0.930000"
DETECTOR = PipelineNode("detector", "lp_detector")
READER = PipelineNode("reader", "lp_reader", "detector", 0.1)


Way = Callable[[Pyds], BatchMetadata]

WAYS: Mapping[str, Way] = {
    "pyds": PydsMetadata,
    "pyservicemaker": lambda pyds: ServiceMakerMetadata(ServiceMaker(pyds)),
}
"""How metadata is read: what a module gives of what is attached."""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def batch(pyds: Pyds, *frames: Any) -> Buffer:
    """A buffer with frames."""
    made = Buffer(0, frames)
    pyds.batches[hash(made)] = batch_of(*frames)
    return made


def read(
    frame: Any, way: Way = PydsMetadata, meaning: Meaning = MEANING, tracks: TrackNumbers | None = None
) -> Any:
    """Read the objects of one frame."""
    pyds = Pyds()
    (found,) = way(pyds).frames(batch(pyds, frame))
    return read_objects(found, meaning, tracks or TrackNumbers())


def test_an_object_is_told_as_by_every_stream(way: Way) -> None:
    """A box is in pixels of the source, the answer that of the label and of no other field."""
    said = (classified(1, "detector's own"), classified(2, PLATE))
    (one,) = read(found_frame(found_object((10, 20, 30, 40), *said, confidence=0.75), size=(1280, 1440)), way)
    assert one.box == (20, 60, 80, 180)
    assert one.score == 0.75
    assert one.answers == {"reader": Answer("AB12", "D", 0.93)}
    assert (one.track, one.is_tracked, one.vote) == (None, False, {})


def test_the_surest_is_first(way: Way) -> None:
    """Objects are told in the order of their scores; where the detector has none they stay as they are."""
    objects = [
        found_object((left, 0, 9, 9), confidence=sure) for left, sure in ((1, 0.4), (2, 0.9), (3, 0.5))
    ]
    assert [one.box[0] for one in read(found_frame(*objects), way)] == [2, 3, 1]
    without = read(found_frame(*objects), way, replace(MEANING, has_scores=False))
    assert [(one.box[0], one.score) for one in without] == [(1, None), (2, None), (3, None)]


def test_nothing_read_is_no_answer(way: Way) -> None:
    """An object to which nvinfer attached no label has no answer; a frame without objects has none."""
    (one,) = read(found_frame(found_object((10, 20, 30, 40))), way)
    assert one.answers == {}
    assert read(found_frame(), way) == ()


@pytest.mark.parametrize(
    ("label", "told"),
    [("AB12", "another parser has written it"), ("dy1!too long", "127 bytes"), ("dy1|AB", "is not dy1")],
)
def test_a_label_that_cannot_be_read_is_an_error(way: Way, label: str, told: str) -> None:
    """A label that was cut off, or is another parser's, ends the reading; nothing is guessed of it."""
    with pytest.raises(JobFailed, match=told):
        read(found_frame(found_object((10, 20, 30, 40), classified(2, label))), way)


def test_tracks_are_numbered_from_one() -> None:
    """A source's tracks have numbers from 1 as they came, whatever the tracker calls them."""
    tracks, names = TrackNumbers(), (1 << 40, 7, 1 << 40, NO_NUMBER)
    assert [tracks.of(name) for name in names] == [1, 2, 1, None]


def test_a_frame_between_two_inferences_is_the_trackers(way: Way) -> None:
    """Where the detector did not look, the box is the tracker's, the score none, and the line says so."""
    one = found_object((10, 20, 30, 40), classified(2, PLATE), confidence=-0.1, number=5, by_tracker=True)
    (told,) = read(found_frame(one, inferred=False), way)
    assert (told.box, told.score, told.track, told.is_tracked) == ((10, 20, 40, 60), None, 1, True)


def test_an_object_without_a_box_is_an_error(way: Way) -> None:
    """Where neither detector nor tracker has given a box, none is made up."""
    with pytest.raises(JobFailed, match="neither the detector's box"):
        read(found_frame(found_object((0, 0, 0, 0))), way)


def test_what_is_cropped_is_larger_and_the_line_is_not(way: Way) -> None:
    """Each reader's crop is enlarged by its margin as far as the frame goes, from the object's own box; the
    line has the object's own box.
    """
    pyds = Pyds()
    objects = (found_object((0, 100, 100, 50)), found_object((600, 440, 40, 40)))
    buffer, reader = batch(pyds, found_frame(*objects)), way(pyds)
    for margin in (0.5, 0.1):
        reader.enlarge(buffer, margin, (640, 480))
        crops = [one.rect_params for one in objects]
        boxes = [(place.left, place.top, place.width, place.height) for place in crops]
        reader.restore(buffer)
    assert boxes == [(0, 95, 110, 60), (596, 436, 44, 44)]
    (found,) = reader.frames(buffer)
    assert [one.box for one in found.objects] == [(0, 100, 100, 150), (600, 440, 640, 480)]


def test_batches_in_several_elements_at_once() -> None:
    """What is enlarged in one element is restored behind it, whatever has entered meanwhile; and a batch that
    was never there is an error, not a wrong box.
    """
    pyds = Pyds()
    first, second = found_object((0, 100, 100, 50)), found_object((0, 200, 100, 50))
    buffers = [batch(pyds, found_frame(one)) for one in (first, second)]
    reader = ServiceMakerMetadata(ServiceMaker(pyds))
    for buffer in buffers:
        reader.enlarge(buffer, 0.1, (640, 480))
    for buffer in reversed(buffers):
        reader.restore(buffer)
    assert (first.rect_params, second.rect_params) == (Rect(0, 100, 100, 50), Rect(0, 200, 100, 50))
    with pytest.raises(JobFailed, match="another buffer"):
        reader.restore(buffers[0])


def loads(*there: str) -> Callable[[str], str]:
    """What imports the modules that are there."""

    def load(name: str) -> str:
        if name not in there:
            raise ImportError(f"No module named '{name}'")
        return name

    return load


@pytest.mark.parametrize(
    ("release", "there", "kind"),
    [
        ("7.1.0", ("pyds",), PydsMetadata),
        ("9.1.0", ("pyds", "pyservicemaker"), PydsMetadata),
        ("9.1.0", ("pyservicemaker",), ServiceMakerMetadata),
    ],
)
def test_which_module_is_taken(release: str, there: tuple[str, ...], kind: type[Any]) -> None:
    """pyds where it is; from release 9 on what took its place."""
    assert isinstance(metadata_reader(release, loads(*there))(), kind)


def test_without_either_module() -> None:
    """What is missing is told; the alpha of release 7.1 takes no buffers of GStreamer's and is not tried."""
    with pytest.raises(Unsupported, match=r"without pyds \(No module named 'pyds'\)"):
        metadata_reader("7.1.0", loads("pyservicemaker"))
    with pytest.raises(Unsupported, match="without pyds or pyservicemaker"):
        metadata_reader("9.1.0", loads())


sides = st.floats(0, 600)


@given(sides, sides, st.floats(1, 300), st.floats(1, 300), st.floats(0, 2))
def test_a_crop_holds_its_object_and_lies_in_the_frame(
    left: float, top: float, width: float, height: float, margin: float
) -> None:
    """Whatever the margin, what is cropped lies in the frame and holds what of the object does."""
    x0, y0, x1, y1 = crop_of((left, top, left + width, top + height), margin, (640, 480))
    assert 0 <= x0 <= min(left, 640)
    assert 0 <= y0 <= min(top, 480)
    assert min(left + width, 640) <= x1 <= 640
    assert min(top + height, 480) <= y1 <= 480


def test_arrivals_are_found_by_their_times() -> None:
    """A frame is found by its time; those before it are lost, and without a known time it is the oldest."""
    arrivals = Arrivals()
    for pts in (0, 40, None, 120):
        arrivals.arrive(pts, 1000)
    arrivals.leave_out()
    arrivals.arrive(200, 1000)
    assert [arrivals.take(pts).number for pts in (40, None, 77, 200)] == [1, 2, 3, 5]
    assert (arrivals.dropped, arrivals.waiting, arrivals.arrived) == (1, 0, 6)
    with pytest.raises(JobFailed, match="has not gone into it"):
        arrivals.take(0)


def test_times_in_elements_add_up() -> None:
    """Batches that are in several elements at once have the time of each told, and their own together."""
    passages = Passages(["detector", "reader"])
    passages.enter(0, 0)
    passages.enter(0, 10)
    passages.leave(0, 100)
    passages.enter(1, 110)
    passages.leave(0, 130)
    assert passages.leave(1, 150).inside_ns == 140
    passages.enter(1, 150)
    assert passages.leave(1, 170).inside_ns == 140
    assert passages.spent_ns == {"detector": 220, "reader": 60}
    with pytest.raises(JobFailed, match="none has entered"):
        passages.leave(1, 200)


def plates(count: int, pad: int = 0) -> list[Buffer]:
    """Frames of a video of 25 a second, each with one plate."""
    frames = []
    for number in range(count):
        label = f"dy1|N{number}|D|0.900000"
        found = found_object((100, 100, 100, 50), classified(2, label))
        frames.append(Buffer(number * 40_000_000, (found_frame(found, pts=number * 40_000_000, pad=pad),)))
    return frames


def read_videos(
    *sources: Sequence[Buffer], problem: Exception | None = None, way: Way = PydsMetadata, **how: Any
) -> Any:
    """Read videos; return their lines, the totals and the pipeline."""
    made: list[Program] = []
    pyds = Pyds()

    def program(description: PipelineDescription) -> Program:
        made.append(Program(sources, ["detector", "reader"], pyds, problem))
        return made[-1]

    configs = (Inference("detector", "detector.txt"), Inference("reader", "reader.txt"))
    vendor = Vendor(Gst, lambda: way(pyds), program, lambda source: (640, 480))
    elements = Elements((DETECTOR, READER), configs, has_scores=True)
    reader = DeepStreamReader(elements, vendor, tempfile.TemporaryDirectory(), {"stream": {}})
    lines: list[FrameReading] = []
    names = how.pop("names", [f"{number}.mp4" for number in range(len(sources))])
    on_reading = how.pop("on_reading", lambda reader, line: None)

    def told(line: FrameReading) -> None:
        lines.append(line)
        on_reading(reader, line)

    try:
        totals = reader.read(names, told, **how)
    finally:
        reader.close()
    return lines, totals, made[0]


def texts(lines: Sequence[FrameReading]) -> list[str]:
    return [one.answers["reader"].text for line in lines for one in line.objects]


def test_a_video_is_read_to_its_end(way: Way) -> None:
    """Each frame has its line, in order, with its number and time; steps are named by the nodes."""
    lines, totals, program = read_videos(plates(20), way=way)
    assert texts(lines) == [f"N{number}" for number in range(20)]
    assert [line.frame for line in lines] == list(range(20))
    assert lines[3].time_s == pytest.approx(0.12)
    assert {line.source for line in lines} == {"0.mp4"}
    assert (totals.frames, totals.dropped, totals.corrupt) == (20, 0, 0)
    assert set(totals.steps_ns) == {"detector", "reader", "wait"}
    assert len(totals.latency_ns) == 19  # the first one has warmed the pipeline up
    assert program.crops[1] == Rect(90, 95, 120, 60)
    assert {one.box for line in lines for one in line.objects} == {(100, 100, 200, 150)}


def test_as_many_frames_as_are_asked_for() -> None:
    """A limit of frames holds for each source, one frame included."""
    for count in (1, 7):
        lines, totals, _ = read_videos(plates(30), frames=count)
        assert texts(lines) == [f"N{number}" for number in range(count)]
        assert totals.frames == count


def test_several_sources_keep_their_order(way: Way) -> None:
    """Lines of several sources come as they are read; those of one in its order, and under its name."""
    lines, totals, _ = read_videos(plates(15), plates(15, pad=1), way=way)
    for source in ("0.mp4", "1.mp4"):
        own = [line for line in lines if line.source == source]
        assert texts(own) == [f"N{number}" for number in range(15)]
    assert totals.frames == 30


def test_reading_begins_elsewhere() -> None:
    """What lies before where the reading begins, and the frame that warmed it up, are not told; no event of
    the seek reaches the mux.
    """
    lines, totals, program = read_videos(plates(20), begin=0.5)
    assert texts(lines) == [f"N{number}" for number in range(10, 20)]
    assert totals.frames == 10
    assert [one.seeks for one in program.decoders] == [1]
    assert lines[0].frame == 0


def test_reading_ends_when_it_is_told_to() -> None:
    """`end`, from any thread, ends the reading with the frames that were taken."""
    lines, totals, _ = read_videos(plates(20_000), on_reading=lambda reader, line: reader.end())
    assert 1 <= totals.frames < 20_000
    assert totals.frames == len(lines)


def test_reading_ends_with_its_time() -> None:
    """After so many seconds no more frames are taken, and those that were are read."""
    lines, totals, _ = read_videos(plates(20_000), seconds=0.05)
    assert 1 <= totals.frames < 20_000
    assert [line.frame for line in lines] == list(range(len(lines)))


def test_what_cannot_be_decoded_is_left_out() -> None:
    """A frame that the decoder says is corrupt has no line, and keeps its number."""
    frames = plates(5)
    frames[0].flags = frames[2].flags = ("corrupted",)
    lines, totals, _ = read_videos(frames)
    assert [line.frame for line in lines] == [1, 3, 4]
    assert totals.corrupt == 2


def test_an_error_of_the_pipeline_is_the_readings() -> None:
    """What an element says went wrong ends the reading, and nothing is left running."""
    with pytest.raises(JobFailed, match="no engine"):
        read_videos(plates(5), problem=JobFailed("no engine", "detector"))


def test_a_wrong_label_ends_the_reading() -> None:
    """What goes wrong inside a probe is told to whoever reads, not lost."""
    frames = plates(5)
    wrong = found_object((100, 100, 100, 50), classified(2, "AB12"))
    frames[3].frames = (found_frame(wrong, pts=frames[3].pts),)
    with pytest.raises(JobFailed, match="another parser has written it"):
        read_videos(frames)


def test_toolchains_are_of_a_jetpack_each() -> None:
    """Each release of DeepStream is made on NVIDIA's lean image and compiles in the one with headers."""
    target = load_target(Workspace(PRODUCT), "deepstream-l4t", "test")
    for release, toolchain in target.toolchains.items():
        base, devel = toolchain.platform.base, toolchain.platform.devel
        assert base is not None
        assert devel is not None
        assert f":{release}-samples" in base
        assert f":{release}-triton" in devel
        assert Path(PRODUCT / "docker" / "deepstream-l4t" / f"requirements-{release}.in").is_file()
