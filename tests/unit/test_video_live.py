"""Addresses that are read live, from a camera that sends H.264 over RTSP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.errors import InputProblem, JobFailed
from shared.contract.streaming import Tracking
from shared.harness.source_ends import Until
from shared.inference.addresses import without_password
from shared.inference.frames import Frame, Source
from shared.inference.stream import run_stream
from shared.inference.video import Patience, open_source
from tests.stand_ins.rtsp_server import Camera, Picture, pictures_of
from tests.unit.test_pipeline import BOX, node
from tests.videos import frame_of, noise, number_in, numbers_in, write_noise

SHORT = Patience(open_s=5.0, read_s=1.0, first_wait_s=0.05, longest_wait_s=0.2)
"""As long as a camera on this machine needs."""

COUNT, SIDE = 30, 240
"""Pictures that a camera has, and their height; their key frames take several packets."""


@cache
def filmed() -> list[Picture]:
    """What a camera sends: COUNT pictures, every tenth by itself, none that waits for a later one."""
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, SIDE, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), 25
    encoder.options = {"tune": "zerolatency", "g": "10", "x264-params": "slices=1:sliced-threads=0"}
    stream = b""
    for number in range(COUNT):
        frame = frame_of(noise(number, SIDE, 320))
        frame.pts = number
        stream += b"".join(map(bytes, encoder.encode(frame)))
    return pictures_of(stream + b"".join(map(bytes, encoder.encode())))


@pytest.fixture
def camera() -> Iterator[Camera]:
    """A camera that answers."""
    found = Camera(filmed())
    found.open()
    yield found
    found.close()


def first(source: Source, count: int) -> list[Frame]:
    """Read so many frames of a source, and close it."""
    frames = [frame for frame, _ in zip(source.frames(), range(count), strict=False)]
    source.close()
    return frames


def test_a_camera_is_read(camera: Camera) -> None:
    """Frames come from an RTSP address as they were filmed, large ones put together from their fragments."""
    assert max(map(len, camera.pictures[0])) > 10_000
    source = open_source(camera.address, 2, SHORT)
    frames = first(source, 40)
    assert source.is_live
    assert [frame.number for frame in frames] == list(range(40))
    assert numbers_in(frames) == [n % COUNT for n in range(40)]
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(39 * camera.interval_s, rel=0.8)
    assert (source.counts.corrupt, source.counts.reconnects) == (0, 0)


def test_a_camera_that_goes_away_is_read_on(camera: Camera) -> None:
    """A connection that breaks off is made anew, each time counted, and frames are numbered on."""
    camera.stops_after = 15
    source = open_source(camera.address, 1, SHORT)
    frames = first(source, 40)
    assert numbers_in(frames) == [n % 15 for n in range(40)]
    assert [frame.number for frame in frames] == list(range(40))
    assert source.counts.reconnects == 2
    assert camera.calls == 3


def test_a_camera_that_is_off_for_a_while_is_waited_for(camera: Camera) -> None:
    """While nothing answers, it is tried again after longer and longer, until it is back."""
    source = open_source(camera.address, 1, SHORT)
    frames = source.frames()
    next(frames)
    camera.close()
    back = threading.Timer(0.6, camera.open, [camera.port])
    back.start()
    while source.counts.reconnects == 0:
        next(frames)
    assert source.counts.reconnects == 1
    assert number_in(next(frames).picture.bgr()) < 5
    source.close()
    back.join()


def test_a_camera_that_freezes_is_given_up(camera: Camera) -> None:
    """A connection that brings nothing more for the time that it is given is made anew."""
    source = open_source(camera.address, 1, SHORT)
    frames = source.frames()
    for _ in range(5):
        next(frames)
    camera.is_frozen = True
    started = time.monotonic()
    while source.counts.reconnects == 0:
        next(frames)
    assert 0.9 < time.monotonic() - started < 5
    assert camera.calls == 2
    source.close()


def test_waits_double_up_to_the_longest() -> None:
    """Half a second, then twice as long each time, ten seconds at most; as many as are asked for."""
    waits = Patience(tries=7).waits_s()
    assert list(waits) == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    forever = Patience().waits_s()
    assert [next(forever) for _ in range(1000)][-1] == 10.0


def test_a_camera_that_stays_away_is_told(camera: Camera) -> None:
    """After as many tries as it is given, a source that is gone ends in a sentence, without its password."""
    camera.user, camera.password = "admin", "s3cr:t@/x"
    source = open_source(camera.address, 1, Patience(5.0, 1.0, 0.01, 0.02, tries=3))
    frames = source.frames()
    next(frames)
    camera.close()
    with pytest.raises(JobFailed, match="did not come back in 3 tries") as caught:
        list(frames)
    assert "s3cr" not in str(caught.value)
    assert caught.value.where == f"rtsp://***@127.0.0.1:{camera.port}/gate"


def test_a_stream_that_fails_waits_for_no_camera(camera: Camera) -> None:
    """What ends a stream ends it at once, also while one of its sources is waited for."""
    source = open_source(camera.address, 1, Patience(5.0, 1.0, 60.0, 60.0))
    camera.stops_after = 1
    camera.close()

    def fail(_: Any) -> dict[str, Any]:
        time.sleep(1.5)  # until the camera is waited for
        raise ValueError("out of memory")

    started = time.monotonic()
    with pytest.raises(ValueError, match="out of memory"):
        run_stream([source], [[node("detector", BOX, fail)]], lambda *_: None, Tracking())
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_camera_is_read_for_so_many_seconds(camera: Camera, is_gone: bool) -> None:
    """The time that a source is read for ends it, also when it went away before."""
    source = Until(open_source(camera.address, 1, Patience(5.0, 1.0, 60.0, 60.0)), 1.0)
    if is_gone:
        camera.close()
    started = time.monotonic()
    frames = list(source.frames())
    assert frames
    assert 0.9 < time.monotonic() - started < 4


@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_live_source_can_be_closed_by_any_thread(camera: Camera, is_waiting: bool) -> None:
    """Closed while it sends, or while it is waited for, a source ends, soon."""
    source = open_source(camera.address, 1, Patience(5.0, 1.0, 60.0, 60.0))
    read: list[Frame] = []
    thread = threading.Thread(target=lambda: read.extend(source.frames()))
    thread.start()
    time.sleep(0.3)
    if is_waiting:
        camera.close()
        time.sleep(0.3)
    source.close()
    thread.join(3)
    assert not thread.is_alive()
    assert read


def test_an_address_where_nothing_answers_is_refused(camera: Camera) -> None:
    """Neither a closed port nor a server that takes the connection and is silent is waited for long."""
    camera.is_silent = True
    started = time.monotonic()
    with pytest.raises(InputProblem, match="no video comes from it"):
        open_source(camera.address, 1, Patience(open_s=0.5))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(InputProblem, match="no video comes from it"):
        open_source(f"rtsp://127.0.0.1:{port}/gate", 1, Patience(open_s=0.5))
    assert time.monotonic() - started < 5


def test_a_password_opens_a_camera_and_is_told_nobody(
    camera: Camera, capfd: pytest.CaptureFixture[str]
) -> None:
    """A camera is given the user and the password in its address; lines, errors and logs have neither."""
    camera.user, camera.password = "warden", "s3cr:t@/x?"
    source = open_source(camera.address, 1, SHORT)
    told = [source.name, *(frame.source for frame in first(source, 3))]
    camera.password = "changed"
    with pytest.raises(InputProblem) as caught:
        open_source(camera.address.replace("changed", "s3cr3t"), 1, SHORT)
    printed = capfd.readouterr()
    for text in (*told, str(caught.value), repr(caught.value), printed.out, printed.err):
        assert "warden" not in text
        assert "s3cr" not in text
    assert caught.value.__suppress_context__


secrets = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=3, max_size=12)


@given(secrets, secrets)
def test_no_password_is_left_in_an_address(user: str, password: str) -> None:
    """Whatever stands before the last @ of an address, escaped or not, is hidden."""
    assert without_password(f"rtsp://{user}:{password}@camera:554/gate") == "rtsp://***@camera:554/gate"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://camera/gate", "rtsp://camera/gate"),
        (
            "rtsp://camera:554/user=admin&password=s3cr&channel=1",
            "rtsp://camera:554/user=***&password=***&channel=1",
        ),
        ("rtsp://camera/user=admin_password=s3cr_channel=1", "rtsp://camera/user=***_password=***_channel=1"),
        ("http://camera/live?token=s3cr", "http://camera/live?token=***"),
        ("rtsp://[::1", "rtsp://[::1"),
        ("clips/a@b.mp4", "clips/a@b.mp4"),
    ],
)
def test_what_else_is_secret_in_an_address_is_hidden(address: str, shown: str) -> None:
    """Users, passwords and tokens in the rest of an address are hidden; a file's name is as it is."""
    assert without_password(address) == shown


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server's address, and the folder whose files it serves, with ranges of their bytes."""

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = (tmp_path / Path(self.path).name).read_bytes()
            start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:])

        def log_message(self, *args: Any) -> None:
            """Nobody reads them."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", tmp_path
        server.shutdown()


def test_a_recording_at_an_address_is_read_whole(shelf: tuple[str, Path]) -> None:
    """A file on a web server ends, and waits for its reader: it is not live."""
    address, folder = shelf
    write_noise(folder / "clip.mp4", 20)
    source = open_source(f"{address}/clip.mp4", 1, SHORT)
    assert not source.is_live
    assert numbers_in(source.frames()) == list(range(20))
    source.close()


def test_an_address_reads_no_file_of_this_machine(shelf: tuple[str, Path]) -> None:
    """A playlist from a web server that lists a file of this machine is refused."""
    address, folder = shelf
    secret = write_noise(folder / "secret.ts", 20)
    lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXTINF:2,", f"file://{secret}", "#EXT-X-ENDLIST", "")
    (folder / "list.m3u8").write_text("\n".join(lines))
    with pytest.raises(InputProblem, match="no video comes from it"):
        open_source(f"{address}/list.m3u8", 1, SHORT)
