"""What loads an artifact; needs ONNX Runtime alone, and nothing of what measures."""

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


class OnnxLoader:
    """Loads a graph's file into ONNX Runtime."""

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        return OnnxSession(network, artifact / MODEL_FILE, manifest.input, threads)


LOADERS = Loaders(OnnxLoader())
