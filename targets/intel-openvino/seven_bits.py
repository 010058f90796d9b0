"""Weights of 7 bits, for CPUs that add products of 8-bit numbers in pairs in 16 bits, which may saturate.

x86 CPUs do so without VNNI (vpmaddubsw: 2 * 255 * 127 is more than 32,767, 2 * 255 * 63 is not).
"""

from __future__ import annotations

from typing import Optional, Sequence

from shared.inference.cpu import low_precision_flags

REMARK = "weights of every layer have 7 bits: this CPU has no VNNI, and sums of 8-bit products may saturate"
"""What the report says where that was not asked for."""

WIDENED = "8-bit weights were made float32: this CPU has no VNNI, and sums of 8-bit products may saturate"
"""What the report says of a graph that came quantized."""

_ADD_IN_32_BITS = {"avx512_vnni", "avx_vnni", "amx_int8"}


def sums_saturate(flags: Optional[Sequence[str]] = None) -> bool:
    """Tell whether a CPU may lose what does not fit into 16 bits.

    Args:
        flags: of the CPU that the network is to run on; this one's by default.
    """
    return not _ADD_IN_32_BITS & set(low_precision_flags() if flags is None else flags)


def in_every_layer(option: str, flags: Optional[Sequence[str]] = None) -> bool:
    """Tell whether the weights of every layer get 7 bits; else only the first layer's do.

    Args:
        option: `seven_bits` of the recipe: `auto`, `first` or `all`.
        flags: as for `sums_saturate`.
    """
    return option == "all" or (option == "auto" and sums_saturate(flags))
