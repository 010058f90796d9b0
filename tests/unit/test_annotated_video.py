"""What was read, drawn on the frames: a video for each source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.contract.streaming import Answer, FrameReading, ReadObject
from shared.inference.annotated_video import CARRIED, SEEN, AnnotatedVideos
from shared.inference.frames import Frame
from shared.inference.pictures import ImagePicture
from shared.inference.video import open_source

GREY = 128


def frame(source: str, number: int, time_s: float, size: tuple[int, int] = (120, 160)) -> Frame:
    return Frame(source, number, time_s, "", 0, ImagePicture(np.full((*size, 3), GREY, np.uint8)))


def reading(of: Frame, *objects: ReadObject) -> FrameReading:
    return FrameReading(of.source, of.number, of.time_s, objects)


def seen(text: str = "AB12", **more: Any) -> ReadObject:
    return ReadObject((40, 60, 120, 100), 0.9, {"reader": Answer(text, "D", 0.9)}, **more)


def written(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_each_source_has_a_video_at_its_own_times(tmp_path: Path) -> None:
    """Frames are where their source had them in time, also where that pauses; names leave no folder."""
    times = [0.0, 0.04, 0.08, 1.0]
    names = ["clips/../../gate 1.mp4", "rtsp://***@camera/gate"]
    with AnnotatedVideos(tmp_path, names) as videos:
        for number, time_s in enumerate(times):
            for name in names:
                one = frame(name, number, time_s)
                videos.add(reading(one, seen()), one)
    paths = written(tmp_path)
    assert [path.name for path in paths] == ["1-gate-1.mp4", "2-gate.mp4"]
    for path in paths:
        read = list(open_source(str(path)).frames())
        assert np.abs(np.array([one.time_s for one in read]) - times).max() < 0.001
        assert read[0].picture.bgr().shape == (120, 160, 3)


def test_boxes_and_readings_are_drawn(tmp_path: Path) -> None:
    """A box has its colour, found or carried on by its track; what was read stands above; the rest stays."""
    with AnnotatedVideos(tmp_path, ["a"]) as videos:
        for number, is_tracked in enumerate((False, True)):
            one = frame("a", number, number / 25)
            videos.add(reading(one, seen(is_tracked=is_tracked)), one)
    frames = [one.picture.bgr().astype(int) for one in open_source(str(tmp_path / "1-a.mp4")).frames()]
    for pixels, colour in zip(frames, (SEEN, CARRIED), strict=True):
        assert np.abs(pixels[80, 40] - colour).max() < 60
        assert np.abs(pixels[80, 80] - GREY).max() < 10
        assert np.abs(pixels[110, 10] - GREY).max() < 10
        assert pixels[45:56, 44:80].min() < 60, "the text is black"


def test_times_that_go_back_end_nothing(tmp_path: Path) -> None:
    """A frame whose time is not after the last one's follows it at once; those after it are in time again."""
    with AnnotatedVideos(tmp_path, ["a"]) as videos:
        for number, time_s in enumerate((0.0, 0.5, 0.5, 0.3, 0.6)):
            one = frame("a", number, time_s)
            videos.add(reading(one), one)
    times = [one.time_s for one in open_source(str(tmp_path / "1-a.mp4")).frames()]
    assert np.abs(np.array(times) - [0.0, 0.5, 0.51, 0.52, 0.6]).max() < 0.001


def test_the_frame_itself_is_not_drawn_on(tmp_path: Path) -> None:
    """Whoever else has the frame sees it as it was."""
    one = frame("a", 0, 0.0)
    with AnnotatedVideos(tmp_path, ["a"]) as videos:
        videos.add(reading(one, seen()), one)
    assert (one.picture.bgr() == GREY).all()


def test_other_sizes_and_odd_ones_are_written(tmp_path: Path) -> None:
    """Frames of odd sides, of sides that change, boxes beyond the frame, and letters it cannot draw end
    nothing.
    """
    beyond = ReadObject((-50, -20, 500.4, 900), None, {"reader": Answer("ÄÖ→", None, None)})
    with AnnotatedVideos(tmp_path, ["a"]) as videos:
        for number, size in enumerate(((121, 161), (121, 161), (60, 81), (9, 9))):
            one = frame("a", number, number / 25, size)
            videos.add(reading(one, beyond), one)
    sizes = [one.picture.bgr().shape for one in open_source(str(tmp_path / "1-a.mp4")).frames()]
    assert sizes == [(120, 160, 3)] * 4


def test_images_of_a_folder_can_be_looked_at(tmp_path: Path) -> None:
    """Images, which have no times, follow one another a second apart."""
    with AnnotatedVideos(tmp_path, ["images"]) as videos:
        for number in range(3):
            one = frame("images", number, 0.0)
            videos.add(FrameReading("images", number, 0.0, (), f"{number}.png"), one)
    assert [one.time_s for one in open_source(str(tmp_path / "1-images.mp4")).frames()] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "box",
    [
        (-50.0, -50.0, 500.0, 500.0),
        (1e12, 1e12, 1e13, 1e13),
        (float("-inf"), float("nan"), float("inf"), 5.0),
    ],
)
def test_a_box_that_is_not_in_the_frame_ends_nothing(tmp_path: Path, box: Any) -> None:
    """What a detector says is drawn as far as it is in the frame, whatever its numbers."""
    one = frame("gate.mp4", 0, 0.0)
    with AnnotatedVideos(tmp_path, ["gate.mp4"]) as videos:
        videos.add(reading(one, ReadObject(box, 0.9, {"reader": Answer("A" * 200)})), one)
    (path,) = written(tmp_path)
    assert len(list(open_source(str(path)).frames())) == 1
