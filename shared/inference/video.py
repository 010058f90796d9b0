"""Where the frames of a stream come from: video files, addresses, cameras, folders of images.

PyAV (FFmpeg) decodes what is a video, OpenCV what is an image. What a file says of the pictures in it is not
trusted: neither a list of other files nor frames of any size are taken from it.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter_ns
from typing import Any, Dict, Iterator, List, Optional, Tuple

import av

from shared.contract.dataset import MAX_SIDE
from shared.contract.errors import InputProblem, JobFailed, nearest
from shared.contract.streaming import is_address
from shared.inference.addresses import without_password
from shared.inference.frames import Frame, Source, SourceCounts
from shared.inference.image_files import IMAGE_ENDINGS, UnreadableImage, images_of, read_image
from shared.inference.pictures import ImagePicture, is_bt601, video_picture

FORMATS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "h264", "hevc", "m4v", "mjpeg", "flv"),
    *("asf", "ogg", "ivf", "obu", "av1", "nut"),
)
"""Of files, by FFmpeg's names. Lists of files (HLS, concat) are none: they would have it read other files of
the machine.
"""

FILE_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)}

SCHEMES = ("rtsp", "rtsps", "rtp", "srtp", "udp", "tcp", "tls", "http", "https")

ADDRESS_OPTIONS = {
    "rtsp_transport": "tcp",
    "protocol_whitelist": ",".join((*SCHEMES, "httpproxy", "crypto")),
}
"""Whatever an address sends, no file of the machine is read for it."""

CAMERA_FORMAT = "v4l2"

MOST_FAILURES = 1000
"""Packets in a row that cannot be read or decoded; after them nothing more is expected."""

DEFAULT_RATE = 25.0
"""Frames a second of a video that says neither its rate nor the frames' times."""


@dataclass(frozen=True)
class Patience:
    """How long an address or a camera is waited for.

    Attributes:
        open_s, read_s: seconds after which one that does not answer, or sends nothing more, has gone away.
        first_wait_s, longest_wait_s: seconds before it is tried again, the first time and at most; in between
            they double.
        tries: to reach it again before it counts as gone for good; None never gives up.
    """

    open_s: float = 10.0
    read_s: float = 10.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 10.0
    tries: Optional[int] = None

    def waits_s(self) -> Iterator[float]:
        """Yield the seconds to wait before each try."""
        wait_s, count = self.first_wait_s, 0
        while self.tries is None or count < self.tries:
            yield wait_s
            wait_s, count = min(2 * wait_s, self.longest_wait_s), count + 1


PATIENCE = Patience()


def open_source(
    address: str, decoders: int = 1, patience: Patience = PATIENCE, background: str = "black"
) -> Source:
    """Open a source by its name: a video file, an address (rtsp://...), a camera (/dev/video0), a folder.

    An address whose length is known is a recording: it is read whole, as a file is, and ends. Any other is
    live.

    Args:
        decoders: threads that decode it. Those of a recording take a frame each; those of a live source
            share each frame, as far as its encoder has cut it into slices, so that none is held back.
        background: what a folder's images are laid over where they are transparent.

    Raises:
        InputProblem: there is no such thing, it does not answer, or it is no video.
    """
    if is_address(address):
        return _open_address(address, decoders, patience)
    path = Path(address)
    if path.is_dir():
        return Folder(path, background)
    if path.is_char_device():
        return Live(_Reach(address, CAMERA_FORMAT), decoders, patience)
    return open_recording(path, decoders)


def open_recording(path: Path, decoders: int = 1) -> Recording:
    """Open a video file; its name is its path. Raises InputProblem where it is no video."""
    return Recording(str(path), _open_file(path), decoders)


@dataclass(frozen=True)
class Outline:
    """What a video is, for whoever decodes it in another way.

    Attributes:
        size: width and height of its frames in pixels, as they lie in it.
        codec: by FFmpeg's name, `h264`.
        is_bt601: its colours are converted as BT.601's in limited range.
        is_upright: its pictures do not have to be turned.
    """

    size: Tuple[int, int]
    codec: str
    is_bt601: bool
    is_upright: bool


def outline_of(address: str, patience: Patience = PATIENCE) -> Outline:
    """Look at the first frame of a video file, an address or a camera.

    Raises:
        InputProblem: there is no such thing, it does not answer, or it is no video.
    """
    path = Path(address)
    if is_address(address):
        video = _reach_of(address).open_first(patience)
    elif path.is_char_device():
        video = _Reach(address, CAMERA_FORMAT).open_first(patience)
    else:
        video = _open_file(path)
    try:
        return video.outline(without_password(address))
    finally:
        video.container.close()


class _Unreadable(Exception):
    """Something that FFmpeg cannot open, or that has no video in it."""


@dataclass(frozen=True)
class _Video:
    """An opened video.

    Attributes:
        container: `av.container.InputContainer`.
        stream: its first video stream.
    """

    container: Any
    stream: Any

    @property
    def is_recording(self) -> bool:
        return (self.container.duration or 0) > 0

    def outline(self, name: str) -> Outline:
        """Look at its first frame. Raises InputProblem."""
        try:
            frame = next(self.container.decode(self.stream), None)
        except (av.FFmpegError, OSError):
            frame = None
        if frame is None:
            raise InputProblem("there is no frame in it that can be decoded", name, "give another video")
        codec, size = self.stream.codec_context.codec.name, (frame.width, frame.height)
        return Outline(size, codec, is_bt601(frame), video_picture(frame).turns == 0)

    @property
    def rate(self) -> float:
        """Frames a second."""
        return float(self.stream.guessed_rate or self.stream.average_rate or DEFAULT_RATE)


def _open(
    address: str,
    form: Optional[str],
    options: Dict[str, str],
    timeout: Optional[Tuple[float, float]] = None,
) -> _Video:
    """Open what FFmpeg reads. Raises _Unreadable."""
    try:
        container = av.open(address, format=form, options=options, timeout=timeout, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _Unreadable(_said(error, address)) from None
    try:
        return _Video(container, _video_stream(container))
    except _Unreadable:
        container.close()
        raise


def _open_file(path: Path) -> _Video:
    """Raises InputProblem."""
    if not path.is_file():
        beside = (one.name for one in path.parent.iterdir()) if path.parent.is_dir() else ()
        raise InputProblem("there is no such file, folder or camera", str(path), nearest(path.name, beside))
    try:
        return _open(f"file:{path.absolute()}", None, FILE_OPTIONS)
    except _Unreadable as error:
        raise InputProblem(f"it cannot be read as a video ({error})", str(path), _advice(path)) from None


def _said(error: Exception, address: str) -> str:
    """Return what FFmpeg says, without the address: it may hold a password."""
    said = getattr(error, "strerror", None) or type(error).__name__
    return "no answer in time" if isinstance(error, av.ExitError) else str(said).replace(address, "it")[:200]


def _video_stream(container: Any) -> Any:
    """Return the first video stream. Raises _Unreadable where there is none that can be decoded."""
    if not container.streams.video:
        raise _Unreadable("there is no picture in it")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise _Unreadable("there is no decoder for it")
    _check_size(stream.codec_context)
    return stream


def _check_size(sized: Any) -> None:
    """Refuse frames of an absurd size. Raises _Unreadable."""
    if max(sized.width, sized.height) > MAX_SIDE:
        raise _Unreadable(f"its frames are {sized.width}x{sized.height} pixels, more than {MAX_SIDE} a side")


def _advice(path: Path) -> str:
    """Return what to do about a file that cannot be read."""
    with path.open("rb") as file:
        is_mp4 = file.read(8)[4:] == b"ftyp"
    if is_mp4:
        return "was it cut off while it was recorded? its index comes last: record as .mkv or .ts"
    return "give a video file, H.264 in .mp4 or .mkv for one, or a folder of images"


class _Decoder:
    """The frames of an opened video, taken by one thread; any thread may close it at any time.

    FFmpeg is entered by one thread at a time: where one is decoding, that one closes it when it is done.
    """

    def __init__(self, video: _Video, threads: int, thread_type: str, counts: SourceCounts) -> None:
        self._video, self._counts = video, counts
        video.stream.codec_context.thread_count = threads
        video.stream.thread_type = thread_type if threads > 1 else "NONE"
        self._packets = self._demuxed()
        self._at_work = threading.Lock()
        self._is_closed = False

    def frames(self) -> Iterator[Tuple[int, Any]]:
        """Yield each good frame, `av.VideoFrame`, with its number; those that are damaged have one, too.

        Raises:
            av.FFmpegError: there is no more to be had, and that is not its end.
        """
        number, failures = 0, 0
        while failures < MOST_FAILURES:
            try:
                frames = self._next()
            except av.InvalidDataError:
                failures, number = failures + 1, number + 1
                self._counts.corrupt += 1
                continue
            if frames is None:
                return
            failures = 0
            for frame in frames:
                if frame.is_corrupt:
                    self._counts.corrupt += 1
                else:
                    yield number, frame
                number += 1

    def seek(self, seconds: float) -> bool:
        """Go on from the last picture at or before a time that needs none before it; tell whether it can.

        Args:
            seconds: from the beginning of the video, before `frames` is asked for.
        """
        container = self._video.container
        if not self._video.is_recording:
            return False
        try:
            container.seek(int((container.start_time or 0) + seconds * av.time_base))
        except (av.FFmpegError, OSError):
            return False
        return True

    def close(self) -> None:
        self._is_closed = True
        if self._at_work.acquire(blocking=False):
            try:
                self._video.container.close()
            finally:
                self._at_work.release()

    def _next(self) -> Optional[List[Any]]:
        """Return the frames that the next packet brings; None at the end."""
        try:
            with self._at_work:
                return None if self._is_closed else self._decoded()
        finally:
            if self._is_closed:
                self.close()

    def _decoded(self) -> Optional[List[Any]]:
        try:
            packet = next(self._packets, None)
        except av.FFmpegError:
            self._packets = self._demuxed()  # a generator that has raised is over
            raise
        return None if packet is None else list(packet.decode())

    def _demuxed(self) -> Iterator[Any]:
        """Yield the packets, without a last one that is cut: its error would take the frames along that are
        still in the decoder's threads.
        """
        held = None
        for packet in self._video.container.demux(self._video.stream):
            is_end = packet.size == 0
            if held is not None and not is_end:
                yield held
            elif held is not None:
                self._counts.corrupt += 1
            held = packet if packet.is_corrupt else None
            if held is None:
                yield packet


class Recording:
    """A video that has an end: a file, or an address whose length is known. It waits for its reader.

    What cannot be decoded is counted and left out; one that is cut off ends at its last good frame.
    """

    is_live = False

    def __init__(self, name: str, video: _Video, decoders: int) -> None:
        self.name, self.counts = name, SourceCounts()
        self._rate = video.rate
        self._start_s = (video.container.start_time or 0) / av.time_base
        self._seconds = (video.container.duration or 0) / av.time_base
        self._decoder = _Decoder(video, decoders, "FRAME", self.counts)
        self._begins_s = 0.0

    def begin_at(self, share: float) -> bool:
        """Leave out the frames before a share of its length, 0 to 1; tell whether that can be done.

        It cannot where the file has no index; then nothing is left out. To be called before `frames`.
        """
        wanted_s = share * self._seconds
        can = self._decoder.seek(wanted_s)
        self._begins_s = wanted_s if can else 0.0
        return can

    def frames(self) -> Iterator[Frame]:
        """Yield the frames; their times are those in the file, or follow from its rate where it has none.

        Raises:
            InputProblem: a frame of an absurd size.
            JobFailed: it cannot be read any further, though it has not ended.
        """
        first_s: Optional[float] = None
        try:
            for number, frame in self._decoder.frames():
                _check_size(frame)
                time_s = number / self._rate if frame.time is None else float(frame.time)
                if frame.time is not None and time_s - self._start_s < self._begins_s:
                    continue
                first_s = time_s if first_s is None else first_s
                yield Frame(self.name, number, time_s - first_s, "", perf_counter_ns(), video_picture(frame))
        except _Unreadable as error:
            raise InputProblem(str(error), self.name, "give another video") from None
        except (av.FFmpegError, OSError) as error:
            raise JobFailed(f"it broke off ({_said(error, self.name)})", self.name, "try it again") from None

    def close(self) -> None:
        self._decoder.close()


class Folder:
    """The images of a folder in the order of their names; what cannot be decoded is counted and left out."""

    is_live = False

    def __init__(self, path: Path, background: str) -> None:
        self.name, self.counts = str(path), SourceCounts()
        self._images, self._background = images_of(path), background
        self._is_closed = False
        if not self._images:
            endings = ", ".join(IMAGE_ENDINGS)
            raise InputProblem("there is no image in the folder", self.name, f"it takes {endings}")

    def frames(self) -> Iterator[Frame]:
        for number, path in enumerate(self._images):
            if self._is_closed:
                return
            try:
                picture = ImagePicture(read_image(path, self._background))
            except (UnreadableImage, OSError):
                self.counts.corrupt += 1
                continue
            yield Frame(self.name, number, 0.0, path.name, perf_counter_ns(), picture)

    def close(self) -> None:
        self._is_closed = True


@dataclass(frozen=True)
class _Reach:
    """How a live source is reached.

    Attributes:
        address: with the user and the password that it may need.
        form: FFmpeg's name of the input format; None where the address says it.
    """

    address: str
    form: Optional[str] = None

    @property
    def name(self) -> str:
        return without_password(self.address)

    def open(self, patience: Patience) -> _Video:
        """Raises _Unreadable."""
        options = ADDRESS_OPTIONS if self.form is None else {}
        return _open(self.address, self.form, options, (patience.open_s, patience.read_s))

    def open_first(self, patience: Patience) -> _Video:
        """Raises InputProblem."""
        try:
            return self.open(patience)
        except _Unreadable as error:
            raise InputProblem(
                f"no video comes from it ({error})", self.name, "is it on, is the address right?"
            ) from None


def _reach_of(address: str) -> _Reach:
    """Return how an address is reached. Raises InputProblem."""
    scheme = re.split("://", address)[0].lower()
    if scheme not in SCHEMES:
        what = f"no video is read by '{scheme}'"
        raise InputProblem(what, without_password(address), nearest(scheme, SCHEMES))
    return _Reach(address)


def _open_address(address: str, decoders: int, patience: Patience) -> Source:
    reach = _reach_of(address)
    video = reach.open_first(patience)
    if video.is_recording:
        return Recording(reach.name, video, decoders)
    return Live(reach, decoders, patience, video)


class Live:
    """An address or a camera, which does not wait: when it goes away it is opened again until it comes back.

    Frames are numbered, and have their times, as they arrive.
    """

    is_live = True

    def __init__(
        self, reach: _Reach, decoders: int, patience: Patience, video: Optional[_Video] = None
    ) -> None:
        self.name, self.counts = reach.name, SourceCounts()
        self._reach, self._decoders, self._patience = reach, decoders, patience
        self._closed = threading.Event()
        self._decoder = self._decoding(reach.open_first(patience) if video is None else video)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames as they come, until it is closed.

        Raises:
            JobFailed: it went away, and did not come back in as many tries as it was given.
        """
        first, started_s = 0, monotonic()
        waits_s = self._patience.waits_s()
        while True:
            last = -1
            try:
                for last, frame in self._decoder.frames():
                    _check_size(frame)
                    at_s = monotonic() - started_s
                    yield Frame(self.name, first + last, at_s, "", perf_counter_ns(), video_picture(frame))
            except (_Unreadable, av.FFmpegError, OSError):
                pass  # it went away; that its pictures end is no other thing
            first += last + 1
            self._decoder.close()
            if last >= 0:  # one that is opened and sends nothing is waited for longer and longer, too
                waits_s = self._patience.waits_s()
            if not self._comes_back(waits_s):
                return
            self.counts.reconnects += 1

    def close(self) -> None:
        self._closed.set()
        self._decoder.close()

    def _decoding(self, video: _Video) -> _Decoder:
        return _Decoder(video, self._decoders, "SLICE", self.counts)

    def _comes_back(self, waits_s: Iterator[float]) -> bool:
        """Open it again, as often as it takes; tell whether it is there. Raises JobFailed."""
        for wait_s in waits_s:
            if self._closed.wait(wait_s):
                return False
            try:
                self._decoder = self._decoding(self._reach.open(self._patience))
            except _Unreadable:
                continue
            if self._closed.is_set():  # while it was opened
                self._decoder.close()
            return not self._closed.is_set()
        tries = f"in {self._patience.tries} tries"
        raise JobFailed(f"it went away and did not come back {tries}", self.name, "is it on, is it reached?")
