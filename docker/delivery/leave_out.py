"""Leaves out of an image's file system what no delivered artifact can need, while the image is built.

    python leave_out.py LIST

LIST has a pattern of files and folders on each line, below /, and comments behind `#`. Of the system's
libraries those stay that something which is left is linked with. What is left stays as it was, to the
byte, but for Python's compiled modules; everything gets one time, so that the same files are the same layer.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")

LIBRARIES = ROOT / "usr" / "lib" / str(sysconfig.get_config_var("MULTIARCH"))

STANDARD = Path(sysconfig.get_path("stdlib"))

LINKED = (ROOT / "opt" / "venv", ROOT / "usr" / "bin", STANDARD / "lib-dynload")

MODULES = (STANDARD, ROOT / "opt" / "venv")

UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH
"""What was compiled of a module is taken whatever the time of its file: that is another one now."""

OPENED = ("ld-linux*", "libgcc_s.so*", "libnss_*")
"""Libraries that glibc opens by itself: no file says so."""

PACKAGES = ROOT / "var" / "lib" / "dpkg"

USED = re.compile("(/usr)?/(lib|lib64|bin|sbin)/|/usr/share/ca-certificates/")
"""Where packages have what runs or is read; the rest is settings and papers."""

STAMP = 1_686_355_200
"""Seconds: Debian's own stamp of the base."""


def main(listed: Path) -> None:
    for line in listed.read_text(encoding="utf-8").splitlines():
        pattern = line.split("#")[0].strip()
        for path in ROOT.glob(pattern) if pattern else ():
            remove(path)
    leave_linked_libraries()
    forget_packages()
    for folder in MODULES:
        compileall.compile_dir(folder, quiet=1, force=True, workers=0, invalidation_mode=UNCHECKED)
    for path in (ROOT / place for place in ("etc", "opt", "usr", "var")):
        stamp(path)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def leave_linked_libraries() -> None:
    """Remove the system's libraries that nothing is linked with."""
    needed = {os.path.realpath(path) for pattern in OPENED for path in LIBRARIES.glob(pattern)}
    for folder in LINKED:
        for path in files(folder):
            needed |= linked_with(path)
    for path in list(LIBRARIES.rglob("*.so*")):
        if os.path.realpath(path) not in needed:
            path.unlink()


def linked_with(path: Path) -> set[str]:
    """Return the libraries that the loader takes for a program or library; none for any other file."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return set()
    loader = next(LIBRARIES.glob("ld-linux*"))
    told = subprocess.run([loader, "--list", path], capture_output=True, text=True, check=False).stdout
    return {os.path.realpath(found) for found in re.findall(r"=> (/\S+)", told)}


def forget_packages() -> None:
    """Strike packages of which no program or library is left from the list of what is installed."""
    status, kept = PACKAGES / "status", []
    for block in status.read_text(encoding="utf-8").split("\n\n"):
        name = re.search(r"^Package: (.*)$", block, re.MULTILINE)
        if name is not None and is_left(name[1]):
            kept.append(block)
    status.write_text("\n\n".join(kept) + "\n", encoding="utf-8")
    remove(PACKAGES / "info")


def is_left(package: str) -> bool:
    lists = [*PACKAGES.glob(f"info/{package}.list"), *PACKAGES.glob(f"info/{package}:*.list")]
    named = (line for one in lists for line in one.read_text().splitlines())
    return any(os.path.lexists(line) and not os.path.isdir(line) for line in named if USED.match(line))


def files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def stamp(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        with suppress(OSError):  # /etc/hosts and the like, which the build lends, are no files of the image
            os.utime(path, (STAMP, STAMP), follow_symlinks=False)


main(Path(sys.argv[1]))
