"""Objects followed from frame to frame: by the overlap of their boxes, with votes on what was read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from shared.contract.streaming import ReadObject, Tracking, Vote
from shared.inference.boxes import Box, clipped, iou

SAME_TRACK = 0.2
"""The IoU of an object and a track's expected box from which it may be that track's."""

UNSEEN_FRAMES = 10
"""Frames in which a track is not found, of those that were looked at, after which it has ended."""

MOST_SAID = 100
"""Different readings that a track keeps votes of, the ones with most: a parked car is seen for weeks."""

SMOOTHING = 0.5
"""Share of the newest move in a track's speed."""

Said = Tuple[str, Optional[str]]
"""A text and a country."""


@dataclass
class _Track:
    """An object as far as it has been followed.

    Attributes:
        speed: pixels a frame of each side.
        frame: in which it was seen last.
        unseen: frames that were looked at since.
        votes: the sum of confidences by what was said, by node.
    """

    number: int
    seen: ReadObject
    frame: int
    speed: Box = (0.0, 0.0, 0.0, 0.0)
    unseen: int = 0
    reads: int = 0
    votes: Dict[str, Dict[Said, float]] = field(default_factory=dict)

    def expected(self, frame: int) -> Box:
        """Return where its box should be in a frame."""
        steps = frame - self.frame
        x0, y0, x1, y1 = (side + steps * speed for side, speed in zip(self.seen.box, self.speed))
        return x0, y0, x1, y1

    def see(self, found: ReadObject, frame: int) -> None:
        """Take an object that is its own."""
        if frame > self.frame and self.reads:
            self.speed = _speed(self.speed, self.seen.box, found.box, frame - self.frame, self.reads == 1)
        self.seen, self.frame, self.unseen = found, frame, 0
        self.reads += 1
        for node, answer in found.answers.items():
            votes = self.votes.setdefault(node, {})
            said = (answer.text, answer.country)
            votes[said] = votes.get(said, 0.0) + (1.0 if answer.confidence is None else answer.confidence)
            if len(votes) > MOST_SAID:
                del votes[min(votes, key=lambda one: votes[one])]

    def vote(self) -> Mapping[str, Vote]:
        """Return what its frames say together, by node."""
        return {node: self._winner(votes) for node, votes in self.votes.items()}

    def _winner(self, votes: Mapping[Said, float]) -> Vote:
        text, country = max(votes, key=lambda said: votes[said])
        total = sum(votes.values())
        share = votes[text, country] / total if total else 0.0
        return Vote(text, country, min(1.0, share), self.reads)


class Tracker:
    """Follows the objects of one source, whose frames it is given in their order."""

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking
        self._tracks: List[_Track] = []
        self._count = 0
        self._last = 0

    def follow(self, frame: int, objects: Sequence[ReadObject]) -> Tuple[ReadObject, ...]:
        """Return the objects that were read in a frame with their tracks.

        Args:
            frame: its number, which says how far the objects have moved where frames before it were dropped.
                One that is lower than the last begins anew, with other objects.
        """
        self._begin(frame)
        free = list(self._tracks)
        told = []
        for found in objects:
            track = _nearest(found, free, frame)
            if track is None:
                self._count += 1
                track = _Track(self._count, found, frame)
                self._tracks.append(track)
            else:
                free.remove(track)
            track.see(found, frame)
            told.append(replace(found, track=track.number, vote=self._vote(track)))
        for track in free:
            track.unseen += 1
        self._tracks = [track for track in self._tracks if track.unseen <= UNSEEN_FRAMES]
        return tuple(told)

    def carry(self, frame: int, width: int, height: int) -> Tuple[ReadObject, ...]:
        """Return the objects of the tracks in a frame that did not go through the networks.

        Those that should have left it by then are left out.

        Args:
            frame: as of `follow`.
            width, height: of the frame in pixels, which no box leaves.
        """
        self._begin(frame)
        carried = []
        for track in self._tracks:
            x0, y0, x1, y1 = box = clipped(track.expected(frame), width, height)
            if not track.unseen and x0 < x1 and y0 < y1:
                vote = self._vote(track)
                carried.append(replace(track.seen, box=box, track=track.number, vote=vote, is_tracked=True))
        return tuple(carried)

    def _begin(self, frame: int) -> None:
        if frame < self._last:
            self._tracks = []
        self._last = frame

    def _vote(self, track: _Track) -> Mapping[str, Vote]:
        return track.vote() if self._tracking.vote else {}


def _nearest(found: ReadObject, tracks: Sequence[_Track], frame: int) -> Optional[_Track]:
    """Return the track whose expected box an object overlaps most, and enough; or None."""
    best, overlap = None, SAME_TRACK
    for track in tracks:
        value = max(iou(found.box, track.expected(frame)), iou(found.box, track.seen.box))
        if value >= overlap:
            best, overlap = track, value
    return best


def _speed(old: Box, before: Box, now: Box, frames: int, is_first: bool) -> Box:
    """Return the pixels a frame that each side moves, the newest move weighed against those before."""
    weight = 1.0 if is_first else SMOOTHING
    moves = [(to - start) / frames for start, to in zip(before, now)]
    a, b, c, d = (weight * move + (1 - weight) * side for move, side in zip(moves, old))
    return a, b, c, d
