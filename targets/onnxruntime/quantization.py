"""Static quantization to int8 with ONNX Runtime's quantizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set

import onnx
from graphs import feeding
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

from shared.contract.errors import nearest
from shared.contract.model import InputSpec, Network
from shared.contract.result import Notes, Table
from shared.harness.progress import track
from shared.harness.toolchain import Calibration, Options
from shared.inference.arrays import Array

CALIBRATIONS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}


def quantize(
    network: Network, source: Path, spec: InputSpec, target: Path, options: Options, data: Calibration
) -> Notes:
    """Quantize a graph's file into another; return the notes.

    Args:
        spec: how an image becomes the network's input.
        options: the method's options, every default filled in.

    Raises:
        ValueError: nothing is left to be quantized, or a node or type that is to be ignored is not there.
    """
    model = onnx.load(source)
    chosen = chosen_nodes(model, options.get("ignored_scope", {}))
    size = min(options["subset_size"], data.size("calibration"))
    is_symmetric = options["symmetric"]
    quantize_static(
        source,
        target,
        Images(model.graph.input[0].name, track(data.inputs("calibration", spec), "calibrate", size), size),
        quant_format=QuantFormat.QDQ,
        per_channel=options["per_channel"],
        reduce_range=options["reduce_range"],
        activation_type=QuantType.QInt8 if is_symmetric else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=chosen,
        calibrate_method=CALIBRATIONS[options["calibration"]],
        # One image at a time: the calibrator keeps all tensors of the images that it is given at once.
        # (CalibMaxIntermediateOutputs is no help: it throws away what was read.)
        extra_options={"ActivationSymmetric": is_symmetric, "CalibStridedMinMax": 1},
    )
    return notes_of(network, onnx.load(target), size)


def chosen_nodes(model: Any, ignored: Options) -> List[str]:
    """Return the names of the nodes that are to be quantized.

    Args:
        ignored: the names and types of nodes that stay in floating point.

    Raises:
        ValueError: none is left, or the graph has no such node or type.
    """
    nodes = model.graph.node
    names, types = set(ignored.get("names", ())), set(ignored.get("types", ()))
    known_names = {node.name for node in nodes}
    known_types = {node.op_type for node in nodes}
    for kind, given, known in (("operation", names, known_names), ("type", types, known_types)):
        for name in sorted(given - known):
            raise ValueError(f"the converted graph has no {kind} '{name}'; {nearest(name, known)}")
    chosen = feeding(model, {node.name for node in nodes if node.name in names or node.op_type in types})
    # To ONNX Runtime no names at all are those of every node.
    if not chosen:
        raise ValueError("no operation with weights is left to be quantized")
    return chosen


def notes_of(network: Network, model: Any, images: int) -> Notes:
    """Return the notes of a quantized graph.

    Args:
        images: how many it was calibrated with.
    """
    dequantized: Set[str] = set()
    to_quantize: Set[str] = set()
    operations = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            dequantized.update(node.output)
        elif node.op_type == "QuantizeLinear":
            to_quantize.update(node.input)
        else:
            operations.append(node)
    in_float = [
        (node.name, node.op_type)
        for node in operations
        if not (dequantized & set(node.input) and to_quantize & set(node.output))
    ]
    quantized = len(operations) - len(in_float)
    remark = f"{quantized} of {len(operations)} operations of {network.name} are quantized"
    title = f"Operations of {network.name} left in floating point"
    return Notes(
        remarks=(f"{remark} (calibrated with {images} images)",),
        tables=(Table(title, ("operation", "type"), tuple(in_float), folded=True),) if in_float else (),
        calibration_images=images,
        details={"operations": len(operations), "quantized_operations": quantized},
    )


class Images:
    """The first calibration images as the calibrator asks for them: a stretch at a time."""

    def __init__(self, feed: str, images: Iterator[Array], size: int) -> None:
        self._feed, self._images, self._size, self._left = feed, images, size, 0

    def __len__(self) -> int:
        return self._size

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = end_index - start_index

    def get_next(self) -> Optional[Dict[str, Array]]:
        if self._left == 0:
            return None
        self._left -= 1
        return {self._feed: next(self._images)}
