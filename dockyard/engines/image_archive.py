"""The archive that `docker save` writes of an image, read and thinned out as it streams by.

`docker load` reads a layer's file only where its engine has no layer with that content on the same layers
below: in moby's tarexport/load.go `Get(ChainID)` comes before the file is opened, to this day. So the files
of layers that are there may be missing. That is how engines load that keep images themselves; one that leaves
them to containerd is sent whole archives.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import IO, Any

from dockyard.engines.archives import CHUNK

MANIFEST = "manifest.json"
MAX_MANIFEST = 1 << 20


class UnknownArchive(Exception):
    """It is not one of one image, as `docker save` writes it."""


@dataclass(frozen=True)
class ImageArchive:
    """What is in an archive.

    Attributes:
        layers: the file of each layer, the lowest first. Two of the same content may be one, or links.
        sizes: bytes of each file.
    """

    layers: tuple[str, ...]
    sizes: Mapping[str, int]


def read_archive(archive: IO[bytes]) -> ImageArchive:
    """Read an archive of one image to its end.

    Raises:
        UnknownArchive: it is none.
    """
    layers: tuple[str, ...] | None = None
    sizes: dict[str, int] = {}
    try:
        with tarfile.open(fileobj=archive, mode="r|", bufsize=CHUNK) as tar:
            for member in tar:
                sizes[member.name] = member.size
                if member.name == MANIFEST and member.isfile() and member.size <= MAX_MANIFEST:
                    content = tar.extractfile(member)
                    assert content is not None
                    layers = _layers_in(content.read())
    except (tarfile.TarError, EOFError) as error:
        raise UnknownArchive(str(error)) from None
    if layers is None:
        raise UnknownArchive(f"it has no {MANIFEST}")
    return ImageArchive(layers, sizes)


def _layers_in(manifest: bytes) -> tuple[str, ...]:
    try:
        (image,) = json.loads(manifest)
        return tuple(str(name) for name in image["Layers"])
    except (ValueError, TypeError, KeyError) as error:
        raise UnknownArchive(f"{MANIFEST} is not of one image ({error})") from None


def copy_without(archive: IO[bytes], sink: Any, left_out: Collection[str]) -> None:
    """Copy an archive without some of its files.

    Args:
        sink: has `write`.

    Raises:
        tarfile.TarError: it is no archive, or it is cut off.
    """
    with (
        tarfile.open(fileobj=archive, mode="r|", bufsize=CHUNK) as old,
        tarfile.open(fileobj=sink, mode="w|", bufsize=CHUNK) as new,
    ):
        for member in old:
            if member.name not in left_out:
                new.addfile(member, old.extractfile(member) if member.isreg() else None)


def known_layers(layers: Sequence[str], there: Iterable[Sequence[str]]) -> int:
    """Return how many of an image's layers, from the lowest on, an engine has in one of its images.

    Args:
        layers: digests of their contents, the lowest first.
        there: those of the engine's images.
    """
    known = 0
    for others in there:
        same = takewhile(lambda pair: pair[0] == pair[1], zip(layers, others, strict=False))
        known = max(known, sum(1 for _ in same))
    return known


def files_not_needed(archive: ImageArchive, layers: Sequence[str], known: int) -> set[str]:
    """Return the files of the lowest layers, as far as no layer above has the same content: it may be a link.

    Args:
        layers: digests of the contents of the layers, the lowest first.

    Raises:
        UnknownArchive: it has not as many layers.
    """
    if len(archive.layers) != len(layers):
        raise UnknownArchive(f"it has {len(archive.layers)} layers, the image {len(layers)}")
    needed = set(layers[known:])
    return {file for file, layer in zip(archive.layers[:known], layers) if layer not in needed}
