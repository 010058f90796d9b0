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
