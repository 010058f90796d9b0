"""The frozen graph of a model that came as TensorFlow's: a frozen graph, a SavedModel or a Keras file.

Its input is what the network is fed, and its only one: the model's constants are part of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from shared.contract.model import Network
from shared.harness.constants import constant_array

SIGNATURE = "serving_default"

HALF = "/as_float16"
"""Behind an input's name: the node that makes half precision of what it is fed."""


def tensor_of(name: str) -> str:
    """Return a tensor's name as TensorFlow has it; a node's stands for its first output."""
    return name if ":" in name else f"{name}:0"


def read_graph(network: Network, path: Path) -> Any:
    """Return a frozen graph (GraphDef) whose nodes have the names of the network's input and tensors.

    Args:
        path: a frozen graph, a SavedModel's folder or a Keras file.
    """
    if network.format == "SavedModel":
        return freeze(network, signature_of(network, path))
    if network.format == "Keras":
        return freeze(network, layers_of(network, path))
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(path.read_bytes())
    for node in graph_def.node:
        if node.op == "Placeholder" and node.name in network.constants:
            _make_constant(node, network.constants[node.name])
    _feed_float32(graph_def, network.input.name)
    return graph_def


def _make_constant(node: Any, value: Any) -> None:
    """Make a constant of a placeholder (NodeDef)."""
    kind = tf.as_dtype(node.attr["dtype"].type)
    shape = node.attr["shape"].shape if "shape" in node.attr else None
    is_known = shape is not None and not shape.unknown_rank
    sizes = [size.size for size in shape.dim] if shape is not None and is_known else None
    array = constant_array(value, kind.as_numpy_dtype, sizes)
    node.op = "Const"
    node.attr.pop("shape", None)
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array, kind))


def _feed_float32(graph_def: Any, name: str) -> None:
    """Let a placeholder in half precision take float32, by a cast of its own."""
    image = next((node for node in graph_def.node if node.name == name), None)
    if image is None or image.op != "Placeholder" or image.attr["dtype"].type != tf.float16.as_datatype_enum:
        return
    for node in graph_def.node:
        for place, read in enumerate(node.input):
            if read in (name, f"{name}:0"):
                node.input[place] = name + HALF
    image.attr["dtype"].type = tf.float32.as_datatype_enum
    cast = graph_def.node.add(name=name + HALF, op="Cast", input=[name])
    cast.attr["SrcT"].type = tf.float32.as_datatype_enum
    cast.attr["DstT"].type = tf.float16.as_datatype_enum


def signature_of(network: Network, path: Path) -> Callable[[Any], List[Any]]:
    """Return the serving signature of a SavedModel, from its input to the network's tensors."""
    model = tf.saved_model.load(str(path))
    signature = model.signatures[SIGNATURE]
    inputs: Dict[str, Any] = signature.structured_input_signature[1]
    beside = {name: _constant(inputs[name], value) for name, value in network.constants.items()}
    own = inputs[network.input.name].dtype

    def call(image: Any) -> List[Any]:
        # The model is not to be freed before it is frozen.
        outputs = model.signatures[SIGNATURE](**{network.input.name: tf.cast(image, own)}, **beside)
        return [outputs[name] for name in network.tensors]

    return call


def _constant(spec: Any, value: Any) -> Any:
    """Return a constant as a tensor of an input's type and shape."""
    sizes = None if spec.shape.rank is None else list(spec.shape)
    return tf.constant(constant_array(value, spec.dtype.as_numpy_dtype, sizes), spec.dtype)


def layers_of(network: Network, path: Path) -> Callable[[Any], List[Any]]:
    """Return the part of a Keras file between the outputs of layers: from the network's input to its tensors.

    The layer of the input may be the input layer or another.

    Raises:
        Exception: Keras's own; among them the ValueError of a layer with Python code in it, which is not run.
    """
    loaded = tf.keras.models.load_model(path, compile=False, safe_mode=True)
    whole = tf.keras.Model(loaded.inputs, loaded.outputs)
    ends = dict(zip(whole.output_names, whole.outputs))

    def tensor(name: str) -> Any:
        return ends[name] if name in ends else whole.get_layer(name).output

    image_end, *others = [tensor(name) for name in (network.input.name, *network.constants)]
    part = tf.keras.Model([image_end, *others], [tensor(name) for name in network.tensors])
    beside = []
    for end, value in zip(others, network.constants.values()):
        beside.append(tf.constant(constant_array(value, end.dtype, list(end.shape)), end.dtype))
    return lambda image: part([tf.cast(image, image_end.dtype), *beside], training=False)


def freeze(network: Network, call: Callable[[Any], List[Any]]) -> Any:
    """Return a function of the network's input as a frozen graph (GraphDef)."""
    fed = tf.as_dtype(network.input.dtype)
    function = tf.function(call, autograph=False).get_concrete_function(
        tf.TensorSpec(network.input.shape, fed)
    )
    frozen = convert_variables_to_constants_v2(function)
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(fed, network.input.shape, network.input.name)
        names = [tensor.name for tensor in frozen.outputs]
        outputs = tf.import_graph_def(
            frozen.graph.as_graph_def(), {frozen.inputs[0].name: image}, names, name="frozen"
        )
        for name, output in zip(network.tensors, outputs):
            tf.identity(output, name)
    return graph.as_graph_def()
