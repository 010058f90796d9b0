"""An image that cannot be sent whole is a problem that is told, and nothing waits for the rest of it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dockyard.engines import OnLine
from dockyard.engines.docker_cli import EngineAddress, ImageOnEngine
from dockyard.engines.engine_line import EngineLine
from dockyard.engines.image_transfer import send_image
from shared.contract.errors import EnvironmentProblem
from tests.fakes import attempt
from tests.unit.test_image_archive import digest, saved

LAYERS = [b"base" * 5000, b"tools" * 5000]
TAG = "dockyard/tensorflow:2.21"

DOCKER = """#!/bin/sh
case "$*" in
*"image ls"*) echo sha256:other ;;
*"image inspect"*) cat "$FAKE/images" ;;
*save*)
    if [ -e "$FAKE/was-read" ]; then head -c 30000 "$FAKE/archive"; echo "no such layer" >&2; exit 1; fi
    touch "$FAKE/was-read"; cat "$FAKE/archive" ;;
*load*) cat >"$FAKE/loaded" ;;
esac
"""
"""It saves an image whole the first time, when it is only looked at, and breaks off after that."""

PATIENCE_S = 30.0


class FakeLine:
    """A line to an engine that is up; `client` is the engine's, too."""

    def __init__(self) -> None:
        self.outages, self.address = 0, EngineAddress("jetson")
        self.endpoint = SimpleNamespace(name="docker:jetson")
        self.client = self

    def info(self) -> Mapping[str, Any]:
        return {}

    def ping(self) -> bool:
        return True

    def again(self, call: Callable[[], Any], on_line: OnLine) -> Any:
        return call()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker command whose engines have the lower layer of an image in common; yields its folder."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    other = {"Id": "sha256:other", "Config": {}, "RootFS": {"Layers": [digest(LAYERS[0])]}}
    (tmp_path / "images").write_text(json.dumps([other]))
    (tmp_path / "archive").write_bytes(saved(LAYERS, is_oci=False))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    monkeypatch.setenv("FAKE", str(tmp_path))
    return tmp_path


def test_an_archive_that_breaks_off(fake: Path) -> None:
    """Where docker breaks off while an image is sent, its reason is told, and `docker load` is not waited
    for.
    """
    image = ImageOnEngine("sha256:1", size=1000, layers=tuple(digest(layer) for layer in LAYERS))
    problems: list[EnvironmentProblem | None] = []
    shown: list[str] = []

    def send() -> None:
        line = cast(EngineLine, FakeLine())
        _, problem = attempt(
            EnvironmentProblem, send_image, TAG, image, EngineAddress("default"), line, shown.append
        )
        problems.append(problem)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    sender.join(PATIENCE_S)
    assert [problem and problem.what for problem in problems] == [
        f"image {TAG} could not be sent: no such layer"
    ]
