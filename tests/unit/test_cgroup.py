"""What control groups allow is read of the process's own group and those above it, in v2, v1 and both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.cgroup import Periods, cpu_periods, cpu_quota, memory_limit
from shared.harness.machine import doubts
from shared.harness.machine_state import read_state

V2 = {
    "proc/self/cgroup": "0::/jobs/ours",
    "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate",
}
V1 = {
    "proc/self/cgroup": "4:memory:/jobs\n2:cpu,cpuacct:/jobs/ours\n1:name=systemd:/\n0::/",
    "proc/self/mountinfo": (
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
        "42 31 0:39 / / rw - overlay overlay rw"
    ),
}
V1_CPU = "sys/fs/cgroup/cpu,cpuacct"
STAT = "nr_periods 516\nnr_throttled 508\nthrottled_time 1"

V2_NESTED = {
    **V2,
    "sys/fs/cgroup/jobs/ours/cpu.max": "max 100000",
    "sys/fs/cgroup/jobs/cpu.max": "50000 100000",
    "sys/fs/cgroup/jobs/cpu.stat": f"usage_usec 9\n{STAT}",
}
V1_NESTED = {
    **V1,
    f"{V1_CPU}/jobs/ours/cpu.cfs_quota_us": "50000",
    f"{V1_CPU}/jobs/ours/cpu.cfs_period_us": "100000",
    f"{V1_CPU}/jobs/ours/cpu.stat": STAT,
    f"{V1_CPU}/cpu.cfs_quota_us": "-1",
    f"{V1_CPU}/cpu.cfs_period_us": "100000",
}
IN_CONTAINER = {
    "proc/self/cgroup": "2:cpu:/docker/af12",
    "proc/self/mountinfo": r"32 31 0:29 /docker/af12 /our\040groups/cpu ro - cgroup cgroup rw,cpu",
    "our groups/cpu/cpu.cfs_quota_us": "50000",
    "our groups/cpu/cpu.cfs_period_us": "100000",
    "our groups/cpu/cpu.stat": STAT,
}
MOVED_OUT = {**IN_CONTAINER, "proc/self/cgroup": "2:cpu:/elsewhere"}


def root_with(folder: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return folder


@pytest.mark.parametrize(
    "files", [V2_NESTED, V1_NESTED, IN_CONTAINER, MOVED_OUT], ids=["v2", "v1", "container", "moved"]
)
def test_a_quota_of_half_a_cpu(files: Mapping[str, str], tmp_path: Path) -> None:
    """Half a CPU is seen wherever above the process the limit is, with its periods."""
    root = root_with(tmp_path, files)
    assert cpu_quota(root) == 0.5
    assert cpu_periods(root) == Periods(516, 508)
    assert read_state(root) == {"quota": {"cpus": 0.5, "periods": 516, "throttled": 508}}


@pytest.mark.parametrize("files", [V2, V1, {}, {"proc/self/cgroup": "", "proc/self/mountinfo": "a - cgroup"}])
def test_no_limit(files: Mapping[str, str], tmp_path: Path) -> None:
    """Where no group has a limit there is none, and nothing is said of periods."""
    root = root_with(tmp_path, files)
    assert (cpu_quota(root), cpu_periods(root), memory_limit(root)) == (None, None, math.inf)
    assert read_state(root) == {}


def test_the_smallest_limit_counts(tmp_path: Path) -> None:
    """Of limits one above the other the smallest holds, of CPUs and of memory."""
    files = {
        **V2_NESTED,
        "sys/fs/cgroup/jobs/ours/cpu.max": "150000 100000",
        "sys/fs/cgroup/jobs/ours/memory.max": "2000",
        "sys/fs/cgroup/jobs/memory.max": "max",
        "sys/fs/cgroup/memory.max": "9000",
    }
    root = root_with(tmp_path, files)
    assert (cpu_quota(root), memory_limit(root)) == (0.5, 2000)
    v1 = root_with(tmp_path / "v1", {**V1, "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": "3000"})
    assert memory_limit(v1) == 3000


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_the_kernel_says(groups: str, mounts: str) -> None:
    """Files of another form are no limits, and no error."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        root = root_with(Path(name), {})
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(groups, encoding="utf-8", errors="replace")
        (root / "proc/self/mountinfo").write_text(f"{mounts} - cgroup2 x", encoding="utf-8", errors="replace")
        assert (cpu_quota(root), memory_limit(root)) == (None, math.inf)


@pytest.mark.parametrize(
    ("wanted", "threads", "quota", "told"),
    [
        (0, 2, None, []),
        (2, 2, 2.0, []),
        (8, 2, None, ["8 threads are asked for and 2 CPUs may be used: it ran on 2"]),
        (
            2,
            2,
            0.5,
            [
                "2 threads share a quota of 0.5 CPUs, and are stopped when it is used up: "
                "as many threads as the quota has CPUs are mostly faster"
            ],
        ),
    ],
)
def test_threads_beyond_what_there_is(
    wanted: int, threads: int, quota: float | None, told: list[str]
) -> None:
    """Threads that CPUs or quota do not have are said, never silently cut."""
    assert doubts(wanted, threads, quota) == told
