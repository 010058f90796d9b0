"""Can a device do what is wanted of it? One finding a line, each saying what to do."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dockyard.engines import Finding
from dockyard.engines.device_facts import (
    ASK_DLA_COMPILER,
    ASK_GPU_GROUPS,
    ASK_POWER_MODE,
    ASK_RELEASE,
    ASK_STATISTICS,
    DLA_COMPILER,
    read_free_bytes,
    read_groups,
    read_power_mode,
    read_release,
    read_sizes,
    read_tegra_release,
)
from dockyard.recipe.targets import Platform
from shared.contract.errors import EnvironmentProblem

LEAST_GB, ROOM_GB = 2, 10
"""Free disk below which nothing is begun, and what images and data take up to."""

LEAST_MEMORY_GB = 3
"""What a job of the smallest model takes, with its tools."""

MAX_STATISTICS = 1000
"""Characters that are kept of what a device says of itself; its line has about 400."""

Ask = Callable[[str], "str | None"]
"""Returns what a shell command prints on the device; None where it fails or nobody can be asked."""

ASK_PACKAGES = "dpkg-query --show --showformat '${db:Status-Abbrev} ${Package}\\n' | sed -n 's/^ii *//p'"
"""Debian's packages that are installed, by name."""


def examine_engine(engine: Mapping[str, Any], ask: Ask) -> Iterator[Finding]:
    """Yield findings on an engine and its machine.

    Args:
        engine: what the engine says of itself (`docker info`).
        ask: asks its machine.
    """
    yield _memory(engine)
    yield _disk(engine, ask)


def observe(platforms: Iterable[Platform], ask: Ask) -> dict[str, str]:
    """Return the state of a machine that one of its toolchains is only for, as far as it tells it.

    `l4t` is its release, `power_mode` the name of the mode, `tegrastats` one line of that program.
    """
    if not any(platform.l4t_from for platform in platforms):
        return {}
    release, statistics = read_tegra_release(ask(ASK_RELEASE) or ""), ask(ASK_STATISTICS) or ""
    found = {
        "l4t": str(release) if release else "",
        "power_mode": read_power_mode(ask(ASK_POWER_MODE) or "") or "",
        "tegrastats": statistics.strip()[:MAX_STATISTICS],
    }
    return {name: text for name, text in found.items() if text}


def refuse(findings: Iterable[Finding], where: str) -> list[Finding]:
    """Return the findings that are no more than notes. Raises EnvironmentProblem at the first bad one."""
    found = []
    for finding in findings:
        if finding.level == "bad":
            raise EnvironmentProblem(finding.what, where, finding.advice)
        found.append(finding)
    return found


def free_bytes(engine: Mapping[str, Any], ask: Ask) -> int | None:
    """Return the bytes that are free where an engine keeps all that it has; None where nobody knows."""
    folder = str(engine.get("DockerRootDir", ""))
    return read_free_bytes(ask(f"df -P -k {shlex.quote(folder)}") or "") if folder else None


def _memory(engine: Mapping[str, Any]) -> Finding:
    memory_gb = int(engine.get("MemTotal", 0)) / 1e9
    version, name = engine.get("ServerVersion", "?"), engine.get("Name", "?")
    text = f"Docker {version} on {name}: {engine.get('Architecture', '?')}, {engine.get('NCPU', '?')} CPUs, "
    text += f"{memory_gb:.1f} GB of memory"
    if memory_gb < LEAST_MEMORY_GB:
        return Finding("note", text, "measure.memory_mb in the recipe, or swap, keeps jobs from being killed")
    return Finding("ok", text)


def _disk(engine: Mapping[str, Any], ask: Ask) -> Finding:
    folder, free = engine.get("DockerRootDir"), free_bytes(engine, ask)
    if free is None:
        return Finding("note", "how much disk the engine has is not known", "look there: docker system df")
    text, advice = f"{free / 1e9:.1f} GB free at {folder}", "docker system df, docker system prune"
    if free < LEAST_GB * 1e9:
        return Finding("bad", f"only {text}", f"make room there: {advice}")
    if free < ROOM_GB * 1e9:
        return Finding("note", text, f"images and data take up to {ROOM_GB} GB: {advice}")
    return Finding("ok", text)


def container_runtime(platform: Platform, engine: Mapping[str, Any]) -> str | None:
    """Return the container runtime that a toolchain's containers run with; None for the engine's own."""
    is_there = platform.optional_runtime in (engine.get("Runtimes") or {})
    return platform.runtime or (platform.optional_runtime if is_there else None)


def examine_platform(name: str, platform: Platform, engine: Mapping[str, Any], ask: Ask) -> Iterator[Finding]:
    """Yield whether a machine is one that a toolchain, of that name, runs on.

    Args:
        engine: what its engine says of itself; of a machine without one, its `Architecture`.
    """
    architecture = str(engine.get("Architecture", ""))
    if platform.architecture and architecture != platform.architecture:
        text = f"{name} needs {platform.architecture}, and the engine is {architecture}"
        yield Finding("bad", text, "name the device: --context; docker context ls shows those that there are")
        return  # what else it lacks is of no interest
    if platform.runtime:
        yield _runtime(name, platform.runtime, engine)
        yield _gpu_groups(ask)
    if platform.l4t_from:
        yield _release(name, platform, ask)
        yield _power_mode(ask)
    if platform.dla_compiler:
        yield _dla_compiler(name, ask)


def examine_machine(name: str, platform: Platform, architecture: str, ask: Ask) -> Iterator[Finding]:
    """Yield whether a machine runs a toolchain, of that name, without its image and without an engine.

    Args:
        architecture: the machine's, as `uname -m` has it.
    """
    if platform.base and platform.architecture in (None, architecture):
        advice = "--engine docker, where the engine has the image or can make it"
        yield Finding(
            "bad", f"{name} comes with its vendor's image, and a virtual environment has none", advice
        )
        return
    alone = replace(platform, runtime=None, optional_runtime=None)
    yield from examine_platform(name, alone, {"Architecture": architecture}, ask)
    if platform.packages:
        yield _packages(name, platform.packages, ask)


def _packages(name: str, wanted: Sequence[str], ask: Ask) -> Finding:
    """Return whether a machine has the packages of Debian's that a toolchain needs without its image."""
    there = set((ask(ASK_PACKAGES) or "").split())
    missing = [package for package in wanted if package not in there]
    if not missing:
        return Finding("ok", f"{name} has the packages that it needs without its image")
    # No more than a note: who has no use for this target has none for the packages.
    what = f"{name} needs packages of Debian's where it runs without its image"
    return Finding("note", what, f"apt-get install {' '.join(missing)}")


def _runtime(name: str, runtime: str, engine: Mapping[str, Any]) -> Finding:
    if runtime in (engine.get("Runtimes") or {}):
        return Finding("ok", f"the engine has the runtime {runtime}")
    advice = f"there: apt-get install {runtime}-container-toolkit, "
    advice += f"{runtime}-ctk runtime configure --runtime=docker, systemctl restart docker"
    return Finding("bad", f"{name} needs the runtime '{runtime}', which the engine does not have", advice)


def gpu_groups(ask: Ask) -> tuple[int, ...]:
    """Return the ids of the machine's groups that may open its GPU; none where all may, or nobody knows."""
    return read_groups(ask(ASK_GPU_GROUPS) or "")


def _gpu_groups(ask: Ask) -> Finding:
    groups = gpu_groups(ask)
    if groups:
        return Finding("ok", f"jobs open the GPU in the groups {', '.join(map(str, groups))}")
    advice = "where no job finds the GPU, look there: ls -l /dev/nvmap /dev/nvhost-ctrl*"
    return Finding("note", "which groups may open the GPU cannot be read, and jobs get none of them", advice)


def has_release(platform: Platform, ask: Ask) -> bool:
    """Tell whether a machine has a release of L4T that a toolchain is for, where it is for any."""
    return not platform.l4t_from or _release("", platform, ask).level == "ok"


def _release(name: str, platform: Platform, ask: Ask) -> Finding:
    found = read_tegra_release(ask(ASK_RELEASE) or "")
    assert platform.l4t_from is not None
    wanted = f"L4T {platform.l4t_from} or later"
    wanted += f", before {platform.l4t_before}" if platform.l4t_before else ""
    if found is None:
        return Finding("bad", f"{name} needs {wanted}, and the device has no L4T release", "is it a Jetson?")
    is_late = platform.l4t_before is not None and found >= read_release(platform.l4t_before)
    if found < read_release(platform.l4t_from) or is_late:
        advice = "name a toolchain of the device's JetPack in the recipe, or flash the device"
        return Finding("bad", f"{name} needs {wanted}, and the device has {found}", advice)
    return Finding("ok", f"L4T {found}, as {name} needs")


def _power_mode(ask: Ask) -> Finding:
    mode = read_power_mode(ask(ASK_POWER_MODE) or "")
    if mode is None:
        return Finding("note", "the power mode cannot be read", "there: sudo nvpmodel -q; note it yourself")
    advice = "there: sudo nvpmodel -m ..., sudo jetson_clocks; figures are worth comparing in one mode alone"
    return Finding("ok" if mode.startswith("MAXN") else "note", f"power mode {mode}", advice)


def _dla_compiler(name: str, ask: Ask) -> Finding:
    if any(read_sizes(ask(ASK_DLA_COMPILER) or "")):
        return Finding("ok", f"{DLA_COMPILER} is there")
    what = f"{name} needs {DLA_COMPILER} of the device, which is not there or empty"
    return Finding("bad", what, "there: apt-get install nvidia-l4t-dla-compiler")
