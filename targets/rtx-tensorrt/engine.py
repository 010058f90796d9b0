"""Engines built ahead of time from typed ONNX: no GPU is asked, TensorRT compiles the rest where it loads it.

A timing cache is of no use here: nothing is timed, and what TensorRT for RTX does with one is nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Sequence

import tensorrt_rtx_bindings as trt
from messages import plain
from plan_header import PlanHeader, read_header

WORKSPACE_BYTES = 1 << 30
"""The most memory of the GPU that one layer may use for itself; without it, all that there is."""


class Listener(trt.ILogger):  # type: ignore[misc]
    """Keeps what TensorRT says is wrong, and prints it into the job's log, warnings too."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.errors: List[str] = []

    def log(self, severity: Any, message: str) -> None:
        if severity <= trt.ILogger.Severity.WARNING:
            print(f"TensorRT: {message}", flush=True)
        if severity <= trt.ILogger.Severity.ERROR:
            self.errors.append(message)


def build_engine(graph: Path, target: Path, capabilities: Sequence[str]) -> PlanHeader:
    """Build the engine of a typed ONNX graph, in the very types that the graph has.

    Args:
        capabilities: compute capabilities of the GPUs that it is for, as `8.6`.

    Raises:
        ValueError: TensorRT cannot read the graph or build it; its own line says why.
    """
    listener = Listener()
    builder = trt.Builder(listener)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, listener)
    if not parser.parse_from_file(str(graph)):
        raise ValueError(_parser_error(parser))
    config = builder.create_builder_config()
    # 10 bits for float32 are what a graph asks for that has float16 in it.
    config.clear_flag(trt.BuilderFlag.TF32)
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    # Names of layers, by which their types are read back.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.num_compute_capabilities = len(capabilities)
    for index, capability in enumerate(capabilities):
        name = f"SM{capability.replace('.', '')}"
        config.set_compute_capability(getattr(trt.ComputeCapability, name), index)
    built = builder.build_serialized_network(network, config)
    if built is None:
        reason = plain(listener.errors[0]) if listener.errors else "it gives no reason"
        raise ValueError(f"TensorRT builds no engine of the graph: {reason}")
    plan = bytes(built)
    target.write_bytes(plan)
    return read_header(plan)


def _parser_error(parser: Any) -> str:
    """Return the first error of the parser as one line: the ONNX node, and what is wrong with it."""
    if parser.num_errors == 0:
        return "TensorRT cannot read the graph, and gives no reason"
    error = parser.get_error(0)
    operation = " ".join(filter(None, (error.node_operator(), error.node_name())))
    return f"TensorRT cannot read the operation {operation or error.node()}: {plain(error.desc())}"
