"""What is told of a device."""

from __future__ import annotations

LOW_PRECISION = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
)
"""CPU flags that decide how fast low precision is, as Linux names them."""

BEFORE, AFTER = "before", "after"
"""The states of a device around a measuring round: in the device that a benchmark's result describes."""

ROUNDS = "rounds"
"""These states of all rounds, in the device of a record: objects with `round`, `group`, `before`, `after`."""
