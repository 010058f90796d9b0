"""The results folder made from the records: results.csv, report.md, plots/."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dockyard.judge.records import read_records
from dockyard.judge.statistics import STABLE_WITHIN, mean_step
from dockyard.judge.verdicts import Judged, judge
from dockyard.plan.plan import COMBINED, REFERENCE_METHOD
from dockyard.report.tables import NOTHING, metrics_of, quoted, spread, table
from dockyard.report.thesis import thesis_section, toolchain_section
from shared.contract.job import Artifact
from shared.contract.record import Record
from shared.contract.steps import STEPS

COLUMNS = (
    "recipe", "model", "target", "toolchain", "method", "variant", "device", "engine", "status", "verdict", "scope", "metric",
    "quality", "reference_quality", "drop", "drop_low", "drop_high", "flipped", "mean_ms", "std_ms", "min_ms", "median_ms",
    "p90_ms", "p99_ms", "max_ms", "runs", "rounds", "stability", "reference_mean_ms", "speedup", "speedup_low", "speedup_high",
    "pipeline_ms", "fps", "artifact_mb", "size_ratio", "optimize_s", "artifact_sha256", "image_digest", "measured_at",
)  # fmt: skip

SHOWN_OPERATIONS = 20
"""Rows of the table of operations that went back to floating point."""

SHOWN_KERNELS = 10
"""Rows of the table of a network's slowest kernels."""

DATABASES = {
    "own": "the database kept for this CPU",
    "portable": "the portable database, for want of one of this CPU's own",
    "new": "a new database",
}
"""Where a variant's tuning came from, by `tuning.database` of its notes."""

STOPPED = {
    "trials": "all trials were made",
    "early": "nothing got faster any more",
    "time budget": "the time for it was spent",
    "done": "there was nothing left to try",
    "no machine": "no machine was there to try on",
    "crash": "the search died",
}
"""Why a tuning ended, by `tuning.stopped` of its notes."""


@dataclass(frozen=True)
class Pictures:
    """The names of the pictures in plots/, and what could not be shown in those of masks."""

    names: frozenset[str] = frozenset()
    remarks: Mapping[str, Sequence[str]] = field(default_factory=dict)


def write_report(results: Path) -> list[Judged]:
    """Write results.csv, report.md and plots/ of a results folder anew from its records/; return the judged records."""
    judged = judge(read_records(results / "records"))
    judged.sort(key=lambda j: (str(j.record.recipe["name"]), _order(j.record), _variant_order(j)))
    write_csv(judged, results / "results.csv")
    (results / "report.md").write_text(markdown(judged, _write_pictures(judged, results / "plots")), encoding="utf-8")
    return judged


def _write_pictures(judged: Sequence[Judged], folder: Path) -> Pictures:
    from dockyard.report.overlays import write_overlays
    from dockyard.report.plots import write_plots

    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    overlays, remarks = write_overlays(judged, folder)
    return Pictures(frozenset([*write_plots(judged, folder), *overlays]), remarks)


def _order(record: Record) -> tuple[int, str]:
    return (1 if record.scope == "pipeline" else 0, record.model)


def _variant_order(one: Judged) -> tuple[int, float, str]:
    """Sort the reference first, then the recipe's variants as it lists their methods, a search's by their time."""
    record, listed = one.record, one.record.recipe["optimizations"]
    if record.variant == REFERENCE_METHOD:
        return 0, 0.0, ""
    if not isinstance(listed, Mapping):
        methods = [o["method"] for o in listed]
        return 1, methods.index(record.method) if record.method in methods else len(methods), record.variant
    return (1 if record.status == "measured" else 2), one.times.median if one.times else 0.0, record.variant


def row(one: Judged) -> dict[str, Any]:
    """Return one row of results.csv; what was not measured is None."""
    record, times = one.record, one.times
    pipeline = record.scope == "pipeline"
    values: dict[str, Any] = {
        "recipe": record.recipe["name"], "model": record.model, "target": record.target, "toolchain": record.toolchain,
        "method": record.method, "variant": record.variant, "device": one.device, "engine": record.engine,
        "status": record.status, "verdict": one.verdict, "scope": record.scope, "metric": one.metric,
        "quality": one.quality, "reference_quality": one.reference_quality, "flipped": len(one.flipped),
        "artifact_mb": one.size_mb, "size_ratio": one.size_ratio, "optimize_s": record.optimize_s,
        "artifact_sha256": " ".join(_artifact_hashes(record)), "image_digest": record.identity.get("image_digest", ""),
        "measured_at": record.measured_at,
    }  # fmt: skip
    if one.drop is not None:
        values.update(drop=one.drop[0], drop_low=one.drop[1], drop_high=one.drop[2])
    if one.speedup is not None:
        values.update(speedup=one.speedup[0], speedup_low=one.speedup[1], speedup_high=one.speedup[2])
    if one.reference_times is not None:
        values.update(reference_mean_ms=one.reference_times.mean)
    if times is not None:
        values.update(
            mean_ms=times.mean, std_ms=times.std, min_ms=times.minimum, median_ms=times.median, p90_ms=times.p90,
            p99_ms=times.p99, max_ms=times.maximum, runs=times.runs, rounds=times.rounds, stability=times.stability,
        )  # fmt: skip
        if pipeline:
            values.update(pipeline_ms=times.mean, fps=1000 / times.mean)
    return values


def _artifact_hashes(record: Record) -> list[str]:
    return [Artifact.from_json(list(files)).sha256 for files in record.artifacts.values() if files]


def write_csv(judged: Sequence[Judged], path: Path) -> None:
    """Write results.csv: one row for each record, the columns of COLUMNS, numbers to six significant digits."""
    import pandas as pd

    pd.DataFrame([row(j) for j in judged], columns=list(COLUMNS)).to_csv(path, index=False, float_format="%.6g")


def markdown(judged: Sequence[Judged], pictures: Pictures) -> str:
    """Return report.md."""
    lines = ["# Results", ""]
    if not judged:
        return "\n".join([*lines, "Nothing has been measured yet: `./inv build --recipe lp_intel.json`.", ""])
    for name in dict.fromkeys(str(j.record.recipe["name"]) for j in judged):
        lines += _recipe_section([j for j in judged if j.record.recipe["name"] == name], pictures)
    lines += [*toolchain_section(judged), *thesis_section(judged), *_reading_help()]
    return "\n".join(lines) + "\n"


def _recipe_section(rows: Sequence[Judged], pictures: Pictures) -> list[str]:
    recipe = rows[0].record.recipe
    device: dict[str, Any] = next((dict(j.record.device) for j in rows if j.record.device), {})
    lines = [f"## {recipe['name']}: {recipe['description'] or recipe['model']}", "", f"**{headline(rows)}**", ""]
    required = ", ".join(f"{k} {v}" for k, v in recipe["requirements"].items())
    lines += [
        f"Required: {required}. Device: {device.get('cpu', 'unknown')} ({device.get('flags', '')}), "
        f"{device.get('threads', '?')} threads pinned to CPUs {device.get('affinity', '?')}, "
        f"load before {device.get('load_before', 0):.1f}; engine {rows[0].record.engine}; run {rows[0].record.run}.",
        "",
    ]
    for model in dict.fromkeys(j.record.model for j in rows):
        lines += _model_section([j for j in rows if j.record.model == model], pictures)
    return lines


def headline(rows: Sequence[Judged]) -> str:
    """Return the answer in one sentence: how much faster, on which hardware, at what loss."""
    recipe = rows[0].record.recipe
    winner = next((j for j in rows if j.verdict == "recommended" and j.record.model == recipe["model"]), None)
    if winner is None or winner.times is None or winner.speedup is None or winner.drop is None:
        return _no_winner(rows)
    options = _unnamed_options(winner.record)
    return (
        f"{recipe['model']}: take {winner.record.variant}{f' ({options})' if options else ''}, {winner.speedup[0]:.2f}x TensorFlow "
        f"({winner.times.mean:.1f} ms) on {winner.device}, {winner.metric} {winner.quality:.4f} "
        f"(drop {winner.drop[0]:+.4f}, 95 % interval {winner.drop[1]:+.4f} to {winner.drop[2]:+.4f}).{_faster(rows, winner.times.median)}"
    )


def _unnamed_options(record: Record) -> str:
    """Return a variant's options where its name alone, a number or a combination, does not tell them."""
    if record.variant.partition("@")[0] == record.method and COMBINED not in record.variant:
        return ""
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in record.options.items())


def _faster(rows: Sequence[Judged], median: float) -> str:
    """Return a sentence on what would be faster, were this machine not too restless to tell; or an empty text."""
    best = _fastest_unstable(rows)
    if best is None or best.times is None or best.speedup is None or best.times.median >= median:
        return ""
    return (
        f" Faster within the allowed loss, but unstable here: {best.record.variant}, {best.speedup[0]:.2f}x "
        f"({best.speedup[1]:.2f} to {best.speedup[2]:.2f})."
    )


def _fastest_unstable(rows: Sequence[Judged]) -> Judged | None:
    model = rows[0].record.recipe["model"]
    unstable = [j for j in rows if j.verdict == "unstable" and j.record.model == model and j.times and j.speedup and j.drop]
    return min(unstable, key=lambda j: j.times.median if j.times else 0.0, default=None)


def _no_winner(rows: Sequence[Judged]) -> str:
    recipe = rows[0].record.recipe
    told = f"No variant of {recipe['model']} is recommended for {recipe['name']}"
    best = _fastest_unstable(rows)
    if best is None:
        return f"{told}: none meets its requirements."
    assert best.times is not None
    assert best.speedup is not None
    assert best.drop is not None
    return (
        f"{told}: this machine is too restless. The fastest within the allowed loss, {best.record.variant}, was {best.speedup[0]:.2f}x "
        f"TensorFlow ({best.speedup[1]:.2f} to {best.speedup[2]:.2f} in its {best.times.rounds} rounds) on {best.device}, drop "
        f"{best.drop[0]:+.4f}, but its rounds' medians lie up to {best.times.stability:.0%} apart from their median "
        f"({STABLE_WITHIN:.0%} are allowed)."
    )


def _model_section(rows: Sequence[Judged], pictures: Pictures) -> list[str]:
    record = rows[0].record
    metrics = list(dict.fromkeys(m for j in rows if j.record.quality for m in j.record.quality["metrics"]))
    what = "from the encoded file to the reading, per image" if record.scope == "pipeline" else "one call of the network"
    several = len({j.record.target for j in rows if j.record.variant != REFERENCE_METHOD}) > 1
    head = ["variant", *(["target"] if several else []), "verdict", "mean ms", "std", "median", "speedup (rounds)", *metrics]
    head += ["drop [95 %]", "flipped", "MB"]
    left = [j for j in rows if j.times and j.record.status == "not measured"]
    shown = [j for j in rows if j not in left]
    lines = [f"### {record.model} ({what})", "", *table(head, [_cells(one, metrics, several) for one in shown]), ""]
    remarks = [f"- `{j.record.variant}`: {line}" for j in shown for line in _remarks(j)]
    lines += [*remarks, ""] if remarks else []
    lines += _left_table(left)
    if record.scope == "pipeline":
        lines += _step_table(shown)
    else:
        lines += [line for one in shown for line in [*_reverted_tables(one), *_kernel_tables(one)]]
    name = f"{record.recipe['name']}-{record.model}"
    if f"{name}.png" in pictures.names:
        lines += [f"![Time against quality of {record.model}](plots/{name}.png)", ""]
    return lines + _overlay_lines(f"{name}-overlays.png", record.model, pictures)


def _overlay_lines(name: str, model: str, pictures: Pictures) -> list[str]:
    lines = [f"![What each variant of {model} found](plots/{name})", ""] if name in pictures.names else []
    remarks = [f"- {line}" for line in pictures.remarks.get(name, ())]
    return [*lines, *remarks, ""] if remarks else lines


def _cells(one: Judged, metrics: Sequence[str], several_targets: bool) -> list[str]:
    times, drop = one.times, one.drop
    cells = [one.record.variant, *([one.record.target] if several_targets else [])]
    cells += [f"**{one.verdict}**" if one.verdict == "recommended" else one.verdict]
    cells += [f"{times.mean:.2f}", f"{times.std:.2f}", f"{times.median:.2f}"] if times else [NOTHING] * 3
    cells += [spread(one.speedup), *metrics_of(one, metrics)]
    cells.append(f"{drop[0]:+.4f} [{drop[1]:+.4f}, {drop[2]:+.4f}]" if drop else NOTHING)
    return [*cells, str(len(one.flipped)) if drop else NOTHING, f"{one.size_mb:.2f}" if one.size_mb else NOTHING]


def _remarks(one: Judged) -> list[str]:
    record = one.record
    remarks = [quoted(line, 300)[1:-1] for line in record.warnings]
    if options := _unnamed_options(record):
        remarks.append(f"options: {quoted(options, 300)[1:-1]}")
    if record.status != "measured":
        stage = f" in {record.stage}" if record.stage else ""
        return [*remarks, f"{record.status}{stage}: {' '.join(record.reason.split()) or 'no reason given'}"]
    if one.verdict == "too lossy" and one.drop:
        remarks.append(f"too lossy: it loses {one.drop[0]:.4f} of {one.metric}, {record.recipe['requirements']['max_drop']} are allowed")
    if one.times and not one.times.stable:
        remarks.append(
            f"the medians of {one.times.rounds} rounds lie up to {one.times.stability:.1%} from their median (limit {STABLE_WITHIN:.0%})"
        )
    if record.scope == "network":
        remarks += [line for network, notes in record.notes.items() for line in _told(network, notes, "max_drop" in record.options)]
    if one.flipped:
        shown = ", ".join(one.flipped[:8]) + (f" and {len(one.flipped) - 8} more" if len(one.flipped) > 8 else "")
        remarks.append(f"right on one side only: {shown}")
    return remarks


def _told(network: str, notes: Mapping[str, Any], accuracy_aware: bool) -> Iterator[str]:
    """Yield what a toolchain told of its own work."""
    if "tuning" in notes:
        yield _tuned(network, notes["tuning"])
    if "reverted" in notes:
        whole = f" of {notes['quantized_operations']} quantized" if "quantized_operations" in notes else ""
        images = f" (calibrated with {notes['calibration_images']} images)" if "calibration_images" in notes else ""
        yield f"{len(notes['reverted'])}{whole} operations of {network} went back to floating point{images}"
    elif accuracy_aware:
        said = [str(line) for line in notes.get("log", []) if not str(line).startswith("Elapsed")]
        yield from [f"what the tool said of {network}, not believed but measured: {' '.join(said[-1].split())}"] if said else []


def _tuned(network: str, tuning: Mapping[str, Any]) -> str:
    new = f"{tuning['new_trials']} of them new, in {tuning['seconds']:.0f} s, until {STOPPED[tuning['stopped']]}"
    return (
        f"{network} was tuned for {quoted(tuning['cpu'])} with {DATABASES[tuning['database']]}: {tuning['trials']} trials of "
        f"{tuning['tasks']} tasks, {new if tuning['new_trials'] else 'none of them new'}"
    )


def _kernel_tables(one: Judged) -> list[str]:
    """Return the slowest kernels of each network and their share of its time, folded away."""
    lines: list[str] = []
    for network, notes in one.record.notes.items():
        kernels = notes.get("kernels", [])
        if not kernels:
            continue
        shown = kernels[:SHOWN_KERNELS]
        share = sum(k["share"] for k in shown)
        told = f"the {len(shown)} slowest of {len(kernels)} kernels take {share:.0%}" if len(kernels) > len(shown) else "its kernels"
        rows = [[quoted(k["name"]), f"{k['ms']:.3f}", f"{k['share']:.1%}", str(k["calls"])] for k in shown]
        lines += ["<details>", f"<summary>Where the time of {network} goes in {one.record.variant}: {told}</summary>", ""]
        lines += [*table(["kernel", "ms", "share of the time", "calls"], rows), "", "</details>", ""]
    return lines


def _reverted_tables(one: Judged) -> list[str]:
    """Return what each operation that went back to floating point had cost, the costliest first."""
    lines: list[str] = []
    for network, notes in one.record.notes.items():
        found = sorted(notes.get("reverted", []), key=lambda r: -float("inf") if r["cost"] is None else r["cost"], reverse=True)
        if not found:
            continue
        rows = [
            [quoted(r["operation"]), quoted(r["type"]), NOTHING if r["cost"] is None else f"{r['cost']:+.4f}"]
            for r in found[:SHOWN_OPERATIONS]
        ]
        lines += [f"Operations of {network} that `{one.record.variant}` put back to floating point:", ""]
        lines += [*table(["operation", "type", f"cost in {one.metric or 'quality'}, as the tool has it"], rows), ""]
        lines += [f"... and {len(found) - SHOWN_OPERATIONS} more.", ""] if len(found) > SHOWN_OPERATIONS else []
    return lines


def _left_table(left: Sequence[Judged]) -> list[str]:
    """Return the variants that a search left after one round, folded away."""
    if not left:
        return []
    rows = [
        [j.record.variant, f"{j.times.median:.2f}", f"{j.quality:.4f}", " ".join(j.record.reason.split())]
        for j in left
        if j.times and j.quality is not None
    ]
    plural = "s" if len(rows) > 1 else ""
    lines = ["<details>", f"<summary>{len(rows)} more variant{plural} tried in one round, not measured further</summary>", ""]
    return [*lines, *table(["variant", "median ms (one round)", left[0].metric, "why it was left"], rows), "", "</details>", ""]


def _step_table(rows: Sequence[Judged]) -> list[str]:
    measured = [(j, j.times) for j in rows if j.record.rounds_ns and j.times]
    head = ["variant", *(s.replace("_", " ") for s in STEPS), "images/s"]
    cells = [
        [j.record.variant, *(f"{mean_step(j.record.rounds_ns, s):.2f}" for s in STEPS), f"{1000 / times.mean:.1f}"] for j, times in measured
    ]
    return ["Mean milliseconds of each step:", "", *table(head, cells), ""] if cells else []


def _reading_help() -> list[str]:
    return [
        "## How to read this",
        "",
        "- Times cover exactly what the heading says; mean, std and median are over all calls of all rounds. The speedup is the ratio",
        "  of the medians over rounds, measured round-robin beside the reference in fresh processes; in brackets its smallest and",
        "  largest round.",
        "- Quality is measured on the exact files whose SHA-256 is in the record, on the test split, which neither calibration nor",
        "  accuracy-aware search has seen. The drop's interval is a paired bootstrap; `flipped` counts samples right on one side only",
        "  (for boxes and masks: IoU at least 0.5).",
        "- `iou` of masks is the mean of the images' pixel IoU, `iou_set` that of all their pixels together. In the pictures the right",
        "  half shows quality over time: up and left is better; no variant on the black line is beaten in both.",
        "- Verdicts: `recommended` the fastest that meets the requirements, `meets`, `too lossy`, `no gain`, `unstable`, `failed`,",
        "  `not measured`. Raw samples are in records/.",
    ]
