"""The video of a recipe with `stream`: a user's own or the pipeline's, looked into before any job sees it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dockyard.recipe.hashing import file_hash, json_hash
from dockyard.recipe.workspace import Workspace
from dockyard.run.annotations import check_annotations
from shared.contract.clips import Clip, clip_of, is_video_name, read_truth, truth_path
from shared.contract.dataset import MAX_SIDE, Sample
from shared.contract.errors import InputProblem, nearest
from shared.contract.model import Network
from shared.contract.recipe import Recipe
from shared.contract.streaming import VIDEO_ENDINGS, TrueFrame

SPLIT = "clip"
"""Stands for a split's name in the digests of a record, and for the video's name in a job's folder."""

MAX_MB = 2000
"""Of a video: it is copied into every job that reads it."""

MIN_SIDE = 16

FORMATS = "mov,matroska,avi,mpegts,h264"
"""The containers of VIDEO_ENDINGS by FFmpeg's names: no playlist, which would have other files opened."""


@dataclass(frozen=True)
class PreparedClip:
    """A video that can be read.

    Attributes:
        video: the file.
        truth: the file that says what is true of its frames, or None.
        digest: SHA-256 over both.
    """

    video: Path
    truth: Path | None
    digest: str


def named_clip(workspace: Workspace, recipe: Recipe) -> Clip | None:
    """Return the video that a recipe names, which lies in the workspace (or in Dockyard's own); else None.

    Raises:
        InputProblem: it is not there, with the nearest name; it leaves the workspace, or is no video by name.
    """
    if recipe.stream is None or recipe.stream.clip is None:
        return None
    name, where = recipe.stream.clip, f"{recipe.file}: $.stream.clip"
    try:
        files = {place: (place / name).resolve() for place in workspace.places}
        inside = [file for place, file in files.items() if place in file.parents]
        if not inside:
            advice = f"put the video below {workspace.root}"
            raise InputProblem(f"the path '{name}' leaves the workspace", where, advice)
        found = next((file for file in inside if file.is_file()), None)
        if found is None:
            raise InputProblem(
                f"there is no file '{name}'", where, nearest(name, _videos_beside(inside[0], name))
            )
    except (OSError, ValueError) as error:
        raise InputProblem(f"no path ({error})", where) from None
    if not is_video_name(found):
        advice = f"one ends with {', '.join(VIDEO_ENDINGS)}"
        raise InputProblem(f"'{name}' is no video by its name", where, advice)
    return clip_of(found)


def _videos_beside(missing: Path, name: str) -> Iterator[str]:
    """Yield the videos in the folder of a file that is not there, by the names that a recipe would use."""
    for path in missing.parent.glob("*"):
        if is_video_name(path):
            yield str(Path(name).parent / path.name)


def checked(clip: Clip, workspace: Workspace, network: Network) -> tuple[PreparedClip, list[str]]:
    """Look into a clip; return it with its digest, and warnings of what no answer of a network can match.

    Args:
        network: whose answers the video's texts are held against.

    Raises:
        InputProblem: no video that can be decoded, one that is too large, a truth file that cannot be read
            or of which no text can be matched.
    """
    _check_video(clip.video, workspace.display_path(clip.video))
    warnings: list[str] = []
    if clip.truth is not None:
        samples = [*_samples(clip.video, read_truth(clip.truth).values())]
        warnings = check_annotations(network, samples, workspace.display_path(clip.truth))
    parts = [clip.video.suffix.lower(), file_hash(clip.video), clip.truth and file_hash(clip.truth)]
    return PreparedClip(clip.video, clip.truth, json_hash(parts)), warnings


def place(clip: PreparedClip, folder: Path) -> None:
    """Copy a clip into a folder of a job, which is made; its name there is always the same."""
    folder.mkdir(parents=True)
    video = folder / f"{SPLIT}{clip.video.suffix.lower()}"
    shutil.copyfile(clip.video, video)
    if clip.truth is not None:
        shutil.copyfile(clip.truth, truth_path(video))


def _samples(video: Path, frames: Iterable[TrueFrame]) -> Iterator[Sample]:
    """Yield what is true of each object that counts, as a sample of a data set would have it."""
    for frame in frames:
        for thing in frame.objects:
            if thing.is_whole and thing.text is not None:
                yield Sample(
                    f"frame {frame.frame}",
                    video,
                    reading=thing.text,
                    country=thing.country,
                    label=thing.text,
                )


def _check_video(path: Path, where: str) -> None:
    """Refuse a file whose first frame cannot be decoded. Raises InputProblem."""
    import av

    size_mb = path.stat().st_size / 1e6
    if size_mb > MAX_MB:
        raise InputProblem(f"a video of {size_mb:.0f} MB", where, f"cut it: it may have {MAX_MB} MB")
    advice = "give an H.264 video that a player can show"
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        with av.open(str(path), options=options) as container:
            if not container.streams.video:
                raise InputProblem("a file without a video stream", where, advice)
            context = container.streams.video[0].codec_context
            sides = (context.width, context.height)
            if not all(MIN_SIDE <= side <= MAX_SIDE for side in sides):
                what = f"a video of {context.width} x {context.height} pixels"
                raise InputProblem(what, where, f"its sides may be {MIN_SIDE} to {MAX_SIDE} pixels")
            if next(container.decode(video=0), None) is None:
                raise InputProblem("a video without a frame that can be decoded", where, advice)
    except (av.FFmpegError, ValueError) as error:
        kind = type(error).__name__
        raise InputProblem(f"no video that can be read ({kind})", where, advice) from None
