"""What a source is, before a pipeline is made for it."""

from __future__ import annotations

from shared.contract.errors import InputProblem
from shared.inference.addresses import without_password
from shared.inference.video import Outline, outline_of

CODEC = "h264"
"""What the pipelines decode, by FFmpeg's name; a camera's pictures are none."""


def outline_of_h264(source: str) -> Outline:
    """Look at a source's first frame.

    Raises:
        InputProblem: it cannot be read, is no H.264, or its pictures lie on their side.
    """
    found = outline_of(source)
    if found.codec != CODEC and not source.startswith("/dev/"):
        advice = "give a video in H.264"
        raise InputProblem(f"its codec is {found.codec}", without_password(source), advice)
    if not found.is_upright:
        what = "its pictures lie on their side, as of a phone that was held upright"
        raise InputProblem(what, without_password(source), "turn it: ffmpeg writes it upright anew")
    return found
