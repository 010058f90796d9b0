"""What a pipeline is run from: nvinfer's configurations, labels, what outputs mean, how objects are cropped.

<folder>/pipeline.json          the nodes, and the DeepStream release that the files are for
         <node>.txt             nvinfer's configuration of each
         <node>_labels.txt      where it has labels
         outputs.txt            what the networks' outputs mean, for the parsers
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, List, Mapping, Tuple

from nvinfer_config import Element, detector_config, label_lines, reader_config
from nvinfer_entries import Config
from nvinfer_lint import lint_files
from nvinfer_text import write
from outputs_text import outputs_text

from shared.contract.codec import DecodeError, decode, encode
from shared.contract.errors import InputProblem, JobFailed
from shared.contract.model import IMAGE, Network, PipelineNode
from shared.contract.result import Notes, Table
from shared.contract.stages import NetworkFiles, PipelineFiles
from shared.contract.streaming import Tracking
from shared.inference.artifacts import read_manifest

PIPELINE_FILE, OUTPUTS_FILE = "pipeline.json", "outputs.txt"
PARSERS_FILE = "libdockyard_parsers.so"
SYNTAX, ENDING = "ini", ".txt"
"""The one that every release reads."""

VERSION = 1


@dataclass(frozen=True)
class StreamNode:
    """A node of a pipeline as it is run.

    Attributes:
        onnx, engine: the files that nvinfer looks for beside the configuration.
    """

    node: PipelineNode
    onnx: str
    engine: str

    @property
    def config(self) -> str:
        """The file of its configuration."""
        return self.node.name + ENDING


@dataclass(frozen=True)
class StreamFiles:
    """The content of `pipeline.json`.

    Attributes:
        release: of DeepStream, whose syntax the configurations have.
        nodes: the detector, then what reads its objects.
        tracking: that the configurations are for.
    """

    release: str
    nodes: Tuple[StreamNode, ...]
    tracking: Tracking
    version: int = VERSION


@dataclass(frozen=True)
class Made:
    """How the networks of a variant are made.

    Attributes:
        release: of DeepStream.
        precision: `fp32`, `fp16`, `int8`, `best`.
        is_typed: the ONNX has its precisions in it.
        has_graphs: nvinfer is told of the ONNX, too. Without it nvinfer runs the engine that it is given or
            nothing: it cannot build another one with settings of its own.
    """

    release: str
    precision: str = "fp32"
    is_typed: bool = False
    has_graphs: bool = True


def write_files(pipeline: PipelineFiles, folder: Path, output: Path, made: Made, tracking: Tracking) -> Notes:
    """Write what a pipeline is run from into the folder `output`; return a table of every key and its origin.

    Args:
        folder: the job's, below which the networks' artifacts are.

    Raises:
        InputProblem: nvinfer cannot run a network so.
        JobFailed: what was written is not what nvinfer of that release takes.
    """
    if tracking.vote:
        raise InputProblem("DeepStream does not vote", "$.stream.vote", "leave it out with this target")
    networks = {files.network.name: as_run(files, folder) for files in pipeline.artifacts}
    detector = next(node for node in pipeline.nodes if node.input == IMAGE)
    numbers = {node.name: number for number, node in enumerate(pipeline.nodes, 1)}
    nodes: List[StreamNode] = []
    rows: List[Tuple[str, ...]] = []
    for node in pipeline.nodes:
        network, name = networks[node.network], f"{node.network}.onnx"
        element = Element(
            node.name, numbers[node.name], made.release, name, PARSERS_FILE, 1, made.precision, made.is_typed
        )
        if node == detector:
            config = detector_config(network, element, tracking)
        else:
            config = reader_config(network, element, tracking, numbers[node.input])
        if not made.has_graphs:
            config = Config(tuple(entry for entry in config.entries if entry.key != "onnx-file"))
        (output / (node.name + ENDING)).write_text(write(config, SYNTAX), encoding="utf-8")
        labels = label_lines(network)
        if labels:
            (output / element.label_file).write_text("\n".join(labels) + "\n", encoding="utf-8")
        nodes.append(StreamNode(node, name, element.engine_file))
        rows += [(node.name + ENDING, *row) for row in _rows(config)]
    said = outputs_text([(node.name, networks[node.network]) for node in pipeline.nodes])
    (output / OUTPUTS_FILE).write_text(said, encoding="utf-8")
    document = encode(StreamFiles(made.release, tuple(nodes), tracking))
    (output / PIPELINE_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    columns = ("file", "group", "key", "value", "from")
    return Notes(tables=(Table("What nvinfer is told, and where it comes from", columns, tuple(rows)),))


def as_run(files: NetworkFiles, folder: Path) -> Network:
    """Return a network with the input that its artifact has."""
    manifest = read_manifest(folder / files.folder)
    if manifest is None:
        raise JobFailed(f"{files.folder} has no manifest", "", "an earlier job makes what this one is given")
    return replace(files.network, input=manifest.input)


def _rows(config: Config) -> List[Tuple[str, ...]]:
    return [(entry.group, entry.key, entry.value, entry.source) for entry in config.entries]


def read_files(folder: Path) -> StreamFiles:
    """Read the `pipeline.json` of a folder. Raises JobFailed."""
    try:
        document: Any = json.loads((folder / PIPELINE_FILE).read_text(encoding="utf-8"))
        found = decode(StreamFiles, document)
    except (OSError, ValueError, DecodeError) as error:
        raise JobFailed(
            f"it cannot be used ({str(error)[:200]})", PIPELINE_FILE, "configure it anew"
        ) from None
    if found.version != VERSION:
        raise JobFailed(f"version {found.version} of {PIPELINE_FILE}", "", f"this code reads {VERSION}")
    return found


def gather(settings: Path, run: Path, beside: Mapping[str, Path]) -> StreamFiles:
    """Put all that a pipeline is run from into one folder, where nvinfer's paths begin; check it there.

    Args:
        settings: the folder that `write_files` wrote.
        run: an empty folder.
        beside: other files by their names in it: graphs, engines, the parser library.

    Raises:
        JobFailed: a configuration is not what nvinfer takes.
    """
    found = read_files(settings)
    for file in settings.iterdir():
        shutil.copyfile(file, run / file.name)
    for name, file in beside.items():
        (run / name).symlink_to(file.resolve())
    wrong = lint_files([run / one.config for one in found.nodes], found.release)
    if wrong:
        raise JobFailed(str(wrong[0]), "", f"{len(wrong)} things are wrong with the configurations")
    return found


def artifact_of(node: StreamNode, pipeline: PipelineFiles, folder: Path) -> Tuple[NetworkFiles, Path]:
    """Return a node's network and the folder of its artifact."""
    files = next(one for one in pipeline.artifacts if one.network.name == node.node.network)
    return files, folder / files.folder
