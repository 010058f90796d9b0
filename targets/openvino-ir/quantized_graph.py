"""An ov.Model with int8 weights: what is quantized in it, and what its files need not hold."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

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

_HAVE_WEIGHTS = {
    "Convolution",
    "ConvolutionBackpropData",
    "GroupConvolution",
    "GroupConvolutionBackpropData",
    "MatMul",
}
"""Operations whose float weights NNCF puts back itself."""

_MAY_MULTIPLY = {"LSTMSequence", "GRUSequence", "TensorIterator", "Loop", "If"}
"""Operations that multiply matrices within."""

MOST_OF_7_BITS = 64
"""The largest steps of 7 bits; two products of such a one and 255 fit into 16 bits."""

FEWEST_HALVED = 256
"""Values of a constant up to which storing it as float16 does not pay."""


def operation_types(model: Any) -> Dict[str, str]:
    """Return the type of every operation by name."""
    return {op.get_friendly_name(): op.get_type_name() for op in model.get_ops()}


def has_products(model: Any) -> bool:
    """Tell whether a network has a convolution or a matrix product: without one, 8 bits gain nothing."""
    types = {op.get_type_name() for op in model.get_ops()}
    return bool(types & (_HAVE_WEIGHTS | _MAY_MULTIPLY))


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


def widen_weights(model: Any) -> bool:
    """Put float32 constants of the same values in the place of 8-bit weights that take up more than 7 bits.

    What multiplies by them is then computed in float32: OpenVINO computes in 8 bits where both sides have 8.

    Returns:
        whether there were any.
    """
    widened = False
    for op in model.get_ops():
        stored = _stored_in_8_bits(op) if op.get_type_name() == "Multiply" else None
        if stored is None:
            continue
        constant, zero, scale = stored
        steps = constant.data.astype(np.float32) - zero
        if np.abs(steps).max(initial=0) > MOST_OF_7_BITS:
            values = opset10.constant(steps * scale)
            values.set_friendly_name(constant.get_friendly_name())
            op.output(0).replace(values.output(0))
            widened = True
    return widened


def restore_weight_quantizers(model: Any, float_model: Any) -> None:
    """Give constants of 8 bits back their float values and the FakeQuantize that made them 8 bits.

    It undoes `shrink` and the compression of weights, so that NNCF can take quantizers out.

    Args:
        float_model: what was quantized. Its constants are taken where they are no weights; weights keep the
            values that they have in 8 bits, and NNCF puts the float ones back with the operation.
    """
    # A name like Constant_17 of a file may be given again to what is made here; NNCF wants each name once.
    constants = (op for op in model.get_ordered_ops() if op.get_type_name() == "Constant")
    for number, constant in enumerate(constants):
        constant.set_friendly_name(f"kept/{number}")
    for op in model.get_ops():
        if op.get_type_name() == "Convert" and _type_of_constant(op) == "f16":
            _widen(op)
    originals = {op.get_friendly_name(): op for op in float_model.get_ops()}
    for op in model.get_ops():
        stored = _stored_in_8_bits(op) if op.get_type_name() == "Multiply" else None
        if stored is not None:
            _quantize_again(op, *stored, _original(op, originals))


def _type_of_constant(convert: Any) -> str:
    """Return the element type of a constant that is converted; empty where it is no constant."""
    source = convert.input_value(0).get_node()
    return str(source.get_element_type().get_type_name()) if source.get_type_name() == "Constant" else ""


def _widen(convert: Any) -> None:
    """Put a float32 constant in the place of a float16 one and its Convert."""
    half = convert.input_value(0).get_node()
    whole = opset10.constant(half.data.astype(np.float32))
    whole.set_friendly_name(half.get_friendly_name())
    convert.output(0).replace(whole.output(0))


def _stored_in_8_bits(multiply: Any) -> Optional[Tuple[Any, Any, Any]]:
    """Return constant, zero and scale where a Multiply's product is a constant of 8 bits times its scale.

    The chain is Constant, Convert, Subtract (where the zero is not at 0), Multiply.
    """
    zero: Any = np.float32(0)
    source = multiply.input_value(0).get_node()
    if source.get_type_name() == "Subtract":
        zero = _constant_behind(source.input_value(1).get_node())
        source = source.input_value(0).get_node()
    scale = _constant_behind(multiply.input_value(1).get_node())
    if source.get_type_name() != "Convert" or _type_of_constant(source) not in ("i8", "u8"):
        return None
    return None if zero is None or scale is None else (source.input_value(0).get_node(), zero, scale)


def _quantize_again(multiply: Any, constant: Any, zero: Any, scale: Any, original: Optional[Any]) -> None:
    """Put a FakeQuantize of float values in the place of a constant of 8 bits times its scale."""
    lowest, highest = _grid(constant.data)
    on_grid = (constant.data.astype(np.float32) - zero) * scale
    values = opset10.constant(on_grid if original is None else original)
    values.set_friendly_name(constant.get_friendly_name())
    low, high = (opset10.constant((np.float32(bound) - zero) * scale) for bound in (lowest, highest))
    low.set_friendly_name(f"{constant.get_friendly_name()}/low")
    high.set_friendly_name(f"{constant.get_friendly_name()}/high")
    quantizer = opset10.fake_quantize(values, low, high, low, high, highest - lowest + 1)
    quantizer.set_friendly_name(multiply.get_friendly_name())
    multiply.output(0).replace(quantizer.output(0))


def _original(multiply: Any, originals: Mapping[str, Any]) -> Optional[Any]:
    """Return the float constant in the place of 8 bits times scale; None where it is weights or not found."""
    target = next(iter(multiply.output(0).get_target_inputs()))
    reader = originals.get(target.get_node().get_friendly_name())
    if reader is None or reader.get_type_name() in _HAVE_WEIGHTS:
        return None
    values = _constant_behind(reader.input_value(target.get_index()).get_node())
    return values if values is not None and values.shape == tuple(multiply.get_output_shape(0)) else None


def _constant_behind(node: Any) -> Optional[Any]:
    """Return a constant's values as float32, converted or not; None where there is no constant."""
    constant = node.input_value(0).get_node() if node.get_type_name() == "Convert" else node
    return constant.data.astype(np.float32) if constant.get_type_name() == "Constant" else None


def _grid(weights: Any) -> Tuple[int, int]:
    """Return the lowest and the highest value of the grid that weights lie on.

    A symmetric one leaves out -128.
    """
    if weights.dtype == np.uint8:
        return 0, 255
    return (-128 if weights.min() == -128 else -127), 127


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
