"""The header of an engine's file (a plan), read without TensorRT: whose release made it, and for which GPUs.

An engine of another release or for another GPU is refused by TensorRT with a line about versions of headers;
here it is refused with a sentence that says what to do. Where each field lies was found by comparing engines
that were built for one compute capability each; only what was found so is read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Tuple

MAGIC = b"vtrt"
HEADER_BYTES = 64
CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
"""Compute capabilities by the number of their bit in the header."""
LATER = 6
"""The bit of an engine that also runs on GPUs that came after its release."""


class UnreadablePlan(ValueError):
    """A file is no engine of TensorRT for RTX, or was cut off."""


@dataclass(frozen=True)
class PlanHeader:
    """What an engine's file says of itself.

    Attributes:
        release: of TensorRT for RTX, for example `1.7.1.116`.
        capabilities: compute capabilities of the GPUs it was built for, for example `8.6`.
        runs_on_later: it was built for GPUs, too, that are none of CAPABILITIES.
        size: bytes of the whole file.
    """

    release: str
    capabilities: Tuple[str, ...]
    runs_on_later: bool
    size: int

    def refusal(self, release: str, capability: str) -> str:
        """Return why an engine does not run with a release on a GPU, and what to do; empty where it may."""
        if release != self.release:
            return (
                f"the engine was built with TensorRT for RTX {self.release} and runs with no other release; "
                f"here is {release}: build it anew"
            )
        is_later = self.runs_on_later and capability not in CAPABILITIES
        if capability not in self.capabilities and not is_later:
            return (
                f"the engine was built for GPUs of compute capability {', '.join(self.capabilities)}; this "
                f"one has {capability}: name it in the option compute_capabilities and build anew"
            )
        return ""


def read_header(plan: bytes) -> PlanHeader:
    """Read the header of an engine's bytes; those after the first HEADER_BYTES count only by their number.

    Raises:
        UnreadablePlan: no engine, or not whole.
    """
    if len(plan) < HEADER_BYTES or plan[:4] != MAGIC or plan[28:32] != MAGIC:
        raise UnreadablePlan("this is no engine of TensorRT for RTX")
    (size,) = struct.unpack_from("<Q", plan, 16)
    if size != len(plan):
        raise UnreadablePlan(
            f"the engine's file has {len(plan)} bytes, its header says {size}: it was cut off"
        )
    (mask,) = struct.unpack_from("<I", plan, 32)
    named = tuple(name for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1)
    return PlanHeader(".".join(map(str, plan[24:28])), named, bool(mask >> LATER & 1), size)
