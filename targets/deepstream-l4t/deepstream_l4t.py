"""DeepStream's whole pipeline of a video: its files written, its engines loaded, ready to read."""

from __future__ import annotations

import importlib
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict

from deepstream_reader import DeepStreamReader, Elements, Vendor
from engine_making import ENGINE_FILE
from jetson_engines import JetsonEngines
from metadata import BatchMetadata
from nvinfer_input import normalization_of
from pipeline_description import Inference
from pyds_metadata import PydsMetadata
from service_maker_metadata import ServiceMakerMetadata
from sources import outline_of_h264
from stream_files import (
    OUTPUTS_FILE,
    PARSERS_FILE,
    Made,
    artifact_of,
    as_run,
    gather,
    read_files,
    write_files,
)

from shared.contract.artifact import Manifest
from shared.contract.errors import InputProblem, JobFailed
from shared.contract.model import Network
from shared.contract.outputs import DetectionOutputs
from shared.contract.result import Notes
from shared.contract.stages import PipelineFiles
from shared.contract.streaming import Tracking
from shared.inference.artifacts import read_manifest
from shared.inference.loading import PipelineReader
from shared.inference.session import Session, Unsupported

LIBRARIES = Path("/opt/dockyard/lib")
"""Where the image has the parsers, compiled for its release of DeepStream."""

DEEPSTREAM = Path("/opt/nvidia/deepstream/deepstream")

TRACKER = DEEPSTREAM / "lib" / "libnvds_nvmultiobjecttracker.so"
TRACKER_CONFIG = DEEPSTREAM / "samples" / "configs" / "deepstream-app" / "config_tracker_NvDCF_perf.yml"
"""NVIDIA's own settings of a tracker that says where objects are in frames that are not inferred."""

OUTPUTS_VARIABLE = "DOCKYARD_OUTPUTS"
"""In the environment, the file by which the parsers know what outputs mean."""

WITHOUT_PYDS = 9
"""The first release without a pyds of NVIDIA's, whose pyservicemaker takes GStreamer's buffers."""


def deepstream() -> Vendor:
    """Return GStreamer and DeepStream's Python.

    Raises:
        Unsupported: one of them is not here.
    """
    metadata = metadata_reader(deepstream_release(), importlib.import_module)
    from gst_program import GstProgram
    from gstreamer import Gst

    return Vendor(Gst, metadata, GstProgram, lambda source: outline_of_h264(source).size)


def metadata_reader(release: str, load: Callable[[str], Any]) -> Callable[[], BatchMetadata]:
    """Return what makes a reader of metadata: by pyds where it is, else by what a release has in its place.

    Args:
        release: of DeepStream; empty where it is not known.
        load: imports a module.

    Raises:
        Unsupported: there is neither.
    """
    lacks = []
    ways: Dict[str, Callable[[Any], BatchMetadata]] = {"pyds": PydsMetadata}
    if release and int(release.split(".")[0]) >= WITHOUT_PYDS:
        ways["pyservicemaker"] = ServiceMakerMetadata
    for name, way in ways.items():
        try:
            return partial(way, load(name))
        except ImportError as error:
            lacks.append(str(error))
    names, advice = " or ".join(ways), "the image has it where its base does; see docs/jetson.md"
    what = f"DeepStream's metadata cannot be read without {names} ({'; '.join(lacks)})"
    raise Unsupported(f"{what}: {advice}") from None


def deepstream_release() -> str:
    """Return DeepStream's release, `9.1.0`; empty where it is not here."""
    told = DEEPSTREAM / "version"
    return told.read_text(encoding="utf-8").replace("Version:", " ").split()[0] if told.is_file() else ""


class DeepStreamL4t:
    """Runs pipelines by DeepStream (`loading.Streamer`), and loads the engines of their networks.

    Args:
        engines: loads the networks' engines.
        vendor: returns GStreamer and DeepStream's Python.
        libraries: the folder with the parsers.
    """

    def __init__(
        self,
        engines: JetsonEngines,
        vendor: Callable[[], Vendor] = deepstream,
        libraries: Path = LIBRARIES,
    ) -> None:
        self._engines, self._vendor, self._libraries = engines, vendor, libraries

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        return self._engines.load(network, artifact, manifest, threads)

    def configure(self, pipeline: PipelineFiles, folder: Path, output: Path, tracking: Tracking) -> Notes:
        manifests = [_manifest(folder / one.folder) for one in pipeline.artifacts]
        for files in pipeline.artifacts:
            reason = normalization_of(as_run(files, folder).input).reason
            if reason is not None:
                advice = "train it with one scale for all channels, or put the normalization into the graph"
                raise InputProblem(f"{files.network.name}: {reason}", "$.input", advice)
        precisions = sorted({str(one.settings["precision"]) for one in manifests})
        if len(precisions) > 1:
            raise JobFailed(f"engines of one variant in {' and '.join(precisions)}", "", "compile them anew")
        # An engine is all that nvinfer is given: what it cannot load it would else build by its own settings.
        made = Made(manifests[0].toolchain, precisions[0], has_graphs=False)
        return write_files(pipeline, folder, output, made, tracking)

    def open(
        self, pipeline: PipelineFiles, folder: Path, settings: Path, tracking: Tracking
    ) -> PipelineReader:
        vendor = self._vendor()
        for one in pipeline.artifacts:
            self._engines.check(folder / one.folder, _manifest(folder / one.folder))
        if not (self._libraries / PARSERS_FILE).is_file():
            raise Unsupported(f"the image has no {self._libraries / PARSERS_FILE}: build it anew")
        place = tempfile.TemporaryDirectory(prefix="deepstream-")
        run = Path(place.name)
        beside = {PARSERS_FILE: self._libraries / PARSERS_FILE, **_engines(pipeline, folder, settings)}
        found = gather(settings, run, beside)
        os.environ[OUTPUTS_VARIABLE] = str(run / OUTPUTS_FILE)
        detector, _ = artifact_of(found.nodes[0], pipeline, folder)
        outputs = detector.network.outputs
        nodes = tuple(one.node for one in found.nodes)
        configs = tuple(Inference(one.node.name, str(run / one.config)) for one in found.nodes)
        has_scores = isinstance(outputs, DetectionOutputs) and outputs.score is not None
        tracker = (str(TRACKER), str(TRACKER_CONFIG)) if tracking.is_on else (None, None)
        elements = Elements(nodes, configs, has_scores, *tracker)
        return DeepStreamReader(elements, vendor, place, self._told(pipeline, folder, found.release))

    def _told(self, pipeline: PipelineFiles, folder: Path, release: str) -> Dict[str, Any]:
        """Return what a pipeline runs with, as JSON: of each network what its engine is for."""
        told: Dict[str, Any] = {}
        for one in pipeline.artifacts:
            told[one.network.name] = dict(_manifest(folder / one.folder).settings)
        return {**told, "stream": {"deepstream": release}}


def _engines(pipeline: PipelineFiles, folder: Path, settings: Path) -> Dict[str, Path]:
    """Return the engines by the names that nvinfer looks for."""
    found: Dict[str, Path] = {}
    for node in read_files(settings).nodes:
        _, artifact = artifact_of(node, pipeline, folder)
        found[node.engine] = artifact / ENGINE_FILE
    return found


def _manifest(artifact: Path) -> Manifest:
    found = read_manifest(artifact)
    if found is None:
        raise JobFailed(f"{artifact.name} has no manifest", "", "an earlier job makes what this one is given")
    return found
