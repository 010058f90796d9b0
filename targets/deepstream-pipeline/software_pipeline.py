"""A described pipeline without NVIDIA's elements: decoding by GStreamer's own, inference by a stand-in.

What is before the mux becomes elements of stock GStreamer, which end in an appsink for each source; what is
after it is run by the program that takes frames from there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Mapping, Sequence, Tuple

from pipeline_description import MUX, GstElement, GstLink, PipelineDescription, Value, branch_of

INSTEAD: Mapping[str, str] = {"nvv4l2decoder": "avdec_h264", "nvvideoconvert": "videoconvert"}
"""Of NVIDIA's elements before the mux; their properties have no meaning for those."""

LIVE = ("rtspsrc", "v4l2src")
"""Sources that do not wait."""

MEMORY = "(memory:NVMM)"
"""In caps: frames are in the GPU's memory."""

WAITING = 2
"""Frames of a source that wait to be taken, beside those in its queue."""


def in_software(
    description: PipelineDescription, formats: Sequence[str]
) -> Tuple[PipelineDescription, Tuple[GstElement, ...]]:
    """Return what GStreamer runs, and the elements behind the mux, in their order, which it does not.

    Args:
        formats: I420 or BGR, for each source.
    """
    mux = description.element(MUX)
    place = description.elements.index(mux)
    branches = [_stand_in(one) for one in description.elements[:place]]
    names = {one.name for one in branches}
    links = [one for one in description.links if one.target in names]
    for number, link in enumerate(one for one in description.links if one.target == MUX):
        first = description.element(branch_of(description, number)[0])
        ends = _frames_out(number, mux, formats[number], first.factory in LIVE)
        branches += ends
        chain = [link.origin, *(one.name for one in ends)]
        links += [GstLink(origin, target) for origin, target in zip(chain, chain[1:])]
    return PipelineDescription(tuple(branches), tuple(links)), description.elements[place:]


def sink_name(number: int) -> str:
    """Return the name of the appsink that the frames of a source end in."""
    return f"frames{number}"


def _stand_in(element: GstElement) -> GstElement:
    factory = INSTEAD.get(element.factory)
    if factory is not None:
        return GstElement(element.name, factory)
    caps = element.properties.get("caps")
    if isinstance(caps, str) and MEMORY in caps:
        return replace(element, properties={"caps": "video/x-raw"})
    return element


def _frames_out(number: int, mux: GstElement, form: str, is_live: bool) -> List[GstElement]:
    """Return what scales a source's frames as the mux does, and hands them out. A file's frames wait."""
    size = f"width={mux.properties['width']},height={mux.properties['height']}"
    out: Dict[str, Value] = {"sync": False, "max-buffers": WAITING, "drop": is_live}
    return [
        GstElement(f"colour{number}", "videoconvert"),
        GstElement(f"scale{number}", "videoscale"),
        GstElement(f"caps{number}", "capsfilter", {"caps": f"video/x-raw,format={form},{size}"}),
        GstElement(sink_name(number), "appsink", {**out, "enable-last-sample": False}),
    ]
