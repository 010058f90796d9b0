"""What is asked of whatever builds an engine. Needs no vendor package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

FP16, INT8 = "fp16", "int8"


@dataclass(frozen=True)
class Wish:
    """An engine that is asked for.

    Attributes:
        graph: an ONNX file of a fixed shape, typed: each of its tensors has the type that it is to be
            computed in.
        workspace_mb: MiB that a layer may take for itself; on a Jetson all memory is shared with the host.
        types: FP16, INT8: what the graph computes in beside float32. A release that cannot type a network
            strongly is told so, and may round any layer to them.
        in_float32: names of the graph's nodes that such a release must leave in float32.
        timing_cache: read where it is there, and written; None for none.
    """

    graph: Path
    workspace_mb: int
    types: Tuple[str, ...] = ()
    in_float32: Tuple[str, ...] = ()
    timing_cache: Optional[Path] = None
