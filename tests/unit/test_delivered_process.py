"""The delivered command line as a process: how it ends when it is told to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.contract.codec import encode
from shared.contract.streaming import StreamSettings
from tests.conftest import ROOT
from tests.deliveries import container_of, image_of, pipeline_of

SLOWLY = """
import time

from shared.inference.loading import Loaders
from tests.deliveries import ANSWERS, FakeLoader


def finds(image):
    time.sleep(0.2 if image.any() else 0)
    return ANSWERS["finds"](image)


LOADERS = Loaders(FakeLoader({**ANSWERS, "finds": finds}))
"""

PROGRAM = """
import sys
from pathlib import Path

from shared.serving.command_line import main

sys.exit(main(sys.argv[2:], Path(sys.argv[1])))
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a command of a delivery whose detector takes 200 ms; nothing of it is left running."""
    targets, delivery = container_of(tmp_path, SLOWLY)
    (delivery / "settings").mkdir()
    (delivery / "settings" / "stream.json").write_text(json.dumps(encode(StreamSettings(workers=2))))
    pipeline_of(delivery, settings="settings")
    started: list[subprocess.Popen[str]] = []

    def begin(*command: str) -> subprocess.Popen[str]:
        arguments = [str(targets), "--delivery", str(delivery), *command]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, **pipes))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of images that takes some seconds."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:03}.png").write_bytes(image_of(100 + number))
    return folder


def test_a_stream_to_its_end(start: Start, images: Path) -> None:
    """A line for each frame in order, as a stream's lines are, and 0."""
    every = sorted(path.name for path in images.iterdir())
    for name in every[10:]:
        (images / name).unlink()
    out, err = start("stream", str(images)).communicate(timeout=60)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["name"] for line in lines] == every[:10]
    assert lines[0]["objects"][0]["answers"]["reader"]["text"] in ("A", "AB")
    assert err.startswith("10 frames in ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stream_that_is_stopped(start: Start, images: Path, number: signal.Signals) -> None:
    """What was taken is told in whole lines, nothing more is taken, and that is well: 0."""
    process = start("stream", str(images))
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(number)
    rest = process.stdout.read()
    assert process.wait(30) == 0
    lines = [json.loads(line) for line in (first + rest).splitlines()]
    assert [line["frame"] for line in lines] == list(range(len(lines)))
    assert len(lines) < 60


def test_a_source_that_is_none(start: Start, tmp_path: Path) -> None:
    """What cannot be opened is a wrong call: 2, with the reason."""
    process = start("stream", str(tmp_path / "missing.mp4"))
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "there is no such file" in err) == (2, True)


def port_of_nobody() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def when_ready(process: subprocess.Popen[str], port: int) -> httpx.Client:
    """Return a client of a service when that is ready."""
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if client.get("/v2/health/ready").status_code == 200:
                return client
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(process.communicate())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_that_is_stopped(start: Start, number: signal.Signals) -> None:
    """What it has accepted it answers; then it ends with 0, and its log is lines of JSON."""
    port = port_of_nobody()
    process = start("serve", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    with closing(when_ready(process, port)) as client, ThreadPoolExecutor(8) as threads:
        post = lambda: client.post("/v1/read", content=image_of(200)).status_code  # noqa: E731
        accepted = [threads.submit(post) for _ in range(8)]
        while "dockyard_requests_in_flight 9" not in client.get("/metrics").text:
            assert not all(one.done() for one in accepted)
        process.send_signal(number)
        assert [one.result() for one in accepted] == [200] * 8
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert (lines[0]["event"], lines[-1]["event"]) == ("serving", "stopped")


def test_a_port_that_is_taken(start: Start) -> None:
    """A service that cannot listen says so and ends with an error."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start("serve", "--host", "127.0.0.1", "--port", str(taken.getsockname()[1]))
        out, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "address already in use" in out
