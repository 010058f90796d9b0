"""Conversion with OpenVINO's frontends (2026.4), simplified as `openvino.convert_model` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterable

import openvino as ov
from artifact import name_outputs
from constants import freeze
from conversion_options import model_file
from folding import fold
from openvino import opset13
from openvino._offline_transformations import apply_moc_transformations
from openvino.frontend import FrontEndManager
from real_ends import with_real_ends

from shared.contract.model import Network
from shared.harness.toolchain import Options


def convert(network: Network, graph: Path, options: Options) -> Any:
    """Return the ov.Model between the network's input and its tensors, preprocessing folded in as asked.

    `openvino.convert_model` refuses to cut inside a graph, and has fused away the names by the time it
    returns; so the frontend is asked, and the transformations are applied after.

    Raises:
        ValueError: the graph has no tensor of that name.
    """
    file = model_file(graph)
    manager = FrontEndManager()
    frontend = manager.load_by_model(str(file))
    if frontend is None:
        raise ValueError(f"OpenVINO does not know what kind of graph {file.name} is")
    source = frontend.load(str(file))
    if frontend.get_name() == "onnx":
        model = frontend.convert(source)
        freeze(model, network.constants)
        model = _cut(model, network)
    else:
        names = (network.input.name, *network.constants, *network.tensors)
        places = [_place(source, name) for name in names]
        inputs = 1 + len(network.constants)
        source.extract_subgraph(places[:inputs], places[inputs:])
        model = frontend.convert(source)
        freeze(model, network.constants)
    with_real_ends(model, network.input.dtype)
    name_outputs(model.outputs, network.tensors)
    batch, *sizes = network.input.shape
    model.reshape([-1 if options.get("open_batch") else batch, *sizes])
    model = fold(model, network.input, options)
    apply_moc_transformations(model, cf=False, smart_reshape=True)
    return model


def _place(source: Any, name: str) -> Any:
    """The place of a tensor in a frontend's graph: by its own name, or as an operation's first output."""
    for tensor in (name, f"{name}:0"):
        place = source.get_place_by_tensor_name(tensor)
        if place is not None:
            return place
    operation = source.get_place_by_operation_name(name)
    if operation is not None:
        return operation.get_output_port(output_port_index=0)
    raise _unknown(name, (*source.get_inputs(), *source.get_outputs()))


def _cut(model: Any, network: Network) -> Any:
    """Return the part of an ONNX model between the network's input and its tensors; names are in place."""
    ports: Dict[str, Any] = {}
    for operation in model.get_ops():
        if operation.get_type_name() != "Result":
            ports.update((name, port) for port in operation.outputs() for name in port.get_names())

    def port(name: str) -> Any:
        found = ports.get(name) or ports.get(f"{name}:0")
        if found is None:
            raise _unknown(name, (*model.inputs, *model.outputs))
        return found

    outputs = [port(name) for name in network.tensors]
    start = port(network.input.name)
    if start.get_node().get_type_name() == "Parameter":
        parameter = start.get_node()
    else:
        parameter = opset13.parameter(list(network.input.shape), start.get_element_type(), network.input.name)
        for target in start.get_target_inputs():
            target.replace_source_output(parameter.output(0))
    return ov.Model(outputs, [parameter], network.name)


def _unknown(name: str, ends: Iterable[Any]) -> ValueError:
    """Return the error of a tensor that is none of the graph's."""
    known = sorted({own for end in ends for own in end.get_names()})
    return ValueError(f"the graph has no tensor '{name}'; its inputs and outputs: {', '.join(known)}")
