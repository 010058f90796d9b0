"""What tells, on any machine, what an engine will give: runs the graph that it is built of."""

from __future__ import annotations

import os
from pathlib import Path

# Read at import. ONNX Runtime would write an id of this machine and send what it is used for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from onnx_session import MODEL_FILE, OnnxSession

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.inference.loading import Loaders
from shared.inference.session import Session


class Predictor:
    """Predicts what an engine gives: what is quantized is computed in floating point."""

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        return OnnxSession(network, artifact / MODEL_FILE, manifest.input, threads, in_float=True)


LOADERS = Loaders(Predictor())
