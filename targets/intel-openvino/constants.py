"""Inputs beside the image made constants of an ov.Model."""

from __future__ import annotations

from typing import Any, Mapping

from shared.harness.constants import constant_array

try:
    from openvino import opset10
except ImportError:  # 2023.3
    from openvino.runtime import opset10


def freeze(model: Any, constants: Mapping[str, Any]) -> None:
    """Put constants in the place of parameters, by the names of these."""
    for parameter in list(model.get_parameters()):
        port = parameter.output(0)
        names = {name[: -len(":0")] if name.endswith(":0") else name for name in port.get_names()}
        name = next(iter(constants.keys() & names), None)
        if name is None:
            continue
        kind, shape = parameter.get_element_type(), parameter.get_partial_shape()
        sizes = None
        if shape.rank.is_static:
            sizes = [-1 if size.is_dynamic else size.get_length() for size in shape]
        array = constant_array(constants[name], kind.to_dtype(), sizes)
        port.replace(opset10.constant(array, kind).output(0))
        model.remove_parameter(parameter)
