"""How an artifact is loaded: what each target's own modules give, whoever calls them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Protocol, Sequence

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.inference.session import Session


class Loader(Protocol):
    """Loads what `convert`, `optimize`, `tune` and `compile` leave."""

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        """Load the folder of an artifact.

        Raises:
            Unsupported: this device cannot run it.
        """


class ParallelLoader(Protocol):
    """Loads an artifact for several threads that call it at the same time."""

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
        """Load the folder of an artifact once, and return a session for each of `count` threads.

        Args:
            threads: inference threads of each call.
            batch: images in one call: the first axis of each session's input and outputs.
            folds: the sessions take 8-bit pixels, and normalize them inside the network.

        Raises:
            Unsupported: it cannot run so.
        """


@dataclass(frozen=True)
class Loaders:
    """What loads a target's artifacts, on the host that measures and at the client's.

    A target whose variants can be delivered has a module `serving.py`, which needs nothing of the harness and
    names its own as `LOADERS`.

    Attributes:
        parallel_loader: where the toolchain shares what it has loaded between threads; without one it is
            loaded for each of them.
    """

    loader: Loader
    parallel_loader: Optional[ParallelLoader] = None
