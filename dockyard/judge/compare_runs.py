"""Two runs of the same recipe, A and B, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.devices import device_name
from dockyard.judge.measurements import paired_ratios
from dockyard.judge.quality_changes import drop_of
from dockyard.judge.questions import MIN_ROUNDS
from dockyard.judge.record_files import read_records
from dockyard.judge.statistics import Figures, Interval, simultaneous_ratios
from dockyard.judge.verdicts import judge
from dockyard.plan.plan import REFERENCE_VARIANT
from dockyard.recipe.workspace import Workspace
from dockyard.run import clips
from shared.contract.errors import InputProblem, JobFailed, nearest
from shared.contract.measurement import Quality, Scope

ALIKE_WITHIN = 0.05
"""Speedups that differ by less are the same, however certain the difference."""

QUALITY_ALIKE_WITHIN = 1e-4
"""Qualities that differ by less look the same in every table."""

DEVICE, METHOD = "device", "way of measuring"
SHOWN = (DEVICE, METHOD)
"""Of what runs differ in, that which is written out of both; hashes say nothing to a reader."""

UNMEASURED = (Verdict.FAILED, Verdict.NOT_MEASURED)

Key = tuple[str, str]
"""A model and a variant."""

Run = Mapping[Key, Assessment]


class Change(str, Enum):
    """How a variant of B differs from that of A."""

    FASTER = "faster"
    SLOWER = "slower"
    BETTER = "better"
    LOSSIER = "lossier"
    FAILED = "failed"


@dataclass(frozen=True)
class ComparedVariant:
    """A variant in two runs.

    Attributes:
        first, second: the variant in A and in B; None where the run does not have it.
        ratio: B's speedup over A's, with an interval; those of all variants hold together with 95 %. None
            where there is none.
        quality_gain: B's main metric less A's, with its 95 % paired bootstrap interval; None where there is
            none.
        changes: what is certainly not the same.
        remark: what is not compared, and why; empty where all is.
    """

    model: str
    variant: str
    first: Assessment | None
    second: Assessment | None
    ratio: Interval | None = None
    quality_gain: Interval | None = None
    changes: tuple[Change, ...] = ()
    remark: str = ""

    @property
    def is_compared(self) -> bool:
        return self.ratio is not None or self.quality_gain is not None


@dataclass(frozen=True)
class Comparison:
    """Two runs of a recipe.

    Attributes:
        differences: what else is not the same in both: the device, the recipe, the data, the code.
    """

    variants: tuple[ComparedVariant, ...]
    differences: tuple[str, ...]


def find_run(workspace: Workspace, name: str) -> Path:
    """Return a run's folder, given as a path, as `<recipe>/<run>` or by its name. Raises InputProblem."""
    every = workspace.state / "runs"
    runs = {path.name: path for path in every.glob("*/*") if path.is_dir()}
    if name in runs:
        return runs[name]
    for folder in (every / name, Path(name)):
        if name and folder.is_dir():
            return folder
    raise InputProblem(f"there is no run '{name}'", ".dockyard/runs", nearest(name, runs))


def compare_runs(workspace: Workspace, first: str, second: str) -> Comparison:
    """Compare each model's variants in two runs.

    Args:
        first, second: A and B, each a run's folder, or its name.

    Raises:
        InputProblem: a run that is not there or has no records, or runs of two recipes.
    """
    a, b = _assessments(workspace, first), _assessments(workspace, second)
    recipes = {one.recipe_name for one in (*a.values(), *b.values())}
    if len(recipes) > 1:
        raise InputProblem(f"the runs are of different recipes: {', '.join(sorted(recipes))}")
    ratios = _ratios(a, b)
    variants = [_compared(key, a, b, ratios.get(key)) for key in dict.fromkeys([*a, *b])]
    return Comparison(tuple(variants), tuple(_differences(a, b)))


def changes_named(words: str) -> tuple[Change, ...]:
    """Return the changes that a list names, as `slower,lossier`. Raises InputProblem for an unknown word."""
    known = [change.value for change in Change]
    named = [word.strip() for word in words.split(",") if word.strip()]
    for word in named:
        if word not in known:
            raise InputProblem(f"there is no change '{word}'", "--fail-on", nearest(word, known))
    return tuple(Change(word) for word in named)


def refuse(comparison: Comparison, unwanted: Sequence[Change]) -> None:
    """Raise JobFailed where a variant changed in a way that is unwanted, or where nothing was compared."""
    if not unwanted:
        return
    found = []
    for one in comparison.variants:
        changes = [change.value for change in one.changes if change in unwanted]
        if changes:
            found.append(f"{one.model}/{one.variant} {' and '.join(changes)}")
    if found:
        raise JobFailed(", ".join(found), "--fail-on")
    if not any(one.is_compared for one in comparison.variants):
        raise JobFailed("the runs have nothing that can be compared", "--fail-on")


def _assessments(workspace: Workspace, name: str) -> dict[Key, Assessment]:
    folder = find_run(workspace, name)
    assessments = judge(read_records(folder, workspace.display_path))
    if not assessments:
        where = workspace.display_path(folder)
        raise InputProblem(
            "there are no records in it", where, "name the folder of a run, below .dockyard/runs/"
        )
    return {(one.record.model, one.record.variant): one for one in assessments}


def _compared(key: Key, a: Run, b: Run, ratio: Interval | None) -> ComparedVariant:
    one, other = a.get(key), b.get(key)
    bare = ComparedVariant(*key, one, other, changes=tuple(_failure(one, other)))
    if one is None:
        return replace(bare, remark=f"only in B{', failed' if bare.changes else ''}")
    if other is None:
        return replace(bare, remark="only in A")
    if one.verdict in UNMEASURED or other.verdict in UNMEASURED:
        mine, theirs = _state(one), _state(other)
        return replace(bare, remark=f"{mine} in both" if mine == theirs else f"{mine} in A, {theirs} in B")
    if one.record.scope != other.record.scope:
        mine, theirs = one.record.scope.value, other.record.scope.value
        return replace(bare, remark=f"not compared: times of a {mine} in A, of a {theirs} in B")
    no_ratio = "" if ratio is not None or one.is_reference else _why_no_ratio(key, a, b)
    gain, no_gain = _quality_gain(one, other)
    return replace(
        bare,
        ratio=ratio,
        quality_gain=gain,
        changes=(*_changes_of_speed(ratio), *_changes_of_quality(gain)),
        remark="; ".join(remark for remark in (no_ratio, no_gain) if remark),
    )


def _failure(one: Assessment | None, other: Assessment | None) -> Iterator[Change]:
    """Yield FAILED where the second failed, and the first did not."""
    failed = [side is not None and side.verdict == Verdict.FAILED for side in (one, other)]
    if failed == [False, True]:
        yield Change.FAILED


def _state(one: Assessment) -> str:
    return one.verdict.value if one.verdict in UNMEASURED else "measured"


def _ratios(a: Run, b: Run) -> dict[Key, Interval]:
    """Return B's speedup over A's for each variant that both runs measured in enough rounds."""
    pairs = {}
    for key in a.keys() & b.keys():
        if a[key].record.scope != b[key].record.scope or _have_other_videos(a[key], b[key]):
            continue
        mine, theirs = _speedups(key, a), _speedups(key, b)
        if key[1] != REFERENCE_VARIANT and min(len(mine), len(theirs)) >= MIN_ROUNDS:
            pairs[key] = (mine, theirs)
    return dict(zip(pairs, simultaneous_ratios(list(pairs.values()))))


def _why_no_ratio(key: Key, a: Run, b: Run) -> str:
    if _have_other_videos(a[key], b[key]):
        return "speed not compared: other video"
    fewest = min(len(_speedups(key, a)), len(_speedups(key, b)))
    return f"speed not compared: {fewest} rounds in one run, {MIN_ROUNDS} are needed"


def _have_other_videos(one: Assessment, other: Assessment) -> bool:
    """Tell whether two streams have read different videos: what is in one decides its speed, too."""
    clip = clips.SPLIT
    return one.is_stream and one.record.data.get(clip) != other.record.data.get(clip)


def _speedups(key: Key, run: Run) -> Figures:
    """Return a variant's speedup over the reference of its run in each round."""
    reference = run.get((key[0], REFERENCE_VARIANT))
    rounds = paired_ratios(reference.record.rounds, run[key].record.rounds) if reference else []
    return np.asarray([np.median(figures) for figures in rounds])


def _quality_gain(one: Assessment, other: Assessment) -> tuple[Interval | None, str]:
    """Return the second's quality less the first's, or why they cannot be compared."""
    judged_on = clips.SPLIT if one.record.scope == Scope.STREAM else "test"
    if one.record.data.get(judged_on) != other.record.data.get(judged_on):
        return None, f"quality not compared: other {'video' if judged_on == clips.SPLIT else 'test data'}"
    mine, theirs = one.record.quality, other.record.quality
    if mine is None or theirs is None or mine.main != theirs.main or _scored(mine) != _scored(theirs):
        return None, "quality not compared: other metric or samples"
    return drop_of(theirs, mine, one.is_stream), ""


def _scored(quality: Quality) -> Set[str]:
    """Return the ids of the samples that count."""
    return set(quality.scores(quality.sample_metric))


def _changes_of_speed(ratio: Interval | None) -> Iterator[Change]:
    if ratio is None or ratio.includes_one:
        return
    if max(ratio.estimate, 1 / ratio.estimate) > 1 + ALIKE_WITHIN:
        yield Change.FASTER if ratio.estimate > 1 else Change.SLOWER


def _changes_of_quality(gain: Interval | None) -> Iterator[Change]:
    if gain is None or gain.low <= 0 <= gain.high or abs(gain.estimate) < QUALITY_ALIKE_WITHIN:
        return
    yield Change.BETTER if gain.estimate > 0 else Change.LOSSIER


def _differences(a: Run, b: Run) -> Iterator[str]:
    """Yield what else differs, of what both runs know of."""
    mine, theirs = _circumstances(a), _circumstances(b)
    for what, value in mine.items():
        other = theirs.get(what, value)
        if value != other:
            yield f"{what} differs: {value} in A, {other} in B" if what in SHOWN else f"{what} differs"


def _circumstances(run: Run) -> dict[str, Any]:
    """Return what decides the figures of a run, by its name."""
    records = [one.record for one in run.values()]
    found: dict[str, Any] = {"recipe": records[0].recipe}
    for record in records:
        if record.device:
            found.setdefault(DEVICE, f"{device_name(record)}, {record.engine}")
        if record.rounds:
            in_turn = any(one.measured.bursts for one in record.rounds)
            found.setdefault(METHOD, "bursts in turn" if in_turn else "one burst a round")
        found[f"code of {record.target}"] = record.identity.get("code_sha256")
        found[f"toolchain {record.target} {record.toolchain}"] = record.identity.get("lock")
        prepared = [record.identity.get(key) for key in ("preparation_code_sha256", "preparation_lock")]
        found[f"what is prepared for {record.target} {record.toolchain}"] = prepared
        found |= {f"graph of {network}": sha256 for network, sha256 in record.graphs.items()}
        found |= {f"{split} data of {record.model}": digest for split, digest in record.data.items()}
    return found
