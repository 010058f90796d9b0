"""The CPU that this process runs on, and whether it can run what was built for another one."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Dict, Optional, Tuple

from shared.contract.artifact import BuiltFor
from shared.contract.device import LOW_PRECISION


def read_text(path: str) -> Optional[str]:
    """Return the stripped text of a file, or None where it cannot be read."""
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return None


def cpu_info() -> Dict[str, str]:
    """Return the fields of the last CPU in /proc/cpuinfo.

    The package py-cpuinfo takes a second for the same, in every job.
    """
    lines = (read_text("/proc/cpuinfo") or "").splitlines()
    fields = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, colon, value in fields if colon}


def cpu_name() -> str:
    """Return the CPU's name, or its architecture where Linux does not tell it."""
    return cpu_info().get("model name", platform.processor() or platform.machine())


def low_precision_flags() -> Tuple[str, ...]:
    """Return those flags that decide how fast low precision is."""
    flags = cpu_info().get("flags", "").split()
    return tuple(flag for flag in LOW_PRECISION if flag in flags)


def unfit(built_for: BuiltFor) -> str:
    """Return why this CPU cannot run what was built for another one, or an empty text.

    Args:
        built_for: its features named as /proc/cpuinfo names them.
    """
    if built_for.architecture != platform.machine():
        return f"compiled for {built_for.architecture}, and this machine is {platform.machine()}"
    missing = sorted(set(built_for.features) - set(cpu_info().get("flags", "").split()))
    return f"compiled for {built_for.processor}, and this CPU has no {', '.join(missing)}" if missing else ""
