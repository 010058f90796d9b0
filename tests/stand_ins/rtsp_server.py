"""A camera on the network: it sends H.264 over RTSP, and goes away when it is told to.

Of RTSP (RFC 2326) it answers what a player asks that takes the pictures over the same connection; pictures go
as RTP (RFC 3550, H.264 in it by RFC 6184), those that are larger than a packet in fragments.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

FRAGMENT = 1200
"""Bytes of a picture in one RTP packet, at most."""

CLOCK = 90000
"""Ticks a second of RTP's times for video."""

SPS, PPS = 7, 8

Picture = Sequence[bytes]
"""The NAL units of one frame."""


def pictures_of(stream: bytes) -> list[Picture]:
    """Return the frames of a raw H.264 stream in which each frame is one slice."""
    units = [unit.rstrip(b"\0") for unit in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]
    pictures: list[Picture] = []
    waiting: list[bytes] = []
    for unit in units:
        waiting.append(unit)
        if unit[0] & 31 in (1, 5):
            pictures.append(waiting)
            waiting = []
    return pictures


@dataclass
class Camera:
    """A camera; what it does may be changed while it runs.

    Attributes:
        pictures: sent one after the other, again and again.
        interval_s: between two of them.
        stops_after: frames after which it breaks the connection off; None goes on.
        user, password: asked for where they are not empty.
        is_silent: it takes connections and answers nothing.
        is_frozen: it sends nothing more, and keeps the connections that it has.
        calls: how often it was asked to play.
        sent: frames.
    """

    pictures: Sequence[Picture]
    interval_s: float = 0.02
    stops_after: int | None = None
    user: str = ""
    password: str = ""
    is_silent: bool = False
    is_frozen: bool = False
    calls: int = 0
    sent: int = 0
    port: int = 0
    _listening: socket.socket = field(default_factory=socket.socket)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        sign_in = f"{self.user}:{quote(self.password, safe='')}@" if self.user else ""
        return f"rtsp://{sign_in}127.0.0.1:{self.port}/gate"

    def open(self, port: int = 0) -> None:
        """Answer from now on, at a free port or at one that it had."""
        self._is_over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._listen, args=(self._listening, self._is_over), daemon=True).start()

    def close(self) -> None:
        """Answer no more; connections end."""
        self._is_over.set()
        with contextlib.suppress(OSError):  # a thread that waits for a connection wakes of this alone
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _listen(self, listening: socket.socket, is_over: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while not is_over.is_set():
                connection, _ = listening.accept()
                threading.Thread(target=self._serve, args=(connection, is_over), daemon=True).start()

    def _serve(self, connection: socket.socket, is_over: threading.Event) -> None:
        with connection, contextlib.suppress(OSError):
            if self.is_silent:
                is_over.wait()
                return
            for method, headers in _requests(connection):
                if self._answer(connection, method, headers):
                    self._play(connection, is_over)
                    return

    def _answer(self, connection: socket.socket, method: str, headers: dict[str, str]) -> bool:
        """Answer a request; tell whether pictures are asked for."""
        about, body, status = "", "", "200 OK"
        given = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if self.user and headers.get("authorization") != f"Basic {given}":
            status, about = "401 Unauthorized", 'WWW-Authenticate: Basic realm="gate"\r\n'
        elif method == "OPTIONS":
            about = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            body = self._description()
            base = f"rtsp://127.0.0.1:{self.port}/gate/"
            about = (
                f"Content-Base: {base}\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
            )
        elif method == "SETUP":
            about = f"Transport: {headers['transport']}\r\nSession: 1\r\n"
        elif method == "PLAY":
            about = "Session: 1\r\n"
        text = f"RTSP/1.0 {status}\r\nCSeq: {headers['cseq']}\r\n{about}\r\n{body}"
        connection.sendall(text.encode())
        return method == "PLAY" and status.startswith("200")

    def _description(self) -> str:
        """Return what it sends, by SDP (RFC 4566)."""
        first = {unit[0] & 31: unit for unit in self.pictures[0]}
        sets = ",".join(base64.b64encode(first[kind]).decode() for kind in (SPS, PPS))
        lines = (
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.1",
            "s=gate",
            "t=0 0",
            "m=video 0 RTP/AVP 96",
            "c=IN IP4 0.0.0.0",
            f"a=rtpmap:96 H264/{CLOCK}",
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}",
            "a=control:track1",
        )
        return "".join(f"{line}\r\n" for line in lines)

    def _play(self, connection: socket.socket, is_over: threading.Event) -> None:
        self.calls, self.is_frozen = self.calls + 1, False
        sequence, place = 0, 0
        started = time.monotonic()
        while not is_over.is_set() and (self.stops_after is None or place < self.stops_after):
            if self.is_frozen:
                is_over.wait()
            else:
                at = int((time.monotonic() - started) * CLOCK)
                for packet in _packets(self.pictures[place % len(self.pictures)], sequence, at):
                    connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                    sequence += 1
                place += 1
                self.sent += 1
                is_over.wait(self.interval_s)


def _requests(connection: socket.socket) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each request's method and headers, these by their names in small letters."""
    with connection.makefile("r", newline="\r\n") as lines:
        for line in lines:
            headers: dict[str, str] = {}
            for header in iter(lambda: lines.readline().strip(), ""):
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            yield line.split(" ")[0], headers


def _packets(picture: Picture, sequence: int, at: int) -> Iterator[bytes]:
    """Yield the RTP packets of a frame; the last one is marked."""
    payloads: list[bytes] = []
    for unit in picture:
        payloads += _payloads(unit)
    for number, payload in enumerate(payloads):
        marked = 0x80 if number == len(payloads) - 1 else 0
        header = struct.pack(">BBHII", 0x80, 96 | marked, (sequence + number) & 0xFFFF, at & 0xFFFFFFFF, 1)
        yield header + payload


def _payloads(unit: bytes) -> list[bytes]:
    """Return a NAL unit as it is, or in fragments (FU-A) where it is larger than a packet."""
    if len(unit) <= FRAGMENT:
        return [unit]
    head, kind, body = unit[0] & 0xE0 | 28, unit[0] & 31, unit[1:]
    parts = [body[at : at + FRAGMENT] for at in range(0, len(body), FRAGMENT)]
    marks = [0x80, *[0] * (len(parts) - 2), 0x40]
    return [bytes([head, kind | mark]) + part for mark, part in zip(marks, parts, strict=True)]
