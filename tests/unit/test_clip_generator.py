"""The clip that is generated: the same bytes each time, and true to what it says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from dockyard.recipe.workspace import PRODUCT

SCRIPT = PRODUCT / "models" / "license_plate_clip" / "generate.py"


def generated(folder: Path, *options: str) -> Path:
    """Generate a clip by the command line; return its folder."""
    command = [sys.executable, str(SCRIPT), "--output", str(folder), "--seed", "33", *options]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "clip"


def truth_of(clip: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (clip / "clip.truth.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, in which the first vehicle comes in."""
    return generated(tmp_path_factory.mktemp("two") / "seconds", "--seconds", "2", "--workers", "2")


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_workers(
    clip: Path, tmp_path: Path
) -> None:
    other = generated(tmp_path / "other", "--seconds", "2", "--workers", "1")
    for name in ("clip.mp4", "clip.truth.jsonl"):
        assert (other / name).read_bytes() == (clip / name).read_bytes()


def test_a_shorter_clip_has_the_first_lines_of_a_longer_one(clip: Path, tmp_path: Path) -> None:
    shorter = truth_of(generated(tmp_path / "shorter", "--seconds", "1"))
    assert len(shorter) == 25
    assert truth_of(clip)[:25] == shorter


def test_it_is_h264_of_the_size_and_rate_that_it_promises(clip: Path) -> None:
    with av.open(str(clip / "clip.mp4")) as container:
        stream = container.streams.video[0]
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert (stream.codec_context.name, stream.average_rate, len(pictures)) == ("h264", 25, 50)
    assert {picture.shape for picture in pictures} == {(720, 1280, 3)}


def test_the_camera_stands_still_and_a_plate_is_where_the_truth_says(clip: Path) -> None:
    lines = truth_of(clip)
    assert [line["frame"] for line in lines] == list(range(50))
    whole = next(line for line in lines if line["objects"] and line["objects"][0]["is_whole"])
    x0, y0, x1, y1 = (round(side) for side in whole["objects"][0]["box"])
    with av.open(str(clip / "clip.mp4")) as container:
        pictures = [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]
    before, then = pictures[0], pictures[whole["frame"]]
    assert np.abs(then - before)[y0:y1, x0:x1].mean() > 20
    assert np.abs(then - before)[:100].mean() < 5


def test_a_folder_that_is_there_is_left_alone(clip: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        generated(clip.parent, "--seconds", "1")
    assert (clip / "clip.mp4").is_file()
