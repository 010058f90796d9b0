"""Where the parsers are: in the image, or, in an environment of one's own, compiled by it once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from shared.inference.session import Unsupported

IN_IMAGE = Path("/opt/dockyard/lib")
BRIDGE_FILE = "libdockyard_parser_bridge.so"

SOURCES = ("CMakeLists.txt", "include/**/*", "src/**/*")
"""Of the parsers, below the folder that they came in."""


def libraries(sources: Path, release: str) -> Path:
    """Return the folder with the parsers and their bridge.

    Args:
        sources: the folder with the parsers' CMakeLists.txt.
        release: of DeepStream, whose structures they have.

    Raises:
        Unsupported: they cannot be compiled here.
    """
    if IN_IMAGE.is_dir():
        return IN_IMAGE
    place = Path(sys.prefix) / "dockyard-parsers" / _digest(sources, release)
    if not (place / BRIDGE_FILE).is_file():
        _compile(sources, release, place)
    return place


def _digest(sources: Path, release: str) -> str:
    """Return what stands for the sources' content."""
    found = hashlib.sha256(release.encode())
    for pattern in SOURCES:
        for file in sorted(one for one in sources.glob(pattern) if one.is_file()):
            found.update(str(file.relative_to(sources)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:16]


def _compile(sources: Path, release: str, place: Path) -> None:
    cmake = shutil.which("cmake")
    if cmake is None:
        raise Unsupported("the parsers cannot be compiled: there is no cmake; ./inv doctor names its package")
    making = place.with_name(f"{place.name}-{os.getpid()}")
    options = ["-DCMAKE_BUILD_TYPE=Release", f"-DDEEPSTREAM_RELEASE={release}"]
    for command in (
        [cmake, "-S", str(sources), "-B", str(making), *options],
        [cmake, "--build", str(making)],
    ):
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if answer.returncode != 0:
            shutil.rmtree(making, ignore_errors=True)
            last = (answer.stderr.strip() or answer.stdout.strip() or "no output").splitlines()[-1]
            raise Unsupported(f"the parsers cannot be compiled here: {last[:300]}")
    try:
        making.rename(place)
    except OSError:  # another job was quicker
        shutil.rmtree(making)
