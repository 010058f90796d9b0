"""Our figures beside the thesis's, and one toolchain's beside another's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from dockyard.judge.statistics import mean_step, speedup
from dockyard.judge.verdicts import Judged
from dockyard.plan.plan import REFERENCE_METHOD
from dockyard.report.tables import NOTHING, metrics_of, spread, table

Run = tuple[str, str]
"""A run and its recipe."""

BASES = {"speedup": REFERENCE_METHOD, "over not tuned": "baseline"}
"""Columns that tell how many times as fast as another method one is, and the other."""


def thesis_section(judged: Sequence[Judged]) -> list[str]:
    """Return the thesis's tables that have records of their target, ours beside theirs; nothing where there is none.

    For each table thesis.json has the target, the columns of theirs and of ours, and for each model what the thesis measured.
    """
    thesis: dict[str, Any] = json.loads(Path(__file__).with_name("thesis.json").read_text(encoding="utf-8"))
    tables = [line for theirs in thesis["tables"] for line in _table(judged, theirs, thesis["methods"][theirs["target"]])]
    if not tables:
        return []
    hardware = " and ".join(f"{short} is an {name}" for short, name in thesis["hardware"].items())
    lines = ["## The thesis's tables, ours beside theirs", ""]
    lines += [f"{thesis['source']}. Its models, data and hardware are its own: {hardware}.", ""]
    return [*lines, "Only the speedups can be compared: its are of means, ours of medians over rounds measured in turn.", "", *tables]


def _table(judged: Sequence[Judged], theirs: Mapping[str, Any], methods: Mapping[str, str]) -> list[str]:
    target, metrics = theirs["target"], theirs.get("metrics", [])
    ours = [j for j in judged if j.record.model in theirs["models"] and (j.record.target == target or j.record.variant == REFERENCE_METHOD)]
    toolchains = sorted({j.record.toolchain for j in ours if j.record.target == target}, key=version)
    if not toolchains:
        return []
    head = ["method", *(f"{cpu} {column}" for cpu in theirs["numbers"] for column in theirs["theirs"])]
    named = [" / ".join(metrics) if column == "quality" else column for column in theirs["ours"]]
    head += [f"{toolchain} {column}" for toolchain in toolchains for column in named]
    rows: list[list[str]] = []
    sources: dict[str, list[str]] = {}
    for model, known in theirs["models"].items():
        own = [j for j in ours if j.record.model == model]
        columns = {toolchain: _column(own, toolchain, list(methods)) for toolchain in toolchains}
        for method, name in methods.items():
            label = f"{known['name']} {name}" if "name" in known else name
            cells = [_their_cell(c, known[cpu], method, known.get("images")) for cpu in theirs["numbers"] for c in theirs["theirs"]]
            for toolchain, found in columns.items():
                one = found.get(method)
                cells += _our_cells(theirs["ours"], one, metrics, [j for j in own if j.record.toolchain == toolchain])
                if one is not None:
                    run, recipe = _run(one)
                    sources.setdefault(f"recipe {recipe}, run {run}, {one.device}", []).append(f"{label} {toolchain}")
            rows.append([label, *cells])
    numbers = ", ".join(f"{number} ({cpu})" for cpu, number in theirs["numbers"].items())
    return [f"### Table {numbers}: {theirs['name']}", "", *table(head, rows), "", *_told(sources), ""]


def _their_cell(column: str, theirs: Mapping[str, Any], method: str, images: int | None) -> str:
    """Return a figure of the thesis; `images` is the number behind a total."""

    def ms(entry: Mapping[str, Any]) -> float:
        return float(entry["ms"] if images is None else 1000 * entry["total_s"] / images)

    entry, base = theirs.get(method), theirs.get(BASES.get(column, method))
    if entry is None or base is None:
        return NOTHING
    match column:
        case "ms (std)":
            return f"{entry['ms']:.2f} ({entry['std']:.2f})"
        case "median":
            return f"{entry['median']:.2f}"
        case "min to max":
            return f"{entry['min']:.2f} to {entry['max']:.2f}"
        case "quality":
            return " / ".join(f"{q:.4f}" for q in entry["quality"])
        case "total s":
            return str(entry["total_s"])
        case "ms":
            return f"{ms(entry):.1f}"
        case "speedup" | "over not tuned":
            return f"{ms(base) / ms(entry):.2f}"
    return f"{entry[column]:.1f}"


def _our_cells(columns: Sequence[str], one: Judged | None, metrics: Sequence[str], beside: Sequence[Judged]) -> list[str]:
    """Return our figures of a variant; `beside` are the variants of its model and toolchain, of any run."""
    if one is None or one.record.status != "measured" or one.times is None:
        return [one.verdict if one else NOTHING, *[NOTHING] * (len(columns) - 1)]
    measured = (j for j in beside if _run(j) == _run(one) and j.record.status == "measured")
    base = next((j for j in measured if j.record.method == BASES["over not tuned"]), None)
    cells = []
    for column in columns:
        match column:
            case "ms (std)":
                cells.append(f"{one.times.mean:.2f} ({one.times.std:.2f})")
            case "median":
                cells.append(f"{one.times.median:.2f}")
            case "min to max":
                cells.append(f"{one.times.minimum:.2f} to {one.times.maximum:.2f}")
            case "quality":
                cells.append(" / ".join(metrics_of(one, metrics)))
            case "speedup":
                cells.append(f"{one.speedup[0]:.2f}" if one.speedup else "1.00")
            case "over not tuned":
                cells.append(f"{speedup(base.record.totals_ns, one.record.totals_ns)[0]:.2f}" if base else NOTHING)
            case step:
                cells.append(f"{mean_step(one.record.rounds_ns, step):.1f}")
    return cells


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


def _told(sources: Mapping[str, Sequence[str]]) -> list[str]:
    """Tell which recipe and run each of our figures is from."""
    if len(sources) == 1:
        return [f"Ours: {next(iter(sources))}."]
    return [f"- Ours from {source}: {', '.join(cells)}." for source, cells in sources.items()]


def version(toolchain: str) -> list[int]:
    """Return what sorts releases by their age."""
    return [int(part) for part in re.findall(r"\d+", toolchain)]


def toolchain_section(judged: Iterable[Judged]) -> list[str]:
    """Return a table for each two toolchains of a target that measured the same model and method in one run; nothing where none did."""
    cells: dict[tuple[str, Run, str, str], dict[str, Judged]] = {}
    for one in judged:
        if one.record.status == "measured" and one.record.variant != REFERENCE_METHOD and one.times:
            by_toolchain = cells.setdefault((one.record.target, _run(one), one.record.model, one.record.method), {})
            held = by_toolchain.get(one.record.toolchain)
            if held is None or len(one.record.options) < len(held.record.options):
                by_toolchain[one.record.toolchain] = one
    pairs: dict[tuple[str, str, str], list[list[str]]] = {}
    for (target, (_, recipe), model, method), by_toolchain in cells.items():
        for old, new in combinations(sorted(by_toolchain, key=version), 2):
            pairs.setdefault((target, old, new), []).append([recipe, model, method, *_pair_cells(by_toolchain[old], by_toolchain[new])])
    lines: list[str] = []
    for (target, old, new), rows in pairs.items():
        head = ["recipe", "model", "method", f"{old} median ms", f"{new} median ms", f"{old} / {new} (rounds)"]
        head += [f"{old} MB", f"{new} MB", f"{new} / {old} MB", f"{old} quality", f"{new} quality"]
        told = "Measured in turn in one run; a ratio above 1 says how much faster the newer one is."
        lines += [f"## {target}: {new} against {old}", "", told, "", *table(head, rows), ""]
    return lines


def _pair_cells(old: Judged, new: Judged) -> list[str]:
    assert old.times is not None
    assert new.times is not None
    cells = [f"{old.times.median:.2f}", f"{new.times.median:.2f}", spread(speedup(old.record.totals_ns, new.record.totals_ns))]
    cells += [f"{old.size_mb:.2f}", f"{new.size_mb:.2f}", f"{new.size_mb / old.size_mb:.2f}" if old.size_mb else NOTHING]
    return [*cells, *(f"{one.quality:.4f}" if one.quality is not None else NOTHING for one in (old, new))]
