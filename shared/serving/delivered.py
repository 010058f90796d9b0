"""A delivery's folder, and its networks loaded by its target's own modules.

<code>/shared/                 contract/, inference/ and serving/, as they were measured
<code>/targets/<target>/       the target's modules and those that it shares, all beside each other
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

import cv2

from shared.contract.cgroup import cpu_quota
from shared.contract.codec import decode
from shared.contract.delivery import DELIVERY_FILE, DELIVERY_VERSION, Delivery
from shared.contract.errors import EnvironmentProblem, InputProblem
from shared.contract.stages import NetworkFiles
from shared.contract.streaming import StreamSettings
from shared.inference.loaded_stream import (
    LoadedStream,
    load_one_by_one,
    load_side_by_side,
    manifest_of,
    read_settings,
)
from shared.inference.loading import Loaders, PipelineReader
from shared.inference.session import Session, Unsupported
from shared.inference.stream import Nodes

TARGETS = Path(__file__).resolve().parents[2] / "targets"
"""Where a container has its target's modules."""


@dataclass(frozen=True)
class Delivered:
    """A delivery, where it lies, and what loads it."""

    delivery: Delivery
    folder: Path
    loaders: Loaders

    @property
    def threads(self) -> int:
        """Inference threads of a call: as many as were measured with, but no more than there are CPUs."""
        return max(1, min(self.delivery.threads, own_cpus()))

    def load(self, workers: int = 1) -> Sequence[Nodes]:
        """Load the networks for so many threads; return the nodes of each.

        Raises:
            EnvironmentProblem: this machine cannot run them.
        """
        cv2.setNumThreads(1 if workers > 1 else self.threads)
        if workers == 1:
            return self._loaded(None).workers
        return self._loaded(StreamSettings(workers=workers, threads=self.threads)).workers

    def load_stream(self) -> LoadedStream:
        """Load the pipeline with the settings that a stream was measured with.

        Raises:
            InputProblem: no stream was measured.
            EnvironmentProblem: this machine cannot run it.
        """
        if self.delivery.settings is None:
            advice = "read images with `read`, or deliver a recipe that has `stream`"
            raise InputProblem("no stream was measured of this delivery", self.delivery.recipe, advice)
        cv2.setNumThreads(1)  # several frames are at work at once, each in a thread of its own
        return self._loaded(read_settings(self.folder / self.delivery.settings))

    def _loaded(self, settings: Optional[StreamSettings]) -> LoadedStream:
        pipeline, tracking = self.delivery.pipeline, self.delivery.tracking
        try:
            if settings is None:
                return load_one_by_one(pipeline, tracking, self._load)
            return load_side_by_side(pipeline, tracking, settings, self.folder, self.loaders)
        except Unsupported as error:
            raise self.does_not_fit(str(error)) from None

    def does_not_fit(self, reason: str) -> EnvironmentProblem:
        """Return the error that this machine cannot run the delivery."""
        speed = self.delivery.speed
        advice = f"it was measured on {speed.cpu}" if speed is not None and speed.cpu else ""
        return EnvironmentProblem(reason, self.delivery.recipe, advice)

    def open_reader(self) -> PipelineReader:
        """Load the pipeline as the toolchain runs it by itself, ready to read videos.

        Raises:
            EnvironmentProblem: this machine cannot run it.
        """
        streamer, delivery = self.loaders.streamer, self.delivery
        assert streamer is not None, "asked only where there is one"
        with ExitStack() as stack:
            if delivery.settings is not None:
                settings = self.folder / delivery.settings
            else:
                settings = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                streamer.configure(delivery.pipeline, self.folder, settings, delivery.tracking)
            try:
                return streamer.open(delivery.pipeline, self.folder, settings, delivery.tracking)
            except Unsupported as error:
                raise self.does_not_fit(str(error)) from None

    def _load(self, files: NetworkFiles) -> Session:
        manifest = manifest_of(files, self.folder)
        return self.loaders.loader.load(files.network, self.folder / files.folder, manifest, self.threads)


def open_delivery(folder: Path, targets: Path) -> Delivered:
    """Read a delivery's folder, and import what loads its artifacts.

    Raises:
        InputProblem: there is none, or it is another version's.
        EnvironmentProblem: the target's modules, or the packages that they need, are missing.
    """
    delivery = read_delivery(folder)
    return Delivered(delivery, folder, _loaders_of(delivery.target, targets))


def read_delivery(folder: Path) -> Delivery:
    """Read what `delivery.json` says. Raises InputProblem."""
    path = folder / DELIVERY_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document.get("version") if isinstance(document, dict) else None
        if version != DELIVERY_VERSION:
            raise ValueError(f"a delivery of version {version}, this reads {DELIVERY_VERSION}")
        return decode(Delivery, document, DELIVERY_FILE)
    except (OSError, ValueError) as error:
        raise InputProblem(str(error), str(path), "give the folder of a delivery") from None


def _loaders_of(target: str, targets: Path) -> Loaders:
    """Import the target's `serving.py`, beside whose modules its own imports look."""
    folder = str(targets / target)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        loaders = importlib.import_module("serving").LOADERS
    except ImportError as error:
        raise EnvironmentProblem(f"the target {target} cannot be loaded ({error})", folder) from None
    assert isinstance(loaders, Loaders), f"serving.LOADERS of {target} is another thing"
    return loaders


def own_cpus() -> int:
    """Return the CPUs that this process may use, a limit of the container's counted."""
    allowed, quota = len(os.sched_getaffinity(0)), cpu_quota()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))
