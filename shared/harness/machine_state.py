"""What the kernel tells of clocks, heat and throttling now; whatever cannot be read is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from shared.contract.cgroup import cpu_periods, cpu_quota
from shared.inference.cpu import read_text

ROOT = Path("/")

_KHZ, _HZ = 1e-3, 1e-6
"""Of cpufreq's frequencies, and of devfreq's, in MHz."""


def read_state(root: Path = ROOT) -> Dict[str, Any]:
    """Return the state of the machine, as JSON.

    - `temperatures_c`: of each thermal zone, in degrees Celsius;
    - `clocks_mhz`: of CPUs (one entry for those with the same limits, as slow as the slowest of them) and of
      GPU, memory and others that have devfreq: `now`, the limits `least` and `most`, `governor`;
    - `cooling`: the cooling devices that do something, a fan or a limit of the clock, and how much;
    - `throttle_counts`: how often the hardware has slowed something since it was started;
    - `quota`: where the control group has one, the `cpus` that it allows, the `periods` in which there was
      work, and those in which it was `throttled`.

    Where a container does not see the files they are not read. The names are the kernel's, of the interfaces
    that its documentation calls sysfs-class-thermal, cpufreq, sysfs-class-devfreq; of hwmon the counters of
    over-current events, `oc*_event_cnt`, which systems on a chip have.

    Args:
        root: what /proc and /sys are below.
    """
    sys = root / "sys"
    found: Dict[str, Any] = {
        "temperatures_c": dict(_temperatures(sys)),
        "clocks_mhz": {**_cpu_clocks(sys), **dict(_device_clocks(sys))},
        "cooling": dict(_cooling(sys)),
        "throttle_counts": dict(_throttle_counts(sys)),
        "quota": _quota(root),
    }
    return {name: values for name, values in found.items() if values}


def _temperatures(sys: Path) -> Iterator[Tuple[str, float]]:
    for name, zone in _named(sys / "class/thermal", "thermal_zone*", "type"):
        millidegrees = _number(zone / "temp")
        if millidegrees is not None:
            yield name, millidegrees / 1000


def _cpu_clocks(sys: Path) -> Dict[str, Dict[str, Any]]:
    found: Dict[str, Dict[str, Any]] = {}
    for policy in _folders(sys / "devices/system/cpu/cpufreq", "policy*"):
        clock = _clock(policy, "scaling_{}_freq", "scaling_governor", _KHZ)
        alike = (each for each in found.values() if _limits(each) == _limits(clock))
        same = next(alike, None)
        if same is None:
            found[policy.name] = clock
        elif "now" in clock:
            same["now"] = min(clock["now"], same.get("now", clock["now"]))
    return {name: clock for name, clock in found.items() if clock}


def _device_clocks(sys: Path) -> Iterator[Tuple[str, Dict[str, Any]]]:
    for device in _folders(sys / "class/devfreq", "*"):
        clock = _clock(device, "{}_freq", "governor", _HZ)
        if clock:
            yield device.name, clock


def _clock(folder: Path, frequency: str, governor: str, mhz: float) -> Dict[str, Any]:
    found: Dict[str, Any] = {"governor": read_text(str(folder / governor))}
    for name, file in (("now", "cur"), ("least", "min"), ("most", "max")):
        value = _number(folder / frequency.format(file))
        found[name] = None if value is None else round(value * mhz, 1)
    return {name: value for name, value in found.items() if value is not None}


def _limits(clock: Dict[str, Any]) -> List[Any]:
    return [clock.get(name) for name in ("least", "most", "governor")]


def _cooling(sys: Path) -> Iterator[Tuple[str, int]]:
    for name, device in _named(sys / "class/thermal", "cooling_device*", "type"):
        state = _number(device / "cur_state")
        if state is not None and state > 0:
            yield name, state


def _throttle_counts(sys: Path) -> Iterator[Tuple[str, int]]:
    for count in ("core_throttle_count", "package_throttle_count"):
        cpus = _folders(sys / "devices/system/cpu", "cpu[0-9]*")
        values = [_number(cpu / "thermal_throttle" / count) for cpu in cpus]
        told = [value for value in values if value is not None]
        if told:
            yield count, sum(told)
    for name, monitor in _named(sys / "class/hwmon", "hwmon*", "name"):
        for file in sorted(monitor.glob("oc*_event_cnt")):
            events = _number(file)
            if events is not None:
                yield f"{name} {file.name}", events


def _quota(root: Path) -> Dict[str, float]:
    cpus, periods = cpu_quota(root), cpu_periods(root)
    if cpus is None or periods is None:
        return {}
    return {"cpus": cpus, "periods": periods.counted, "throttled": periods.throttled}


def _named(folder: Path, pattern: str, file: str) -> Iterator[Tuple[str, Path]]:
    """Yield what a pattern finds, with the name in a file of it, numbered where several have it."""
    seen: Dict[str, int] = {}
    for each in _folders(folder, pattern):
        name = read_text(str(each / file)) or each.name
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name} {seen[name]}"), each


def _folders(folder: Path, pattern: str) -> List[Path]:
    """Return what a pattern finds, shorter names first: 2 comes before 10."""
    return sorted(folder.glob(pattern), key=lambda path: (len(path.name), path.name))


def _number(path: Path) -> Optional[int]:
    text = read_text(str(path)) or ""
    try:
        return int(text)
    except ValueError:
        return None
