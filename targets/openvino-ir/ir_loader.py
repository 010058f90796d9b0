"""The loader of an IR; needs OpenVINO's runtime alone, and nothing of what measures."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from artifact import load
from errors import error_summary
from parallel import load_parallel

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.inference.session import Session, Unsupported


class IrLoader:
    """Loads an IR for one thread, or for several."""

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        return load(network, artifact, manifest, threads)

    def load_parallel(
        self,
        network: Network,
        artifact: Path,
        manifest: Manifest,
        *,
        count: int,
        threads: int,
        batch: int,
        folds: bool,
    ) -> Sequence[Session]:
        try:
            return load_parallel(network, artifact, manifest, count, threads, batch, folds)
        except RuntimeError as error:  # a network that cannot be folded, say: other settings may do
            raise Unsupported(error_summary(str(error))) from None
