"""Inputs kept on an engine elsewhere: sent once, whole or not at all, within a budget, changed by nobody."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import docker.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.engines import folder_digest
from dockyard.engines.archives import pack
from dockyard.engines.engine_line import EngineLine
from dockyard.engines.input_volumes import (
    BYTES_LABEL,
    DIGEST_LABEL,
    MOST_BYTES,
    PREFIX,
    USED_LABEL,
    WHOLE_LABEL,
    Kept,
    budget,
    read_volumes,
    too_many,
)
from dockyard.engines.kept_inputs import LEAST_BYTES, KeptInputs, large_inputs
from dockyard.recipe.hashing import content_bytes

IMAGE = "dockyard/plain:1"
LARGE = b"x" * LEAST_BYTES


class FakeEngine:
    """An engine whose volumes are folders, and whose containers are run as processes of this Python.

    It is also the line to itself, its client and that one's `api` and `containers`, as far as they are used.

    Attributes:
        free: bytes of its disk.
        received: bytes of archives that came.
        broken: what ends the next archive's way, if anything; half of it has come by then.
        spoiled: whether what comes is changed on its way to the disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.free = 100 * MOST_BYTES
        self.received, self.outages = 0, 0
        self.broken: BaseException | None = None
        self.spoiled = False
        self.labels: dict[str, Mapping[str, str]] = {}
        self.held: dict[str, str] = {}
        self._commands: dict[str, list[str]] = {}
        self._printed: dict[str, bytes] = {}
        self.client = self.api = self.containers = self

    def again(self, call: Any, on_line: Any, given_up: Any = None) -> Any:
        return call()

    def volumes(self, filters: Mapping[str, str]) -> Mapping[str, Any]:
        found = [{"Name": name, "Labels": labels} for name, labels in self.labels.items()]
        return {"Volumes": [one for one in found if filters["name"] in one["Name"]] or None}

    def create_volume(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        if name not in self.labels:
            self.labels[name] = labels or {}
            (self.folder / name).mkdir(parents=True)

    def remove_volume(self, name: str) -> None:
        if name in self.held.values():
            raise docker.errors.APIError(f"volume {name} is in use")
        if name not in self.labels:
            raise docker.errors.NotFound(name)
        del self.labels[name]
        shutil.rmtree(self.folder / name)

    def create(
        self, image: str, command: Sequence[str], name: str, mounts: Sequence[Any], **settings: Any
    ) -> None:
        (mount,) = mounts
        self.create_volume(mount["Source"], mount["VolumeOptions"]["Labels"])
        self.held[name] = mount["Source"]
        self._commands[name] = [sys.executable, *command[1:-1], str(self.folder / mount["Source"])]

    def put_archive(self, name: str, path: str, archive: IO[bytes]) -> None:
        content = archive.read()
        if self.broken is not None:
            raise self.broken
        self.received += len(content)
        folder = self.folder / self.held[name]
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            tar.extractall(folder, filter="data")
        if self.spoiled:
            next(file for file in folder.rglob("*") if file.is_file()).write_bytes(b"")

    def start(self, name: str) -> None:
        self._printed[name] = subprocess.run(self._commands[name], capture_output=True, check=True).stdout

    def logs(self, name: str, **how: Any) -> Iterator[bytes]:
        yield b"2026-01-31T12:00:00.123456789Z " + self._printed[name]

    def inspect_container(self, name: str) -> Mapping[str, Any]:
        return {"State": {"Running": False, "ExitCode": 0}}

    def remove_container(self, name: str, v: bool, force: bool) -> None:
        if self.held.pop(name, None) is None:
            raise docker.errors.NotFound(name)

    def contents(self) -> list[str]:
        """Return the names of the volumes with inputs; the rest are marks."""
        return [name for name, labels in self.labels.items() if DIGEST_LABEL in labels]


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    return FakeEngine(tmp_path / "engine")


def inputs_on(engine: FakeEngine) -> KeptInputs:
    """Return the inputs that an engine keeps, as a host sees them that has just begun."""
    return KeptInputs(cast(EngineLine, engine), lambda: engine.free)


def place(kept: KeptInputs, folder: Path, lines: list[str] | None = None) -> dict[str, str]:
    said = [] if lines is None else lines
    return dict(kept.place(folder, IMAGE, said.append, threading.Event()))


def job_of(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Make a job's folder with inputs by path."""
    for path, content in files.items():
        file = folder / "inputs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def test_an_input_is_sent_once(engine: FakeEngine, tmp_path: Path) -> None:
    """What one job was given, the next one finds: by content, whatever it is called and whoever asks."""
    test = {"data/test/labels.csv": b"file,label", "data/test/images/1.png": LARGE}
    first = job_of(tmp_path / "a", {**test, "net/model.bin": LARGE + b"1"})
    placed = place(inputs_on(engine), first)
    assert sorted(placed) == ["inputs/data/test", "inputs/net"]
    for path, volume in placed.items():
        on_engine = folder_digest.folder_digest(str(engine.folder / volume))
        assert on_engine == folder_digest.folder_digest(str(first / path))
    sent = engine.received
    second = job_of(tmp_path / "b", {**test, "other/model.bin": LARGE + b"1"})
    again = place(inputs_on(engine), second)
    assert again == {
        "inputs/data/test": placed["inputs/data/test"],
        "inputs/other": placed["inputs/net"],
    }
    assert engine.received == sent
    assert engine.held == {}


def test_other_content_is_another_input(engine: FakeEngine, tmp_path: Path) -> None:
    """One byte more, and the input is sent."""
    placed = [
        place(inputs_on(engine), job_of(tmp_path / str(number), {"net/m": LARGE + b"x" * number}))
        for number in range(2)
    ]
    assert placed[0]["inputs/net"] != placed[1]["inputs/net"]


def test_what_is_spoiled_is_not_kept(engine: FakeEngine, tmp_path: Path) -> None:
    """What has come otherwise than it was sent travels with the job, which is told, and is not left there."""
    engine.spoiled = True
    lines: list[str] = []
    assert place(inputs_on(engine), job_of(tmp_path / "a", {"net/m": LARGE}), lines) == {}
    assert "net cannot be kept on the engine" in lines[-1]
    assert engine.labels == {}
    assert engine.held == {}


@pytest.mark.parametrize("broken", [docker.errors.APIError("no space left on device"), KeyboardInterrupt()])
def test_what_is_half_sent_is_removed(engine: FakeEngine, tmp_path: Path, broken: BaseException) -> None:
    """A full disk or an interruption while an input is sent leaves nothing of it on the engine."""
    engine.broken = broken
    given_up = threading.Event()
    with pytest.raises(type(broken)):
        inputs_on(engine).place(job_of(tmp_path / "a", {"net/m": LARGE}), IMAGE, print, given_up)
    assert given_up.is_set()
    assert (engine.labels, engine.held) == ({}, {})


def test_what_a_killed_host_half_sent_is_no_input(engine: FakeEngine, tmp_path: Path) -> None:
    """A volume without a mark is never given to a job, and goes as soon as no container holds it."""
    job = job_of(tmp_path / "a", {"net/m": LARGE})
    digest = folder_digest.folder_digest(str(job / "inputs" / "net"))
    half = f"{PREFIX}half"
    engine.create_volume(half, {DIGEST_LABEL: digest})
    engine.held["its filler"] = half
    kept = inputs_on(engine)
    assert place(kept, job)["inputs/net"] != half
    assert half in engine.labels
    del engine.held["its filler"]
    kept.tidy(print)
    assert half not in engine.labels
    assert len(engine.contents()) == 1


def test_an_input_that_somebody_removed(engine: FakeEngine, tmp_path: Path) -> None:
    """A volume that was removed, and that the engine makes anew for a container, is not the input."""
    job, kept = job_of(tmp_path / "a", {"net/m": LARGE}), inputs_on(engine)
    placed = place(kept, job)
    assert kept.are_there(placed, print, threading.Event())
    engine.remove_volume(placed["inputs/net"])
    engine.create_volume(placed["inputs/net"])
    assert not kept.are_there(placed, print, threading.Event())
    assert place(kept, job)["inputs/net"] != placed["inputs/net"]


def test_the_least_recently_used_goes_first(engine: FakeEngine, tmp_path: Path) -> None:
    """Beyond the budget goes what was used longest ago, but not what a container holds."""
    size = content_bytes(job_of(tmp_path / "0", {"net/m": LARGE}) / "inputs" / "net")
    engine.free = 9 * size  # a third of it, with what is taken, is room for three and then for more
    volumes = []
    for number in range(3):
        job = job_of(tmp_path / f"{number}", {"net/m": b"%d" % number + LARGE[1:]})
        volumes.append(place(inputs_on(engine), job)["inputs/net"])
    for number, volume in enumerate(volumes):
        engine.labels = {
            name: {**labels, USED_LABEL: f"2026-01-0{number + 1}"}
            if labels.get(WHOLE_LABEL) == volume
            else labels
            for name, labels in engine.labels.items()
        }
    engine.held["a job"] = volumes[0]
    engine.free = 6 * size
    newest = place(inputs_on(engine), job_of(tmp_path / "new", {"net/m": b"n" + LARGE[1:]}))["inputs/net"]
    assert sorted(engine.contents()) == sorted([volumes[0], volumes[2], newest])
    assert len(engine.labels) == 6


def test_a_use_is_noted(engine: FakeEngine, tmp_path: Path) -> None:
    """An input that another build asks for counts as used then, and has one mark."""
    job = job_of(tmp_path / "a", {"net/m": LARGE})
    placed = place(inputs_on(engine), job)
    (mark,) = set(engine.labels) - set(engine.contents())
    engine.labels[mark] = {**engine.labels[mark], USED_LABEL: "2026-01-01"}
    assert place(inputs_on(engine), job) == placed
    (kept,) = read_volumes([{"Name": name, "Labels": labels} for name, labels in engine.labels.items()]).whole
    assert kept.used > "2026-01-01"
    assert len(kept.marks) == 1


def test_an_input_beyond_the_budget_travels(engine: FakeEngine, tmp_path: Path) -> None:
    """What does not fit in the budget at all is sent with its job, and nothing is removed for it."""
    first = place(inputs_on(engine), job_of(tmp_path / "a", {"net/m": LARGE}))
    engine.free = 4 * len(LARGE)
    assert place(inputs_on(engine), job_of(tmp_path / "b", {"net/m": 2 * LARGE})) == {}
    assert engine.contents() == list(first.values())


def test_the_inputs_of_a_job(tmp_path: Path) -> None:
    """Inputs are the topmost folders with files; small ones, and single files, travel with the job."""
    files = {
        "net/saved/variables/v": LARGE,
        "net/saved/graph.pb": b"",
        "data/test/images/1.png": LARGE,
        "data/test/masks/1.png": LARGE,
        "data/validation/labels.csv": b"small",
        "reference.npz": LARGE,
        "inputs/m": LARGE,
    }
    wanted = ["data/test/images", "data/test/masks", "inputs", "net/saved"]
    assert large_inputs(job_of(tmp_path, files)) == [f"inputs/{path}" for path in wanted]
    assert large_inputs(tmp_path / "nowhere") == []


def test_what_is_kept_does_not_travel(tmp_path: Path) -> None:
    """A folder that is left out of an archive is not in it, nor what is below; all else is."""
    job_of(tmp_path, {"data/test/1.png": b"", "data/test2/1.png": b"", "net/m": b""})
    archive = io.BytesIO()
    pack(tmp_path, archive, 1, {"inputs/data/test"})
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        names = tar.getnames()
    assert names == [
        *("inputs", "inputs/data", "inputs/data/test2", "inputs/data/test2/1.png"),
        *("inputs/net", "inputs/net/m"),
    ]


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3)


@given(st.lists(st.tuples(PATHS, st.binary(max_size=3)), max_size=4), st.randoms())
def test_a_digest_is_of_the_content(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[list[str], bytes]], random: Any
) -> None:
    """Two folders have one digest when paths and contents are the same, in whatever order they were made."""
    made = {}
    folders = [tmp_path_factory.mktemp("digest") for _ in range(3)]
    for parts, content in files:
        path = "/".join(parts)
        if not any(other.startswith(f"{path}/") or path.startswith(f"{other}/") for other in made):
            made[path] = content
    for folder in folders:
        order = list(made.items())
        random.shuffle(order)
        for path, content in order:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    (folders[2] / "one more folder, of a longer name").mkdir()
    digests = [folder_digest.folder_digest(str(folder)) for folder in folders]
    assert digests[0] == digests[1] != digests[2]


LABELS = st.dictionaries(
    st.sampled_from([DIGEST_LABEL, WHOLE_LABEL, BYTES_LABEL, USED_LABEL, "other"]),
    st.sampled_from([f"{PREFIX}a", f"{PREFIX}b", "12", "-1", "²", ""]),
)
LISTED = st.dictionaries(
    st.sampled_from([f"{PREFIX}a", f"{PREFIX}b", f"{PREFIX}a.1", "other"]), st.none() | LABELS
)


@given(LISTED)
def test_whatever_an_engine_lists(listed: Mapping[str, Mapping[str, str] | None]) -> None:
    """Every volume of ours is whole, a mark of one that is, or a stray; others are not looked at."""
    found = read_volumes([{"Name": name, "Labels": labels} for name, labels in listed.items()])
    marks = [mark for kept in found.whole for mark in kept.marks]
    used = [*(kept.volume for kept in found.whole), *marks]
    assert {*used, *found.strays} == {name for name in listed if name.startswith(PREFIX)}
    assert not set(found.strays) & set(used)
    assert all(kept.marks and kept.bytes >= 0 for kept in found.whole)


def of(digest: str, size: int, used: str) -> Kept:
    return Kept(f"{PREFIX}{digest}", digest, size, used, (f"{PREFIX}{digest}.1",))


def test_what_has_to_go() -> None:
    """So much goes as makes room, used longest ago first; what is spared stays, though it be too much."""
    whole = [of("a", 5, "3"), of("b", 5, "1"), of("c", 5, "2")]

    def going(more: int, most: int, spared: Sequence[str] = ()) -> list[str]:
        return [kept.digest for kept in too_many(whole, more, most, spared)]

    assert going(0, 15) == []
    assert going(1, 15) == ["b"]
    assert going(6, 15) == ["b", "c"]
    assert going(6, 15, ["b"]) == ["c", "a"]
    assert going(15, 15, ["a", "b", "c"]) == []


def test_the_budget() -> None:
    """All inputs take 8 GB, or a third of what the disk has for them where that is less."""
    assert budget(0, None) == 8_000_000_000
    assert budget(0, 100_000_000_000) == 8_000_000_000
    assert budget(1_000, 5_000) == 2_000
    assert budget(9_000, 0) == 3_000
