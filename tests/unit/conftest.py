"""What unit tests share that have to do with engines: one that answers, and is none."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockyard.engines.docker_cli import build_client
from tests.stand_ins.engine import StandInEngine, stand_in_engine


@pytest.fixture
def this_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInEngine]:
    """This machine's engine; docker takes it unless it is told otherwise."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    build_client.cache_clear()
    with (
        tempfile.TemporaryDirectory(prefix="engine-") as name,  # a socket's path has room for 100 characters
        stand_in_engine(Path(name)) as found,
    ):
        monkeypatch.setenv("PATH", f"{found.folder}:{os.defpath}")
        monkeypatch.setenv("DOCKER_CONFIG", str(found.folder / "config"))
        yield found
    build_client.cache_clear()


@pytest.fixture(params=["DOCKER_CONTEXT", "docker context use"])
def engine_elsewhere(
    request: pytest.FixtureRequest, this_engine: StandInEngine, monkeypatch: pytest.MonkeyPatch
) -> StandInEngine:
    """This machine's engine; docker takes one elsewhere."""
    if request.param == "DOCKER_CONTEXT":
        monkeypatch.setenv("DOCKER_CONTEXT", "jetson")
    else:
        (this_engine.folder / "config" / "config.json").write_text(json.dumps({"currentContext": "jetson"}))
    return this_engine
