"""Whether a device fits is read from what it says, and each finding says what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.engines import Finding
from dockyard.engines.device_facts import (
    ASK_DLA_COMPILER,
    ASK_GPU_GROUPS,
    ASK_POWER_MODE,
    ASK_RELEASE,
    MAX_GROUPS,
    Release,
    read_free_bytes,
    read_groups,
    read_power_mode,
    read_sizes,
    read_tegra_release,
)
from dockyard.engines.preflight import (
    Ask,
    container_runtime,
    examine_engine,
    examine_machine,
    examine_platform,
    gpu_groups,
    refuse,
)
from dockyard.engines.ssh_errors import ssh_problem
from dockyard.recipe.targets import Platform, load_target
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import EnvironmentProblem

ORIN = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64"
XAVIER = "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64\n"
MODE = "NV Power Mode: MODE_30W\n2\n"
DF = """Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/nvme0n1p1   479151816 91234567 363507336      21% /
"""
NO_STAT = "stat: cannot statx '/usr/lib/x': No such file or directory\n"

JETSON: Mapping[str, Any] = {
    "Name": "orin",
    "Architecture": "aarch64",
    "MemTotal": 15_600_000_000,
    "NCPU": 8,
    "ServerVersion": "27.5.1",
    "DockerRootDir": "/var/lib/docker",
    "Runtimes": {"runc": {}, "nvidia": {}},
}
L4T36 = Platform("aarch64", "36.4", "37", "nvidia", True)


def asked(**changed: str | None) -> Ask:
    """Return a Jetson's answers to what it is asked, some of them changed."""
    answers = {
        ASK_RELEASE: ORIN,
        ASK_POWER_MODE: "NV Power Mode: MAXN\n0\n",
        ASK_DLA_COMPILER: "0\n9\n",
        ASK_GPU_GROUPS: "44\n44\n104\n",
    }
    names = {
        "release": ASK_RELEASE,
        "mode": ASK_POWER_MODE,
        "compiler": ASK_DLA_COMPILER,
        "groups": ASK_GPU_GROUPS,
    }
    known: dict[str, str | None] = {**answers, **{names[name]: text for name, text in changed.items()}}
    return lambda command: DF if command.startswith("df ") else known[command]


def test_texts_of_a_jetson_are_read() -> None:
    """Release, power mode, sizes and free disk are read as the device writes them; nothing is made up."""
    assert read_tegra_release(ORIN) == Release((36, 4, 3))
    assert read_tegra_release(XAVIER) == Release((35, 4, 1))
    assert read_tegra_release("") is None
    assert read_power_mode(MODE) == "MODE_30W"
    assert read_power_mode("NVPM ERROR: failed to read PARAM ARG") is None
    assert read_sizes(NO_STAT + "6144200\n") == [6144200]
    assert read_free_bytes(DF) == 363507336 * 1024
    assert read_free_bytes("df: no such folder") is None
    assert Release((36, 4)) < Release((36, 4, 3)) < Release((37,))


@given(st.one_of(st.text(), st.lists(st.integers(), max_size=30).map(lambda ids: "\n".join(map(str, ids)))))
def test_whatever_is_said_of_groups(text: str) -> None:
    """Of whatever a device says, a few ids of groups are taken, in their order, and root's never."""
    found = read_groups(text)
    assert list(found) == sorted({one for one in found if 0 < one < 2**31})
    assert len(found) <= MAX_GROUPS


def test_who_may_open_the_gpu() -> None:
    """The groups of the GPU's files are read by number, each once; where none can be, that is noted."""
    assert read_groups(NO_STAT + "44\n0\n44\n104\n") == (44, 104)
    assert gpu_groups(asked()) == (44, 104)
    for said in (None, "", "0\n"):
        assert gpu_groups(asked(groups=said)) == ()
        found = list(examine_platform("trt 10.3", L4T36, JETSON, asked(groups=said)))
        (note,) = [finding for finding in found if finding.level == "note"]
        assert "which groups may open the GPU" in note.what


def test_a_jetson_that_fits() -> None:
    """A Jetson of the toolchain's release, with all that it needs, has no finding to mend."""
    found = [*examine_engine(JETSON, asked()), *examine_platform("trt 10.3", L4T36, JETSON, asked())]
    assert {finding.level for finding in found} == {"ok"}
    assert "L4T 36.4.3, as trt 10.3 needs" in [finding.what for finding in found]
    assert refuse(found, "docker:jetson") == found


@pytest.mark.parametrize(
    ("engine", "answers", "wanted", "advice"),
    [
        ({"Architecture": "x86_64"}, {}, "trt 10.3 needs aarch64, and the engine is x86_64", "--context"),
        ({"Runtimes": {"runc": {}}}, {}, "needs the runtime 'nvidia'", "nvidia-ctk runtime configure"),
        (
            {},
            {"release": XAVIER},
            "needs L4T 36.4 or later, before 37, and the device has 35.4.1",
            "toolchain",
        ),
        ({}, {"release": None}, "the device has no L4T release", "Jetson"),
        ({}, {"compiler": "0\n"}, "not there or empty", "nvidia-l4t-dla-compiler"),
        ({}, {"compiler": ""}, "not there or empty", "nvidia-l4t-dla-compiler"),
    ],
)
def test_a_device_that_does_not_fit(
    engine: Mapping[str, Any], answers: Mapping[str, str | None], wanted: str, advice: str
) -> None:
    """What a toolchain cannot do without is refused in one line that says what to do."""
    found = examine_platform("trt 10.3", L4T36, {**JETSON, **engine}, asked(**answers))
    with pytest.raises(EnvironmentProblem) as caught:
        refuse(found, "docker:jetson")
    assert wanted in caught.value.what
    assert advice in caught.value.advice
    assert caught.value.where == "docker:jetson"


@pytest.mark.parametrize(
    ("platform", "architecture", "wanted"),
    [
        (
            replace(L4T36, base="vendor/tools:1"),
            "x86_64",
            ["trt 10.3 needs aarch64, and the engine is x86_64"],
        ),
        (
            replace(L4T36, base="vendor/tools:1"),
            "aarch64",
            ["trt 10.3 comes with its vendor's image, and a virtual environment has none"],
        ),
        (
            replace(L4T36, l4t_from="38", l4t_before=None),
            "aarch64",
            ["trt 10.3 needs L4T 38 or later, and the device has 36.4.3"],
        ),
        (L4T36, "aarch64", []),
        (Platform(optional_runtime="nvidia"), "x86_64", []),
    ],
    ids=["architecture", "vendor's image", "L4T", "fits", "asks nothing"],
)
def test_a_machine_without_an_engine(platform: Platform, architecture: str, wanted: list[str]) -> None:
    """Without Docker a toolchain runs on a machine that is for it, and that has no need of its image."""
    found = examine_machine("trt 10.3", platform, architecture, asked())
    assert [finding.what for finding in found if finding.level == "bad"] == wanted


def test_what_is_only_noted() -> None:
    """A slow power mode, one that cannot be read and an unknown disk stop nothing, and are said."""
    modes = (MODE, None)
    for mode in modes:
        found = list(examine_platform("trt 10.3", L4T36, JETSON, asked(mode=mode)))
        assert [finding.level for finding in found if "power mode" in finding.what] == ["note"]
    unknown = list(examine_engine({**JETSON, "MemTotal": 2_000_000_000}, lambda command: None))
    assert [finding.level for finding in unknown] == ["note", "note"]


def test_a_disk_that_is_nearly_full() -> None:
    """An engine without room for anything is refused before anything is sent."""
    full = DF.replace("363507336", "1000000")
    with pytest.raises(EnvironmentProblem, match=r"only 1\.0 GB free at /var/lib/docker"):
        refuse(examine_engine(JETSON, lambda command: full), "docker:jetson")


@pytest.mark.parametrize(
    ("said", "what", "advice"),
    [
        ("Host key verification failed.", "the host key of orin is not known", "ssh me@orin"),
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "not the one",
            "-R orin",
        ),
        ("me@orin: Permission denied (publickey,password).", "refuses the ssh key", "ssh-copy-id"),
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "me may not use Docker on orin without sudo",
            "usermod -aG docker me",
        ),
        (
            "bash: line 1: docker: command not found",
            "docker is not installed on orin",
            "ssh me@orin docker version",
        ),
        (
            "ssh: Could not resolve hostname orin: Name or service not known",
            "no machine by the name",
            "context",
        ),
        ("ssh: connect to host orin port 22: No route to host", "does not answer ssh", "is it on"),
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the",
            "no Docker engine",
            "systemctl",
        ),
        (
            "mux_client_forward: forwarding request failed: Port forwarding",
            "forwards no sockets",
            "AllowStream",
        ),
        (
            "kex_exchange_identification: banner line",
            "(kex_exchange_identification: banner line)",
            "docker version",
        ),
    ],
)
def test_what_ssh_says_is_told(said: str, what: str, advice: str) -> None:
    """What ssh and docker there complain of becomes one line, with what to do."""
    problem = ssh_problem(said.splitlines(), "me", "orin")
    assert what in problem.what
    assert advice in problem.advice
    assert (problem.where, problem.exit_code) == ("ssh orin", 3)


@pytest.mark.parametrize(
    ("platform", "runtimes", "expected"),
    [
        (Platform(runtime="nvidia"), {"runc": {}}, "nvidia"),
        (Platform(optional_runtime="nvidia"), {"runc": {}, "nvidia": {}}, "nvidia"),
        (Platform(optional_runtime="nvidia"), {"runc": {}}, None),
        (Platform(optional_runtime="nvidia"), None, None),
        (Platform(), {"nvidia": {}}, None),
    ],
)
def test_a_gpu_is_handed_on_where_there_is_one(
    platform: Platform, runtimes: Any, expected: str | None
) -> None:
    """A container has the runtime that its toolchain needs, or can do with where the engine has it."""
    assert container_runtime(platform, {"Runtimes": runtimes}) == expected


def test_packages_that_stand_in_for_an_image_are_named() -> None:
    """Where a toolchain runs without its image, the packages that are missing are named, and no others."""
    platform = Platform(packages=("cmake", "python3-gi"))

    def told(there: str | None) -> Finding:
        (found,) = examine_machine("stream 1.22", platform, "x86_64", lambda command: there)
        return found

    assert told("cmake\npython3-gi\nvim\n").level == "ok"
    assert told("cmake\n").advice == "apt-get install python3-gi"
    assert told(None).advice == "apt-get install cmake python3-gi"


def test_an_image_has_the_packages_that_its_target_names() -> None:
    """What the Dockerfile installs to run is what a machine without the image is told to install."""
    ours = Workspace(PRODUCT)
    for name in ours.names("targets", "target.json"):
        named = {
            one
            for each in load_target(ours, name, "test").toolchains.values()
            for one in each.platform.packages
        }
        file = (ours.docker(name) / "Dockerfile").read_text() if named else ""
        assert all(re.search(rf"\s{re.escape(package)}[\s;]", file) for package in named), name
