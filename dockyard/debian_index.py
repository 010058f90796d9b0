"""How this machine reaches Debian's packages, as apt is set up to: an image build is lent the same."""

from __future__ import annotations

import shutil
import subprocess

SUITE = "bookworm"
"""The release that images are made of."""

_FORMAT = "deb $(REPO_URI) $(CODENAME) $(COMPONENT)"


def sources() -> str:
    """Return the lines of a sources.list for SUITE; empty where this machine's apt knows none."""
    lines = _ask("apt-get", "indextargets", "--format", _FORMAT, "Identifier: Packages").splitlines()
    endings = tuple(f" {suite} main" for suite in (SUITE, f"{SUITE}-updates", f"{SUITE}-security"))
    return "".join(f"{line}\n" for line in sorted(set(lines)) if line.endswith(endings))


def settings() -> str:
    """Return apt's settings of proxies and the like, as a file of apt.conf.d."""
    lines = _ask("apt-config", "dump").splitlines()
    wanted = [line for line in lines if line.startswith("Acquire::") and '""' not in line]
    return "".join(f"{line}\n" for line in wanted if not line.startswith("Acquire::Languages"))


def _ask(*command: str) -> str:
    """Return what a command of apt's prints; empty where there is none, or it fails."""
    if shutil.which(command[0]) is None:
        return ""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout if answer.returncode == 0 else ""
