"""The launcher on hosts as people have them: other Pythons, no home, ROS's variables, odd folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dockyard.recipe.workspace import PRODUCT

PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def python(version: str) -> str:
    """Return a Python of that version that this machine has, on the PATH or among pyenv's."""
    name = f"python{version}"
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/{name}"))
    for found in filter(None, (shutil.which(name), *map(str, kept))):
        if subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip(f"no {name} on this machine")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone whose git changes line ends, in a folder with blanks and umlauts for its owner alone."""
    folder = tmp_path / "Kunde Müller & Söhne"
    before = os.umask(0o077)
    clone = ["git", "clone", "--quiet", "--config", "core.autocrlf=true", str(PRODUCT), str(folder)]
    subprocess.run(clone, check=True)
    os.umask(before)
    return folder


@pytest.mark.parametrize("version", PYTHONS)
def test_any_python_in_any_surroundings(version: str, checkout: Path, tmp_path: Path) -> None:
    """With each Python that the README names, in an awkward checkout, without a home to write to and with
    modules of another Python's in PYTHONPATH, the launcher installs itself and plans what it plans here.
    """
    other = tmp_path / "ros"
    (other / "invoke").mkdir(parents=True)
    (other / "invoke" / "__init__.py").write_text("raise SystemExit('the wrong invoke')\n")
    surroundings = {**os.environ, "HOME": "/proc/nobody", "PYTHONPATH": str(other)}
    surroundings.pop("XDG_CACHE_HOME", None)
    plan = ["inv", "plan", "--recipe", "lp_intel.json", "--json"]
    there = subprocess.run(
        [python(version), *plan], cwd=checkout, env=surroundings, capture_output=True, text=True, check=False
    )
    assert there.returncode == 0, there.stderr
    here = subprocess.run(
        [sys.executable, "-m", "invoke", *plan[1:]], cwd=PRODUCT, capture_output=True, text=True, check=True
    )
    assert json.loads(there.stdout) == json.loads(here.stdout)


def test_line_ends_stay_as_they_are(checkout: Path) -> None:
    """What a git that changes line ends checks out are the bytes that were committed."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=checkout, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    told = subprocess.run(
        ["git", "ls-tree", "-r", "-z", "--format=%(objectname)", "HEAD"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    hashed = subprocess.run(
        ["git", "hash-object", "--no-filters", "--stdin-paths"],
        cwd=checkout,
        input="\n".join(filter(None, names)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert hashed.stdout.split() == list(filter(None, told.stdout.split("\0")))
