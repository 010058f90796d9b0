"""An ov.Model with int8 weights: what is quantized in it, and what its files need not hold."""

from __future__ import annotations

from typing import Any, Dict, List, Set

import numpy as np

try:
    from openvino import opset10
except ImportError:  # 2023.3
    from openvino.runtime import opset10

_PASSED = {
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "MaxPool",
    "Concat",
    "Split",
    "VariadicSplit",
    "StridedSlice",
    "Slice",
    "Gather",
    "Pad",
}
"""Operations that hand 8-bit values on as they are."""

FEWEST_HALVED = 256
"""Values of a constant up to which storing it as float16 does not pay."""


def operation_types(model: Any) -> Dict[str, str]:
    """Return the type of every operation by name."""
    return {op.get_friendly_name(): op.get_type_name() for op in model.get_ops()}


def quantized_operations(model: Any) -> int:
    """Count the operations that compute on quantized inputs.

    They are those behind a FakeQuantize; what only hands values on is passed over.
    """
    found: Set[str] = set()
    seen: Set[str] = set()
    ahead = [op for op in model.get_ops() if op.get_type_name() == "FakeQuantize"]
    while ahead:
        for reader in _readers(ahead.pop()):
            name, kind = reader.get_friendly_name(), reader.get_type_name()
            if kind in _PASSED and name not in seen:
                seen.add(name)
                ahead.append(reader)
            elif kind not in (*_PASSED, "FakeQuantize", "Result"):
                found.add(name)
    return len(found)


def _readers(operation: Any) -> List[Any]:
    """Return the operations that read an operation's outputs."""
    return [target.get_node() for port in operation.outputs() for target in port.get_target_inputs()]


def shrink(model: Any) -> None:
    """Leave out what an IR need not hold.

    What a quantizer's input and output range have in common is stored once, and the large constants that
    stayed float32 are stored as float16.
    """
    for op in model.get_ops():
        if op.get_type_name() == "FakeQuantize":
            _join_ranges(op)
    for op in model.get_ops():
        if op.get_type_name() == "Constant" and op.get_element_type().get_type_name() == "f32":
            _halve(op)


def _join_ranges(quantizer: Any) -> None:
    """Let a FakeQuantize read its output range from its input range where they are the same."""
    for of_input, of_output in ((1, 3), (2, 4)):
        first, second = (quantizer.input_value(port).get_node() for port in (of_input, of_output))
        are_constant = first.get_type_name() == second.get_type_name() == "Constant"
        if are_constant and np.array_equal(first.data, second.data):
            quantizer.input(of_output).replace_source_output(quantizer.input_value(of_input))


def _halve(constant: Any) -> None:
    """Put a float16 constant in the place of a float32 one, unless it is small or would overflow.

    A float16 constant costs a Convert of half a kilobyte in the IR.
    """
    if constant.data.size <= FEWEST_HALVED:
        return
    with np.errstate(over="ignore"):
        half = constant.data.astype(np.float16)
    if np.isfinite(half).all():
        restored = opset10.convert(opset10.constant(half), "f32")
        for target in constant.output(0).get_target_inputs():
            target.replace_source_output(restored.output(0))
