"""What the options of a conversion mean; needs no vendor package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from shared.contract.model import InputSpec


def model_file(graph: Path) -> Path:
    """Return what a frontend reads: the graph; of a folder with an ONNX model and its weights the model."""
    is_folder = graph.suffix == ".onnx" and graph.is_dir()
    return next(graph.glob("*.onnx")) if is_folder else graph


def converted_input(spec: InputSpec, options: Mapping[str, Any]) -> InputSpec:
    """Return how an image becomes the converted network's input.

    Args:
        spec: the model's own input.
        options: of the conversion (`toolchain.Converter`). Folded mean and scale leave (0,) and (1,), a
            folded exchange of channels leaves the other order; the shape follows the layout.
    """
    mean, scale = ((0.0,), (1.0,)) if folds_normalization(options) else (spec.mean, spec.scale)
    channels = spec.channels
    if options.get("reverse_channels"):
        channels = {"RGB": "BGR", "BGR": "RGB"}[channels]
        mean, scale = mean[::-1], scale[::-1]
    batch, count, (height, width) = spec.shape[0], spec.channel_count, spec.size
    layout = options.get("layout", spec.layout)
    shape = (batch, count, height, width) if layout == "NCHW" else (batch, height, width, count)
    dtype = options.get("input_dtype", spec.dtype)
    return replace(spec, shape=shape, layout=layout, channels=channels, mean=mean, scale=scale, dtype=dtype)


def folds_normalization(options: Mapping[str, Any]) -> bool:
    """Tell whether (x - mean) / scale goes into the network: the options have both or none."""
    return "mean" in options


def for_channels(values: Sequence[float], channels: int) -> List[float]:
    """Return one value for each channel."""
    return [float(value) for value in (list(values) * channels if len(values) == 1 else values)]


def mo_parameters(
    graph: Path,
    spec: InputSpec,
    outputs: Sequence[str],
    options: Mapping[str, Any],
    beside: Sequence[str] = (),
) -> Dict[str, Any]:
    """Return the parameters of `openvino.tools.mo.convert_model`, as its documentation names them (2023.3).

    The layout goes by name, since a SavedModel can have an input for each signature; mean and scale go
    without one: mo drops them silently where the name has a colon. With inputs beside the image they need
    one, or they would be those inputs' too.

    Args:
        beside: inputs beside the image, which mo would otherwise drop and compute with zeros.
    """
    layout, model_layout = options.get("layout", spec.layout).lower(), spec.layout.lower()
    parameters: Dict[str, Any] = {
        "input_model": str(graph),
        "input": spec.name,
        "input_shape": [-1 if options.get("open_batch") else spec.shape[0], *spec.shape[1:]],
        "output": list(outputs),
        "layout": {spec.name: layout if layout == model_layout else f"{model_layout}->{layout}"},
        "compress_to_fp16": options.get("data_type") == "float16",
    }
    if folds_normalization(options):
        for key in ("mean", "scale"):
            values = for_channels(options[key], spec.channel_count)
            parameters[f"{key}_values"] = {spec.name: values} if beside else values
    if beside:
        parameters["input"] = [(spec.name, parameters.pop("input_shape")), *beside]
    if options.get("reverse_channels"):
        parameters["reverse_input_channels"] = True
    return parameters
