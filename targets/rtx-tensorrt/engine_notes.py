"""What the report is told of an engine: for what it was built, and in which precision it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence, Set

from engine_report import Row, layer_table, precision_counts, told_precisions
from plan_header import PlanHeader
from plan_layers import EngineLayer, precisions_of, read_layers

from shared.contract.model import Network
from shared.contract.result import Notes


def engine_notes(
    network: Network, settings: Mapping[str, Any], engine: Path, header: PlanHeader, seconds: float
) -> Notes:
    """Return the notes of an engine.

    Args:
        settings: of the graph that it was made of: its `operations`, and those that are `weighted`.
        seconds: that building took.
    """
    with_weights = settings["weighted"]
    layers = read_layers(engine.read_bytes())
    counts = precision_counts(precisions_of(layers, with_weights), with_weights)
    capabilities = ", ".join(header.capabilities)
    rows = list(_rows(layers, set(settings["operations"])))
    title = f"Kernels of {network.name}, read from the engine"
    return Notes(
        remarks=(
            f"the engine of {network.name} is for GPUs of compute capability {capabilities}, and runs with "
            f"TensorRT for RTX {header.release} alone",
            told_precisions(counts),
        ),
        tables=(layer_table(title, "kernel", rows),) if rows else (),
        details={
            "release": header.release,
            "compute_capabilities": list(header.capabilities),
            "kernels": len(layers),
            "precisions": counts,
            "engine_mb": round(header.size / 1e6, 2),
            "build_s": round(seconds, 2),
        },
    )


def _rows(layers: Sequence[EngineLayer], operations: Set[str]) -> Iterator[Row]:
    for layer in layers:
        # Casts and quantizers are seen in what is read and written.
        own = [name for name in layer.layers if name in operations] or list(layer.layers[:1])
        if own:
            yield own, layer.kind, layer.reads, layer.writes
