"""Where the frames of a stream come from: video files, addresses, cameras, folders of images.

PyAV (FFmpeg) decodes what is a video, OpenCV what is an image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter_ns, sleep
from typing import Any, Dict, Iterator, Optional, Tuple
from urllib.parse import urlsplit, urlunsplit

import av
import cv2
import numpy as np

from shared.contract.errors import InputProblem
from shared.inference.arrays import Array
from shared.inference.frames import Frame, Source, SourceCounts
from shared.inference.preprocess import UnreadableImage, read_image

MOST_SIDE = 16384
"""Pixels of a frame's width and height, at most."""

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

OPEN_S, READ_S = 10.0, 10.0
"""Seconds after which an address that does not answer, or sends nothing more, has gone away."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0
"""Before a source that went away is tried again; doubled each time."""

FILE_PROTOCOLS = "file"
"""What a file may open: a playlist among them would reach other files and the network else."""

LIVE_PROTOCOLS = "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto"


def open_source(address: str, decoders: int = 1) -> Source:
    """Open a source by its name: a video file, an address (rtsp://...), a camera (/dev/video0), a folder.

    Args:
        decoders: threads that decode it, where it is a file; what is live is decoded in one, without delay.

    Raises:
        InputProblem: there is no such thing, or it is no video.
    """
    if "://" in address:
        return Live(address, {"rtsp_transport": "tcp", "protocol_whitelist": LIVE_PROTOCOLS})
    path = Path(address)
    if path.is_dir():
        return Folder(path)
    if path.is_char_device():
        return Live(address, {}, "v4l2")
    if not path.is_file():
        raise InputProblem("there is no such file, folder or camera", address, "check the name")
    return VideoFile(path, decoders)


def without_password(address: str) -> str:
    """Return an address with `***` in the place of a user and a password."""
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    return urlunsplit(parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}"))


@dataclass(frozen=True)
class VideoPicture:
    """A frame as FFmpeg decoded it."""

    frame: Any

    @property
    def height(self) -> int:
        return int(self.frame.height)

    @property
    def width(self) -> int:
        return int(self.frame.width)

    def bgr(self) -> Array:
        """Convert it to uint8 BGR [height, width, 3].

        The commonest form goes through OpenCV, which takes half the time of FFmpeg's scaler for it: 0.6 ms
        for 1280x720 where that takes 1.0.
        """
        frame = self.frame
        if frame.format.name == "yuv420p" and frame.width % 2 == 0 and frame.height % 2 == 0:
            return np.asarray(cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_YUV2BGR_I420))
        return np.asarray(frame.to_ndarray(format="bgr24"))


@dataclass(frozen=True)
class ImagePicture:
    """An image that was decoded: uint8 BGR [height, width, 3]."""

    pixels: Array

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    def bgr(self) -> Array:
        return self.pixels


class VideoFile:
    """A video file, read to its end; what cannot be decoded is counted and left out."""

    is_live = False

    def __init__(self, path: Path, decoders: int) -> None:
        self.name, self.counts = str(path), SourceCounts()
        self._container = _open(str(path), self.name, {"protocol_whitelist": FILE_PROTOCOLS}, None)
        self._stream = _video_stream(self._container, self.name)
        self._stream.codec_context.thread_count = decoders
        self._stream.thread_type = "FRAME" if decoders > 1 else "NONE"

    def frames(self) -> Iterator[Frame]:
        return _decoded(self._container, self._stream, self.name, self.counts, 0)

    def close(self) -> None:
        self._container.close()


class Folder:
    """The images of a folder in the order of their names; what cannot be decoded is counted and left out."""

    is_live = False

    def __init__(self, path: Path) -> None:
        self.name, self.counts = str(path), SourceCounts()
        images = (one for one in path.iterdir() if one.suffix.lower() in IMAGE_ENDINGS)
        self._images = sorted(images, key=lambda one: one.name)
        if not self._images:
            endings = ", ".join(IMAGE_ENDINGS)
            raise InputProblem("there is no image in the folder", self.name, f"it takes {endings}")

    def frames(self) -> Iterator[Frame]:
        for number, path in enumerate(self._images):
            try:
                picture = ImagePicture(read_image(path))
            except (UnreadableImage, OSError):
                self.counts.corrupt += 1
                continue
            yield Frame(self.name, number, 0.0, path.name, perf_counter_ns(), picture)

    def close(self) -> None:
        """An image is closed when it is read."""


class Live:
    """An address or a camera: when it goes away it is opened again, until it comes back.

    Args:
        address: with the user and the password that it may need; `name` has none.
        options: FFmpeg's, for its protocol.
        form: FFmpeg's name of the input format, where the address does not say it.
        tries: to reach it again before it counts as gone for good.
    """

    is_live = True

    def __init__(
        self, address: str, options: Dict[str, str], form: Optional[str] = None, tries: int = 100
    ) -> None:
        self.name, self.counts = without_password(address), SourceCounts()
        self._address, self._options, self._form, self._tries = address, options, form, tries
        self._is_closed = False
        self._container = self._connect()

    def frames(self) -> Iterator[Frame]:
        number, started = 0, monotonic()
        while not self._is_closed:
            stream = _video_stream(self._container, self.name)
            stream.thread_type = "SLICE"  # threads for each frame would hold frames back
            try:
                for frame in _decoded(self._container, stream, self.name, self.counts, number):
                    number = frame.number + 1
                    yield Frame(
                        self.name, frame.number, monotonic() - started, "", frame.arrived_ns, frame.picture
                    )
            except (av.FFmpegError, OSError):
                pass  # it went away, which its end is too
            self._container.close()
            if self._is_closed or not self._reconnect():
                return
            self.counts.reconnects += 1

    def close(self) -> None:
        self._is_closed = True
        self._container.close()

    def _connect(self) -> Any:
        return _open(self._address, self.name, self._options, self._form, (OPEN_S, READ_S))

    def _reconnect(self) -> bool:
        """Open it again; tell whether it came back."""
        wait_s = FIRST_WAIT_S
        for _ in range(self._tries):
            sleep(wait_s)
            if self._is_closed:
                return False
            try:
                self._container = self._connect()
                return True
            except InputProblem:
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        return False


def _open(
    address: str,
    name: str,
    options: Dict[str, str],
    form: Optional[str],
    timeout: Optional[Tuple[float, float]] = None,
) -> Any:
    try:
        return av.open(address, format=form, options=options, timeout=timeout)
    except (av.FFmpegError, OSError, ValueError) as error:
        said = re.sub(r"^\[Errno -?\d+\] ", "", str(error)).replace(address, name)
        advice = "a file that was cut off while it was recorded may lack its index: record as .ts or .mkv"
        raise InputProblem(f"it cannot be opened as a video ({said[:200]})", name, advice) from None


def _video_stream(container: Any, name: str) -> Any:
    """Return the first video stream. Raises InputProblem where there is none, or none of a sane size."""
    if not container.streams.video:
        raise InputProblem("there is no picture in it", name, "give a file that has a video stream")
    stream = container.streams.video[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if max(width, height) > MOST_SIDE:
        raise InputProblem(f"its frames are {width}x{height} pixels", name, f"at most {MOST_SIDE} a side")
    return stream


def _decoded(container: Any, stream: Any, name: str, counts: SourceCounts, first: int) -> Iterator[Frame]:
    """Yield the frames of a video stream; packets that cannot be decoded are counted and left out."""
    number, rate = first, float(stream.average_rate or stream.guessed_rate or 25)
    start: Optional[float] = None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            counts.corrupt += 1
            continue
        for frame in frames:
            if frame.is_corrupt:
                counts.corrupt += 1
                continue
            at = number / rate if frame.time is None else float(frame.time)
            start = at if start is None else start
            yield Frame(name, number, at - start, "", perf_counter_ns(), VideoPicture(frame))
            number += 1
