"""Conversion with mo, the Model Optimizer of OpenVINO 2023.3."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import openvino as ov
import openvino.tools.mo.convert_impl
from artifact import name_outputs
from constants import freeze
from conversion_options import mo_parameters, model_file
from openvino.frontend import FrontEndManager
from openvino.preprocess import PrePostProcessor
from openvino.tools.mo import convert_model
from real_ends import with_real_ends

from shared.contract.model import Network
from shared.harness.toolchain import Options

# mo imports TensorFlow only to tell a path from a Python object of it; its frontend is C++.
openvino.tools.mo.convert_impl.tf_frontend_with_python_bindings_installed = False


def convert(network: Network, graph: Path, options: Options) -> Tuple[Any, Dict[str, Any]]:
    """Return the ov.Model between the network's input and its tensors, and mo's parameters.

    mo has no parameter for an input of 8 bits: that is put before what mo folded.

    Raises:
        ValueError: the graph has no tensor of that name.
    """
    file = model_file(graph)
    names = _known(file, [network.input.name, *network.constants, *network.tensors])
    inputs = 1 + len(network.constants)
    outputs, beside = names[inputs:], names[1:inputs]
    parameters = mo_parameters(file, replace(network.input, name=names[0]), outputs, options, beside)
    model = convert_model(**parameters)
    freeze(model, network.constants)
    ports = {name: port for port in model.outputs for name in port.get_names()}
    results = [ports[name].get_node().input_value(0) for name in outputs]
    model = ov.Model(results, model.get_parameters(), network.name)
    with_real_ends(model, network.input.dtype)
    name_outputs(model.outputs, network.tensors)
    if options.get("input_dtype") == "uint8":
        steps = PrePostProcessor(model)
        steps.input().tensor().set_element_type(ov.Type.u8)
        model = steps.build()
    return model, {**parameters, "input_model": file.name}


def _known(graph: Path, names: Sequence[str]) -> List[str]:
    """Return the names as the graph has them, which is with `:0` for some tensors of ONNX and TFLite."""
    manager = FrontEndManager()
    frontend = manager.load_by_model(str(graph))
    if frontend is None:
        raise ValueError(f"OpenVINO does not know what kind of graph {graph.name} is")
    source = frontend.load(str(graph))
    found = []
    for name in names:
        # One that says which output it is has no other spelling.
        spellings = (name,) if ":" in name else (name, f"{name}:0")
        known = [tensor for tensor in spellings if source.get_place_by_tensor_name(tensor) is not None]
        if not known:
            places = (*source.get_inputs(), *source.get_outputs())
            ends = sorted({own for place in places for own in place.get_names()})
            raise ValueError(f"the graph has no tensor '{name}'; its inputs and outputs: {', '.join(ends)}")
        found.append(known[0])
    return found
