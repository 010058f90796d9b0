"""What the report is told of an engine: for what it was built, and in which precision it computes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, List, Mapping, Sequence, Set, Tuple

from plan_header import PlanHeader
from plan_layers import EngineLayer, precisions_of, read_layers

from shared.contract.model import Network
from shared.contract.result import Notes, Table

NOT_FOUND = "not found in the engine"
MAX_NAMES, MAX_NAME = 4, 200
"""Operations of a kernel that are named, and characters of each."""


def engine_notes(
    network: Network, settings: Mapping[str, Any], engine: Path, header: PlanHeader, seconds: float
) -> Notes:
    """Return the notes of an engine.

    Args:
        settings: of the graph that it was made of: its `operations`, and those that are `weighted`.
        seconds: that building took.
    """
    operations, with_weights = set(settings["operations"]), settings["weighted"]
    layers = read_layers(engine.read_bytes())
    found = precisions_of(layers, with_weights)
    capabilities = ", ".join(header.capabilities)
    counts = Counter(found.get(name, NOT_FOUND) for name in with_weights)
    return Notes(
        remarks=(
            f"the engine of {network.name} is for GPUs of compute capability {capabilities}, and runs with "
            f"TensorRT for RTX {header.release} alone",
            f"read back from it: of {len(with_weights)} operations with weights {_phrase(counts)}",
        ),
        tables=(_kernels(network, layers, operations),) if layers else (),
        details={
            "release": header.release,
            "compute_capabilities": list(header.capabilities),
            "kernels": len(layers),
            "precisions": dict(counts),
            "engine_mb": round(header.size / 1e6, 2),
            "build_s": round(seconds, 2),
        },
    )


def _phrase(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {where}" for where, number in sorted(counts.items()))


def _kernels(network: Network, layers: Sequence[EngineLayer], operations: Set[str]) -> Table:
    """Return the table of an engine's kernels, in the order they run."""
    rows: List[Tuple[str, ...]] = []
    for layer in layers:
        # Casts and quantizers are seen in what is read and written.
        own = [name for name in layer.layers if name in operations] or list(layer.layers[:1])
        more = f" and {len(own) - MAX_NAMES} more" if len(own) > MAX_NAMES else ""
        if own:
            named = ", ".join(name[:MAX_NAME] for name in own[:MAX_NAMES]) + more
            rows.append((named, layer.kind, ", ".join(layer.reads), ", ".join(layer.writes)))
    columns = ("operations", "kernel", "reads", "writes")
    return Table(f"Kernels of {network.name}, read from the engine", columns, tuple(rows), folded=True)
