"""How to read the report."""

from __future__ import annotations

from dockyard.judge.statistics import STEADY_WITHIN

READING_HELP = (
    "Times cover exactly what the heading says; mean, std and median are over all calls of all rounds. The "
    "speedup is over the reference, which runs the model as it came. It is the ratio of the medians over "
    "rounds, measured round-robin beside the reference in fresh processes; in brackets its smallest and "
    "largest round.",
    "Quality is measured on the exact files whose SHA-256 is in the record, on the test split, which neither "
    "calibration nor accuracy-aware search has seen. The drop's interval is a paired bootstrap. A sample has "
    "flipped when it is right on one side only (a box or a mask is right from an IoU of 0.5).",
    "The metric iou of masks is the mean of the images' pixel IoU, iou_set the IoU of all their pixels.",
    "In the pictures the right half shows quality over time: up and left is better. Points with a black ring "
    "are the Pareto front: none is beaten by another variant that is no worse and faster by more than "
    f"{STEADY_WITHIN:.0%}, which is how far the same thing may be from itself. The black line joins those of "
    "them that are better than every faster one.",
    "Verdicts: recommended is the fastest that meets the requirements; the others are meets, too lossy, no "
    "gain, unstable, failed and not measured. Raw samples are in records/.",
)
