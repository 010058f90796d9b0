"""How nvinfer is told to make a network's input, and what of it nvinfer cannot say.

nvinfer computes y = factor * (pixel - offset), with one factor, of pixels of 0 to 255 that have their colour
and size, and hands on float32. What that cannot say has to be in the graph: the build puts it there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Tuple

from nvinfer_entries import Entry

from shared.contract.errors import InputProblem
from shared.contract.model import InputSpec, Network

COLOURS = {"RGB": 0, "BGR": 1, "GRAY": 2}
"""The values of `model-color-format`."""

SMALLEST, LARGEST = 2.0**-126, 3.4e38
"""Between these, a factor is a float32 with all its digits."""


@dataclass(frozen=True)
class Normalization:
    """What nvinfer does to the pixels, and what is left for the graph.

    Attributes:
        factor, offsets: of y = factor * (pixel - offset); no offsets are zeros.
        reason: why the graph normalizes by itself, given the pixels as they are; None where nvinfer does.
    """

    factor: float
    offsets: Tuple[float, ...]
    reason: Optional[str] = None

    @property
    def is_in_graph(self) -> bool:
        return self.reason is not None


def folded_into_graph(network: Network) -> bool:
    """Tell whether (pixel - mean) / scale, or the step to 8 bits, has to be put into the network's ONNX.

    Raises:
        InputProblem: as `normalization_of`.
    """
    return normalization_of(network.input).is_in_graph


def normalization_of(spec: InputSpec) -> Normalization:
    """Return who normalizes the pixels, and how.

    Raises:
        InputProblem: mean or scale are not one number for each channel, or a scale is 0.
    """
    mean = _for_each_channel(spec, spec.mean, "mean")
    scale = _for_each_channel(spec, spec.scale, "scale")
    if 0 in scale:
        raise InputProblem("a scale is 0, and nothing can be divided by it", "$.input.scale", "correct it")
    reason = None
    if spec.dtype == "uint8":
        reason = "the network takes 8-bit pixels and nvinfer gives float32"
    elif len(set(scale)) > 1:
        reason = "the scale differs by channel and nvinfer has one factor for all"
    elif not SMALLEST <= 1 / scale[0] <= LARGEST:
        reason = f"1 / {scale[0]:g} is no factor: nvinfer takes those above 0, as float32"
    elif not 0 <= min(mean) <= max(mean) <= 255:
        reason = "a mean is not between 0 and 255, as nvinfer's offsets are"
    if reason is not None:
        return Normalization(1.0, (), reason)
    return Normalization(1 / scale[0], mean if any(mean) else ())


def _for_each_channel(spec: InputSpec, values: Tuple[float, ...], key: str) -> Tuple[float, ...]:
    """Return one value for each channel of what may be one for all."""
    count, where = spec.channel_count, f"$.input.{key}"
    if len(values) not in (1, count):
        advice = f"give one value, or {count}"
        raise InputProblem(f"{len(values)} values for {count} channels", where, advice)
    if not all(map(math.isfinite, values)):
        raise InputProblem("a value that is no finite number", where, "correct it")
    return values * count if len(values) == 1 else values


def input_entries(spec: InputSpec) -> Tuple[Entry, ...]:
    """Return the entries that say how the input is made of a picture.

    Raises:
        InputProblem: nvinfer cannot make this input: a letterbox that is not black, channels that are none of
            its colours, what `normalization_of` refuses.
    """
    height, width = spec.size
    wanted = 1 if spec.channels == "GRAY" else 3
    if spec.channel_count != wanted or spec.channels not in COLOURS:
        what = f"{spec.channel_count} channels are no {spec.channels} picture"
        raise InputProblem(what, "$.input.shape", f"nvinfer gives {wanted} for it")
    size = f"{spec.channel_count};{height};{width}"
    return (
        Entry("infer-dims", size, "model.json input.shape: channels, height, width"),
        Entry(
            "model-color-format", str(COLOURS[spec.channels]), f"model.json input.channels {spec.channels}"
        ),
        *_scale_entries(spec),
        *_resize_entries(spec),
    )


def _scale_entries(spec: InputSpec) -> Tuple[Entry, ...]:
    found = normalization_of(spec)
    if found.reason is not None:
        return (Entry("net-scale-factor", number(1), f"the graph normalizes by itself: {found.reason}"),)
    factor = Entry("net-scale-factor", number(found.factor), "model.json input.scale: 1 / scale")
    if not found.offsets:
        return (factor,)
    return factor, Entry("offsets", ";".join(map(number, found.offsets)), "model.json input.mean")


def _resize_entries(spec: InputSpec) -> Tuple[Entry, ...]:
    if spec.resize == "letterbox" and spec.pad != 0:
        advice = "use pad 0 with a network that was trained so, or resize: stretch"
        what = f"a letterbox filled with {spec.pad}: nvinfer fills with black alone"
        raise InputProblem(what, "$.input.pad", advice)
    said = f"model.json input.resize: {spec.resize}"
    is_letterbox = spec.resize == "letterbox"
    is_centred = int(spec.placed == "centre")
    place = Entry("symmetric-padding", str(is_centred), f"model.json input.placed: {spec.placed}")
    sampled = f"model.json input.interpolation: {spec.interpolation}"
    if spec.interpolation != "linear":
        sampled += ", which nvinfer lacks; bilinear is the nearest to it"
    return (
        Entry("maintain-aspect-ratio", str(int(is_letterbox)), said),
        *((place,) if is_letterbox else ()),
        Entry("scaling-filter", "1", sampled),
    )


def number(value: float) -> str:
    """Return a number as both syntaxes have it, with all its digits, whole ones without a point."""
    return str(int(value)) if value == int(value) and abs(value) < 1e9 else repr(float(value))
