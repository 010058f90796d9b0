"""Tuning databases that serve many CPUs: those that have none of their own. Needs no vendor package."""

from __future__ import annotations

from typing import Collection, Optional

PORTABLE = (("x86-64-v4", ("avx512f", "avx2", "fma")), ("x86-64-v3", ("avx2", "fma")))
"""LLVM's names of x86 CPUs with AVX-512 and of those with AVX2, by their instructions; the widest first."""


def portable_name(features: Collection[str]) -> Optional[str]:
    """Return the name of the portable database for a CPU with these instructions, or None."""
    return next((name for name, needed in PORTABLE if set(needed) <= set(features)), None)
