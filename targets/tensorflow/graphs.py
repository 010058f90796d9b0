"""The frozen graph of a model that came as TensorFlow's: a frozen graph, a SavedModel or a Keras file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, List

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from shared.contract.model import Network

SIGNATURE = "serving_default"


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
    return graph_def


def signature_of(network: Network, path: Path) -> Callable[[Any], List[Any]]:
    """Return the serving signature of a SavedModel, from its input to the network's tensors."""
    model = tf.saved_model.load(str(path))

    def call(image: Any) -> List[Any]:
        outputs = model.signatures[SIGNATURE](**{network.input.name: image})
        return [outputs[name] for name in network.tensors]

    return call


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

    part = tf.keras.Model(tensor(network.input.name), [tensor(name) for name in network.tensors])
    return lambda image: part(image, training=False)


def freeze(network: Network, call: Callable[[Any], List[Any]]) -> Any:
    """Return a function of the network's input as a frozen graph (GraphDef)."""
    function = tf.function(call, autograph=False).get_concrete_function(
        tf.TensorSpec(network.input.shape, tf.float32)
    )
    frozen = convert_variables_to_constants_v2(function)
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, network.input.shape, network.input.name)
        names = [tensor.name for tensor in frozen.outputs]
        outputs = tf.import_graph_def(
            frozen.graph.as_graph_def(), {frozen.inputs[0].name: image}, names, name="frozen"
        )
        for name, output in zip(network.tensors, outputs):
            tf.identity(output, name)
    return graph.as_graph_def()
