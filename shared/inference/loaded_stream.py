"""A stream: its networks loaded with its settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from shared.contract.artifact import Manifest
from shared.contract.codec import decode
from shared.contract.errors import JobFailed
from shared.contract.stages import NetworkFiles, PipelineFiles
from shared.contract.streaming import SETTINGS_FILE, StreamSettings, StreamTotals, Tracking
from shared.inference.artifacts import read_manifest
from shared.inference.batching import Batches
from shared.inference.frames import Source
from shared.inference.loaded_nodes import load_nodes, nodes_of
from shared.inference.loading import Loaders
from shared.inference.session import Session, Unsupported
from shared.inference.stream import Nodes, OnReading, run_stream


@dataclass(frozen=True)
class LoadedStream:
    """Networks that are loaded for a stream.

    Attributes:
        workers: the nodes of each.
        settings: None for one frame after the other, which decodes, too.
    """

    workers: Sequence[Nodes]
    settings: Optional[StreamSettings]
    tracking: Tracking

    @property
    def decoders(self) -> int:
        return 1 if self.settings is None else self.settings.decoders

    @property
    def background(self) -> str:
        """What images are laid over where they are transparent."""
        return self.workers[0][0].network.input.background

    def read(
        self, sources: Sequence[Source], on_reading: OnReading, latencies: Optional[int] = None
    ) -> StreamTotals:
        """Read sources to their end, and close them (`run_stream`)."""
        try:
            return run_stream(
                sources,
                self.workers,
                on_reading,
                self.tracking,
                one_by_one=self.settings is None,
                latencies=latencies,
            )
        finally:
            for source in sources:
                source.close()


def load_one_by_one(
    pipeline: PipelineFiles, tracking: Tracking, load: Callable[[NetworkFiles], Session]
) -> LoadedStream:
    """Load a pipeline that reads one frame after the other.

    Args:
        load: loads a network with all threads.
    """
    return LoadedStream([load_nodes(pipeline, load)], None, tracking)


def load_side_by_side(
    pipeline: PipelineFiles,
    tracking: Tracking,
    settings: StreamSettings,
    folder: Path,
    loaders: Loaders,
) -> LoadedStream:
    """Load a pipeline that reads several frames at once.

    Args:
        folder: below which the networks' artifacts are.

    Raises:
        Unsupported: the toolchain cannot run with these settings.
    """
    detector = pipeline.nodes[0].network
    for_each: List[Dict[str, Session]] = [{} for _ in range(settings.workers)]
    for files in pipeline.artifacts:
        is_batched = settings.batch > 1 and files.network.name != detector
        sessions = _sessions(files, settings, settings.batch if is_batched else 1, folder, loaders)
        shared = Batches(sessions, settings.wait_ms) if is_batched else None
        for number, own in enumerate(for_each):
            own[files.network.name] = shared or sessions[number]
    return LoadedStream([nodes_of(pipeline, own) for own in for_each], settings, tracking)


def _sessions(
    files: NetworkFiles, settings: StreamSettings, batch: int, folder: Path, loaders: Loaders
) -> Sequence[Session]:
    """Return sessions of a network, one for each thread that calls it."""
    network, place, manifest = files.network, folder / files.folder, manifest_of(files, folder)
    if loaders.parallel_loader is not None:
        return loaders.parallel_loader.load_parallel(
            network,
            place,
            manifest,
            count=settings.workers,
            threads=settings.threads,
            batch=batch,
            folds=settings.folds,
        )
    if batch > 1 or settings.folds:
        raise Unsupported("this toolchain has neither batches nor folding")
    return [loaders.loader.load(network, place, manifest, settings.threads) for _ in range(settings.workers)]


def manifest_of(files: NetworkFiles, folder: Path) -> Manifest:
    """Return the manifest of an artifact below a folder. Raises JobFailed where it has none."""
    manifest = read_manifest(folder / files.folder)
    if manifest is None:
        raise JobFailed(f"{files.folder} has no manifest", "", "an earlier job makes what this one is given")
    return manifest


def read_settings(folder: Path) -> StreamSettings:
    """Read what `configure` left in a folder. Raises ValueError."""
    return decode(StreamSettings, json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8")))
