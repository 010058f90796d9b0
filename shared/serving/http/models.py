"""The networks as the protocol knows them: their inputs, and the outputs that a first call has shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Sequence, Tuple

import numpy as np

from shared.inference.pipeline import LoadedNode
from shared.inference.session import Session
from shared.inference.stream import Nodes
from shared.serving.http.tensors import TensorSpec


@dataclass(frozen=True)
class Model:
    """A network."""

    name: str
    input: TensorSpec
    outputs: Tuple[TensorSpec, ...]

    @property
    def output_names(self) -> Tuple[str, ...]:
        return tuple(output.name for output in self.outputs)

    def document(self, platform: str) -> Mapping[str, Any]:
        """Return its metadata."""
        return {
            "name": self.name,
            "platform": platform,
            "inputs": [self.input.document],
            "outputs": [output.document for output in self.outputs],
        }


def warmed_models(workers: Sequence[Nodes]) -> Dict[str, Model]:
    """Run each network of each worker once, and return the networks by name."""
    found: Dict[str, Model] = {}
    for nodes in workers:
        for loaded in nodes:
            found[loaded.network.name] = _warmed(loaded)
    return found


def _warmed(loaded: LoadedNode) -> Model:
    spec = loaded.session.input
    tensors = loaded.session.run(np.zeros(spec.shape, spec.dtype))
    arrays = {name: np.asarray(tensors[name]) for name in loaded.network.tensors}
    outputs = tuple(TensorSpec(name, array.shape, array.dtype.name) for name, array in arrays.items())
    return Model(loaded.network.name, TensorSpec(spec.name, spec.shape, spec.dtype), outputs)


def session_of(nodes: Nodes, network: str) -> Session:
    """Return a worker's session of a network."""
    return next(loaded.session for loaded in nodes if loaded.network.name == network)
