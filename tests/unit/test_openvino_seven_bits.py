"""Weights of 7 bits where a CPU adds 8-bit products in 16 bits."""

from __future__ import annotations

import sys

import pytest

from dockyard.recipe.workspace import PRODUCT

sys.path.insert(0, str(PRODUCT / "targets" / "intel-openvino"))

from seven_bits import in_every_layer


@pytest.mark.parametrize(
    ("option", "flags", "expected"),
    [
        ("auto", ("avx2",), True),
        ("auto", ("avx2", "avx512f"), True),
        ("auto", ("avx2", "avx_vnni"), False),
        ("auto", ("avx2", "avx512f", "avx512_vnni", "avx512_bf16"), False),
        ("auto", ("avx2", "amx_tile", "amx_int8"), False),
        ("first", ("avx2",), False),
        ("all", ("avx2", "avx512_vnni"), True),
    ],
)
def test_which_layers(option: str, flags: tuple[str, ...], expected: bool) -> None:
    """Left to itself, every layer's weights have 7 bits on CPUs without VNNI, and only there."""
    assert in_every_layer(option, flags) is expected
