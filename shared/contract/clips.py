"""A video and what is true of its frames: a folder with one video, and maybe the truth beside it.

<folder>/<name>.mp4               the video
<folder>/<name>.truth.jsonl       a line for each frame that has an object (`TrueFrame`)
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Dict, Optional

from .codec import DecodeError, decode
from .errors import InputProblem
from .streaming import TRUTH_ENDING, VIDEO_ENDINGS, TrueFrame

MOST_BYTES = 256 * 1024 * 1024
"""Of a truth file: a day of video with an object in each frame has a fifth of it."""


def find_video(folder: Path) -> Path:
    """Return the one video of a folder. Raises InputProblem where there is none, or several."""
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_ENDINGS)
    if len(videos) != 1:
        what = f"there are {len(videos)} videos, and one is needed" if videos else "there is no video"
        raise InputProblem(what, str(folder), f"a video's name ends with {', '.join(VIDEO_ENDINGS)}")
    return videos[0]


def truth_beside(video: Path) -> Optional[Path]:
    """Return the file with what is true of a video's frames; None where there is none."""
    path = video.with_name(video.stem + TRUTH_ENDING)
    return path if path.is_file() else None


def read_truth(path: Path) -> Dict[int, TrueFrame]:
    """Return what is true of the frames that have an object, by their numbers.

    Raises:
        InputProblem: the file is too large, or a line is none, of a frame that was told before, or has a box
            with its sides the wrong way round.
    """
    if path.stat().st_size > MOST_BYTES:
        raise InputProblem(f"the truth is larger than {MOST_BYTES // 2**20} MB", str(path), "cut the video")
    frames: Dict[int, TrueFrame] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            frame = decode(TrueFrame, json.loads(line))
        except (DecodeError, ValueError, RecursionError) as error:
            advice = 'a line is {"frame": 12, "objects": [{"box": [x0, y0, x1, y1], "text": "AB123"}]}'
            raise InputProblem(f"not what is true of a frame ({error})", where, advice) from None
        if frame.frame < 0 or frame.frame in frames:
            what = f"frame {frame.frame} was told before, or is none"
            raise InputProblem(what, where, "number the frames from 0, each once")
        for one in frame.objects:
            x0, y0, x1, y1 = one.box
            if not all(map(math.isfinite, one.box)) or x1 <= x0 or y1 <= y0:
                raise InputProblem(f"no box: {one.box}", where, "x_min, y_min, x_max, y_max in pixels")
        frames[frame.frame] = frame
    return frames
