"""Static quantization to int8 with ONNX Runtime's quantizer."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set

import onnx
from graphs import WEIGHTED, feeding, weighted
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from quantizers import refuse_quantized, restored

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


@dataclass(frozen=True)
class Scheme:
    """How what runs a graph wants it quantized.

    Attributes:
        symmetric: activations become int8 with the zero point 0; otherwise uint8 with one of their own.
        per_channel: a scale for each output channel of the weights, which are int8 with the zero point 0.
        reduce_range: weights of 7 bits.
        only_weighted: only what operations with weights read is quantized, and their biases stay in floating
            point; otherwise all operations that lead to one with weights are, and what they write.
    """

    symmetric: bool
    per_channel: bool = True
    reduce_range: bool = False
    only_weighted: bool = False


def quantize(
    network: Network,
    source: Path,
    spec: InputSpec,
    target: Path,
    options: Options,
    data: Calibration,
    scheme: Scheme,
) -> Notes:
    """Quantize a graph's file into another; return the notes.

    A graph without operations that have weights is left as it is, and the notes say so.

    Args:
        spec: how an image becomes the network's input.
        options: `calibration`, `subset_size` and `ignored_scope` as target.json has them.

    Raises:
        ValueError: the graph is quantized already, everything that could be quantized is ignored, or a node
            or type that is to be ignored is not there.
    """
    model = onnx.load(source)
    refuse_quantized(network, model)
    if not weighted(model):
        shutil.copyfile(source, target)
        return Notes(quantized_operations=0)
    chosen = chosen_nodes(model, options.get("ignored_scope", {}), scheme.only_weighted)
    size = min(options["subset_size"], data.size("calibration"))
    quantize_static(
        source,
        target,
        Images(model.graph.input[0].name, track(data.inputs("calibration", spec), "calibrate", size), size),
        quant_format=QuantFormat.QDQ,
        per_channel=scheme.per_channel,
        reduce_range=scheme.reduce_range,
        activation_type=QuantType.QInt8 if scheme.symmetric else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        # Only what these read and write is calibrated; None stands for all types that can be quantized.
        op_types_to_quantize=sorted(WEIGHTED) if scheme.only_weighted else None,
        nodes_to_quantize=chosen,
        calibrate_method=CALIBRATIONS[options["calibration"]],
        extra_options={
            "ActivationSymmetric": scheme.symmetric,
            # One image at a time: the calibrator keeps all tensors of the images that it is given at once.
            # (CalibMaxIntermediateOutputs is no help: it throws away what was read.)
            "CalibStridedMinMax": 1,
            "QuantizeBias": not scheme.only_weighted,
            "OpTypesToExcludeOutputQuantization": sorted(WEIGHTED) if scheme.only_weighted else [],
        },
    )
    quantized = onnx.load(target)
    if scheme.only_weighted:
        # The quantizer gives what it quantized to all that read it, sums and poolings too.
        quantized = restored(quantized, model, {node.name for node in model.graph.node} - set(chosen))
        onnx.save(quantized, target)
    return notes_of(network, quantized, size, scheme)


def chosen_nodes(model: Any, ignored: Options, only_weighted: bool = False) -> List[str]:
    """Return the names of the nodes that are to be quantized.

    Args:
        ignored: the names and types of nodes that stay in floating point.
        only_weighted: of those that are not ignored, the ones with weights; otherwise those too that lead to
            one with weights.

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
    left_out = {node.name for node in nodes if node.name in names or node.op_type in types}
    if only_weighted:
        chosen = [name for name in weighted(model) if name not in left_out]
    else:
        chosen = feeding(model, left_out)
    # To ONNX Runtime no names at all are those of every node.
    if not chosen:
        raise ValueError("no operation with weights is left to be quantized")
    return chosen


def notes_of(network: Network, model: Any, images: int, scheme: Scheme) -> Notes:
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
    in_float = []
    for node in operations:
        writes = scheme.only_weighted or to_quantize & set(node.output)
        if not (dequantized & set(node.input) and writes):
            in_float.append((node.name, node.op_type))
    quantized = len(operations) - len(in_float)
    remark = f"{quantized} of {len(operations)} operations of {network.name} are quantized"
    title = f"Operations of {network.name} left in floating point"
    return Notes(
        remarks=(f"{remark} (calibrated with {images} images)",),
        tables=(Table(title, ("operation", "type"), tuple(in_float), folded=True),) if in_float else (),
        calibration_images=images,
        details={"operations": len(operations)},
        quantized_operations=quantized,
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
