"""What a stream read, drawn on its frames: an H.264 video for each source, on request."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple, Type, Union

import av
import cv2
import numpy as np

from shared.contract.streaming import Answer, FrameReading, ReadObject, Vote
from shared.inference.arrays import Array
from shared.inference.frames import Frame

SEEN, CARRIED, TEXT = (60, 200, 60), (0, 190, 255), (0, 0, 0)
"""Colours, BGR: of a box that was found, of one that its track has, of what was read."""

TICKS = 90_000
"""A second's, of the frames' times."""

IMAGE_S, LEAST_S = 1.0, 0.01
"""Seconds that an image of a folder is shown, and that a frame is at least, whatever its time says."""


class AnnotatedVideos:
    """Writes `<number>-<name>.mp4` for each source into a folder; the sources are known by their names."""

    def __init__(self, folder: Path, sources: Sequence[str]) -> None:
        self._paths: Dict[str, Path] = {}
        for number, source in enumerate(sources, 1):
            stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(source).stem)[:80]
            self._paths.setdefault(source, folder / f"{number}-{stem}.mp4")
        self._videos: Dict[str, _Video] = {}

    def __enter__(self) -> "AnnotatedVideos":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Any, trace: Any) -> None:
        with ExitStack() as stack:  # each is closed, also where another cannot be
            for video in self._videos.values():
                stack.callback(video.close)

    def add(self, reading: FrameReading, frame: Frame) -> None:
        """Write a frame with what was read in it."""
        image = frame.picture.bgr().copy()
        for found in reading.objects:
            _draw(image, found)
        video = self._videos.get(reading.source)
        if video is None:
            video = self._videos[reading.source] = _Video(self._paths[reading.source], image)
        video.add(image, reading.time_s, IMAGE_S if reading.name else LEAST_S)


class _Video:
    """A video file; frames of another size than its first are scaled to that."""

    def __init__(self, path: Path, first: Array) -> None:
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        height, width = first.shape[:2]
        self._size = (max(2, width - width % 2), max(2, height - height % 2))
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._last = -TICKS

    def add(self, image: Array, time_s: float, least_s: float) -> None:
        """Add a frame at its time, but so many seconds after the last one at least."""
        if image.shape[1::-1] != self._size:
            image = cv2.resize(image, self._size)
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.time_base = Fraction(1, TICKS)
        self._last = max(round(time_s * TICKS), self._last + round(least_s * TICKS))
        frame.pts = self._last
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode())
        finally:
            self._container.close()


def _draw(image: Array, found: ReadObject) -> None:
    """Draw a box, as far as it is in the image whatever a detector says, and what was read of it."""
    height, width = image.shape[:2]
    edges = (width - 1, height - 1, width - 1, height - 1)
    x0, y0, x1, y1 = map(int, np.clip(np.nan_to_num(found.box), 0, edges).round())
    colour = CARRIED if found.is_tracked else SEEN
    cv2.rectangle(image, (x0, y0), (x1, y1), colour, 2)
    label = _label(found)
    if label:
        _write(image, label, (x0, y0), colour)


def _label(found: ReadObject) -> str:
    """Return what was read of an object, or voted, with the number of its track."""
    said: Dict[str, Union[Answer, Vote]] = {**found.answers, **found.vote}
    texts = (f"{one.text} {one.country or ''}".strip() for one in said.values())
    track = "" if found.track is None else f"#{found.track}"
    return " ".join(filter(None, (track, *texts)))


def _write(image: Array, label: str, corner: Tuple[int, int], colour: Tuple[int, int, int]) -> None:
    """Write a label above a box, or below its upper edge where there is no room."""
    (width, height), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
    left = min(max(corner[0], 0), max(0, image.shape[1] - width))
    bottom = corner[1] - 4 if corner[1] - height - 8 >= 0 else corner[1] + height + 8
    cv2.rectangle(image, (left, bottom - height - 4), (left + width, bottom + 4), colour, cv2.FILLED)
    cv2.putText(image, label, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, 0.6, TEXT, 1, cv2.LINE_AA)
