"""What `delivery.json` says: what a delivered container runs, and what was measured of it.

It lies in a folder with everything that it names; the folders in it are relative to that one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

from .measurement import Scope
from .model import PipelineNode
from .stages import NetworkFiles, PipelineFiles
from .streaming import Tracking

DELIVERY_VERSION = 1

DELIVERY_FILE = "delivery.json"


@dataclass(frozen=True)
class RecordedQuality:
    """The main metric and its value on the test split, 0 to 1."""

    metric: str
    value: float


@dataclass(frozen=True)
class RecordedSpeed:
    """How long it took where it was measured.

    Attributes:
        latency_ms: milliseconds, the median of what was recorded.
        scope: what these milliseconds cover.
        cpu: the CPU's name, as Linux has it.
        flags: those of `device.LOW_PRECISION` that it has.
    """

    latency_ms: float
    scope: Scope
    cpu: str
    flags: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Delivery:
    """What a container runs.

    Attributes:
        recipe: its name.
        run: that it was measured in.
        networks: each with the folder of its artifact.
        nodes: of a pipeline, in the order they run; empty for a single network.
        threads: inference threads of a call, as it was measured.
        golden: folder with images and with what came of them.
        quality, speed: as they were recorded; None where nothing was measured.
        tolerance: of the largest absolute difference of an output from the golden one, as a fraction of the
            golden one's largest absolute value, as target.json has it of the method; None where the variant
            computes in low precision, which CPUs of other families round in another way.
        settings: folder with a stream's settings; None where none was measured.
        tracking: of the stream.
        building: the method's options by network, where what runs is built of the artifacts on the device, at
            the first start.
        not_measured: why nothing was measured; empty where it was.
        predicted: by network, the quality that was predicted without the device.
    """

    recipe: str
    run: str
    model: str
    variant: str
    target: str
    toolchain: str
    networks: Tuple[NetworkFiles, ...]
    nodes: Tuple[PipelineNode, ...]
    threads: int
    golden: str
    quality: Optional[RecordedQuality]
    speed: Optional[RecordedSpeed]
    tolerance: Optional[float] = None
    settings: Optional[str] = None
    tracking: Tracking = field(default_factory=Tracking)
    building: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    not_measured: str = ""
    predicted: Mapping[str, RecordedQuality] = field(default_factory=dict)
    version: int = DELIVERY_VERSION

    @property
    def scope(self) -> Scope:
        """What a time covers."""
        if self.speed is not None:
            return self.speed.scope
        return Scope.PIPELINE if self.nodes else Scope.NETWORK

    @property
    def pipeline(self) -> PipelineFiles:
        """What is loaded; a single network is its only node, on the whole image."""
        first = self.networks[0].network.name
        return PipelineFiles(self.nodes or (PipelineNode(first, first),), self.networks)
