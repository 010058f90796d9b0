"""An ov.Model with int8 weights: what is quantized in it, and what its files need not hold."""

from __future__ import annotations

from typing import Any, Dict

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


def operation_types(model: Any) -> Dict[str, str]:
    """Return the type of every operation by name."""
    return {op.get_friendly_name(): op.get_type_name() for op in model.get_ops()}


def quantized_operations(model: Any) -> int:
    """Count the operations that compute on quantized inputs: those behind a FakeQuantize, what only hands on aside."""
    found = set()
    ahead = [op for op in model.get_ops() if op.get_type_name() == "FakeQuantize"]
    seen = set()
    while ahead:
        op = ahead.pop()
        for port in op.outputs():
            for target in port.get_target_inputs():
                reader = target.get_node()
                name = reader.get_friendly_name()
                if reader.get_type_name() in _PASSED:
                    if name not in seen:
                        seen.add(name)
                        ahead.append(reader)
                elif reader.get_type_name() not in ("FakeQuantize", "Result"):
                    found.add(name)
    return len(found)


def shrink(model: Any) -> None:
    """Store once what a quantizer's input and output range share, and as float16 the large constants that stayed float32.

    A float16 constant costs a Convert of half a kilobyte in the IR, so small ones stay as they are.
    """
    for op in model.get_ops():
        if op.get_type_name() == "FakeQuantize":
            for of_input, of_output in ((1, 3), (2, 4)):
                first, second = (op.input_value(port).get_node() for port in (of_input, of_output))
                constant = first.get_type_name() == second.get_type_name() == "Constant"
                if constant and np.array_equal(first.data, second.data):
                    op.input(of_output).replace_source_output(op.input_value(of_input))
    for op in model.get_ops():
        if op.get_type_name() == "Constant" and op.get_element_type().get_type_name() == "f32" and op.data.size > 256:
            with np.errstate(over="ignore"):
                half = op.data.astype(np.float16)
            if np.isfinite(half).all():
                restored = opset10.convert(opset10.constant(half), "f32")
                for target in op.output(0).get_target_inputs():
                    target.replace_source_output(restored.output(0))
