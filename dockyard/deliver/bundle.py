"""A delivery as a folder: what ops carry to a site without internet, verify, and install."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from dockyard.recipe.hashing import file_hash
from shared.contract.errors import EnvironmentProblem, InputProblem

SITE = Path(__file__).with_name("site")
"""What goes along as it is, or with this delivery's values put in."""

SCRIPTS = ("copy.sh", "install.sh", "verify.sh")
RUN = "run"
"""The script that needs no engine."""

FILLED = ("README.md", "compose.yaml", "kubernetes.yaml", "service.unit")
SUMS, RECEIPT, ARCHIVE, CONF = "SHA256SUMS", "receipt.json", "image.tar.zst", "site.conf"
LAYERS = "layers.json"

PART_BYTES = 16 << 20
"""Of the archive: what a copy that was cut off, or a bad spot of a disk, costs at most."""

EVIDENCE = "evidence"
"""The folder of what the figures come from and of what is inside."""


@dataclass(frozen=True)
class Image:
    """An image that is delivered.

    Attributes:
        id: `sha256:...`, which is what is started: nobody can put another one in its place.
        architecture: as Docker says it, `amd64`.
        size: in bytes, on an engine.
        layers: SHA-256 of the content of each, the lowest first.
        is_one_tree: no layer takes anything away: they can be unpacked, and run without an engine.
    """

    tag: str
    id: str
    architecture: str
    size: int
    layers: tuple[str, ...] = ()
    is_one_tree: bool = False


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Yield a folder that gets its name when it is whole; whatever is raised, nothing of it is left.

    Raises:
        InputProblem: there is something of that name already.
    """
    if output.exists():
        raise InputProblem(
            "there is such a delivery already", str(output), "remove it, or name another folder"
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    except OSError as error:
        raise InputProblem(f"it cannot be written ({error.strerror})", str(output)) from None
    try:
        yield making
        making.chmod(0o755)
        making.rename(output)
    except OSError as error:
        raise EnvironmentProblem(
            f"it cannot be written ({error.strerror})", str(output), "make room"
        ) from None
    finally:
        shutil.rmtree(making, ignore_errors=True)


def write_site(
    folder: Path, values: Mapping[str, str], image: Image, base_id: str, settings: Mapping[str, str]
) -> None:
    """Write what installs a delivery, with its values.

    Args:
        base_id: the image that has to be there before; empty where the archive is whole.
        settings: of the installer, beside those that every delivery has.
    """
    for name in (*SCRIPTS, *([RUN] if image.is_one_tree else [])):
        shutil.copyfile(SITE / name, folder / name)
        (folder / name).chmod(0o755)
    for name in FILLED:
        text = Template((SITE / name).read_text(encoding="utf-8")).substitute(values)
        (folder / name).write_text(text, encoding="utf-8")
    told = {"NAME": values["NAME"], "IMAGE": image.tag, "IMAGE_ID": image.id, "BASE_ID": base_id, **settings}
    lines = [f"{key}={value}" for key, value in {**told, "ARCHITECTURE": image.architecture}.items()]
    document = {"image": image.id, "layers": image.layers}
    (folder / LAYERS).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (folder / CONF).write_text("\n".join(lines) + "\n", encoding="utf-8")


def split_archive(folder: Path) -> int:
    """Put numbered parts in the archive's place: image.tar.zst.000, ...; return its size in bytes."""
    archive = folder / ARCHIVE
    size = archive.stat().st_size
    with archive.open("rb") as file:
        for number in range(max(1, math.ceil(size / PART_BYTES))):
            (folder / f"{ARCHIVE}.{number:03}").write_bytes(file.read(PART_BYTES))
    archive.unlink()
    return size


def archive_size(folder: Path) -> int:
    """Return the size of a delivery's archive, in bytes."""
    return sum(part.stat().st_size for part in folder.glob(f"{ARCHIVE}.*"))


def read_layers(folder: Path) -> list[str]:
    """Return the layers of the image that a delivery is of, the lowest first. Raises InputProblem."""
    try:
        document: Any = json.loads((folder / LAYERS).read_text(encoding="utf-8"))
        return [str(layer) for layer in document["layers"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        what = f"its layers are not known ({type(error).__name__})"
        raise InputProblem(what, str(folder / LAYERS), "name the folder of an older delivery") from None


def write_sums(folder: Path) -> str:
    """Write SHA256SUMS over all files of a folder, and return the SHA-256 of it."""
    lines = [f"{file_hash(folder / name)}  {name}\n" for name in files_of(folder)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return file_hash(folder / SUMS)


def files_of(folder: Path) -> list[str]:
    """Return the files of a delivery that SHA256SUMS lists, in the order of their names."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            found.append(str(Path(place, name).relative_to(folder)))
    return sorted(set(found) - {SUMS, RECEIPT})
