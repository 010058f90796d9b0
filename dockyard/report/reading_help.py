"""How to read the report."""

from __future__ import annotations

from dockyard.judge.questions import MIN_ROUNDS, NO_GAIN_BELOW
from dockyard.judge.ranking import ALIKE_WITHIN
from dockyard.judge.statistics import FRAMES_TOGETHER, STEADY_WITHIN

READING_HELP = (
    "Times cover exactly what the heading says. Mean and std are over all calls of all rounds; the median "
    "is that of the rounds' medians, and its spread says how far a round's lies from it. Beyond "
    f"{STEADY_WITHIN:.0%} the milliseconds hold for this run alone: machines that others share change their "
    "pace within minutes.",
    "Speeds are compared by ratios taken side by side. In a round the reference, which runs the model as "
    "it came, and all variants are up in fresh processes; one after the other runs for a burst of calls "
    "while the others wait, forwards and backwards, a burst each in every cycle. The speedup is the median "
    "over rounds of the median over cycles of the ratio of two bursts of one cycle; its 95 % interval is a "
    "bootstrap over rounds and cycles. Two variants are compared in the same way. Older records have one "
    "burst a round.",
    "Quality is measured on the exact files whose SHA-256 is in the record, on the test split, which "
    "neither calibration nor accuracy-aware search has seen. The drop's interval is a paired bootstrap. A "
    "sample has flipped when it is right on one side only (a box or a mask is right from an IoU of 0.5, an "
    "image with many objects from an ap of 0.5).",
    "The metric iou of masks is the mean of the images' pixel IoU, iou_set the IoU of all their pixels. mAP "
    "is COCO's, over IoUs of 0.5 to 0.95; mAP50 the one at 0.5; ap the mean of what single images come to.",
    "In the pictures the right half shows quality over time: up and left is better. Points with a black "
    "ring are the Pareto front: none is beaten by another variant that is no worse and faster by more than "
    f"{STEADY_WITHIN:.0%}, which is how far the same thing may be from itself. The black line goes in steps "
    "through those of them that are better than every faster one.",
    "Verdicts. Too lossy: it drops more than the recipe allows. No gain: its speedup is not certainly "
    f"above 1, or certainly below {NO_GAIN_BELOW}, or it misses a speed that is required. Undecided: after "
    "the last round allowed an interval still straddles a speed that is required, or fewer than "
    f"{MIN_ROUNDS} rounds were measured. The others meet what is required. Recommended is, of those than "
    f"which none is certainly faster (by {ALIKE_WITHIN:.0%}, or in every pair of bursts), the one that drops "
    "least, then the smallest; as fast are the rest of those; meets are the slower ones. Not measured: this "
    "hardware cannot run it, its device was not there, a search left it, or the run ended before. Raw "
    "samples are in records/.",
)

STREAM_HELP = (
    "A stream's speed is its frames a second. Its reference reads one frame of the same video after the "
    "other; the speedup is the ratio of their rates, burst by burst. Its latency is a frame's from when it "
    "is decoded to its line, with what it waits while others are at work. The CPU time is the process's, "
    "decoding included, and the peak memory the largest of any round. Neighbouring frames show the same: the "
    f"drop's bootstrap draws up to {FRAMES_TOGETHER} of them together.",
)
"""Where one was measured."""

OBJECT_HELP = (
    "A pipeline that reads every object is judged by the objects of all images: one is right when its box is "
    "found (IoU 0.5) and its text is the true one. Precision is the share of those found that are right, "
    "recall the share of the true ones, exact the harmonic mean of both. The drop's bootstrap draws images; "
    "an image has flipped when all of it is right on one side only. Its time is from the encoded image to "
    "the last of its readings.",
)
"""Where objects were counted."""
