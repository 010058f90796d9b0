"""One toolchain beside another one of the same target, where one run measured both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import combinations

from dockyard.judge.assessment import Assessment
from dockyard.judge.devices import same_device
from dockyard.judge.measurements import speedup_of
from dockyard.report import cells
from dockyard.report.content import Table, TableSection
from shared.contract.record import RecordStatus

Measured = tuple[str, str, str, str, str]
"""What two toolchains can have in common: target, run, recipe on a machine, model, method."""

Pair = tuple[str, str, str]
"""A target, its older toolchain and its newer one."""


def release_order(toolchain: str) -> list[int]:
    """Return what sorts releases by their age."""
    return [int(part) for part in re.findall(r"\d+", toolchain)]


def toolchain_sections(assessments: Iterable[Assessment]) -> list[TableSection]:
    """Return a section for each two toolchains of a target that measured a model and method in one run."""
    rows: dict[Pair, list[tuple[str, ...]]] = {}
    for (target, _, _, model, method), by_toolchain in _by_toolchain(assessments).items():
        for old, new in combinations(sorted(by_toolchain, key=release_order), 2):
            one, other = by_toolchain[old], by_toolchain[new]
            if same_device(one.record, other.record):
                name = f"{model} (stream, ms a frame)" if one.is_stream else model
                row = (_recipe(one), name, method, *_cells(one, other))
                rows.setdefault((target, old, new), []).append(row)
    return [_section(pair, tuple(pair_rows)) for pair, pair_rows in rows.items()]


def _recipe(one: Assessment) -> str:
    return f"{one.recipe_name} ({one.device})" if one.is_added else one.recipe_name


def _by_toolchain(assessments: Iterable[Assessment]) -> dict[Measured, dict[str, Assessment]]:
    """Return the variants that were measured, by toolchain; of several the one with the fewest options."""
    found: dict[Measured, dict[str, Assessment]] = {}
    for one in assessments:
        record = one.record
        if record.status != RecordStatus.MEASURED or one.is_reference or one.times is None:
            continue
        key = record.target, record.run, one.group, record.model, record.method
        held = found.setdefault(key, {}).get(record.toolchain)
        if held is None or len(record.options) < len(held.record.options):
            found[key][record.toolchain] = one
    return found


def _section(pair: Pair, rows: tuple[tuple[str, ...], ...]) -> TableSection:
    target, old, new = pair
    columns = ["recipe", "model", "method", f"{old} median ms", f"{new} median ms", f"{old} / {new} [95 %]"]
    columns += [f"{old} MB", f"{new} MB", f"{new} / {old} MB", f"{old} quality", f"{new} quality"]
    paragraph = "Measured in turn in one run; a ratio above 1 says how much faster the newer one is."
    return TableSection(f"{target}: {new} against {old}", (paragraph,), (Table(tuple(columns), rows),))


def _cells(old: Assessment, new: Assessment) -> list[str]:
    ratio = cells.ratio(speedup_of(old.record.rounds, new.record.rounds))
    growth = cells.decimals(new.size_mb / old.size_mb if old.size_mb else None)
    sizes = [f"{old.size_mb:.2f}", f"{new.size_mb:.2f}", growth]
    qualities = [cells.decimals(one.quality, 4) for one in (old, new)]
    return [cells.pace(old), cells.pace(new), ratio, *sizes, *qualities]
