"""The reader of a DeepStream pipeline on a real GStreamer: decoding, threads, seeking and ends are real, and
elements that hand frames on stand in for NVIDIA's. `test_deepstream_program.py` runs these tests.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dockyard.recipe.workspace import PRODUCT
from shared.contract.errors import InputProblem, JobFailed
from shared.contract.model import PipelineNode
from shared.contract.streaming import FrameReading, StreamTotals
from shared.inference.video import PATIENCE, Patience
from tests.fakes import attempt
from tests.stand_ins.deepstream import Pyds, batch_of, classified, found_frame, found_object
from tests.stand_ins.rtsp_server import Camera
from tests.unit.test_video_live import filmed
from tests.videos import frame_of, noise, write_video

for shared in ("deepstream-parsers", "nvinfer-configs", "deepstream-pipeline", "deepstream-l4t"):
    sys.path.insert(0, str(PRODUCT / "targets" / shared))

FRAMES = 60
FRAME_NS = 40_000_000
STAND_INS = {
    "nvv4l2decoder": "avdec_h264",
    "nvstreammux": "funnel",
    "nvinfer": "identity",
    "nvvideoconvert": "identity",
}
NODES = (PipelineNode("detector", "lp_detector"), PipelineNode("reader", "lp_reader", "detector", 0.1))


def gstreamer() -> tuple[Any, Any, Any]:
    """Return Gst, the program's class and the look at a source."""
    from gst_program import GstProgram
    from gstreamer import Gst
    from sources import outline_of_h264

    Gst.init(None)
    return Gst, GstProgram, outline_of_h264


class MadePyds(Pyds):
    """Metadata of frames whose batches a probe has seen: one plate, whose text is the frame's number."""

    def __init__(self) -> None:
        super().__init__()
        self.first_pts: int | None = None
        self.sources: dict[int, int] = {}

    def comes_from(self, buffer: Any, number: int) -> None:
        """Note the source of a frame, which the mux would tell, by its time."""
        self.sources[buffer.pts] = number

    def see(self, buffer: Any) -> None:
        if self.first_pts is None:
            self.first_pts = buffer.pts
        frame_number = round((buffer.pts - self.first_pts) / FRAME_NS)
        said = classified(2, f"dy1|N{frame_number}|D|0.900000")
        found = found_frame(
            found_object((10, 10, 20, 10), said),
            pts=buffer.pts,
            pad=self.sources[buffer.pts],
            size=(64, 48),
        )
        self.batches[hash(buffer)] = batch_of(found)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 2.4 s with a key frame every 12 frames."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    frames = [frame_of(noise(number)) for number in range(FRAMES)]
    return write_video(path, frames, options={"qp": "20", "g": "12", "bf": "2"})


def a_reader(patience: Patience = PATIENCE, **vendor: Any) -> Any:
    """A reader whose pipeline has stand-ins for NVIDIA's elements."""
    gst, program, outline_of = gstreamer()
    from deepstream_reader import DeepStreamReader, Elements, Vendor
    from pipeline_description import MUX, Inference, PipelineDescription
    from pyds_metadata import PydsMetadata

    pyds = MadePyds()

    def in_stock(description: PipelineDescription) -> Any:
        elements = []
        for element in description.elements:
            factory = STAND_INS.get(element.factory)
            elements.append(element if factory is None else replace(element, factory=factory, properties={}))
        made = program(PipelineDescription(tuple(elements), description.links))

        def see(pad: Any, info: Any) -> Any:
            pyds.see(info.get_buffer())
            return gst.PadProbeReturn.OK

        def come(number: int) -> Callable[[Any, Any], Any]:
            def noted(pad: Any, info: Any) -> Any:
                pyds.comes_from(info.get_buffer(), number)
                return gst.PadProbeReturn.OK

            return noted

        for number, name in enumerate(description.before(MUX)):
            made.element(name).get_static_pad("src").add_probe(gst.PadProbeType.BUFFER, come(number))
        for node in NODES:
            for side in ("sink", "src"):
                made.element(node.name).get_static_pad(side).add_probe(gst.PadProbeType.BUFFER, see)
        return made

    configs = tuple(Inference(node.name, "") for node in NODES)
    whole = Vendor(gst, lambda: PydsMetadata(pyds), in_stock, lambda source: outline_of(source).size)
    elements = Elements(NODES, configs, has_scores=True)
    folder = tempfile.TemporaryDirectory()
    return DeepStreamReader(elements, replace(whole, **vendor), folder, {}, patience)


def read(sources: Sequence[str], **how: Any) -> tuple[list[FrameReading], StreamTotals]:
    """Read sources to their end, in a time that no test comes near."""
    lines: list[FrameReading] = []
    reader = a_reader()
    watch = threading.Timer(30, reader.end)
    watch.start()
    try:
        return lines, reader.read(sources, lines.append, **how)
    finally:
        watch.cancel()
        reader.close()


def numbers(lines: Sequence[FrameReading]) -> list[int]:
    """The numbers of the frames in the file, as what was read says them."""
    return [int(one.answers["reader"].text[1:]) for line in lines for one in line.objects]


def test_every_frame_is_read_once_and_in_order(video: Path) -> None:
    """A video with frames that are decoded in another order is read whole; its times are the file's."""
    lines, totals = read([str(video)])
    assert numbers(lines) == list(range(FRAMES))
    assert [line.frame for line in lines] == list(range(FRAMES))
    assert lines[25].time_s == pytest.approx(1.0)
    assert (totals.frames, totals.dropped) == (FRAMES, 0)
    assert set(totals.steps_ns) == {"detector", "reader", "wait"}


@pytest.mark.parametrize("begin", [0.25, 0.618, 0.9])
def test_reading_begins_where_it_is_asked_to(video: Path, begin: float) -> None:
    """A reading begins at a share of the file, between key frames too, and the seek leaves the mux alone."""
    lines, totals = read([str(video)], begin=begin)
    assert numbers(lines) == list(range(round(begin * FRAMES), FRAMES))
    assert totals.frames == len(lines)


def test_a_pipeline_is_read_again_and_again(video: Path) -> None:
    """Bursts begin anew, each elsewhere, with limits of time and of frames."""
    for begin in (0.0, 0.5, 0.0):
        lines, totals = read([str(video)], begin=begin, frames=5)
        assert numbers(lines) == list(range(round(begin * FRAMES), round(begin * FRAMES) + 5))
    lines, totals = read([str(video)], seconds=0.0)
    assert 1 <= totals.frames <= FRAMES


def test_sources_that_cannot_be_read(video: Path, tmp_path: Path) -> None:
    """A source that is no video is told before anything is read."""
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(InputProblem, match=r"text\.mp4"):
        read([str(video), str(text)])


def test_what_breaks_off_is_an_error(video: Path, tmp_path: Path) -> None:
    """A file that ends before its index says so, or a damaged one, ends the reading with an error or its
    frames; nothing hangs.
    """
    cut = tmp_path / "cut.mp4"
    content = video.read_bytes()
    cut.write_bytes(
        content[: len(content) // 2] + bytes(len(content) // 4) + content[len(content) * 3 // 4 :]
    )
    found, problem = attempt(JobFailed, lambda: read([str(cut)]))
    assert problem is not None or (found is not None and found[1].frames <= FRAMES)


@pytest.fixture
def camera() -> Iterator[Camera]:
    """A camera that answers."""
    found = Camera(filmed())
    found.open()
    yield found
    found.close()


def test_a_camera_is_read_for_a_time(camera: Camera) -> None:
    """An address is read while it is wished for; lines are in order, and name it without its password."""
    camera.user, camera.password = "gate", "secret"
    lines, totals = read([camera.address], seconds=2.0)
    told = [line.frame for line in lines]
    assert told == sorted(set(told))
    assert totals.frames == len(lines) >= 20
    assert {line.source for line in lines} == {camera.address.replace("gate:secret@", "***@")}


SHORT = Patience(open_s=5.0, read_s=1.5, first_wait_s=0.1, longest_wait_s=0.4)
"""As long as a camera on this machine needs."""


def read_until(sources: Sequence[str], is_enough: Callable[[Sequence[FrameReading]], bool]) -> Any:
    """Read sources until it is enough, in 30 s at most; return the lines and the totals."""
    lines: list[FrameReading] = []
    reader = a_reader(SHORT)

    def told(line: FrameReading) -> None:
        lines.append(line)
        if is_enough(lines):
            reader.end()

    try:
        return lines, reader.read(sources, told, seconds=30.0)
    finally:
        reader.close()


def test_a_camera_that_breaks_off_is_read_again(camera: Camera) -> None:
    """It is opened again as often as it goes away; frames are numbered on, and times go on."""
    camera.stops_after = 30
    lines, totals = read_until([camera.address], lambda lines: camera.calls >= 4 and len(lines) > 60)
    assert totals.reconnects >= 2
    told = [line.frame for line in lines]
    assert told == sorted(set(told))
    times = [line.time_s for line in lines]
    assert times == sorted(times)


def test_one_that_is_away_does_not_keep_the_others_from_being_read(camera: Camera, video: Path) -> None:
    """While one camera is gone for a time another one and a file are read on; then it comes back."""
    other = Camera(filmed())
    other.open()
    port = camera.port
    gone: list[int] = []

    def is_enough(lines: Sequence[FrameReading]) -> bool:
        mine = [line for line in lines if line.source == camera.address]
        if len(mine) >= 20 and not gone:
            camera.close()
            gone.append(len(lines))
        if gone and len(gone) == 1 and len(lines) > gone[0] + 60:
            camera.open(port)
            gone.append(len(mine))
        return len(gone) == 2 and len(mine) > gone[1] + 10

    try:
        lines, totals = read_until([camera.address, other.address, str(video)], is_enough)
    finally:
        other.close()
    assert totals.reconnects >= 1
    assert len(gone) == 2, "the others stood still while one was away"
    assert len([line for line in lines if line.source == str(video)]) == FRAMES


def test_a_camera_that_sends_nothing_more(camera: Camera) -> None:
    """One that keeps its connection and is silent has broken off, too."""

    def is_enough(lines: Sequence[FrameReading]) -> bool:
        if len(lines) == 20:
            camera.is_frozen = True
        return len(lines) > 40

    lines, totals = read_until([camera.address], is_enough)
    assert (len(lines) > 40, totals.reconnects >= 1) == (True, True)


def test_the_software_reader_waits_for_a_camera(camera: Camera, video: Path) -> None:
    """The pipeline in software opens a camera again, too, and reads a file beside it to its end."""
    from software_reader import SoftwareReader

    nothing: Any = SimpleNamespace(detect=lambda image, clock: [])
    lines: list[FrameReading] = []
    reader = SoftwareReader([nothing], [], tempfile.TemporaryDirectory(), {}, SHORT)
    camera.stops_after = 30

    def told(line: FrameReading) -> None:
        lines.append(line)
        if camera.calls >= 4 and line.source == camera.address and len(lines) > 60 + FRAMES:
            reader.end()

    try:
        totals = reader.read([camera.address, str(video)], told, seconds=30.0)
    finally:
        reader.close()
    assert totals.reconnects >= 2
    assert len([line for line in lines if line.source == str(video)]) == FRAMES
    times = [line.time_s for line in lines if line.source == camera.address]
    assert times == sorted(times)
