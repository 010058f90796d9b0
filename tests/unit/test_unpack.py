"""What a container returns is unpacked only as plain files below its folder."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.engines.archives import CHUNK, pack, receive, unpack
from shared.contract.errors import JobFailed
from tests.fakes import attempt

LIMIT = 10_000


def archive(*members: tuple[str, Any], kind: bytes = tarfile.REGTYPE, **fields: Any) -> io.BytesIO:
    """A tar of members: name and content, None for a folder."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if content is None else kind
            info.size = len(content) if content and kind == tarfile.REGTYPE else 0
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content or b""))
    stream.seek(0)
    return stream


def written(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(stream: io.BytesIO, tmp_path: Path) -> str:
    folder = tmp_path / "below" / "job"
    folder.mkdir(parents=True)
    with pytest.raises(JobFailed) as caught:
        unpack(stream, folder, LIMIT)
    assert [p for p in tmp_path.rglob("*") if p.is_file() and folder not in p.parents] == []
    return str(caught.value)


def test_files_and_folders(tmp_path: Path) -> None:
    """Plain files and folders are written as they are."""
    unpack(archive(("outputs", None), ("outputs/a/b.bin", b"123"), ("result.json", b"{}")), tmp_path, LIMIT)
    assert written(tmp_path) == {"outputs/a/b.bin": b"123", "result.json": b"{}"}


@pytest.mark.parametrize("name", ["../x", "outputs/../../x", "/tmp/x", "/x", "outputs/..", ".."])
def test_paths_that_escape(tmp_path: Path, name: str) -> None:
    """A path that is absolute or leads upwards is refused, and nothing is written outside."""
    assert "no plain file below its folder" in refused(archive((name, b"x")), tmp_path)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "inside"),
        (tarfile.LNKTYPE, "../../x"),
        (tarfile.LNKTYPE, "outputs/a"),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_and_devices(tmp_path: Path, kind: bytes, target: str) -> None:
    """Links, devices and pipes are refused, wherever they lead."""
    assert "no plain file" in refused(archive(("outputs/a", b""), kind=kind, linkname=target), tmp_path)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A link followed by a file below it writes nothing outside."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        link = tarfile.TarInfo("outputs")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("outputs/x"))
    stream.seek(0)
    assert refused(stream, tmp_path)


def test_too_many_bytes(tmp_path: Path) -> None:
    """More bytes than allowed, in one file or in all, are refused."""
    assert "more than" in refused(archive(("a", b"x" * (LIMIT + 1))), tmp_path)
    with pytest.raises(JobFailed, match="more than"):
        unpack(archive(*((str(i), b"x" * 4000) for i in range(3))), tmp_path, LIMIT)


def test_size_that_is_only_claimed(tmp_path: Path) -> None:
    """A header that claims more than follows is refused."""
    stream = archive(("a", b"x" * 600))
    cut = io.BytesIO(stream.getvalue()[:700])
    assert "no readable archive" in refused(cut, tmp_path)


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\x1f\x8b" + b"x" * 600, b"PK\x03\x04" * 200])
def test_no_tar(tmp_path: Path, content: bytes) -> None:
    """What is no tar is refused; a compressed one is none."""
    assert "no readable archive" in refused(io.BytesIO(content), tmp_path)


@pytest.mark.parametrize(
    "members",
    [
        [("a", b"1"), ("a/b", b"2")],
        [("a/b", b"1"), ("a", b"2")],
        [("a", b"1"), ("a", None)],
        [(".", b"1")],
    ],
)
def test_path_as_file_and_folder(tmp_path: Path, members: list[tuple[str, Any]]) -> None:
    """The same path as a file and as a folder is refused."""
    assert "same path twice" in refused(archive(*members), tmp_path)


@pytest.mark.parametrize("name", ["a\0b", "x" * 300], ids=["NUL", "300 characters"])
def test_impossible_names(tmp_path: Path, name: str) -> None:
    """A name that no file can have fails the job, not the run."""
    assert refused(archive(("a", b"x"), pax_headers={"path": name}), tmp_path)


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=20))
def test_damaged_archive(tmp_path_factory: pytest.TempPathFactory, place: int, damage: bytes) -> None:
    """However an archive is damaged, it is unpacked below its folder or refused, with no other error."""
    top = tmp_path_factory.mktemp("damaged")
    folder = top / "job"
    folder.mkdir()
    members = (("outputs", None), ("outputs/" + "long" * 40, b"123"), ("result.json", b"{}" * 300))
    content = bytearray(archive(*members).getvalue())
    content[place : place + len(damage)] = damage
    _, problem = attempt(JobFailed, unpack, io.BytesIO(bytes(content)), folder, LIMIT)
    assert problem is None or "the container returned" in problem.what
    assert list(top.iterdir()) == [folder]


parts = st.text("abc.", min_size=1, max_size=4).filter(lambda p: p not in (".", ".."))


@given(
    st.dictionaries(
        parts, st.binary(max_size=50) | st.dictionaries(parts, st.binary(max_size=50), max_size=3), max_size=4
    )
)
def test_what_is_packed_is_unpacked(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any]) -> None:
    """A job folder that is packed and unpacked is the same; it belongs to no user of this machine."""
    source, copy = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("copy")
    for name, content in tree.items():
        if isinstance(content, bytes):
            (source / name).write_bytes(content)
            continue
        (source / name).mkdir()
        for inner, data in content.items():
            (source / name / inner).write_bytes(data)
    stream = io.BytesIO()
    pack(source, stream, 10001)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        assert {(m.uid, m.gid, m.uname) for m in tar} <= {(10001, 10001, "")}
    stream.seek(0)
    unpack(stream, copy, 1 << 20)
    assert written(copy) == written(source)
    assert {p.name for p in copy.iterdir()} == set(tree)


@given(st.integers(1, 3000))
def test_pieces(tmp_path_factory: pytest.TempPathFactory, size: int) -> None:
    """However an archive is cut into pieces on its way, its files are the same."""
    folder = tmp_path_factory.mktemp("received")
    content = archive(("outputs/a", b"123"), ("result.json", b"{}")).getvalue()
    receive((content[i : i + size] for i in range(0, len(content), size)), folder, LIMIT)
    assert written(folder) == {"outputs/a": b"123", "result.json": b"{}"}


def test_pieces_without_end(tmp_path: Path) -> None:
    """A stream that does not end is refused as soon as it is larger than allowed."""
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * CHUNK

    with pytest.raises(JobFailed, match="more than 4 MB"):
        receive(endless(), tmp_path, 4 << 20)
    assert taken == 6
