"""The engine of this machine is this machine's, whatever engine docker takes by itself."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dockyard.engines.docker_cli import DockerCommand, any_client, build_client
from dockyard.engines.endpoint import DEFAULT, resolve
from dockyard.engines.engine_line import EngineLine
from tests.stand_ins.engine import StandInEngine, stand_in_engine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInEngine]:
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
    request: pytest.FixtureRequest, engine: StandInEngine, monkeypatch: pytest.MonkeyPatch
) -> StandInEngine:
    """This machine's engine; docker takes one elsewhere."""
    if request.param == "DOCKER_CONTEXT":
        monkeypatch.setenv("DOCKER_CONTEXT", "jetson")
    else:
        (engine.folder / "config" / "config.json").write_text(json.dumps({"currentContext": "jetson"}))
    return engine


def test_the_default_context_is_named(engine_elsewhere: StandInEngine) -> None:
    """Where docker takes an engine elsewhere, the context `default` is this machine's all the same: for what
    the client asks, and for the docker command that builds.
    """
    assert not resolve().is_local
    with closing(EngineLine(resolve(DEFAULT))) as line:
        assert line.client.info()["Name"] == "stand-in"
        docker = DockerCommand(any_client(), line.address)
        assert docker.ask("version", "--format", "{{.Server.Arch}}") == "amd64"
        assert docker.builder() == "default"
        assert str(line.address) == ""


def test_what_the_environment_says_is_the_default(
    engine: StandInEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`DOCKER_HOST` is what the context `default` means, named or not, for the client and the command."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.socket}")
    for context in (None, DEFAULT):
        with closing(EngineLine(resolve(context))) as line:
            assert line.client.info()["Name"] == "stand-in"
            environment = DockerCommand(any_client(), line.address).environment()
            assert environment["DOCKER_HOST"] == f"unix://{engine.socket}"
