"""Of an image only what the other engine lacks is sent, and it is all that a load there reads."""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import tarfile
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.engines.image_archive import (
    UnknownArchive,
    copy_without,
    files_not_needed,
    known_layers,
    read_archive,
)

LAYERS = st.lists(st.sampled_from([b"base", b"python", b"empty", b"tools"]), min_size=1, max_size=6)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def saved(layers: Sequence[bytes], is_oci: bool) -> bytes:
    """An archive of an image as `docker save` writes it: before release 25, or, `is_oci`, from there on."""
    written = io.BytesIO()
    names: dict[bytes, str] = {}
    listed = []
    with tarfile.open(fileobj=written, mode="w") as tar:
        for number, content in enumerate(layers):
            name = f"blobs/sha256/{digest(content)[7:]}" if is_oci else f"{number:064}/layer.tar"
            listed.append(name)
            if content not in names:
                add(tar, name, content)
            elif not is_oci:
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, f"../{names[content]}"
                tar.addfile(link)
            names.setdefault(content, name)
        config = {"rootfs": {"type": "layers", "diff_ids": [digest(content) for content in layers]}}
        add(tar, "config.json", json.dumps(config).encode())
        add(tar, "manifest.json", json.dumps([{"Config": "config.json", "Layers": listed}]).encode())
    return written.getvalue()


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def loaded(archive: bytes, there: Sequence[tuple[str, ...]]) -> list[str]:
    """Load an archive as an engine does that has these chains of layers; return the layers of the image.

    Raises:
        FileNotFoundError: it looks for a file that is not there.
    """
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {member.name: member for member in tar}

        def read(name: str) -> bytes:
            member = members.get(name)
            if member is None:
                raise FileNotFoundError(name)
            if member.issym():
                return read(posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname)))
            file = tar.extractfile(member)
            assert file is not None
            return file.read()

        (image,) = json.loads(read("manifest.json"))
        wanted = json.loads(read(image["Config"]))["rootfs"]["diff_ids"]
        chain: tuple[str, ...] = ()
        for name, layer in zip(image["Layers"], wanted, strict=True):
            chain = (*chain, layer)
            if chain not in there:
                assert digest(read(name)) == layer
        return list(chain)


@given(LAYERS, st.lists(LAYERS, max_size=3), st.booleans())
def test_a_thinner_archive_is_loaded(layers: list[bytes], others: list[list[bytes]], is_oci: bool) -> None:
    """Without the layers that an engine has, be they links to one another, it loads the whole image."""
    there = [tuple(map(digest, other)) for other in others]
    chains = [other[: number + 1] for other in there for number in range(len(other))]
    wanted = [digest(content) for content in layers]
    archive = saved(layers, is_oci)
    known = known_layers(wanted, there)
    left_out = files_not_needed(read_archive(io.BytesIO(archive)), wanted, known)
    thinner = io.BytesIO()
    copy_without(io.BytesIO(archive), thinner, left_out)
    assert loaded(thinner.getvalue(), chains) == wanted
    if left_out:
        with pytest.raises(FileNotFoundError):
            loaded(thinner.getvalue(), [])


def test_layers_that_are_there() -> None:
    """Only layers on the same layers below are there: the longest common beginning with any image."""
    assert known_layers(["a", "b", "c"], []) == 0
    assert known_layers(["a", "b", "c"], [["b", "c"], ["a", "x", "c"]]) == 1
    assert known_layers(["a", "b", "c"], [["a"], ["a", "b", "c", "d"]]) == 3


def test_what_is_left_out() -> None:
    """The files of the layers that are there are left out, but not one whose content comes again above."""
    layers = [digest(content) for content in (b"1", b"2", b"3")]
    archive = read_archive(io.BytesIO(saved([b"1", b"2", b"3"], False)))
    assert files_not_needed(archive, layers, 2) == set(archive.layers[:2])
    assert archive.sizes[archive.layers[0]] == 1
    again = read_archive(io.BytesIO(saved([b"1", b"2", b"1"], True)))
    assert files_not_needed(again, [layers[0], layers[1], layers[0]], 2) == {again.layers[1]}


def test_an_archive_of_other_layers() -> None:
    """An archive that has not the image's layers is refused."""
    archive = read_archive(io.BytesIO(saved([b"1", b"2"], False)))
    with pytest.raises(UnknownArchive, match="2 layers, the image 3"):
        files_not_needed(archive, ["a", "b", "c"], 1)


def with_manifest(content: bytes) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        add(tar, "manifest.json", content)
    return written.getvalue()


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"no archive" * 100,
        saved([b"1"], False)[:700],
        with_manifest(b"not JSON"),
        with_manifest(b"[]"),
        with_manifest(b"[{}]"),
        with_manifest(b'[{"Layers": []}, {"Layers": []}]'),
    ],
    ids=["empty", "no tar", "cut off", "no JSON", "no image", "no layers", "two images"],
)
def test_an_archive_that_is_none(archive: bytes) -> None:
    """What is no archive of one image is refused; it is then sent as it is."""
    with pytest.raises(UnknownArchive):
        read_archive(io.BytesIO(archive))
