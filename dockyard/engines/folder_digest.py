"""One SHA-256 over a folder: of the host's copy, and of an engine's, in whose container this text is run.

Standard library only, of Python 3.8: `python -c <this text> FOLDER` prints it, when all is on the disk.
"""

from __future__ import annotations

import hashlib
import os
import sys

_CHUNK = 1 << 20


def folder_digest(folder: str) -> str:
    """Return the SHA-256 over the paths of all files and folders below a folder, and the files' contents."""
    top = os.fsencode(folder)
    lines = []
    for here, folders, files in os.walk(top):
        lines += [(os.path.relpath(os.path.join(here, name), top), "folder") for name in folders]
        for name in files:
            path = os.path.join(here, name)
            lines.append((os.path.relpath(path, top), _file_digest(path)))
    whole = hashlib.sha256()
    for path, what in sorted(lines):
        whole.update(path + b"\0" + what.encode() + b"\0")
    return whole.hexdigest()


def _file_digest(path: bytes) -> str:
    content = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            if not chunk:
                return content.hexdigest()
            content.update(chunk)


if __name__ == "__main__":
    os.sync()  # what is taken for whole outlives a power cut
    print(folder_digest(sys.argv[1]), flush=True)
