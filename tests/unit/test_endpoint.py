"""An engine's address says where it is, how it is named, and what is wrong with it."""

from __future__ import annotations

import json

import pytest

from dockyard.engines.endpoint import Endpoint, SshAddress
from dockyard.recipe.targets import Platform, load_target
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import EnvironmentProblem, InputProblem


@pytest.mark.parametrize(
    ("context", "host", "name", "is_local"),
    [
        ("default", "unix:///var/run/docker.sock", "docker", True),
        ("jetson", "ssh://me@orin", "docker:jetson", False),
        ("default", "ssh://me@orin", "docker:ssh://me@orin", False),
        ("default", "tcp://orin:2376", "docker:tcp://orin:2376", False),
        ("desktop", "unix:///home/me/docker.sock", "docker:desktop", True),
    ],
)
def test_an_executor_is_named_by_its_engine(context: str, host: str, name: str, is_local: bool) -> None:
    """Whatever is not this machine's own engine has a name that tells it from that."""
    endpoint = Endpoint(context, host)
    assert (endpoint.name, endpoint.is_local) == (name, is_local)


def test_where_ssh_leads() -> None:
    """User, port and the engine's socket are those of the address; what it leaves out is ssh's choice."""
    assert Endpoint("a", "ssh://orin").ssh == SshAddress("orin")
    full = Endpoint("a", "ssh://me@orin:2222/run/user/1000/docker.sock").ssh
    assert full == SshAddress("orin", "me", 2222, "/run/user/1000/docker.sock")
    assert Endpoint("a", "tcp://orin:2376").ssh is None


@pytest.mark.parametrize(
    "host", ["ssh://", "ssh://-oProxyCommand=x", "ssh://me:secret@orin", "ssh://orin:port"]
)
def test_an_address_that_leads_nowhere(host: str) -> None:
    """An address with no machine, with a password or an option in it is refused, with what one looks like."""
    with pytest.raises(EnvironmentProblem, match="leads nowhere") as caught:
        assert Endpoint("jetson", host).ssh
    assert "docker context create" in caught.value.advice


def test_what_a_toolchain_asks_of_a_machine(workspace: Workspace) -> None:
    """target.json says what a toolchain asks of a machine, of which it may say nothing, and nothing else."""
    platform = {
        "architecture": "aarch64",
        "l4t": {"from": "36.4", "before": "37"},
        "runtime": "nvidia",
        "dla_compiler": True,
        "base": "registry.example/vendor/tools:1.2",
    }
    toolchains = {"10.3": {"platform": platform}, "any": {}}
    folder = workspace.root / "targets" / "shelf-trt"
    folder.mkdir(parents=True)
    document = {"description": "", "toolchains": toolchains, "sources": ["ONNX"], "methods": {}}
    (folder / "target.json").write_text(json.dumps(document))
    found = load_target(workspace, "shelf-trt", "test").toolchains
    base = "registry.example/vendor/tools:1.2"
    assert found["10.3"].platform == Platform("aarch64", "36.4", "37", "nvidia", True, base=base)
    assert found["any"].platform == Platform()
    platform["l4t"] = {"from": "JetPack 6"}
    (folder / "target.json").write_text(json.dumps(document))
    with pytest.raises(InputProblem, match="from"):
        load_target(workspace, "shelf-trt", "test")
