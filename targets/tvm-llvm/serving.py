"""What loads an artifact; needs TVM's runtime alone, and nothing of what measures."""

from __future__ import annotations

from pathlib import Path

from artifact import LoadedLibrary

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.inference.loading import Loaders
from shared.inference.session import Session


class LibraryLoader:
    """Loads a compiled network where the CPU has what it was compiled for."""

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        assert manifest.built_for is not None
        return LoadedLibrary(network, artifact, manifest.input, manifest.built_for, threads)


LOADERS = Loaders(LibraryLoader())
