"""The results folder made from the records: results.csv, report.md, plots/."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dockyard.judge import Judged, judge
from dockyard.records import read_records
from dockyard.statistics import STABLE_WITHIN
from shared.contract.job import Artifact
from shared.contract.record import Record
from shared.contract.steps import STEPS

COLUMNS = (
    "recipe", "model", "target", "toolchain", "method", "variant", "device", "engine", "status", "verdict", "scope", "metric",
    "quality", "reference_quality", "drop", "drop_low", "drop_high", "flipped", "mean_ms", "std_ms", "min_ms", "median_ms",
    "p90_ms", "p99_ms", "max_ms", "runs", "rounds", "stability", "reference_mean_ms", "speedup", "speedup_low", "speedup_high",
    "pipeline_ms", "fps", "artifact_mb", "size_ratio", "optimize_s", "artifact_sha256", "image_digest", "measured_at",
)  # fmt: skip


def write_report(results: Path) -> list[Judged]:
    """Write results.csv, report.md and plots/ of a results folder anew from its records/; return the judged records."""
    judged = judge(read_records(results / "records"))
    judged.sort(key=lambda j: (str(j.record.recipe["name"]), _order(j.record), _variant_order(j.record)))
    write_csv(judged, results / "results.csv")
    pictures = write_plots(judged, results / "plots")
    (results / "report.md").write_text(markdown(judged, pictures), encoding="utf-8")
    return judged


def _order(record: Record) -> tuple[int, str]:
    return (1 if record.scope == "pipeline" else 0, record.model)


def _variant_order(record: Record) -> int:
    names = [o["method"] for o in record.recipe["optimizations"]]
    return names.index(record.method) + 1 if record.method in names else 0


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


def markdown(judged: Sequence[Judged], pictures: Sequence[str]) -> str:
    """Return report.md."""
    lines = ["# Results", ""]
    if not judged:
        return "\n".join([*lines, "Nothing has been measured yet: `./inv build --recipe lp_intel.json`.", ""])
    for name in dict.fromkeys(str(j.record.recipe["name"]) for j in judged):
        lines += _recipe_section([j for j in judged if j.record.recipe["name"] == name], pictures)
    lines += _reading_help()
    return "\n".join(lines) + "\n"


def _recipe_section(rows: Sequence[Judged], pictures: Sequence[str]) -> list[str]:
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
    return (
        f"{recipe['model']}: take {winner.record.variant}, {winner.speedup[0]:.2f}x TensorFlow "
        f"({winner.times.mean:.1f} ms) on {winner.device}, {winner.metric} {winner.quality:.4f} "
        f"(drop {winner.drop[0]:+.4f}, 95 % interval {winner.drop[1]:+.4f} to {winner.drop[2]:+.4f})."
    )


def _no_winner(rows: Sequence[Judged]) -> str:
    recipe = rows[0].record.recipe
    told = f"No variant of {recipe['model']} is recommended for {recipe['name']}"
    unstable = [j for j in rows if j.verdict == "unstable" and j.record.model == recipe["model"] and j.times and j.speedup and j.drop]
    if not unstable:
        return f"{told}: none meets its requirements."
    best = min(unstable, key=lambda j: j.times.median if j.times else 0.0)
    assert best.times is not None
    assert best.speedup is not None
    assert best.drop is not None
    return (
        f"{told}: this machine is too restless. The fastest within the allowed loss, {best.record.variant}, was {best.speedup[0]:.2f}x "
        f"TensorFlow ({best.speedup[1]:.2f} to {best.speedup[2]:.2f} in its {best.times.rounds} rounds) on {best.device}, drop "
        f"{best.drop[0]:+.4f}, but its rounds' medians lie up to {best.times.stability:.0%} apart from their median "
        f"({STABLE_WITHIN:.0%} are allowed)."
    )


def _thesis() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).with_name("thesis.json")).read_text())
    return found


def _model_section(rows: Sequence[Judged], pictures: Sequence[str]) -> list[str]:
    record = rows[0].record
    thesis = _thesis()
    theirs = thesis["models"].get(record.model, {})
    metrics = list(dict.fromkeys(m for j in rows if j.record.quality for m in j.record.quality["metrics"]))
    what = "from the encoded file to the reading, per image" if record.scope == "pipeline" else "one call of the network"
    lines = [f"### {record.model} ({what})", ""]
    head = ["variant", "verdict", "mean ms", "std", "median", "speedup (rounds)"]
    head += [*metrics, "drop [95 %]", "flipped", "MB", "thesis ms (i5)", "thesis speedup", "thesis quality"]
    lines += ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    base = theirs.get("reference", {}).get("i5_ms")
    for one in rows:
        lines.append("| " + " | ".join(_cells(one, metrics, theirs.get(one.record.variant, {}), base)) + " |")
    lines.append("")
    lines += [f"- `{j.record.variant}`: {line}" for j in rows for line in _remarks(j)]
    if theirs:
        lines += ["", f"Thesis: tables {theirs['table']}, on its own models, data and hardware ({thesis['hardware']}): {thesis['source']}."]
    if record.scope == "pipeline":
        lines += ["", *_step_table(rows)]
    picture = f"{record.recipe['name']}-{record.model}.png"
    if picture in pictures:
        lines += ["", f"![Time against quality of {record.model}](plots/{picture})"]
    return [*lines, ""]


def _cells(one: Judged, metrics: Sequence[str], theirs: dict[str, float], base: float | None) -> list[str]:
    quality = one.record.quality["metrics"] if one.record.quality else {}
    times, gain, drop = one.times, one.speedup, one.drop
    cells = [one.record.variant, f"**{one.verdict}**" if one.verdict == "recommended" else one.verdict]
    cells += [f"{times.mean:.2f}", f"{times.std:.2f}", f"{times.median:.2f}"] if times else ["-"] * 3
    cells.append(f"{gain[0]:.2f} ({gain[1]:.2f} to {gain[2]:.2f})" if gain else "-")
    cells += [f"{quality[m]:.4f}" if m in quality else "-" for m in metrics]
    cells.append(f"{drop[0]:+.4f} [{drop[1]:+.4f}, {drop[2]:+.4f}]" if drop else "-")
    cells += [str(len(one.flipped)) if drop else "-", f"{one.size_mb:.2f}" if one.size_mb else "-"]
    ms = theirs.get("i5_ms")
    cells += [f"{ms:.2f}" if ms else "-", f"{base / ms:.2f}" if ms and base else "-"]
    cells.append(f"{theirs['quality']:.4f}" if "quality" in theirs else "-")
    return cells


def _remarks(one: Judged) -> list[str]:
    record = one.record
    if record.status != "measured":
        stage = f" in {record.stage}" if record.stage else ""
        return [f"{record.status}{stage}: {' '.join(record.reason.split()) or 'no reason given'}"]
    remarks = []
    if one.verdict == "too lossy" and one.drop:
        remarks.append(f"too lossy: it loses {one.drop[0]:.4f} of {one.metric}, {record.recipe['requirements']['max_drop']} are allowed")
    if one.times and not one.times.stable:
        remarks.append(
            f"the medians of {one.times.rounds} rounds lie up to {one.times.stability:.1%} from their median (limit {STABLE_WITHIN:.0%})"
        )
    if "max_drop" in record.options:
        for network, notes in record.notes.items():
            said = [line for line in notes.get("log", []) if not line.startswith("Elapsed")]
            remarks += [f"what the tool said of {network}, not believed but measured: {' '.join(said[-1].split())}"] if said else []
    if one.flipped:
        shown = ", ".join(one.flipped[:8]) + (f" and {len(one.flipped) - 8} more" if len(one.flipped) > 8 else "")
        remarks.append(f"right on one side only: {shown}")
    return remarks


def _step_table(rows: Sequence[Judged]) -> list[str]:
    import numpy as np

    lines = ["Mean milliseconds of each step:", "", "| variant | " + " | ".join(s.replace("_", " ") for s in STEPS) + " | images/s |"]
    lines.append("| " + " | ".join(["---"] * (len(STEPS) + 2)) + " |")
    for one in rows:
        if not one.record.rounds_ns or one.times is None:
            continue
        steps = [float(np.mean([v for r in one.record.rounds_ns for v in r[s]])) / 1e6 for s in STEPS]
        lines.append(f"| {one.record.variant} | " + " | ".join(f"{s:.2f}" for s in steps) + f" | {1000 / one.times.mean:.1f} |")
    return lines


def _reading_help() -> list[str]:
    return [
        "## How to read this",
        "",
        "- Times cover exactly what the heading says; mean, std and median are over all calls of all rounds. The speedup is the ratio",
        "  of the medians over rounds, measured round-robin beside the reference in fresh processes; in brackets its smallest and",
        "  largest round.",
        "- Quality is measured on the exact files whose SHA-256 is in the record, on the test split, which neither calibration nor",
        "  accuracy-aware search has seen. The drop's interval is a paired bootstrap; `flipped` counts samples right on one side only",
        "  (for boxes: IoU at least 0.5).",
        "- Verdicts: `recommended` the fastest that meets the requirements, `meets`, `too lossy`, `no gain`, `unstable`, `failed`,",
        "  `not measured`. Raw samples are in records/.",
    ]


def write_plots(judged: Sequence[Judged], folder: Path) -> list[str]:
    """Write one picture for each recipe and model, time against quality; return their names."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    names = []
    for recipe, model in dict.fromkeys((str(j.record.recipe["name"]), j.record.model) for j in judged):
        rows = [j for j in judged if j.record.recipe["name"] == recipe and j.record.model == model and j.times and j.quality is not None]
        if not rows:
            continue
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 0.5 * len(rows) + 1.8), sharey=True)
        labels = [j.record.variant for j in rows]
        medians = [j.times.median for j in rows if j.times]
        colours = ["tab:green" if j.verdict == "recommended" else "tab:gray" if j.verdict == "reference" else "tab:blue" for j in rows]
        left.barh(labels, medians, color=colours)
        left.invert_yaxis()
        left.set_xlabel("median ms")
        for y, one in enumerate(rows):
            gain = f"  {one.times.median:.2f} ms" if one.times else ""
            left.text(medians[y], y, gain + (f", {one.speedup[0]:.2f}x" if one.speedup else ""), va="center", fontsize=8)
        left.set_xlim(0, max(medians) * 1.3)
        for y, one in enumerate(rows):
            drop = one.drop or (0.0, 0.0, 0.0)
            right.errorbar(-drop[0], y, xerr=[[drop[2] - drop[0]], [drop[0] - drop[1]]], fmt="o", color=colours[y], capsize=3)
        right.axvline(-float(rows[0].record.recipe["requirements"]["max_drop"]), color="tab:red", linestyle="--", linewidth=1)
        right.set_xlabel(f"change of {rows[0].metric} (95 % interval; dashed: allowed)")
        figure.suptitle(f"{recipe}: {model}, {rows[0].device}", fontsize=10)
        figure.tight_layout()
        name = f"{recipe}-{model}.png"
        figure.savefig(folder / name, dpi=90, metadata={"Software": None})
        plt.close(figure)
        names.append(name)
    return names
