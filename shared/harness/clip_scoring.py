"""What a stream read held against what is true of each frame, and against what another one read."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

from shared.contract.measurement import Quality, SampleScore
from shared.contract.streaming import Answer, FrameReading, ReadObject, TrueFrame, TrueObject, Vote
from shared.harness.scoring import set_metrics
from shared.inference.boxes import iou

EXACT, COUNTRY, BOXES = "exact", "country", "boxes"

SAME_OBJECT = 0.3
"""The IoU from which an object that was found is the one that is true there."""

FOUND = 0.5
"""The IoU from which a true box counts as found."""


def score_frame(reading: FrameReading, truth: TrueFrame, node: str) -> SampleScore:
    """Score what was read in a frame.

    `exact` and `country` are the share of right answers among the objects that are true, or were found where
    those are more; `boxes` the share of true objects whose box was found. Where there is nothing to find and
    nothing was found, all are 1. What is found of an object that is not whole counts for nothing.

    Args:
        node: whose answers are scored; where there is a vote on them, that is.
    """
    pairs, extra = _matched(reading.objects, truth.objects)
    counted = [(found, true) for found, true in pairs if true.is_whole]
    whole = [one for one in truth.objects if one.is_whole]
    texts = [one for one in whole if one.text is not None]
    read = [(found, true) for found, true in counted if true.text is not None]
    right = sum(_says(found, node, true) for found, true in read)
    scores = {EXACT: _share(right, max(len(texts), len(read) + extra))}
    named = [(found, true) for found, true in read if true.country is not None]
    if any(one.country is not None for one in texts):
        same = sum(_names(found, node, true) for found, true in named)
        scores[COUNTRY] = _share(same, max(len(texts), len(named) + extra))
    near = sum(iou(found.box, true.box) >= FOUND for found, true in counted)
    scores[BOXES] = _share(near, len(whole))
    said = [_said(found, node) for found in reading.objects]
    prediction = " ".join(f"{one.text} {one.country or ''}".strip() for one in said if one is not None)
    return SampleScore(frame_id(reading.frame), scores, prediction or None)


def frame_id(number: int) -> str:
    """Return a frame's name as a sample."""
    return f"{number:06d}"


def quality_of_frames(scores: Sequence[SampleScore]) -> Quality:
    """Return the quality over at least one frame."""
    return Quality(EXACT, set_metrics(scores), tuple(scores))


def truth_of(readings: Sequence[FrameReading], node: str) -> Dict[int, TrueFrame]:
    """Return what a stream read as what is true: what another one reads is then scored by how it agrees."""
    frames = {}
    for reading in readings:
        objects = []
        for found in reading.objects:
            said = _said(found, node)
            answer = (None, None) if said is None else (said.text, said.country)
            objects.append(TrueObject(found.box, *answer))
        frames[reading.frame] = TrueFrame(reading.frame, tuple(objects))
    return frames


def different_frames(readings: Sequence[FrameReading], others: Sequence[FrameReading]) -> List[int]:
    """Return the numbers of the frames in which two runs over one video read something else.

    That is another number of objects, another text, country or class, or a box a pixel or more away.
    """
    theirs = {reading.frame: reading for reading in others}
    own = {reading.frame: reading for reading in readings}
    different = set(own) ^ set(theirs)
    for number in set(own) & set(theirs):
        if not _agree(own[number].objects, theirs[number].objects):
            different.add(number)
    return sorted(different)


def _agree(objects: Sequence[ReadObject], others: Sequence[ReadObject]) -> bool:
    if len(objects) != len(others):
        return False
    for one, other in zip(objects, others):
        moved = max(abs(a - b) for a, b in zip(one.box, other.box))
        if moved >= 1 or _texts(one) != _texts(other):
            return False
    return True


def _texts(found: ReadObject) -> Mapping[str, Tuple[str, Optional[str]]]:
    return {node: (answer.text, answer.country) for node, answer in found.answers.items()}


def _matched(
    found: Sequence[ReadObject], true: Sequence[TrueObject]
) -> Tuple[List[Tuple[ReadObject, TrueObject]], int]:
    """Return each found object with the true one it is, the surest first, and how many are none."""
    free = list(true)
    pairs: List[Tuple[ReadObject, TrueObject]] = []
    extra = 0
    for one in found:
        nearest = max(free, key=lambda other: iou(one.box, other.box), default=None)
        if nearest is None or iou(one.box, nearest.box) < SAME_OBJECT:
            extra += 1
            continue
        free.remove(nearest)
        pairs.append((one, nearest))
    return pairs, extra


def _said(found: ReadObject, node: str) -> Optional[Union[Answer, Vote]]:
    return found.vote.get(node) or found.answers.get(node)


def _says(found: ReadObject, node: str, true: TrueObject) -> bool:
    said = _said(found, node)
    return said is not None and said.text == true.text


def _names(found: ReadObject, node: str, true: TrueObject) -> bool:
    said = _said(found, node)
    return said is not None and said.country == true.country


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
