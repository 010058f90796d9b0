"""What was read from the machine that a job ran on; whatever cannot be read is left out."""

from __future__ import annotations

import os
import platform
from typing import Any, Dict, List, Optional

import psutil

from shared.contract.cgroup import cpu_quota
from shared.inference.cpu import cpu_name, low_precision_flags, read_text


def temperature_c() -> Optional[float]:
    """Return the highest temperature of the sensors in degrees Celsius, or None."""
    sensors = psutil.sensors_temperatures()
    return max((reading.current for readings in sensors.values() for reading in readings), default=None)


def describe() -> Dict[str, Any]:
    """Return the device as it is now: CPU, affinity, quota, governor, temperature, throttling, load.

    `boot_id` is the kernel's, the same in every container of a machine until it starts anew: it tells two
    machines of one kind apart.
    """
    base = "/sys/devices/system/cpu/cpu0/"
    frequency = psutil.cpu_freq()
    found: Dict[str, Any] = {
        "cpu": cpu_name(),
        "flags": " ".join(low_precision_flags()),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "boot_id": read_text("/proc/sys/kernel/random/boot_id"),
        "cpus": os.cpu_count(),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
        "affinity": sorted(os.sched_getaffinity(0)),
        "cpu_quota": cpu_quota(),
        "governor": read_text(base + "cpufreq/scaling_governor"),
        "frequency_mhz": frequency.current if frequency else None,
        "throttled": read_text(base + "thermal_throttle/core_throttle_count"),
        "temperature_c": temperature_c(),
        "load_before": os.getloadavg()[0],
    }
    return {name: value for name, value in found.items() if value is not None}


def peak_mb() -> float:
    """Return the most memory that this process has held so far, in MB; 0 where the kernel does not tell.

    What `getrusage` says begins with the memory of the process that started this one.
    """
    for line in (read_text("/proc/self/status") or "").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def doubts(wanted: int, threads: int, quota: Optional[float] = None) -> List[str]:
    """Return what is to be known of a measurement on fewer CPUs than the threads that a recipe asks for.

    Args:
        wanted: what the recipe asks for; 0 takes what there is.
        threads: that it got.
        quota: the CPUs that the control group allows; None without a limit.
    """
    found = []
    if wanted > threads:
        found.append(f"{wanted} threads are asked for and {threads} CPUs may be used: it ran on {threads}")
    if quota is not None and threads > quota:
        text = f"{threads} threads share a quota of {quota:g} CPUs, and are stopped when it is used up"
        found.append(f"{text}: as many threads as the quota has CPUs are mostly faster")
    return found


def pin(threads: int) -> int:
    """Pin this process to `threads` of the CPUs that it may use (0: all of them); return how many it got."""
    allowed = sorted(os.sched_getaffinity(0))
    chosen = allowed[:threads] if threads else allowed
    os.sched_setaffinity(0, chosen)
    return len(chosen)
