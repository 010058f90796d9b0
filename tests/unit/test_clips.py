"""A clip is found in its folder, and what is said of its frames is read as it was written, or refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.clips import MAX_TRUTH_MB, Clip, find_clip, read_truth, write_truth
from shared.contract.errors import InputProblem
from shared.contract.streaming import TrueFrame, TrueObject
from tests.fakes import attempt

sides = st.floats(0, 16000)
lengths = st.floats(0.01, 300)
texts = st.none() | st.text(max_size=9)


def box_at(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x, y, x + width, y + height


boxes = st.builds(box_at, sides, sides, lengths, lengths)
objects = st.builds(TrueObject, boxes, texts, texts, st.booleans())
frames = st.builds(TrueFrame, st.integers(0, 10**8), st.lists(objects, max_size=4).map(tuple))


@given(st.lists(frames, max_size=6, unique_by=lambda frame: frame.frame))
def test_what_is_written_is_read(tmp_path: Path, written: list[TrueFrame]) -> None:
    """Frames come back as they were, by their numbers, whatever their order."""
    write_truth(tmp_path / "x.truth.jsonl", written)
    assert read_truth(tmp_path / "x.truth.jsonl") == {frame.frame: frame for frame in written}


def test_a_mark_in_front_makes_no_difference(tmp_path: Path) -> None:
    """A file that an editor on Windows has put a byte-order mark before is read as without."""
    path = tmp_path / "x.truth.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"frame": 3, "objects": []}\n')
    assert list(read_truth(path)) == [3]


jsons = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["frame", "objects", "box", "text", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)
lines = jsons.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=60)


@given(st.lists(lines, max_size=4))
def test_anything_is_read_or_refused_with_its_line(tmp_path: Path, content: list[bytes]) -> None:
    """No content makes another error than one that a user can act on, which names file and line."""
    path = tmp_path / "x.truth.jsonl"
    path.write_bytes(b"\n".join(content))
    found, problem = attempt(InputProblem, read_truth, path)
    if problem is not None:
        assert problem.where.startswith(f"{path}:")
        assert len(str(problem).splitlines()) <= 2
    for number, frame in (found or {}).items():
        assert number == frame.frame
        assert all(0 <= side <= 16384 for one in frame.objects for side in one.box)


GOOD = '{"frame": 3, "objects": [{"box": [1, 2, 3, 4]}]}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("\x80", "not JSON"),
        ("[" * 3000, "not JSON"),
        ("[]", "expected dict"),
        ("{}", "the key 'frame' is missing"),
        ('{"frame": 0, "boxes": []}', "unknown key 'boxes'"),
        ('{"frame": true}', "expected int"),
        ('{"frame": -1}', "a number that is not from 0"),
        ('{"frame": 1e3}', "expected int"),
        ('{"frame": 0, "objects": [{"box": [1, 2, 3]}]}', "expected 4 items"),
        ('{"frame": 0, "objects": [{"box": [3, 2, 1, 4]}]}', "reversed or empty"),
        ('{"frame": 0, "objects": [{"box": [1, 2, 1, 4]}]}', "reversed or empty"),
        ('{"frame": 0, "objects": [{"box": [-1, 2, 3, 4]}]}', "outside of any image"),
        ('{"frame": 0, "objects": [{"box": [1, 2, 3, 1e999]}]}', "outside of any image"),
        ('{"frame": 0, "objects": [{"box": [1, 2, 3, 1' + "0" * 400 + "]}]}", "int too large"),
        ('{"frame": 0, "objects": [{"box": [1, 2, 3, NaN]}]}', "NaN is no number"),
        ('{"frame": 0, "objects": [{"box": [1, 2, 3, 4], "text": "' + "A" * 101 + '"}]}', "more than 100"),
        ('{"frame": 3}', "the frame 3 for the second time"),
        ('{"frame": 0, "objects": [' + ",".join(['{"box": [1, 2, 3, 4]}'] * 201) + "]}", "201 objects"),
        (" " * 70000, "a line of more than"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    """What is wrong with a line is said with the file and its number."""
    path = tmp_path / "x.truth.jsonl"
    path.write_bytes(f"{GOOD}\n\n".encode() + line.encode("latin-1") + b"\n")
    with pytest.raises(InputProblem) as caught:
        read_truth(path)
    assert message in caught.value.what
    assert caught.value.where.startswith(f"{path}:3")


def test_a_file_that_is_too_large_or_not_there(tmp_path: Path) -> None:
    """A file's size is looked at before it is read."""
    path = tmp_path / "x.truth.jsonl"
    with pytest.raises(InputProblem, match="cannot be read"):
        read_truth(path)
    path.touch()
    os.truncate(path, (MAX_TRUTH_MB + 1) * 1_000_000)
    with pytest.raises(InputProblem, match="a truth file of 257 MB"):
        read_truth(path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.mp4"], ""),
        (["a.MP4", "a.truth.jsonl", "notes.txt"], ""),
        ([], "no video"),
        (["a.truth.jsonl"], "no video"),
        (["a.mp4", "b.mkv"], "2 videos"),
        (["a.mp4", "b.truth.jsonl"], "belongs to no video"),
        (["a.mp4", "a.mp4.truth.jsonl"], "belongs to no video"),
    ],
)
def test_a_clip_is_one_video(tmp_path: Path, names: list[str], message: str) -> None:
    """A folder with one video is a clip; its truth file has the video's name."""
    for name in names:
        (tmp_path / name).write_bytes(b"")
    clip, problem = attempt(InputProblem, find_clip, tmp_path)
    assert message in (problem.what if problem else "")
    if clip is not None:
        truth = tmp_path / "a.truth.jsonl"
        assert clip == Clip(tmp_path / names[0], truth if truth.name in names else None)


def test_a_clip_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match="no such folder"):
        find_clip(tmp_path / "none")
