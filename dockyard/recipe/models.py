"""Models: networks and pipelines as model.json has them, checked against their graphs and one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dockyard.recipe import documents
from dockyard.recipe.anchors import with_anchors
from dockyard.recipe.graphs import GraphOutline
from dockyard.recipe.graphs.feeds import arithmetic_of, check_constants, fed_type
from dockyard.recipe.graphs.outline import check_names, read_outline
from dockyard.recipe.hashing import content_hash
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import InputProblem, nearest
from shared.contract.measurement import TOTAL
from shared.contract.model import (
    BEST,
    EVERY,
    IMAGE,
    InputSpec,
    Model,
    Network,
    Pipeline,
    PipelineNode,
    steps_of,
)
from shared.contract.outputs import DetectionOutputs, Task, TextOutputs
from shared.contract.streaming import stream_problem

SCHEMA = PRODUCT / "models" / "model.schema.json"

NMS_IOU = 0.5
"""What is advised where nothing is said of boxes that overlap."""

CHANNELS = {"RGB": 3, "BGR": 3, "GRAY": 1}
"""How many channels an image has, by their order."""


def load_model(workspace: Workspace, name: str, where: str) -> Model:
    """Load a network, its graph checked (format, checksum, tensor names, input shape), or a pipeline.

    A pipeline's networks are not loaded: `check_pipeline` looks at them.

    Args:
        workspace: where it is looked up.
        name: its folder's name.
        where: what asks for it, for the message that there is none.

    Raises:
        InputProblem: with the place and the nearest valid name.
    """
    known = workspace.names("models", "model.json")
    if name not in known:
        raise InputProblem(f"there is no model '{name}'", where, nearest(name, known))
    folder = workspace.model(name)
    place = workspace.display_path(folder / "model.json")
    document = documents.read_json(folder / "model.json", place)
    documents.check(document, SCHEMA, place)
    if "pipeline" in document:
        _check_nodes(document["pipeline"], f"{place}: $.pipeline")
        return Pipeline.from_model_json(name, document)
    network = with_anchors(Network.from_model_json(name, document), folder, place)
    return checked_network(workspace, network, folder, document["input"].get("dtype"))


def checked_network(
    workspace: Workspace, network: Network, folder: Path, dtype: str | None = None
) -> Network:
    """Check what model.json says of a network, as far as a schema cannot, and its graph against it.

    Args:
        workspace: the one it lies in; messages name paths below it.
        network: as model.json has it, or as a recipe's conversion has it run.
        folder: the model's folder.
        dtype: what model.json says of the input's type; None where it leaves that to the graph.

    Returns:
        The network with what only its graph tells: what its image is fed as, what it computes in.

    Raises:
        InputProblem: with the place and the nearest valid name.
    """
    where = workspace.display_path(folder / "model.json")
    _check_input(network.input, where)
    if isinstance(network.outputs, TextOutputs):
        symbols = network.outputs.symbols
        if symbols.blank_class > len(symbols.alphabet):
            raise InputProblem(
                f"the blank {symbols.blank} is beyond the {len(symbols.alphabet)} symbols of the alphabet",
                f"{where}: $.outputs.symbols.blank",
            )
    if isinstance(network.outputs, DetectionOutputs):
        _check_boxes(network.outputs, f"{where}: $.outputs")
    outline = _outline_of(workspace, network, folder, where)
    check_names(network, outline, where)
    check_constants(network, outline, where)
    spec = replace(network.input, dtype=fed_type(network, outline, dtype, where))
    _check_normalization(spec, where)
    return replace(network, input=spec, arithmetic=arithmetic_of(network, outline))


def _check_boxes(outputs: DetectionOutputs, where: str) -> None:
    """Refuse keys that contradict one another: one of them would be passed over."""
    box, objects = outputs.box, outputs.objects
    is_raw = box.strides is not None or box.anchors is not None
    if box.strides is not None and box.anchors is not None:
        raise InputProblem("boxes that are relative to cells and to anchors", f"{where}.box", "keep one")
    if box.strides is not None and (box.form, box.unit) != ("cxcywh", "pixels"):
        advice = 'cells and strides are of centres and sizes: "form": "cxcywh", "unit": "pixels"'
        raise InputProblem(
            f"strides with the form '{box.form}' in {box.unit}", f"{where}.box.strides", advice
        )
    if is_raw and box.form not in ("cxcywh", "cycxhw"):
        advice = "the outputs are a centre and a size: cxcywh, or cycxhw where y is first"
        raise InputProblem(f"anchors with the form '{box.form}'", f"{where}.box.form", advice)
    classes = objects.classes if objects else None
    if classes is not None and classes.background is not None and classes.background > len(classes.names):
        what = f"the background {classes.background} is beyond the {len(classes.names)} names and itself"
        raise InputProblem(what, f"{where}.objects.classes.background", "give its number among the scores")
    if (
        classes is not None
        and classes.kind == "number"
        and (classes.activation or classes.background is not None)
    ):
        advice = 'leave activation and background out, or write "kind": "scores"'
        raise InputProblem("a number of a class is no score", f"{where}.objects.classes", advice)


def _check_input(spec: InputSpec, where: str) -> None:
    channels = CHANNELS[spec.channels]
    if spec.channel_count != channels or spec.shape[0] != 1:
        raise InputProblem(
            f"the shape {list(spec.shape)} in the layout {spec.layout}"
            f" is not one image of {channels} channel(s)",
            f"{where}: $.input.shape",
        )
    for key, values in (("mean", spec.mean), ("scale", spec.scale)):
        if len(values) not in (1, channels):
            what = f"{len(values)} values for {channels} channel(s)"
            raise InputProblem(what, f"{where}: $.input.{key}", "give one value, or one for each channel")


def _check_normalization(spec: InputSpec, where: str) -> None:
    """Refuse mean and scale of a graph that takes pixels as they are: they would not be applied."""
    for key, values, none in (("mean", spec.mean, 0.0), ("scale", spec.scale, 1.0)):
        if spec.dtype == "uint8" and set(values) != {none}:
            raise InputProblem(
                f"the input '{spec.name}' is uint8, which takes the pixels as they are, without {key}",
                f"{where}: $.input.{key}",
                "leave mean and scale out: such a graph normalizes by itself",
            )


def _outline_of(workspace: Workspace, network: Network, folder: Path, where: str) -> GraphOutline:
    """Return the outline of a network's graph; its file (or folder), format and checksum are checked."""
    path = folder / network.graph
    try:
        is_inside, is_there = folder.resolve() in path.resolve().parents, path.exists()
    except (OSError, ValueError):  # no file can have that name
        is_inside, is_there = True, False
    if not is_inside:
        raise InputProblem(f"the path '{network.graph}' leaves the model's folder", f"{where}: $.graph.file")
    if not is_there:
        advice = f"put it in {workspace.display_path(folder)}/"
        raise InputProblem(f"there is no graph '{network.graph}'", f"{where}: $.graph.file", advice)
    outline = read_outline(path, network.format, workspace.display_path(path))
    digest = content_hash(path)
    if digest != network.sha256:
        raise InputProblem(
            f"{network.graph} has the checksum {digest}, not {network.sha256[:12]}...",
            f"{where}: $.graph.sha256",
            "restore the graph, or write the new checksum after having looked at why it changed",
        )
    return outline


def _check_nodes(entries: Sequence[Mapping[str, Any]], where: str) -> None:
    """Check the nodes of a pipeline as model.json has them, as far as a schema cannot.

    Raises:
        InputProblem: a name that something else has, an input that is no earlier node, a crop margin of the
            whole image.
    """
    earlier: list[PipelineNode] = []
    for number, entry in enumerate(entries):
        node = PipelineNode(**entry)
        _check_name(node, earlier, f"{where}[{number}].name")
        names = [other.name for other in earlier]
        if node.input != IMAGE and node.input not in names:
            what = f"there is no earlier node '{node.input}'"
            raise InputProblem(what, f"{where}[{number}].input", nearest(node.input, [IMAGE, *names]))
        if node.input == IMAGE and "crop_margin" in entry:
            what = f"'{node.name}' takes the whole image: nothing is cropped for it"
            advice = "leave the margin out, or name the node that it is cropped from as its input"
            raise InputProblem(what, f"{where}[{number}].crop_margin", advice)
        earlier.append(node)


def _check_name(node: PipelineNode, earlier: Sequence[PipelineNode], where: str) -> None:
    """Refuse a name that something else has: timings hold the steps of all nodes side by side."""
    if node.name in [other.name for other in earlier]:
        raise InputProblem(f"there are two nodes '{node.name}'", where, "give each node a name of its own")
    taken = {IMAGE, TOTAL, *steps_of(tuple(earlier))}
    clash = next((step for step in (node.name, *node.steps) if step in taken), None)
    if clash is not None:
        what = f"the node '{node.name}' would be timed as '{clash}', which already means something else"
        raise InputProblem(what, where, "choose another name")


def check_pipeline(pipeline: Pipeline, networks: Mapping[str, Network], where: str) -> None:
    """Check a pipeline's nodes against their networks.

    Args:
        pipeline: as loaded.
        networks: its networks by name, as loaded.
        where: file and JSON path of the list of nodes, as `models/plates/model.json: $.pipeline`.

    Raises:
        InputProblem: a network that is not among them; a node that crops from one that detects nothing; every
            object to be read where that cannot be.
    """
    tasks: dict[str, Task] = {}
    for number, node in enumerate(pipeline.nodes):
        if node.network not in networks:
            advice = nearest(node.network, networks)
            raise InputProblem(f"there is no network '{node.network}'", f"{where}[{number}].network", advice)
        if node.input != IMAGE and tasks[node.input] != Task.DETECTION:
            detectors = [name for name, task in tasks.items() if task == Task.DETECTION]
            raise InputProblem(
                f"'{node.input}' finds no box that could be cropped: its task is {tasks[node.input].value}",
                f"{where}[{number}].input",
                nearest(node.input, [IMAGE, *detectors]),
            )
        tasks[node.name] = networks[node.network].task
    for number, node in enumerate(pipeline.nodes):
        if node.objects == EVERY:
            _check_every(pipeline, number, networks, f"{where}[{number}].objects")


def _check_every(pipeline: Pipeline, number: int, networks: Mapping[str, Network], where: str) -> None:
    """Refuse to follow every object of a node where that cannot be. Raises InputProblem."""
    first, last = pipeline.nodes[0], pipeline.nodes[-1]
    outputs = networks[first.network].outputs
    problem = stream_problem(pipeline, networks)
    advice = f'leave it out: "{BEST}" follows the best box alone'
    if number > 0:
        problem = f"'{pipeline.nodes[number].name}' is not the first node"
    elif not problem and networks[last.network].task != Task.TEXT_RECOGNITION:
        problem = f"its last node, '{last.name}', reads no text"
    elif not problem and not (isinstance(outputs, DetectionOutputs) and outputs.finds_many):
        problem = f"{first.network} is a detector of one box"
        advice = f'if it finds several, give its model.json outputs.objects: {{"nms_iou": {NMS_IOU:g}}}'
    if problem:
        raise InputProblem(f"{pipeline.name} cannot read every object: {problem}", where, advice)
