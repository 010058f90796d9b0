"""Engines built ahead of time from typed ONNX: no GPU is asked, TensorRT compiles the rest where it loads it.

A timing cache is of no use here: nothing is timed, and what TensorRT for RTX does with one is nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import tensorrt_rtx_bindings as trt
from engine_building import build_plan
from engine_wish import Wish
from plan_header import PlanHeader, read_header

WORKSPACE_MB = 1024
"""The most memory of the GPU that one layer may use for itself; without it, all that there is."""


def build_engine(graph: Path, target: Path, capabilities: Sequence[str]) -> PlanHeader:
    """Build the engine of a typed ONNX graph, in the very types that the graph has.

    Args:
        capabilities: compute capabilities of the GPUs that it is for, as `8.6`.

    Raises:
        ValueError: TensorRT cannot read the graph or build it; its own line says why.
    """

    def ahead_of_time(config: Any) -> None:
        config.num_compute_capabilities = len(capabilities)
        for index, capability in enumerate(capabilities):
            name = f"SM{capability.replace('.', '')}"
            config.set_compute_capability(getattr(trt.ComputeCapability, name), index)

    plan = build_plan(trt, Wish(graph, WORKSPACE_MB), ahead_of_time)
    target.write_bytes(plan)
    return read_header(plan)
