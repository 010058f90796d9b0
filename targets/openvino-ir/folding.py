"""Pre-processing put into a network, when it is converted or when it is loaded for a stream."""

from __future__ import annotations

from typing import Any, Mapping

import openvino as ov
from conversion_options import folds_normalization, for_channels
from openvino.preprocess import PrePostProcessor

from shared.contract.model import InputSpec


def fold(model: Any, spec: InputSpec, options: Mapping[str, Any]) -> Any:
    """Put first into the network what the options say.

    That is: 8-bit input, exchange of channels, (x - mean) / scale, layout.
    """
    own = model.input().get_element_type()
    steps = PrePostProcessor(model)
    image = steps.input()
    image.model().set_layout(ov.Layout(spec.layout))
    image.tensor().set_layout(ov.Layout(options.get("layout", spec.layout)))
    if options.get("input_dtype") == "uint8":
        image.tensor().set_element_type(ov.Type.u8)
        image.preprocess().convert_element_type(ov.Type.f32)
    elif own == ov.Type.f16:
        # It is fed float32: what has no half precision of its own then need not make it.
        image.tensor().set_element_type(ov.Type.f32)
    if options.get("reverse_channels"):
        image.preprocess().reverse_channels()
    if folds_normalization(options):
        image.preprocess().mean(for_channels(options["mean"], spec.channel_count))
        image.preprocess().scale(for_channels(options["scale"], spec.channel_count))
    return steps.build()
