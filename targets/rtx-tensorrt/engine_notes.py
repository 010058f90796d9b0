"""What the report is told of an engine: for what it was built, and in which precision it computes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import List, Mapping, Sequence, Tuple

from plan_header import PlanHeader
from plan_layers import EngineLayer, precisions_of, read_layers

from shared.contract.model import Network
from shared.contract.result import Notes, Table

NOT_FOUND = "not found in the engine"


def engine_notes(
    network: Network, weighted: Sequence[str], engine: Path, header: PlanHeader, seconds: float
) -> Notes:
    """Return the notes of an engine.

    Args:
        weighted: names of the ONNX operations with weights.
        seconds: that building took.
    """
    layers = read_layers(engine.read_bytes())
    found = precisions_of(layers, weighted)
    capabilities = ", ".join(header.capabilities)
    counts = Counter(found.get(name, NOT_FOUND) for name in weighted)
    return Notes(
        remarks=(
            f"the engine of {network.name} is for GPUs of compute capability {capabilities}, and runs with "
            f"TensorRT for RTX {header.release} alone",
            f"read back from it: of {len(weighted)} operations with weights {_phrase(counts)}",
        ),
        tables=_tables(network, weighted, found, layers),
        details={
            "release": header.release,
            "compute_capabilities": list(header.capabilities),
            "kernels": len(layers),
            "precisions": dict(counts),
            "engine_mb": round(header.size / 1e6, 2),
            "build_s": round(seconds, 2),
        },
    )


def joined(first: Notes, second: Notes) -> Notes:
    """Return the notes of two steps as those of one."""
    return Notes(
        first.remarks + second.remarks,
        first.tables + second.tables,
        first.calibration_images,
        {**first.details, **second.details},
    )


def _phrase(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {where}" for where, number in sorted(counts.items()))


def _tables(
    network: Network, weighted: Sequence[str], found: Mapping[str, str], layers: Sequence[EngineLayer]
) -> Tuple[Table, ...]:
    precisions = tuple((name, found.get(name, NOT_FOUND)) for name in weighted)
    kernels: List[Tuple[str, ...]] = []
    for layer in layers:
        if layer.layers:
            kernels.append(
                (", ".join(layer.layers), layer.kind, ", ".join(layer.reads), ", ".join(layer.writes))
            )
    title = f"Precision of {network.name}'s operations with weights, read from the engine"
    columns = ("operations", "kernel", "reads", "writes")
    return (
        Table(title, ("operation", "precision"), precisions, folded=True),
        Table(f"Kernels of {network.name}'s engine", columns, tuple(kernels), folded=True),
    )
