"""The doctor says of each thing whether it is ready and, where it is not, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import pytest

from dockyard.doctor import examine, examine_device
from dockyard.engines import Finding
from dockyard.engines.docker import DockerExecutor
from dockyard.engines.preflight import examine_platform, has_release
from dockyard.recipe.targets import Platform, load_target
from dockyard.recipe.workspace import Workspace
from tests.unit.test_preflight import JETSON, asked


def test_what_is_looked_at(workspace: Workspace) -> None:
    """A context that does not answer and a broken model of the workspace's own are to be mended; the rest is
    looked at all the same, Dockyard's models among it.
    """
    folder = workspace.root / "models" / "broken"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    found = {finding.what: finding for finding in examine(workspace, "no-such-context")}

    def level(beginning: str) -> str:
        return next(finding.level for what, finding in found.items() if what.startswith(beginning))

    assert level("Docker context no-such-context") == "bad"
    assert level("model broken: the key 'task' is missing") == "bad"
    assert level("model digits") == "ok"
    assert level("environment .dockyard/venvs/tensorflow") == "note"
    assert level("Python") in ("ok", "note")
    assert all(finding.advice for what, finding in found.items() if what.startswith("environment"))


class Board:
    """A Jetson elsewhere, of some release of L4T, that has all images."""

    def __init__(self, workspace: Workspace, release: str | None) -> None:
        self.is_local, self.place = False, {"engine_host": "ssh://orin"}
        self._workspace, self._ask = workspace, asked(release=release)

    def _platform(self, target: str, toolchain: str) -> Platform:
        return load_target(self._workspace, target, "test").toolchains[toolchain].platform

    def is_for(self, target: str, toolchain: str) -> bool:
        return self._platform(target, toolchain).architecture in (None, "aarch64")

    def has_release_for(self, target: str, toolchain: str) -> bool:
        return has_release(self._platform(target, toolchain), self._ask)

    def examine(self, toolchains: Iterable[tuple[str, str]]) -> Iterator[Finding]:
        for pair in toolchains:
            yield from examine_platform(" ".join(pair), self._platform(*pair), JETSON, self._ask)

    def has_image(self, target: str, toolchain: str) -> bool:
        return True


@pytest.mark.parametrize(
    ("release", "shown", "bad"),
    [
        ("# R36 (release), REVISION: 4.3", ("7.1", "10.3"), []),
        ("# R35 (release), REVISION: 4.1", ("6.3", "8.5"), []),
        (
            None,
            ("7.1", "10.3"),
            [
                "deepstream-l4t 7.1 needs L4T 36.4 or later, before 37, and the device has no L4T release",
                "l4t-tensorrt 10.3 needs L4T 36.4 or later, before 37, and the device has no L4T release",
            ],
        ),
    ],
    ids=["JetPack 6", "JetPack 5", "no release"],
)
def test_a_jetson_is_asked_for_its_own_toolchain(
    workspace: Workspace, release: str | None, shown: tuple[str, str], bad: list[str]
) -> None:
    """Of toolchains for several JetPacks the device's own is shown, the others are noted; one is bad where
    none fits. What only prepares for others is nothing that a device elsewhere has to have.
    """
    board = cast(DockerExecutor, Board(workspace, release))
    found = list(examine_device(workspace, board, "Docker context jetson"))
    assert [finding.what for finding in found if finding.level == "bad"] == bad
    known = [("deepstream-l4t", one) for one in ("7.1", "6.3", "9.1")]
    known += [("l4t-tensorrt", one) for one in ("10.3", "8.5", "10.16")]
    others = [f"{name} {one} is for other JetPacks than this one" for name, one in known if one not in shown]
    assert [finding.what for finding in found if "JetPack" in finding.what] == others
    images = [finding.what for finding in found if finding.what.startswith("image dockyard/")]
    assert {f"image dockyard/deepstream-l4t:{shown[0]}", f"image dockyard/l4t-tensorrt:{shown[1]}"} <= set(
        images
    )
    assert "image dockyard/tensorflow:2.21" in images
    assert not any("tensorrt-onnx" in finding.what for finding in found)
