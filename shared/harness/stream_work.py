"""A job of a stream at work, and how its pipeline is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import cv2

from shared.contract.clips import find_clip
from shared.contract.stages import (
    NetworkFiles,
    PipelineFiles,
    StreamFiles,
)
from shared.contract.streaming import (
    StreamSettings,
    Tracking,
)
from shared.harness.clip_runner import ClipRunner, OpenVideo, OwnRunner, StreamRunner
from shared.harness.toolchain import Capabilities
from shared.inference.loaded_stream import LoadedStream, load_one_by_one, load_side_by_side, read_settings
from shared.inference.session import Session
from shared.inference.video import open_recording


@dataclass(frozen=True)
class StreamWork:
    """A job of a stream at work.

    Attributes:
        folder: the job's.
        output: for what it leaves.
        threads: the CPUs that it may use.
        load: loads a network with all threads, an artifact or a graph as it came.
    """

    capabilities: Capabilities
    folder: Path
    output: Path
    threads: int
    load: Callable[[NetworkFiles], Session]

    def runner(self, stream: StreamFiles, settings: Optional[str]) -> ClipRunner:
        """Load a pipeline for its video.

        Args:
            settings: folder below the job's with what `configure` left; None reads one frame after the other.
        """
        streamer, video = self.capabilities.streamer, find_clip(self.folder / stream.clip).video
        if streamer is not None and settings is not None:
            place = self.folder / settings
            return OwnRunner(streamer.open(stream.pipeline, self.folder, place, stream.tracking), video)
        loaded = self.stream(stream.pipeline, stream.tracking, self.settings(settings))
        return StreamRunner(loaded, self.video(stream.clip))

    def stream(
        self, pipeline: PipelineFiles, tracking: Tracking, settings: Optional[StreamSettings]
    ) -> LoadedStream:
        """Load a pipeline; without settings to read one frame after the other."""
        if settings is None:
            cv2.setNumThreads(self.threads)
            return load_one_by_one(pipeline, tracking, self.load)
        cv2.setNumThreads(1)  # several frames are at work at once, each in a thread of its own
        return load_side_by_side(pipeline, tracking, settings, self.folder, self.capabilities.loaders)

    def settings(self, place: Optional[str]) -> Optional[StreamSettings]:
        """Return what `configure` left in a folder below the job's."""
        return None if place is None else read_settings(self.folder / place)

    def video(self, clip: str) -> OpenVideo:
        """Return what opens the video of a folder below the job's."""
        path = find_clip(self.folder / clip).video
        return lambda decoders: open_recording(path, decoders)
