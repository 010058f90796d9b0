"""3x3 convolutions by Winograd's minimal filtering: fewer products, for some additions before and after.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015): F(m x m, 3 x 3) needs (m + 2)^2
products for m^2 outputs where the plain sum needs 9 m^2: 4 times fewer for m = 4, 2.25 times for m = 2.
"""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple

import numpy as np
import tvm
from tvm import relax, te
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.topi.nn import pad
from tvm.topi.utils import const_matrix

from shared.inference.arrays import Array

NAME = "winograd_conv2d"
FUSES_WHAT_FOLLOWS = 4
"""TVM's `kOutEWiseFusable`: elementwise operators after it become part of it."""

PLAIN_ATTRIBUTES = 9
"""How many numbers are all 1 in a plain 3x3 convolution padded by one.

They are two strides, two dilations, four paddings and the number of groups.
"""

FEWEST_CHANNELS = 16
"""Input and output channels below which the transforms cost more than the products that they save."""

Rows = Sequence[Sequence[float]]
Matrices = Tuple[Array, Array, Array]

B4 = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
G4: Rows = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
A4 = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
B2 = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]
G2: Rows = [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]]
A2 = [[1, 1, 1, 0], [0, 1, -1, -1]]


def matrices(b: Rows, g: Rows, a: Rows) -> Matrices:
    """Return the transforms of inputs [m+2, m+2], weights [m+2, 3] and outputs [m+2, m]."""
    return np.array(b, np.float32).T, np.array(g, np.float64), np.array(a, np.float32).T


TRANSFORMS: Dict[int, Matrices] = {4: matrices(B4, G4, A4), 2: matrices(B2, G2, A2)}
"""The transforms by m, the output tile size; interpolated at 0, 1, -1 and, for m = 4, also at 2 and -2."""


def rewritten(module: tvm.IRModule) -> tvm.IRModule:
    """Return a Relax module (channels last) whose 3x3 convolutions are Winograd's where that pays."""
    module = Rewriter(module).transform()
    for variable, function in list(module.functions.items()):
        if variable.name_hint.startswith(NAME):
            module.update_func(variable, function.with_attr("op_pattern", FUSES_WHAT_FOLLOWS))
    return module


def output_tile_size(call: Any) -> int:
    """Return m for a convolution that Winograd's filtering is good for, or 0."""
    attributes, weights = call.attrs, call.args[1]
    numbers = [*attributes.strides, *attributes.dilation, *attributes.padding, attributes.groups]
    is_plain = len(numbers) == PLAIN_ATTRIBUTES and all(int(number) == 1 for number in numbers)
    if not is_plain or attributes.data_layout != "NHWC":
        return 0
    if not isinstance(weights, tvm.ir.GenericConst):
        return 0
    height, width, channels, filters = weights.value.shape
    rows, columns = (int(extent) for extent in call.args[0].ty.shape.values[1:3])
    if (height, width) != (3, 3) or min(channels, filters) < FEWEST_CHANNELS or channels % 4 or filters % 4:
        return 0
    return next((m for m in TRANSFORMS if rows % m == 0 and columns % m == 0), 0)


@mutator
class Rewriter(PyExprMutator):  # type: ignore[misc]
    """Replaces plain convolutions by Winograd's where `output_tile_size` finds one."""

    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self._module = module

    def transform(self) -> tvm.IRModule:
        """Return the module with its `main` rewritten."""
        for variable, function in list(self._module.functions.items()):
            if isinstance(function, relax.Function):
                self.builder_.update_func(variable, self.visit_expr(function))
        return self.builder_.get()

    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        m = output_tile_size(call) if call.op == tvm.ir.Op.get("relax.nn.conv2d") else 0
        if m == 0:
            return call
        weights = relax.const(transformed(call.args[1].value.numpy(), m), "float32")
        return self.builder_.call_te(convolution, call.args[0], weights, m, primfunc_name_hint=NAME)


def transformed(weights: Array, m: int) -> Array:
    """Return G g G^T of weights [3, 3, channels, filters]: float32 [m+2, m+2, channels, filters]."""
    g = TRANSFORMS[m][1]
    return np.asarray(np.einsum("ar,bs,rsck->abck", g, g, weights.astype(np.float64)), np.float32)


def convolution(data: te.Tensor, weights: te.Tensor, m: int) -> te.Tensor:
    """Return the 3x3 convolution, padded by one, of data [1, rows, columns, channels].

    Args:
        weights: as `transformed` returns them.
        m: output tile size: outputs are computed in groups of m x m.
    """
    size = m + 2
    _, rows, columns, channels = (int(extent) for extent in data.shape)
    filters = int(weights.shape[3])
    b = const_matrix(TRANSFORMS[m][0], "winograd_b")
    a = const_matrix(TRANSFORMS[m][2], "winograd_a")
    padded = pad(data, (0, 1, 1, 0), name="winograd_padded")
    r, s = te.reduce_axis((0, size), "r"), te.reduce_axis((0, size), "s")
    inputs = te.compute(
        (rows // m, columns // m, size, size, channels),
        lambda y, x, i, j, c: te.sum(padded[0, y * m + r, x * m + s, c] * b[r, i] * b[s, j], [r, s]),
        name="winograd_inputs",
    )
    c = te.reduce_axis((0, channels), "c")
    products = te.compute(
        (rows // m, columns // m, size, size, filters),
        lambda y, x, i, j, k: te.sum(inputs[y, x, i, j, c] * weights[i, j, c, k], c),
        name="winograd_products",
    )
    i, j = te.reduce_axis((0, size), "i"), te.reduce_axis((0, size), "j")
    return te.compute(
        (1, rows, columns, filters),
        lambda n, h, w, k: te.sum(products[h // m, w // m, i, j, k] * a[i, h % m] * a[j, w % m], [i, j]),
        name="winograd_outputs",
    )
