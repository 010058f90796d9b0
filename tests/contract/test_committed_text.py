"""What is committed names no package index, no path of somebody's machine and no secret."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dockyard import package_index
from tests.conftest import ROOT

# Put together here, so that this file does not hold what it looks for.
INDEX_HOSTS = re.compile(
    "|".join(
        [
            r"pypi\." + "org",
            "python" + r"hosted\.org",
            r"/simple" + r"/?[\"'\s]*$",
            "index" + r"-url\s*=?\s*http",
        ]
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.$}/-])/" + r"(?:home|Users|work|mnt|data\d*)/[\w.-]+")
SECRETS = re.compile("BEGIN [A-Z ]*" + "PRIVATE KEY|gh[pousr]_" + "[A-Za-z0-9]{30,}|AKIA" + "[A-Z0-9]{16}")


def committed() -> list[Path]:
    """The text files that git has, or would take with the next commit."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no git repository: a copy of the files alone")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    paths = [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    text = [path for path in paths if path.suffix not in (".png", ".pb", ".jpg")]
    return [path for path in text if b"\0" not in path.read_bytes()[:8000]]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    own = Path(__file__).resolve()
    fakes = ROOT / "tests" / "unit" / "test_images.py"  # it lends made-up mirrors to a made-up client
    found = []
    for path in committed():
        if path in (own, fakes):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    return found


def test_no_package_index_is_named() -> None:
    """No file names a package index: packages come from wherever pip is set up to take them."""
    assert lines_with(INDEX_HOSTS) == []


def test_this_machines_index_is_not_named() -> None:
    """The mirror that this machine uses is in no file."""
    settings = package_index.pip_settings()
    urls = " ".join(settings.get(key, "") for key in ("index-url", "extra-index-url", "proxy")).split()
    named = [urlsplit(url).hostname for url in urls]
    hosts = {host for host in named if host and "." in host}
    found = lines_with(re.compile("|".join(map(re.escape, sorted(hosts))))) if hosts else []
    assert found == []


def test_no_path_of_a_machine() -> None:
    """No file names a folder of somebody's machine."""
    assert lines_with(MACHINE_PATHS) == []
    assert lines_with(re.compile(re.escape(str(ROOT)) + r"\b")) == []


def test_no_secret() -> None:
    """No file holds a private key or an access token."""
    assert lines_with(SECRETS) == []
