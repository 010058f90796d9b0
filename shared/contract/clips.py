"""A clip: a video, and beside it what is true of its frames where somebody knows.

<clip>/<name>.mp4 (or another of VIDEO_ENDINGS)     the video
<clip>/<name>.truth.jsonl                           a `TrueFrame` a line; a frame without one has no objects
"""

from __future__ import annotations

import codecs
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Optional, Tuple

from .codec import DecodeError, decode, encode
from .dataset import MAX_SIDE
from .errors import InputProblem
from .streaming import TRUTH_ENDING, VIDEO_ENDINGS, TrueFrame, TrueObject

MAX_TRUTH_MB = 256
"""Of a truth file."""

MAX_LINE = 1 << 16
"""Bytes of a line of a truth file."""

MAX_FRAME = 10**8
"""Largest number of a frame: six weeks at 25 frames a second."""

MAX_OBJECTS = 200
"""In one frame."""

MAX_TEXT = 100
"""Symbols of a text or a country."""


@dataclass(frozen=True)
class Clip:
    """A video, and the file that says what is true of its frames, or None."""

    video: Path
    truth: Optional[Path] = None


def find_clip(folder: Path) -> Clip:
    """Return the clip in a folder.

    Raises:
        InputProblem: no video, more than one, or a truth file of another name than the video's.
    """
    if not folder.is_dir():
        raise InputProblem("there is no such folder", str(folder), "a clip is a folder with one video")
    files = sorted(path for path in folder.iterdir() if path.is_file())
    videos = [path for path in files if is_video_name(path)]
    if len(videos) != 1:
        what = f"{len(videos)} videos" if videos else "no video"
        advice = f"put one file there that ends with {', '.join(VIDEO_ENDINGS)}"
        raise InputProblem(what, str(folder), advice)
    clip = clip_of(videos[0])
    strays = [path for path in files if path.name.endswith(TRUTH_ENDING) and path != clip.truth]
    if strays:
        advice = f"name it {truth_path(videos[0]).name}, after the video"
        raise InputProblem("a truth file that belongs to no video", str(strays[0]), advice)
    return clip


def clip_of(video: Path) -> Clip:
    """Return a video with the truth file beside it, where there is one."""
    truth = truth_path(video)
    return Clip(video, truth if truth.is_file() else None)


def truth_path(video: Path) -> Path:
    """Return where a video's truth file is, whether it is there or not."""
    return video.with_name(video.stem + TRUTH_ENDING)


def is_video_name(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_ENDINGS


def read_truth(path: Path) -> Dict[int, TrueFrame]:
    """Read a truth file; return its frames by their numbers.

    Raises:
        InputProblem: no such file or a larger one than MAX_TRUTH_MB; with the line: not JSON, an unknown key,
            a frame twice, a box that is reversed, empty or outside of any image, a number that is not finite,
            an object or a text too many.
    """
    frames: Dict[int, TrueFrame] = {}
    for number, line in _lines(path):
        where = f"{path}:{number}"
        frame = _frame(line, where)
        if frame.frame in frames:
            raise InputProblem(f"the frame {frame.frame} for the second time", where, "a frame has one line")
        frames[frame.frame] = frame
    return frames


def write_truth(path: Path, frames: Iterable[TrueFrame]) -> None:
    """Write a truth file."""
    with path.open("w", encoding="utf-8") as file:
        for frame in frames:
            file.write(json.dumps(encode(frame)) + "\n")


def _lines(path: Path) -> Iterator[Tuple[int, bytes]]:
    """Yield the lines that are not blank, numbered from 1."""
    try:
        size = path.stat().st_size
        if size > MAX_TRUTH_MB * 1_000_000:
            what = f"a truth file of {size / 1e6:.0f} MB"
            raise InputProblem(what, str(path), f"it may have {MAX_TRUTH_MB} MB")
        with path.open("rb") as file:
            # One byte more than a line may have, so that a longer one shows.
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
                if len(line) > MAX_LINE:
                    raise InputProblem(f"a line of more than {MAX_LINE} bytes", f"{path}:{number}")
                if number == 1 and line.startswith(codecs.BOM_UTF8):
                    line = line[len(codecs.BOM_UTF8) :]
                if line.strip():
                    yield number, line
    except OSError as error:
        raise InputProblem(f"cannot be read ({error.strerror or error})", str(path)) from None


def _frame(line: bytes, where: str) -> TrueFrame:
    try:
        document = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
        frame = decode(TrueFrame, document)
    except (DecodeError, OverflowError) as error:
        advice = 'a line is like {"frame": 0, "objects": [{"box": [1, 2, 3, 4], "text": "AB123"}]}'
        raise InputProblem(str(error)[:200], where, advice) from None
    except (ValueError, RecursionError) as error:
        raise InputProblem(f"not JSON ({type(error).__name__}: {error})"[:200], where) from None
    if not 0 <= frame.frame <= MAX_FRAME:
        raise InputProblem(f"a frame with a number that is not from 0 to {MAX_FRAME}", where)
    if len(frame.objects) > MAX_OBJECTS:
        raise InputProblem(f"{len(frame.objects)} objects in a frame", where, f"it may have {MAX_OBJECTS}")
    for number, thing in enumerate(frame.objects):
        _check(thing, f"{where}: $.objects[{number}]")
    return frame


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _check(thing: TrueObject, where: str) -> None:
    """Refuse an object that cannot be in any image. Raises InputProblem."""
    x_min, y_min, x_max, y_max = thing.box
    if not all(math.isfinite(side) and 0 <= side <= MAX_SIDE for side in thing.box):
        advice = f"a box is pixels of the frame, 0 to {MAX_SIDE}; cut off what lies outside"
        raise InputProblem("a box with a side outside of any image", where, advice)
    if x_min >= x_max or y_min >= y_max:
        advice = "a box is x_min, y_min, x_max, y_max in pixels of the frame"
        raise InputProblem("a box that is reversed or empty", where, advice)
    if any(len(text or "") > MAX_TEXT for text in (thing.text, thing.country)):
        raise InputProblem(f"a text of more than {MAX_TEXT} symbols", where)
