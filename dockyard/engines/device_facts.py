"""What a Jetson says of itself, read from the texts that its files and programs give."""

from __future__ import annotations

import re
from dataclasses import dataclass

TEGRA_RELEASE = "/etc/nv_tegra_release"

DLA_COMPILER = "libnvdla_compiler.so"
"""What TensorRT on JetPack 5 and 6 needs of the device; an image holds an empty file in its place."""

_DLA_FOLDERS = ("/usr/lib/aarch64-linux-gnu/tegra", "/usr/lib/aarch64-linux-gnu/nvidia")

ASK_RELEASE = f"cat {TEGRA_RELEASE}"
ASK_POWER_MODE = "nvpmodel -q"
ASK_STATISTICS = "timeout 5 tegrastats --interval 100 | head -n 1"
ASK_DLA_COMPILER = (
    "stat -L -c %s " + " ".join(f"{folder}/{DLA_COMPILER}" for folder in _DLA_FOLDERS) + "; true"
)
_GPU_FILES = (
    "/dev/nvmap",
    "/dev/nvhost-ctrl",
    "/dev/nvhost-ctrl-gpu",
    "/dev/nvgpu/*/ctrl",
    "/dev/nvidiactl",
    "/dev/dri/renderD*",
)
ASK_GPU_GROUPS = f"stat -L -c %g {' '.join(_GPU_FILES)}; true"
"""The groups of the files that open the GPU, by number: `video`, on some boards also `render`."""

MAX_GROUPS = 8
_LAST_GROUP = 2**31 - 1


@dataclass(frozen=True, order=True)
class Release:
    """A release of Linux for Tegra, as 36.4.3."""

    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers))


def read_release(text: str) -> Release:
    """Return the release that text names, as `36.4`. Raises ValueError where it is none."""
    return Release(tuple(int(part) for part in text.split(".")))


def read_tegra_release(text: str) -> Release | None:
    """Return the release in a text as `# R36 (release), REVISION: 4.3, ...`; None where it has none."""
    found = re.search(r"R(\d+)\s*\(release\)\s*,\s*REVISION:\s*(\d+(?:\.\d+)*)", text)
    return read_release(f"{found[1]}.{found[2]}") if found else None


def read_power_mode(text: str) -> str | None:
    """Return the name of the power mode that `nvpmodel -q` tells; its number means another on each board."""
    found = re.search(r"NV Power Mode:\s*(\S+)", text)
    return found[1] if found else None


def read_sizes(text: str) -> list[int]:
    """Return the sizes that `stat` printed, one a line; its complaints are no sizes."""
    return [int(line) for line in text.split() if line.isdigit()]


def read_groups(text: str) -> tuple[int, ...]:
    """Return the ids of groups that `stat` printed, one a line, at most MAX_GROUPS, and never root's."""
    ids = {int(line) for line in text.split() if line.isascii() and line.isdigit() and len(line) <= 10}
    return tuple(sorted(one for one in ids if 0 < one <= _LAST_GROUP))[:MAX_GROUPS]


def read_free_bytes(text: str) -> int | None:
    """Return the free bytes that `df -P -k` tells of one folder; None where it tells none."""
    rows = [line.split() for line in text.splitlines()[1:]]
    sizes = [row[3] for row in rows if len(row) >= 6 and row[3].isdigit()]
    return int(sizes[0]) * 1024 if sizes else None
