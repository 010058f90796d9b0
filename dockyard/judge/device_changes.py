"""What happened to a device while a variant was measured, by its states before and after each round."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.contract.device import AFTER, BEFORE, ROUNDS
from shared.contract.record import Record

_SLOWS = re.compile("cpufreq|devfreq|processor|powerclamp|throttle", re.IGNORECASE)
"""Finds the names that the kernel gives to cooling devices which slow something; others are fans."""

HELD_WITHIN = 0.98
"""A clock whose limits are one frequency is held there, unless it is below this share of it."""

QUOTA_COUNTERS = ("periods", "throttled")
"""Of a control group with a quota on CPUs: periods with work, and those of them in which it had to wait."""

Values = Mapping[str, Any]


def changes_by_round(record: Record) -> dict[str, set[int]]:
    """Return what was seen, a sentence without a full stop, and in which rounds.

    What a record says of its device comes from a container: nothing of its form is taken for granted.
    """
    found: dict[str, set[int]] = {}
    told = record.device.get(ROUNDS)
    for one in told if isinstance(told, list) else []:
        values = _values(one)
        number = values.get("round")
        for change in changes(_values(values.get(BEFORE)), _values(values.get(AFTER))):
            found.setdefault(change, set()).add(number if isinstance(number, int) else 0)
    return found


def changes(before: Values, after: Values) -> Iterator[str]:
    """Yield what two readings of a device's state say of the time between them."""
    for name in sorted(_slowed(before) | _slowed(after) | _counted(before, after)):
        yield f"the device throttled ({name})"
    yield from _quota_changes(_values(before.get("quota")), _values(after.get("quota")))
    modes = [state["power_mode"] for state in (before, after) if "power_mode" in state]
    if len(modes) == 2 and modes[0] != modes[1]:
        yield "the power mode changed"
    clocks_after = _values(after.get("clocks_mhz"))
    for name, clock in _values(before.get("clocks_mhz")).items():
        yield from _clock_changes(name, _values(clock), _values(clocks_after.get(name)))


def _slowed(state: Values) -> set[str]:
    """Return the cooling devices that slow something."""
    cooling = _values(state.get("cooling"))
    return {name for name in cooling if _SLOWS.search(name)}


def _counted(before: Values, after: Values) -> set[str]:
    """Return the counters of throttling that have gone on."""
    earlier, later = _values(before.get("throttle_counts")), _values(after.get("throttle_counts"))
    return {name for name in earlier if _number(later.get(name)) > _number(earlier[name])}


def _quota_changes(before: Values, after: Values) -> Iterator[str]:
    """Yield whether a quota on CPUs stopped the processes, and how much of the time."""
    periods, throttled = (_number(after.get(key)) - _number(before.get(key)) for key in QUOTA_COUNTERS)
    if before and 0 < throttled <= periods:
        share = "most" if throttled > periods / 2 else "some"
        quota = f"the quota of {_number(after.get('cpus')):g} CPUs"
        yield f"{quota} stopped the processes in {share} of its periods"


def _clock_changes(name: str, before: Values, after: Values) -> Iterator[str]:
    if not after:
        return
    if any(before.get(key) != after.get(key) for key in ("least", "most", "governor")):
        yield f"the limits of the clock of {name} changed"
    elif before.get("least") == before.get("most"):
        most = _number(before.get("most"))
        now = [_number(clock.get("now")) for clock in (before, after)]
        if any(0 < each < HELD_WITHIN * most for each in now):  # 0: switched off while nothing runs
            yield f"the clock of {name}, which is held, fell"


def _values(found: object) -> Values:
    return found if isinstance(found, Mapping) else {}


def _number(found: object) -> float:
    return found if isinstance(found, (int, float)) else 0.0
