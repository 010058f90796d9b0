"""TensorRT's methods up to the graph: the ONNX that says in which precision each operation is computed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Dict

import onnx
from accuracy_search import Search
from graphs import weighted
from precision import in_float32
from quantizers import refuse_quantized
from tensorrt_quantization import Prediction, half, quantized, with_quantizers

from shared.contract.model import InputSpec, Network
from shared.contract.result import Notes
from shared.harness.toolchain import Calibration, Options


def write_typed(
    network: Network,
    method: str,
    graph: Path,
    spec: InputSpec,
    target: Path,
    options: Options,
    data: Calibration,
) -> Notes:
    """Write a method's graph; return the notes.

    Args:
        method: `fp32`, `fp16`, `int8` or `int8-accuracy-aware`.
        graph: file of the float32 graph.
        spec: how an image becomes its input.
        options: the method's options, every default filled in.

    Raises:
        ValueError: the graph is quantized already, and the method would quantize it or shorten its types.
    """
    if method == "fp32":
        shutil.copyfile(graph, target)
        return Notes()
    refuse_quantized(network, onnx.load(graph))
    if method == "int8-accuracy-aware":
        return _accuracy_aware(network, graph, spec, target, options, data)
    if method == "fp16":
        half(graph, target)
        return Notes()
    return quantized(network, graph, spec, target, options, data)


def settings_of(method: str, graph: Path, options: Options) -> Dict[str, Any]:
    """Return what whoever compiles a method's graph must know of it, where the graph itself is not asked.

    `precision` is what its operations with weights compute in (`fp32`, `fp16`, `int8`), `rest` the type of
    all others (`float16`, `float32`), `float32` names those that stay float32 all the same; `weighted` names
    the operations with weights, `operations` all that the float32 graph has.

    Args:
        graph: file of the float32 graph.
    """
    precision = "int8" if method.startswith("int8") else method
    rest = options["rest"] if precision == "int8" else "float16" if precision == "fp16" else "float32"
    model = onnx.load(graph)
    return {
        "precision": precision,
        "rest": rest,
        "float32": sorted(in_float32(graph)) if rest == "float16" else [],
        "weighted": weighted(model),
        "operations": [node.name for node in model.graph.node],
    }


def _accuracy_aware(
    network: Network, graph: Path, spec: InputSpec, target: Path, options: Options, data: Calibration
) -> Notes:
    whole = target.with_name("quantized.onnx")
    notes = with_quantizers(network, graph, spec, whole, options, data)
    if notes.quantized_operations == 0:
        whole.unlink()
        return quantized(network, graph, spec, target, options, data)
    prediction = Prediction(network, spec, data, options["validation_images"])
    found = Search(prediction, graph, whole, options).run(options["max_drop"], target)
    whole.unlink()
    details = {"left_out": list(found.left_out), "graphs_tried": found.tried}
    return Notes(
        (found.remark,),
        found.tables,
        notes.calibration_images,
        details,
        quantized_operations=found.operations,
    )
