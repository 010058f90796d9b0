"""How the readings of a video's frames are held against what is true of them, or against another run's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from shared.contract.measurement import Quality, SampleScore
from shared.contract.streaming import Answer, FrameReading, ReadObject, TrueFrame, TrueObject, Vote
from shared.harness.scoring import set_metrics
from shared.inference.boxes import Box, iou

MAIN = "exact"

SAME_OBJECT = 0.3
"""The least IoU at which what was found is a true object."""

WELL_PLACED = 0.5
"""The least IoU at which the box of a true object counts as found."""

SAME_BOX = 1.0
"""Pixels by which a side of the same box may differ in two runs."""


@dataclass(frozen=True)
class _Match:
    """An object that was found and the true one that it is; one of them where the other is missing."""

    found: Optional[ReadObject]
    true: Optional[TrueObject]


@dataclass(frozen=True)
class Differences:
    """Where two runs over the same video differ: the numbers of the frames, in order.

    Attributes:
        frames: how many there are, in one run or in both.
        missing: only one of the runs has the frame.
        objects: not as many were found, or not in the same places within a pixel.
        texts, countries: of objects in the same place, of any node, by itself or voted.
    """

    frames: int
    missing: Tuple[int, ...] = ()
    objects: Tuple[int, ...] = ()
    texts: Tuple[int, ...] = ()
    countries: Tuple[int, ...] = ()

    @property
    def different(self) -> Tuple[int, ...]:
        """The frames that differ in anything."""
        return tuple(sorted({*self.missing, *self.objects, *self.texts, *self.countries}))


def score_frame(reading: FrameReading, truth: TrueFrame, node: str, has_country: bool = True) -> SampleScore:
    """Score what was read in a frame.

    What was found is matched with the true objects, the surest first. What is matched with one that is not
    whole, or that nobody said the text of, neither counts nor costs.

    - `exact`: the right texts, over the true objects or over those found, whichever are more; 1 where there
      are none of either.
    - `country`: of the whole true objects whose country is known, the share that have it right.
    - `boxes`: of the whole true objects, the share whose box was found.

    The last two are missing where there is no such object.

    Args:
        truth: of the same frame.
        node: whose answers are scored; its vote where there is one.
        has_country: the node's network has a head for the country.
    """
    matches = _matched(reading.objects, truth.objects)
    whole = [match for match in matches if match.true is not None and match.true.is_whole]
    counted = [match for match in matches if match.true is None or _is_readable(match.true)]
    scores = {MAIN: _exact(counted, node)}
    with_country = [match for match in whole if match.true is not None and match.true.country]
    if has_country and with_country:
        scores["country"] = _share(with_country, lambda match: _has_country(match, node))
    if whole:
        scores["boxes"] = _share(whole, _is_well_placed)
    texts = [answer.text for answer in _answers(reading.objects, node)]
    return SampleScore(frame_name(reading), scores, " ".join(texts) if reading.objects else None)


def frame_name(reading: FrameReading) -> str:
    """Return what a frame is called among the samples of a stream."""
    return f"{reading.frame:06d}"


def quality_of_frames(scores: Sequence[SampleScore]) -> Quality:
    """Return the quality of a stream, of at least one frame."""
    return Quality(MAIN, set_metrics(scores), tuple(scores))


def truth_of(readings: Iterable[FrameReading], node: str) -> Dict[int, TrueFrame]:
    """Return a run's own readings as what is true, for a video of which nobody said it.

    Args:
        node: whose answers are the texts.
    """
    return {reading.frame: _as_true(reading, node) for reading in readings}


def count_different(readings: Iterable[FrameReading], others: Iterable[FrameReading]) -> Differences:
    """Hold two runs over the same video against one another, frame by frame."""
    ours = {reading.frame: reading.objects for reading in readings}
    theirs = {reading.frame: reading.objects for reading in others}
    objects, texts, countries = [], [], []
    for frame in sorted(ours.keys() & theirs.keys()):
        pairs = _same_places(ours[frame], theirs[frame])
        if not len(pairs) == len(ours[frame]) == len(theirs[frame]):
            objects.append(frame)
        if any(_texts(one) != _texts(other) for one, other in pairs):
            texts.append(frame)
        if any(_countries(one) != _countries(other) for one, other in pairs):
            countries.append(frame)
    missing = sorted(ours.keys() ^ theirs.keys())
    total = len(ours.keys() | theirs.keys())
    return Differences(total, tuple(missing), tuple(objects), tuple(texts), tuple(countries))


def _matched(found: Sequence[ReadObject], true: Sequence[TrueObject]) -> List[_Match]:
    """Match what was found, the surest first, each with the true object that it covers best and no other."""
    left, matches = list(true), []
    for one in found:
        best = max(left, key=lambda candidate: iou(one.box, candidate.box), default=None)
        if best is not None and iou(one.box, best.box) >= SAME_OBJECT:
            left.remove(best)
            matches.append(_Match(one, best))
        else:
            matches.append(_Match(one, None))
    return [*matches, *(_Match(None, missed) for missed in left)]


def _is_readable(true: TrueObject) -> bool:
    return true.is_whole and true.text is not None


def _exact(counted: Sequence[_Match], node: str) -> float:
    true = sum(match.true is not None for match in counted)
    found = sum(match.found is not None for match in counted)
    right = sum(_has_text(match, node) for match in counted)
    return right / max(true, found) if counted else 1.0


def _share(matches: Sequence[_Match], is_right: Callable[[_Match], bool]) -> float:
    return sum(map(is_right, matches)) / len(matches)


def _has_text(match: _Match, node: str) -> bool:
    answer = match.found.said(node) if match.found is not None else None
    return answer is not None and match.true is not None and answer.text == match.true.text


def _has_country(match: _Match, node: str) -> bool:
    answer = match.found.said(node) if match.found is not None else None
    return answer is not None and match.true is not None and answer.country == match.true.country


def _is_well_placed(match: _Match) -> bool:
    if match.found is None or match.true is None:
        return False
    return iou(match.found.box, match.true.box) >= WELL_PLACED


def _answers(objects: Sequence[ReadObject], node: str) -> Iterator[Union[Answer, Vote]]:
    for found in objects:
        answer = found.said(node)
        if answer is not None:
            yield answer


def _as_true(reading: FrameReading, node: str) -> TrueFrame:
    objects = (_object_as_true(found, node) for found in reading.objects)
    return TrueFrame(reading.frame, tuple(one for one in objects if one is not None))


def _object_as_true(found: ReadObject, node: str) -> Optional[TrueObject]:
    """Return an object as a truth file may have it; None where nothing of its box is in the frame."""
    x0, y0, x1, y1 = found.box
    box = max(x0, 0.0), max(y0, 0.0), x1, y1
    answer = found.said(node)
    if box[0] >= x1 or box[1] >= y1:
        return None
    return TrueObject(box) if answer is None else TrueObject(box, answer.text, answer.country)


Pair = Tuple[ReadObject, ReadObject]


def _same_places(ours: Sequence[ReadObject], theirs: Sequence[ReadObject]) -> List[Pair]:
    """Return the pairs of objects whose boxes are the same, whatever their order."""
    left, pairs = list(theirs), []
    for one in ours:
        other = next((candidate for candidate in left if _is_same(one.box, candidate.box)), None)
        if other is not None:
            left.remove(other)
            pairs.append((one, other))
    return pairs


def _is_same(box: Box, other: Box) -> bool:
    return all(abs(a - b) <= SAME_BOX for a, b in zip(box, other))


def _texts(found: ReadObject) -> List[Tuple[str, str]]:
    return sorted((node, answer.text) for node, answer in _said(found))


def _countries(found: ReadObject) -> List[Tuple[str, str]]:
    return sorted((node, answer.country or "") for node, answer in _said(found))


def _said(found: ReadObject) -> List[Tuple[str, Union[Answer, Vote]]]:
    """Return all that is said of an object, by node: what was answered, then what was voted."""
    return [*found.answers.items(), *found.vote.items()]
