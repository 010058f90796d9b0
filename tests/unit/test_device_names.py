"""How a device is called in tables."""

from __future__ import annotations

from typing import Any

import pytest

from dockyard.judge.devices import INSTRUCTIONS, device_name
from shared.contract.device import LOW_PRECISION
from tests.builders import record


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ({"cpu": "AMD EPYC", "threads": 2, "flags": "avx2"}, "AMD EPYC, AVX2, 2 threads"),
        (
            {"cpu": "AMD EPYC", "threads": 2, "flags": "avx2 avx512f avx_vnni avx512_vnni avx512_bf16"},
            "AMD EPYC, AVX-512 with BF16, 2 threads",
        ),
        ({"cpu": "ARMv8 rev 1", "threads": 6}, "ARMv8 rev 1, 6 threads"),
        ({}, "unknown, ? threads"),
    ],
)
def test_cpus_of_one_name_are_told_apart(device: dict[str, Any], name: str) -> None:
    """A CPU that a cloud hides is named with the best that it has for low precision."""
    assert device_name(record(device=device)) == name


def test_instructions_are_what_jobs_tell_of() -> None:
    """Only flags that are recorded can tell CPUs apart."""
    assert set(INSTRUCTIONS) <= set(LOW_PRECISION)
