"""Our figures beside the thesis's, and one toolchain's beside another's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from dockyard.judge import Judged
from dockyard.plan import REFERENCE_METHOD
from dockyard.statistics import mean_step, speedup
from dockyard.tables import NOTHING, metrics_of, spread, table

Run = tuple[str, str]
"""A run and its recipe."""

NETWORKS = ("detector", "reader")
"""The steps of a pipeline that the thesis timed."""


def thesis_section(judged: Sequence[Judged]) -> list[str]:
    """Return the thesis's tables of the models that have records, ours beside theirs; nothing where there is none."""
    thesis: dict[str, Any] = json.loads(Path(__file__).with_name("thesis.json").read_text(encoding="utf-8"))
    known = [j for j in judged if j.record.target == thesis["target"] and j.record.model in thesis["models"]]
    if not known:
        return []
    hardware = " and ".join(f"{short} is an {name}" for short, name in thesis["hardware"].items())
    lines = ["## The thesis's tables, ours beside theirs", ""]
    lines += [f"{thesis['source']}. Its models, data and hardware are its own: {hardware}.", ""]
    lines += ["Only the speedups can be compared: its are of means, ours of medians over rounds measured in turn.", ""]
    for model, theirs in thesis["models"].items():
        ours = [j for j in judged if j.record.model == model]
        if any(j in known for j in ours):
            lines += _table(ours, theirs, thesis["methods"], thesis["target"])
    return lines


def _table(ours: Sequence[Judged], theirs: Mapping[str, Any], methods: Mapping[str, str], target: str) -> list[str]:
    pipeline = ours[0].record.scope == "pipeline"
    toolchains = sorted({j.record.toolchain for j in ours if j.record.target == target}, key=version)
    columns = {t: _column(ours, t, list(methods)) for t in toolchains}
    head = ["method"]
    for cpu in theirs["tables"]:
        head += [f"{cpu} {what}" for what in (("total s", "ms", *NETWORKS, "speedup") if pipeline else ("ms (std)", "speedup", "quality"))]
    quality = " / ".join(theirs["metrics"])
    for toolchain in toolchains:
        head += [f"{toolchain} {what}" for what in ("ms (std)", *(NETWORKS if pipeline else ()), "speedup", quality)]
    rows = []
    for method, label in methods.items():
        cells = [label]
        for cpu in theirs["tables"]:
            cells += _total_cells(theirs[cpu], method, theirs["images"]) if pipeline else _their_cells(theirs[cpu], method)
        for column in columns.values():
            cells += _our_cells(column.get(method), theirs["metrics"], pipeline)
        rows.append(cells)
    numbers = ", ".join(f"{number} ({cpu})" for cpu, number in theirs["tables"].items())
    return [f"### Table {numbers}: {theirs['name']}", "", *table(head, rows), "", *_sources(columns, methods), ""]


def _their_cells(theirs: Mapping[str, Any], method: str) -> list[str]:
    entry, base = theirs[method], theirs[REFERENCE_METHOD]
    return [f"{entry['ms']:.2f} ({entry['std']:.2f})", f"{base['ms'] / entry['ms']:.2f}", " / ".join(f"{q:.4f}" for q in entry["quality"])]


def _total_cells(theirs: Mapping[str, Any], method: str, images: int) -> list[str]:
    if method not in theirs:
        return [NOTHING] * (len(NETWORKS) + 3)
    entry, base = theirs[method], theirs[REFERENCE_METHOD]
    steps = [f"{entry[step]:.1f}" for step in NETWORKS]
    return [str(entry["total_s"]), f"{1000 * entry['total_s'] / images:.1f}", *steps, f"{base['total_s'] / entry['total_s']:.2f}"]


def _our_cells(one: Judged | None, metrics: Sequence[str], pipeline: bool) -> list[str]:
    steps = NETWORKS if pipeline else ()
    if one is None or one.record.status != "measured" or one.times is None:
        return [one.verdict if one else NOTHING, *[NOTHING] * (len(steps) + 2)]
    cells = [f"{one.times.mean:.2f} ({one.times.std:.2f})", *(f"{mean_step(one.record.rounds_ns, step):.1f}" for step in steps)]
    return [*cells, f"{one.speedup[0]:.2f}" if one.speedup else "1.00", " / ".join(metrics_of(one, metrics))]


def _run(one: Judged) -> Run:
    return one.record.run, str(one.record.recipe["name"])


def _column(ours: Sequence[Judged], toolchain: str, methods: Sequence[str]) -> dict[str, Judged]:
    """Return what a toolchain's column shows for each method.

    Of several it is a measured one, of a run with more than one toolchain, with the fewest options, of the newest run.
    The reference is the one beside the first method.
    """
    by_run: dict[Run, set[str]] = {}
    for one in ours:
        if one.record.method != REFERENCE_METHOD and one.record.status == "measured":
            by_run.setdefault(_run(one), set()).add(one.record.toolchain)
    found = {}
    for method in methods:
        same = [j for j in ours if (j.record.method, j.record.toolchain) == (method, toolchain)]
        if same:
            newest = sorted(same, key=_run, reverse=True)
            found[method] = min(newest, key=lambda j: (j.record.status != "measured", -len(by_run.get(_run(j), ())), len(j.record.options)))
    reference = [j for j in ours if j.record.variant == REFERENCE_METHOD and found and _run(j) == _run(next(iter(found.values())))]
    return {REFERENCE_METHOD: reference[0], **found} if reference else found


def _sources(columns: Mapping[str, Mapping[str, Judged]], methods: Mapping[str, str]) -> list[str]:
    """Tell which recipe and run each of our figures is from."""
    sources: dict[str, list[str]] = {}
    for toolchain, column in columns.items():
        for method, one in column.items():
            run, recipe = _run(one)
            sources.setdefault(f"recipe {recipe}, run {run}, {one.device}", []).append(f"{methods[method]} {toolchain}")
    if len(sources) == 1:
        return [f"Ours: {next(iter(sources))}."]
    return [f"- Ours from {source}: {', '.join(cells)}." for source, cells in sources.items()]


def version(toolchain: str) -> list[int]:
    """Return what sorts releases by their age."""
    return [int(part) for part in re.findall(r"\d+", toolchain)]


def toolchain_section(judged: Iterable[Judged]) -> list[str]:
    """Return a table for each two toolchains that measured the same model and method in one run; nothing where none did."""
    cells: dict[tuple[Run, str, str], dict[str, Judged]] = {}
    for one in judged:
        if one.record.status == "measured" and one.record.variant != REFERENCE_METHOD and one.times:
            by_toolchain = cells.setdefault((_run(one), one.record.model, one.record.method), {})
            held = by_toolchain.get(one.record.toolchain)
            if held is None or len(one.record.options) < len(held.record.options):
                by_toolchain[one.record.toolchain] = one
    pairs: dict[tuple[str, str], list[list[str]]] = {}
    for ((_, recipe), model, method), by_toolchain in cells.items():
        for old, new in combinations(sorted(by_toolchain, key=version), 2):
            pairs.setdefault((old, new), []).append([recipe, model, method, *_pair_cells(by_toolchain[old], by_toolchain[new])])
    lines: list[str] = []
    for (old, new), rows in pairs.items():
        head = ["recipe", "model", "method", f"{old} median ms", f"{new} median ms", f"{old} / {new} (rounds)"]
        head += [f"{old} MB", f"{new} MB", f"{new} / {old} MB", f"{old} quality", f"{new} quality"]
        lines += [f"## {new} against {old}", "", "Measured in turn in one run; a ratio above 1 says how much faster the newer one is.", ""]
        lines += [*table(head, rows), ""]
    return lines


def _pair_cells(old: Judged, new: Judged) -> list[str]:
    assert old.times is not None
    assert new.times is not None
    cells = [f"{old.times.median:.2f}", f"{new.times.median:.2f}", spread(speedup(old.record.totals_ns, new.record.totals_ns))]
    cells += [f"{old.size_mb:.2f}", f"{new.size_mb:.2f}", f"{new.size_mb / old.size_mb:.2f}" if old.size_mb else NOTHING]
    return [*cells, *(f"{one.quality:.4f}" if one.quality is not None else NOTHING for one in (old, new))]
