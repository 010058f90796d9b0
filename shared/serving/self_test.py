"""`self-test`: the golden images through the very artifacts, and the time that takes, in a sentence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import List, Optional, Tuple

from shared.inference.cpu import low_precision_flags
from shared.serving.delivered import Delivered, own_cpus
from shared.serving.golden import Golden, read_golden, read_keeping
from shared.serving.golden_differences import differences
from shared.serving.speed import SLOW, median_ms, why_slow

SAME_FAMILY = 1 / 64
"""Of outputs of low precision, beside those of a CPU with the same instructions for it: two steps of int8,
over which the rounding of the float32 between them may carry a value.
"""

SHOWN = 10
"""Differences that are told, at most."""


@dataclass(frozen=True)
class SelfTest:
    """What came of it.

    Attributes:
        sentence: what to know, in one.
        details: what differs, and what may be the reason.
    """

    is_passed: bool
    sentence: str
    details: Tuple[str, ...] = ()


def self_test(delivered: Delivered) -> SelfTest:
    """Test a delivery on this machine.

    Raises:
        InputProblem: it has no golden images.
        UnreadableImage: one of them is damaged.
        EnvironmentProblem: this machine cannot run it.
    """
    load = _load()
    folder = delivered.folder / delivered.delivery.golden
    golden = read_golden(folder)
    nodes = delivered.load()[0]
    images = [(folder / one.file).read_bytes() for one in golden.images]
    tolerance = _tolerance(delivered, golden)
    differing: List[str] = []
    for one, encoded in zip(golden.images, images):
        reading, outputs = read_keeping(nodes, encoded, one.file)
        differing += differences(one, reading.found, outputs, tolerance)
    count = len(golden.images)
    if differing:
        wrong = len({one.partition(":")[0] for one in differing})
        sentence = f"self-test failed: {wrong} of {count} golden images are not read as recorded"
        return SelfTest(False, sentence, (*differing[:SHOWN], *_note_on_cpu(delivered, golden)))
    now_ms = median_ms(nodes, delivered.delivery.scope, images)
    return SelfTest(
        True,
        f"self-test passed: {count} golden images are read as recorded; {_in_words(delivered, now_ms, load)}",
        tuple(_note_on_cpu(delivered, golden)),
    )


def _tolerance(delivered: Delivered, golden: Golden) -> Optional[float]:
    """Return that of the outputs here; None where low precision rounds in another way on this CPU."""
    if delivered.delivery.tolerance is not None or delivered.delivery.building:
        return delivered.delivery.tolerance  # what was built on this device has read no golden image before
    return SAME_FAMILY if low_precision_flags() == golden.flags else None


def _load() -> Optional[float]:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _in_words(delivered: Delivered, now_ms: float, load: Optional[float]) -> str:
    """Return how fast it is beside what was recorded."""
    speed = delivered.delivery.speed
    if speed is None:
        return f"{now_ms:.2f} ms a call here; not measured before: {delivered.delivery.not_measured}"
    told = f"{now_ms:.2f} ms a call, {speed.latency_ms:.2f} ms where it was measured ({speed.cpu})"
    if now_ms <= SLOW * speed.latency_ms:
        return told
    reason = why_slow(delivered.delivery, own_cpus(), load)
    return f"but it is {now_ms / speed.latency_ms:.1f} times as slow: {told}; {reason}"


def _note_on_cpu(delivered: Delivered, golden: Golden) -> List[str]:
    """Say what this CPU's instructions change of low precision, which rounds by them; nothing of float32, nor
    of what was built on this device and runs elsewhere than on its CPU.
    """
    if delivered.delivery.tolerance is not None or delivered.delivery.building:
        return []
    own, quality, measured = low_precision_flags(), delivered.delivery.quality, delivered.delivery.speed
    notes = []
    if own != golden.flags:
        notes.append(
            f"low precision may round in another way here: this CPU has {_listed(own)}, and that of the "
            f"golden images, {golden.cpu}, {_listed(golden.flags)}; outputs were not compared"
        )
    if quality is not None and measured is not None and own != measured.flags:
        notes.append(
            f"{quality.metric} {quality.value:.4f} was measured on another kind of CPU, {measured.cpu}, "
            f"which has {_listed(measured.flags)}"
        )
    return notes


def _listed(flags: Tuple[str, ...]) -> str:
    return ", ".join(flags) or "none of the instructions for it"
