"""Which process of which machine started something, and whether that process still lives."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil

from dockyard.recipe.hashing import json_hash
from shared.contract.codec import DecodeError, decode, encode


@dataclass(frozen=True)
class HostProcess:
    """A process, told apart from every other one on any machine.

    Attributes:
        host: all that see the same processes under the same ids have the same: a machine, a container.
        boot: the id of the machine's boot; empty where the system gives it no id.
        pid: process id.
        started: when, as the system counts it: a later process may get the same id.
    """

    host: str
    boot: str
    pid: int
    started: str

    def to_text(self) -> str:
        """Return it as one line of JSON, for a label."""
        return json.dumps(encode(self), sort_keys=True)

    def has_ended(self, here: HostProcess) -> bool:
        """Tell whether it has certainly ended, seen from process `here`; of other hosts nothing is."""
        if self.host != here.host:
            return False
        if self.boot != here.boot:
            return True
        started = _started(self.pid)
        is_unknown = started == ""
        return not is_unknown and started != self.started


def from_text(text: str) -> HostProcess | None:
    """Return the process that `to_text` wrote; None for anything else."""
    try:
        return decode(HostProcess, json.loads(text))
    except (ValueError, DecodeError):
        return None


def identify(pid: int) -> HostProcess:
    """Return a living process of this host. Raises ProcessLookupError when it has ended."""
    started = _started(pid)
    if not started:
        raise ProcessLookupError(f"process {pid} has ended")
    return HostProcess(_host(), boot_id(), pid, started)


def boot_id() -> str:
    """Return the id that the kernel gave this boot of the machine; empty where it gives none."""
    return _read("/proc/sys/kernel/random/boot_id")


def machine_id() -> str:
    """Return what tells this machine from others through its restarts, as far as the system gives it any."""
    return json_hash([platform.node(), _read("/etc/machine-id")])[:16]


def _host() -> str:
    """Return what names this host: names are shared, machine ids copied, containers have own processes."""
    namespace = os.readlink("/proc/self/ns/pid") if Path("/proc/self/ns/pid").is_symlink() else ""
    return json_hash([platform.node(), _read("/etc/machine-id"), namespace])[:16]


def _started(pid: int) -> str | None:
    """Return when a process started; None when it has ended, as a zombie has; empty when nobody tells."""
    if not Path("/proc/self/stat").exists():
        return _started_elsewhere(pid)
    # The second field, the program's name in brackets, may hold anything. The third is the state, the 22nd
    # the start, in ticks of the clock since the boot, which no change of the date moves.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if not fields:
        return "" if _is_there(pid) else None
    return None if fields[0] in "ZX" else fields[19]


def _is_there(pid: int) -> bool:
    """Tell whether there is a process, also one of another user that /proc hides."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started_elsewhere(pid: int) -> str | None:
    """Return the same where there is no /proc."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
