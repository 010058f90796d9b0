"""The ends of a graph that came in 8 bits, as real numbers: where it scales them, it need not any more."""

from __future__ import annotations

from typing import Any, Iterator

import openvino as ov

IN_8_BITS = ("i8", "u8")


def with_real_ends(model: Any, dtype: str) -> None:
    """Let a model that scales its ends to 8 bits by itself give real numbers, and take them.

    It goes on rounding them as it did.

    Args:
        dtype: what the image is fed as; `uint8` goes in as it is.
    """
    for result in model.get_results():
        convert = result.input_value(0).get_node()
        if convert.get_type_name() != "Convert" or _type(convert) not in IN_8_BITS:
            continue
        quantizer = convert.input_value(0).get_node()
        if quantizer.get_type_name() == "FakeQuantize":
            _give_range(quantizer, of=(3, 4), that_of=(1, 2))
            result.input(0).replace_source_output(quantizer.output(0))
    (parameter,) = model.get_parameters()
    if dtype == "float32" and _type(parameter) in IN_8_BITS:
        for quantizer in _first_quantizers(parameter):
            _give_range(quantizer, of=(1, 2), that_of=(3, 4))
        parameter.set_element_type(ov.Type.f32)
    model.validate_nodes_and_infer_types()


def _type(node: Any) -> str:
    return str(node.get_output_element_type(0).get_type_name())


def _first_quantizers(node: Any) -> Iterator[Any]:
    """Yield what makes real numbers of an input in 8 bits, behind what only hands it on."""
    for target in node.output(0).get_target_inputs():
        reader = target.get_node()
        if reader.get_type_name() == "FakeQuantize":
            yield reader
        elif reader.get_type_name() in ("Convert", "Transpose", "Reshape"):
            yield from _first_quantizers(reader)


def _give_range(quantizer: Any, of: Any, that_of: Any) -> None:
    """Give a FakeQuantize's inputs of one range those of the other."""
    for own, other in zip(of, that_of):
        quantizer.input(own).replace_source_output(quantizer.input_value(other))
