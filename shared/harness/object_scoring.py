"""The objects of an image that a pipeline has found and read, held against those that are there."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

from shared.contract.measurement import ObjectCounts, Quality, SampleScore, sum_of_counts
from shared.contract.streaming import ReadObject, TrueObject
from shared.harness.scoring import set_metrics
from shared.inference.boxes import Box, area, iou, shared_area

MATCH = 0.5
"""The least IoU at which a box is that of a true object (sources: `ObjectCounts`)."""

COVERED = 0.5
"""The share of a box that lies in one that does not count, from which it does not count either."""

Pair = Tuple[ReadObject, Optional[TrueObject]]
"""What was found, and the true object that it is; None where it is none."""


def score_objects(
    sample: str, found: Sequence[ReadObject], true: Sequence[TrueObject], node: str, has_country: bool
) -> SampleScore:
    """Score what was read in an image.

    A true object that is not whole, or that nobody said the text of, neither counts nor costs, and neither
    does what was found in it.

    Scores: `exact`, the image's own (`ObjectCounts.exact`); `country`, of the true objects whose country is
    known, the share that have it right.

    Args:
        sample: its name.
        found: the surest first.
        node: whose answers are scored: what was voted, where it was.
        has_country: the node's network has a head for the country.
    """
    counted = [one for one in true if is_counted(one)]
    ignored = [one.box for one in true if not is_counted(one)]
    pairs = [pair for pair in matched(found, true) if _has_weight(pair, ignored)]
    hits = [(one, match) for one, match in pairs if match is not None]
    right = sum(_text(one, node) == match.text for one, match in hits)
    counts = ObjectCounts(right, len(hits) - right, len(counted) - len(hits), len(pairs) - len(hits))
    scores: Dict[str, float] = {"exact": counts.exact}
    known = sum(one.country is not None for one in counted)
    if has_country and known:
        said = ((_country(one, node), match.country) for one, match in hits if match.country is not None)
        scores["country"] = sum(ours == theirs for ours, theirs in said) / known
    prediction = ", ".join(_text(one, node) or "?" for one in found)
    return SampleScore(sample, scores, prediction if found else None, counts=counts)


def quality_of_objects(scores: Sequence[SampleScore]) -> Quality:
    """Return the quality of a split, of at least one image.

    Its objects count alike, whichever images have them; the country is the mean of the images' scores.
    """
    whole = sum_of_counts(one.counts for one in scores if one.counts is not None).metrics
    return Quality("exact", {**whole, **set_metrics(scores), **whole}, tuple(scores))


def is_counted(true: TrueObject) -> bool:
    """Tell whether a true object is one that has to be found and read."""
    return true.is_whole and true.text is not None


def matched(found: Sequence[ReadObject], true: Sequence[TrueObject]) -> List[Pair]:
    """Match what was found, the surest first, each with the true object that it covers best of those left."""
    left, pairs = list(true), []
    for one in found:
        best = max(left, key=lambda candidate: iou(one.box, candidate.box), default=None)
        if best is not None and iou(one.box, best.box) < MATCH:
            best = None
        if best is not None:
            left.remove(best)
        pairs.append((one, best))
    return pairs


def _has_weight(pair: Pair, ignored: Sequence[Box]) -> bool:
    one, match = pair
    if match is not None:
        return is_counted(match)
    least = COVERED * area(one.box)
    return not any(0 < least <= shared_area(one.box, box) for box in ignored)


def _text(found: ReadObject, node: str) -> Optional[str]:
    said = found.said(node)
    return None if said is None else said.text


def _country(found: ReadObject, node: str) -> Optional[str]:
    said = found.said(node)
    return None if said is None else said.country
