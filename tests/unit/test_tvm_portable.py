"""Which tuning database serves a CPU that has none of its own."""

from __future__ import annotations

import sys

import pytest

from dockyard.recipe.workspace import PRODUCT

sys.path.insert(0, str(PRODUCT / "targets" / "tvm-llvm"))
from portable import portable_name


@pytest.mark.parametrize(
    ("features", "name"),
    [
        (["avx2", "fma", "avx512f"], "x86-64-v4"),
        (["avx2", "fma"], "x86-64-v3"),
        (["avx2"], None),
        ([], None),
    ],
    ids=["AVX-512", "AVX2", "AVX2 without FMA", "neither"],
)
def test_the_database_for_a_cpus_instructions(features: list[str], name: str | None) -> None:
    """A CPU takes the database with the widest vectors of those whose instructions it has."""
    assert portable_name(features) == name
