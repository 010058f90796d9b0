"""Is this machine, or that device, ready? Each line says what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from dockyard.engines import Finding, images
from dockyard.engines.docker_cli import build_client
from dockyard.engines.preflight import ROOM_GB
from dockyard.recipe.models import load_model
from dockyard.recipe.targets import load_target
from dockyard.recipe.workspace import Workspace
from shared.contract.device import LOW_PRECISION
from shared.contract.errors import DockyardError, EnvironmentProblem

if TYPE_CHECKING:
    from dockyard.engines.docker import DockerExecutor

NEW_PYTHON = (3, 14)
"""The first release of Python that the vendor tools have no packages for."""

BUSY = 0.3
"""Load of each CPU from which a measurement is disturbed."""


def examine(workspace: Workspace, context: str | None) -> Iterator[Finding]:
    """Yield findings on Python, disk, CPU, engine, images, environments and models.

    Args:
        workspace: whose targets and models are looked at.
        context: a Docker context, for a device elsewhere; None for this machine.
    """
    yield _python()
    yield _room(workspace)
    yield _cpu()
    yield from _engine(workspace, context)
    yield from _environments(workspace)
    yield from _models(workspace)


def _python() -> Finding:
    text = f"Python {platform.python_version()} ({sys.executable})"
    if sys.version_info >= NEW_PYTHON:
        advice = "the vendor tools have no packages for it: --engine docker works, venv takes 3.10 to 3.13"
        return Finding("note", text, advice)
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        return Finding("note", text, "Debian and Ubuntu: apt-get install python3-venv")
    return Finding("ok", text)


def _room(workspace: Workspace) -> Finding:
    free = shutil.disk_usage(workspace.root).free / 1e9
    text = f"{free:.0f} GB free at {workspace.root}"
    if free < ROOM_GB:
        return Finding("bad", text, f"images, environments and data take up to {ROOM_GB} GB")
    return Finding("ok", text)


def _cpu() -> Finding:
    import cpuinfo

    found = cpuinfo.get_cpu_info()
    name = found.get("brand_raw", platform.machine())
    low_precision = [flag for flag in LOW_PRECISION if flag in found.get("flags", [])]
    count = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    text = f"{name}, {count} CPUs, {' '.join(low_precision) or 'no low precision'}, load {load:.1f}"
    if load > BUSY * count:
        return Finding("note", text, "something else is running: measure on a quiet machine")
    return Finding("ok", text)


def _engine(workspace: Workspace, context: str | None) -> Iterator[Finding]:
    from dockyard.engines.docker import DockerExecutor

    where = f"Docker context {context}" if context else "Docker"
    try:
        executor = DockerExecutor(workspace, context)
    except EnvironmentProblem as problem:
        if context:
            yield Finding("bad", f"{where}: {problem.what}", problem.advice)
        else:
            yield Finding("note", f"{where}: {problem.what}", "virtual environments are used instead")
        return
    with closing(executor):
        yield from examine_device(workspace, executor, where)


def examine_device(workspace: Workspace, executor: DockerExecutor, where: str) -> Iterator[Finding]:
    """Yield findings on an engine that answers, its machine and its images."""
    yield Finding("ok", f"{where}: an engine answers at {executor.place['engine_host']}")
    every = [pair for pair in _toolchains(workspace) if executor.is_local or _has_methods(workspace, pair[0])]
    of_its_kind = [pair for pair in every if executor.is_for(*pair)]
    wanted = _fitting(of_its_kind, executor)
    yield from executor.examine(wanted)
    for pair in every:
        if pair not in of_its_kind:
            yield Finding("note", f"{' '.join(pair)} is for other machines than this one")
        elif pair not in wanted:
            yield Finding("note", f"{' '.join(pair)} is for other JetPacks than this one")
    try:
        yield Finding("ok", f"images are built with {build_client()}")
    except EnvironmentProblem as problem:
        yield Finding("note", problem.what, problem.advice)
    for target, toolchain in wanted:
        yield _image(executor, target, toolchain)


def _fitting(pairs: Sequence[tuple[str, str]], executor: DockerExecutor) -> list[tuple[str, str]]:
    """Return of each target's toolchains those for the machine's release of L4T; without any, the first.

    That one says what is missing.
    """
    found = []
    for target in dict.fromkeys(target for target, _ in pairs):
        own = [pair for pair in pairs if pair[0] == target]
        found += [pair for pair in own if executor.has_release_for(*pair)] or own[:1]
    return found


def _image(executor: DockerExecutor, target: str, toolchain: str) -> Finding:
    tag = images.image_tag(target, toolchain)
    if not executor.has_image(target, toolchain):
        advice = f"made on first use, or now: ./inv images --target {target}"
        return Finding("note", f"image {tag} is not there or out of date", advice)
    return Finding("ok", f"image {tag}")


def _environments(workspace: Workspace) -> Iterator[Finding]:
    for target, toolchain in _toolchains(workspace):
        folder = workspace.state / "venvs" / f"{target}-{toolchain}"
        text = f"environment {workspace.display_path(folder)}"
        if folder.is_dir():
            yield Finding("ok", text)
        else:
            yield Finding("note", f"{text} is not there", "made on first use of --engine venv")


def _toolchains(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield target and toolchain of each that there is."""
    for target in workspace.names("targets", "target.json"):
        for toolchain in load_target(workspace, target, "doctor").toolchains:
            yield target, toolchain


def _has_methods(workspace: Workspace, target: str) -> bool:
    """Tell whether a target is measured itself; one that only prepares for others runs on this machine."""
    return bool(load_target(workspace, target, "doctor").methods)


def _models(workspace: Workspace) -> Iterator[Finding]:
    for name in workspace.names("models", "model.json"):
        try:
            load_model(workspace, name, "doctor")
            yield Finding("ok", f"model {name}")
        except DockyardError as problem:
            yield Finding("bad", f"model {name}: {problem.what}", problem.advice)
