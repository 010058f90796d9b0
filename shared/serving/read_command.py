"""`read`: images, videos, folders of them or standard input; a line of JSON for each thing that was found."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Sequence, Tuple

from shared.contract.dataset import is_hidden
from shared.contract.errors import InputProblem, JobFailed
from shared.contract.streaming import VIDEO_ENDINGS
from shared.inference.image_files import UnreadableImage, images_of
from shared.inference.stream import Nodes
from shared.serving.image_reading import ImageReading, read_image, read_pixels

STANDARD_INPUT = "-"

VIDEOS = (*VIDEO_ENDINGS, ".m4v", ".mpeg", ".mpg", ".webm")
"""Endings of files that are read frame by frame; any other file that is named is read as an image."""

SECOND_DIGITS = 3

Say = Callable[[str], None]


def read_all(nodes: Nodes, inputs: Sequence[str], say: Say, complain: Say) -> int:
    """Read everything; return how many inputs could not be read, or not whole. Those are complained of.

    Args:
        inputs: images, videos, folders (what is in them in the order of names), or `-` for an image on
            standard input.
    """
    failures = 0
    for name in _files(inputs):
        try:
            for told, reading in _readings(nodes, name):
                for line in lines_of(told, reading):
                    say(line)
        except BrokenPipeError:  # whoever took the lines has gone
            raise
        except (OSError, UnreadableImage) as error:
            failures += 1
            complain(f"{name}: {error}")
        except (InputProblem, JobFailed) as error:
            failures += 1
            complain(str(error))
    return failures


def lines_of(told: Dict[str, Any], reading: ImageReading) -> Iterator[str]:
    """Yield a line for each thing that was found; one whose box is null where that was nothing.

    Args:
        told: what each line begins with: whose it is.
    """
    for found in reading.found or ({"box": None},):
        yield json.dumps({**told, **found}, ensure_ascii=False)


def _files(inputs: Sequence[str]) -> Iterator[str]:
    for each in inputs:
        path = Path(each)
        if path.is_dir():
            yield from map(str, sorted([*images_of(path), *_videos_of(path)], key=lambda one: one.name))
        else:
            yield each


def _readings(nodes: Nodes, name: str) -> Iterator[Tuple[Dict[str, Any], ImageReading]]:
    """Yield what is read of an image, or of each frame of a video, and whose that is."""
    if name == STANDARD_INPUT:
        yield {"image": name}, read_image(nodes, sys.stdin.buffer.read(), name)
    elif Path(name).suffix.lower() in VIDEOS:
        yield from _frame_readings(nodes, name)
    else:
        yield {"image": name}, read_image(nodes, Path(name).read_bytes(), name)


def _frame_readings(nodes: Nodes, name: str) -> Iterator[Tuple[Dict[str, Any], ImageReading]]:
    """Read each frame by itself, as an image.

    Raises:
        InputProblem: it is no video, or nothing here decodes one.
        JobFailed: it broke off, or some of it could not be decoded.
    """
    try:
        from shared.inference.video import open_recording
    except ImportError:
        what, advice = (
            "it is a video, and this delivery reads images alone",
            "ask for one that was made without --images-only",
        )
        raise InputProblem(what, name, advice) from None
    with closing(open_recording(Path(name))) as video:
        for frame in video.frames():
            told = {"image": name, "frame": frame.number, "time_s": round(frame.time_s, SECOND_DIGITS)}
            yield told, read_pixels(nodes, frame.picture.bgr(), name)
    if video.counts.corrupt:
        raise JobFailed(
            f"{video.counts.corrupt} frames or packets of it are damaged, the rest was read", name
        )


def _videos_of(folder: Path) -> Iterator[Path]:
    found = (one for one in folder.iterdir() if one.suffix.lower() in VIDEOS and one.is_file())
    return (one for one in found if not is_hidden(one.name))
