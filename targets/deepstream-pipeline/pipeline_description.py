"""A DeepStream pipeline as data: elements with their properties, and how they are linked.

The program that runs it, the software stand-in and the picture in the documents are all made from this.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

from shared.contract.errors import InputProblem
from shared.contract.streaming import VIDEO_ENDINGS, is_address

Value = Union[str, int, float, bool]

MUX, SINK = "mux", "sink"
"""The names of the elements in which the sources meet, and in which all ends."""

DEMUXERS = {
    ".mp4": "qtdemux",
    ".mov": "qtdemux",
    ".mkv": "matroskademux",
    ".avi": "avidemux",
    ".ts": "tsdemux",
}
"""By a file's ending; what is not named there is H.264 as it is, without a container."""

PUSH_TIMEOUT_US = 40_000
"""Microseconds that the mux waits for frames of all sources: a frame's time at 25 a second."""

LATENCY_MS = 200
"""Milliseconds that frames of an address may come too late by, and still be put into their order."""


@dataclass(frozen=True)
class GstElement:
    """An element of GStreamer.

    Attributes:
        factory: what makes it, for example `nvinfer`.
        properties: that differ from its defaults.
    """

    name: str
    factory: str
    properties: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class GstLink:
    """Two elements, by their names.

    Attributes:
        pad: of the target, where it is asked for one: `sink_0`.
        is_late: the origin has its pad only when it has seen what it reads.
    """

    origin: str
    target: str
    pad: Optional[str] = None
    is_late: bool = False


@dataclass(frozen=True)
class PipelineDescription:
    """A pipeline.

    Attributes:
        elements: each after those that it gets its data from.
    """

    elements: Tuple[GstElement, ...]
    links: Tuple[GstLink, ...]

    def element(self, name: str) -> GstElement:
        return next(one for one in self.elements if one.name == name)

    def of(self, factory: str) -> Tuple[GstElement, ...]:
        """Return the elements of a factory, in their order."""
        return tuple(one for one in self.elements if one.factory == factory)

    def before(self, name: str) -> Tuple[str, ...]:
        """Return the elements that an element gets its data from."""
        return tuple(link.origin for link in self.links if link.target == name)


@dataclass(frozen=True)
class Inference:
    """An nvinfer element: its name, which is that of the pipeline's node, and its configuration's path."""

    name: str
    config: str


@dataclass(frozen=True)
class Wish:
    """What a pipeline is to do.

    Attributes:
        sources: H.264 in files (VIDEO_ENDINGS), addresses (rtsp://...), cameras (/dev/video0).
        size: width and height in pixels to which the mux scales frames; boxes are in these pixels.
        inferences: the detector, then what reads its objects.
        tracker: path of the tracker's library; None without one.
        tracker_config: path of its configuration.
        draws: what was read is drawn on the frames, which then go to the sink.
    """

    sources: Tuple[str, ...]
    size: Tuple[int, int]
    inferences: Tuple[Inference, ...]
    tracker: Optional[str] = None
    tracker_config: Optional[str] = None
    draws: bool = False


def describe(wish: Wish) -> PipelineDescription:
    """Return the pipeline that does what is wished for.

    Raises:
        InputProblem: a source that it cannot read.
    """
    elements: List[GstElement] = []
    links: List[GstLink] = []
    for number, source in enumerate(wish.sources):
        branch = _branch(number, source)
        elements += branch
        for origin, target in zip(branch, branch[1:]):
            links.append(GstLink(origin.name, target.name, is_late=_is_late(origin)))
        links.append(GstLink(branch[-1].name, MUX, f"sink_{number}"))
    trunk = _trunk(wish)
    elements += trunk
    links += [GstLink(origin.name, target.name) for origin, target in zip(trunk, trunk[1:])]
    return PipelineDescription(tuple(elements), tuple(links))


def is_live(source: str) -> bool:
    """Tell whether a source does not wait for whoever reads it."""
    return is_address(source) or source.startswith("/dev/")


def _is_late(element: GstElement) -> bool:
    return element.factory in (*DEMUXERS.values(), "rtspsrc")


def _branch(number: int, source: str) -> List[GstElement]:
    """Return the elements of one source, up to its decoder."""

    def named(factory: str, **properties: Value) -> GstElement:
        told = {name.replace("_", "-"): value for name, value in properties.items()}
        return GstElement(f"{factory}{number}", factory, told)

    decoder = [named("h264parse"), named("nvv4l2decoder"), named("queue", max_size_buffers=4)]
    if is_address(source):
        if not re.match("rtsps?://", source, re.IGNORECASE):
            raise InputProblem("no such address is read by this target", source.split(":")[0], "give rtsp://")
        read = named("rtspsrc", location=source, latency=LATENCY_MS, protocols="tcp", drop_on_latency=True)
        return [read, named("rtph264depay"), *decoder]
    if source.startswith("/dev/video"):
        memory = named("capsfilter", caps="video/x-raw(memory:NVMM),format=NV12")
        return [named("v4l2src", device=source), named("videoconvert"), named("nvvideoconvert"), memory]
    ending = "." + source.rpartition(".")[2].lower()
    if ending not in VIDEO_ENDINGS:
        advice = f"give a video that ends with {', '.join(VIDEO_ENDINGS)}"
        raise InputProblem("no video by its name", source, advice)
    demuxer = [named(DEMUXERS[ending])] if ending in DEMUXERS else []
    return [named("filesrc", location=source), *demuxer, *decoder]


def _trunk(wish: Wish) -> List[GstElement]:
    """Return what all sources' frames go through."""
    width, height = wish.size
    mux: Dict[str, Value] = {"batch-size": len(wish.sources), "width": width, "height": height}
    mux.update({"batched-push-timeout": PUSH_TIMEOUT_US, "live-source": any(map(is_live, wish.sources))})
    trunk = [GstElement(MUX, "nvstreammux", mux)]
    for place, inference in enumerate(wish.inferences):
        # A queue before each: they work at the same time, each in a thread of its own.
        trunk.append(GstElement(f"queue_{inference.name}", "queue", {"max-size-buffers": 4}))
        trunk.append(GstElement(inference.name, "nvinfer", {"config-file-path": inference.config}))
        if place == 0 and wish.tracker is not None:
            told: Dict[str, Value] = {"ll-lib-file": wish.tracker}
            if wish.tracker_config is not None:
                told["ll-config-file"] = wish.tracker_config
            trunk.append(GstElement("tracker", "nvtracker", told))
    trunk.append(GstElement("convert", "nvvideoconvert"))
    if wish.draws:
        trunk.append(GstElement("osd", "nvdsosd"))
    quiet: Dict[str, Value] = {"sync": False, "async": False, "enable-last-sample": False}
    return [*trunk, GstElement(SINK, "appsink" if wish.draws else "fakesink", quiet)]


def decoder_of(description: PipelineDescription, number: int) -> str:
    """Return the name of the element that a source's frames come from: its decoder, or what a camera has."""
    decoder = f"nvv4l2decoder{number}"
    names = [one.name for one in description.elements]
    return decoder if decoder in names else description.before(MUX)[number]


def branch_of(description: PipelineDescription, number: int) -> Tuple[str, ...]:
    """Return the names of a source's elements, from the source itself to the last one before the mux."""
    names = [description.before(MUX)[number]]
    while description.before(names[0]):
        names = [*description.before(names[0]), *names]
    return tuple(names)


def problems(description: PipelineDescription) -> List[str]:
    """Return what cannot be right of a pipeline, each a sentence: it is checked where nothing can be run."""
    names = [one.name for one in description.elements]
    found = [f"two elements are called {name}" for name in _twice(names)]
    seen: List[str] = []
    for element in description.elements:
        for origin in description.before(element.name):
            if origin not in seen:
                found.append(f"{element.name} gets its data from {origin}, which is not before it")
        seen.append(element.name)
    ends = {end for link in description.links for end in (link.origin, link.target)}
    found += [f"{name} is linked with nothing" for name in names if name not in ends]
    found += [f"a link names {name}, which is not there" for name in sorted(ends - set(names))]
    pads = [f"{link.target}.{link.pad}" for link in description.links if link.pad is not None]
    found += [f"two links go to {pad}" for pad in _twice(pads)]
    return found


def _twice(names: Sequence[str]) -> List[str]:
    """Return the names that stand there more than once."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def launch_line(description: PipelineDescription) -> str:
    """Return a pipeline as `gst-launch-1.0` takes it, which tries it by hand."""
    parts = []
    for element in description.elements:
        told = [f"{name}={_quoted(value)}" for name, value in element.properties.items()]
        parts.append(" ".join([element.factory, f"name={element.name}", *told]))
    for link in description.links:
        target = f"{link.target}.{link.pad}" if link.pad else f"{link.target}."
        parts.append(f"{link.origin}. ! {target}")
    return " ".join(parts)


def _quoted(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return (
        text
        if re.fullmatch(r"[\w./:-]+", text)
        else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )


def picture(description: PipelineDescription) -> str:
    """Return a pipeline as a Mermaid diagram."""
    lines = ["flowchart LR"]
    for element in description.elements:
        what = element.factory if element.factory == element.name else f"{element.factory}<br>{element.name}"
        lines.append(f'  {element.name}["{what}"]')
    for link in description.links:
        arrow = "-.->" if link.is_late else "-->"
        pad = f"|{link.pad}|" if link.pad else ""
        lines.append(f"  {link.origin} {arrow}{pad} {link.target}")
    return "\n".join(lines) + "\n"
