"""Is this machine, or that device, ready? Each line says what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from dockyard.engines import images
from dockyard.recipe import catalog
from dockyard.recipe.places import MODELS, STATE, TARGETS, shown
from shared.contract.device import LOW_PRECISION
from shared.contract.errors import DockyardError, EnvironmentProblem

ROOM_GB = 10


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: `ok`, `note` (works, with less) or `bad`, what it is, and what to do."""

    level: str
    what: str
    advice: str = ""


def examine(context: str | None) -> Iterator[Finding]:
    """Yield findings on Python, disk, memory, CPU, engine, images, environments, models."""
    yield _python()
    yield _room()
    yield _cpu()
    yield from _engine(context)
    yield from _models()


def _python() -> Finding:
    text = f"Python {platform.python_version()} ({sys.executable})"
    if sys.version_info >= (3, 14):
        return Finding(
            "note", text, "the vendor tools have no packages for it yet: --engine docker works, --engine venv needs 3.10 to 3.13"
        )
    missing = [m for m in ("ensurepip", "venv") if importlib.util.find_spec(m) is None]
    return Finding("note", text, "Debian and Ubuntu: apt-get install python3-venv") if missing else Finding("ok", text)


def _room() -> Finding:
    free = shutil.disk_usage(STATE.parent).free / 1e9
    text = f"{free:.0f} GB free at {STATE.parent}"
    return Finding("ok", text) if free >= ROOM_GB else Finding("bad", text, f"images, environments and data take up to {ROOM_GB} GB")


def _cpu() -> Finding:
    import cpuinfo

    found = cpuinfo.get_cpu_info()
    low_precision = [f for f in LOW_PRECISION if f in found.get("flags", [])]
    count = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    text = f"{found.get('brand_raw', platform.machine())}, {count} CPUs, {' '.join(low_precision) or 'no low precision'}, load {load:.1f}"
    if load > 0.3 * count:
        return Finding("note", text, "something else is running: measure on a quiet machine")
    return Finding("ok", text)


def _engine(context: str | None) -> Iterator[Finding]:
    from dockyard.engines.docker import DockerEngine

    where = f"Docker context {context}" if context else "Docker"
    try:
        DockerEngine(context)
        yield Finding("ok", f"{where}: an engine answers")
    except EnvironmentProblem as problem:
        level = "bad" if context else "note"
        yield Finding(level, f"{where}: {problem.what}", "virtual environments are used instead" if not context else problem.advice)
        yield from _environments()
        return
    try:
        yield Finding("ok", f"images are built with {images.build_client()[0]}")
    except EnvironmentProblem as problem:
        yield Finding("note", problem.what, problem.advice)
    for target in catalog.names(TARGETS, "target.json"):
        for toolchain in catalog.load_target(target, "doctor").toolchains:
            tag = images.image_tag(target, toolchain)
            if images.current_image(target, toolchain, context=context) is None:
                yield Finding(
                    "note", f"image {tag} is not there or out of date", f"made on first use, or now: invoke images --target {target}"
                )
            else:
                yield Finding("ok", f"image {tag}")
    yield from _environments()


def _environments() -> Iterator[Finding]:
    for target in catalog.names(TARGETS, "target.json"):
        for toolchain in catalog.load_target(target, "doctor").toolchains:
            folder = STATE / "venvs" / f"{target}-{toolchain}"
            if folder.is_dir():
                yield Finding("ok", f"environment {shown(folder)}")
            else:
                yield Finding("note", f"environment {shown(folder)} is not there", "made on first use of --engine venv")


def _models() -> Iterator[Finding]:
    for name in catalog.names(MODELS, "model.json"):
        try:
            catalog.load_model(name, "doctor")
            yield Finding("ok", f"model {name}")
        except DockyardError as problem:
            yield Finding("bad", f"model {name}: {problem.what}", problem.advice)
