"""What the control groups of this process allow it, of Linux's cgroups v2 and v1.

A limit holds for all groups below the one that has it, so that of the process's own group and of all above it
the smallest counts. Source: the kernel's documents cgroup-v2.rst, cgroup-v1/memory.rst and sched-bwc.rst, and
the manual page cgroups(7) for /proc/self/cgroup.
"""

from __future__ import annotations

import math
import re
from pathlib import Path, PurePosixPath
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

_ROOT = Path("/")


class Periods(NamedTuple):
    """The periods of a CPU quota in which the group had work, and those of them in which it had to wait."""

    counted: int
    throttled: int


def cpu_quota(root: Path = _ROOT) -> Optional[float]:
    """Return the CPUs that may be used, quota over period; None without a limit.

    Args:
        root: what /proc and the mount points are below.
    """
    quotas = [quota for quota in map(_quota, _folders("cpu", root)) if quota is not None]
    return min(quotas, default=None)


def cpu_periods(root: Path = _ROOT) -> Optional[Periods]:
    """Return the periods since the group was made, of the group that waited most; None without a quota."""
    limited = (folder for folder in _folders("cpu", root) if _quota(folder) is not None)
    counted = [periods for periods in map(_periods, limited) if periods is not None]
    return max(counted, key=lambda periods: periods.throttled, default=None)


def memory_limit(root: Path = _ROOT) -> float:
    """Return the bytes that may be used; infinite without a limit."""
    limits = []
    for folder in _folders("memory", root):
        limits += [_number(folder / name) for name in ("memory.max", "memory.limit_in_bytes")]
    return min((limit for limit in limits if limit is not None), default=math.inf)


def _quota(folder: Path) -> Optional[float]:
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    v2 = (_text(folder / "cpu.max") or "").split()
    if len(v2) == 2:
        quota, period = _whole(v2[0]), _whole(v2[1])
    # Without a limit it is -1 in v1, and the word `max` in v2.
    return quota / period if quota and period and quota > 0 else None


def _periods(folder: Path) -> Optional[Periods]:
    found: Dict[str, Optional[int]] = {}
    for line in (_text(folder / "cpu.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        found[name] = _whole(value)
    counted, throttled = found.get("nr_periods"), found.get("nr_throttled")
    return None if counted is None or throttled is None else Periods(counted, throttled)


def _folders(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folders of this process's group, and of those above it, as far as they can be seen."""
    groups = _groups(root)
    for is_v2, controllers, mounted_root, mount_point in _mounts(root):
        path = groups.get("" if is_v2 else controller)
        if path is None or not (is_v2 or controller in controllers):
            continue
        try:
            below = PurePosixPath(path).relative_to(mounted_root)
        except ValueError:  # it is outside of what is mounted, whose top is all that can be seen
            below = PurePosixPath()
        top = root / mount_point.lstrip("/")
        for group in (below, *below.parents):
            yield top / group


def _groups(root: Path) -> Dict[str, str]:
    """Return the path of this process's group by controller; v2, which has one for all, under ''."""
    found: Dict[str, str] = {}
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        fields = line.split(":", 2)
        if len(fields) == 3:
            found.update((controller, fields[2]) for controller in fields[1].split(","))
    return found


def _mounts(root: Path) -> Iterator[Tuple[bool, List[str], str, str]]:
    """Yield what is mounted of cgroups: is it v2, its controllers, the group at its top, where it is."""
    for line in (_text(root / "proc/self/mountinfo") or "").splitlines():
        about, _, kind = line.partition(" - ")
        fields, (file_system, *more) = about.split(), kind.split() or [""]
        if len(fields) >= 5 and file_system in ("cgroup", "cgroup2"):
            controllers = more[-1].split(",") if more else []
            yield file_system == "cgroup2", controllers, _unescaped(fields[3]), _unescaped(fields[4])


def _unescaped(path: str) -> str:
    """Return a path of mountinfo, which writes blanks and the like as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), path)


def _number(path: Path) -> Optional[int]:
    return _whole(_text(path) or "")


def _whole(text: str) -> Optional[int]:
    try:
        return int(text)
    except ValueError:
        return None


def _text(path: Path) -> Optional[str]:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
