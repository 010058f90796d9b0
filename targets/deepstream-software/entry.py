"""DeepStream's pipeline without NVIDIA's hardware: stock GStreamer, and ONNX Runtime in nvinfer's place."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Optional, Tuple

# Read at import. ONNX Runtime would write an id of this machine and send what it is used for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from errors import error_summary
from libraries import BRIDGE_FILE, libraries
from nvinfer_input import folded_into_graph
from nvinfer_text import read
from onnx_session import FORMAT, MODEL_FILE, OnnxSession
from parser_library import ParserError, ParserLibrary
from pipeline_description import Inference
from software_inference import SoftwareInference, stand_in
from stream_files import OUTPUTS_FILE, PARSERS_FILE, SYNTAX, Made, artifact_of, as_run, gather, write_files

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.contract.outputs import DetectionOutputs
from shared.contract.result import Notes
from shared.contract.stages import PipelineFiles
from shared.contract.streaming import Tracking
from shared.harness.run_job import main
from shared.harness.toolchain import Calibration, Capabilities, Options, Product
from shared.inference.loading import PipelineReader
from shared.inference.session import Session, Unsupported

RELEASE = "7.1"
"""Of DeepStream, whose syntax and rules the configurations have."""


def versions() -> Dict[str, str]:
    """Return the releases of what decides a reading."""
    from gst_program import release

    return {"onnxruntime": onnxruntime.__version__, "gstreamer": release(), "deepstream_syntax": RELEASE}


class DeepStreamSoftware:
    """What the target `deepstream-software` can do."""

    def convert(self, network: Network, graph: Path, output: Path, options: Options) -> Product:
        import graphs

        nodes = graphs.prepare(network, graph, output / MODEL_FILE)
        spec = network.input
        if folded_into_graph(network):
            import onnx_normalization

            spec = onnx_normalization.normalize_file(output / MODEL_FILE, spec)
        return Product(FORMAT, spec, notes=Notes(details={"nodes": nodes}))

    def optimize(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Options,
        data: Calibration,
        start: Optional[Path],
    ) -> Product:
        shutil.copyfile(source / MODEL_FILE, output / MODEL_FILE)
        return Product(FORMAT, manifest.input)

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        return OnnxSession(network, artifact / MODEL_FILE, manifest.input, threads)

    def configure(self, pipeline: PipelineFiles, folder: Path, output: Path, tracking: Tracking) -> Notes:
        _refuse(tracking)
        return write_files(pipeline, folder, output, Made(RELEASE), tracking)

    def open(
        self, pipeline: PipelineFiles, folder: Path, settings: Path, tracking: Tracking
    ) -> PipelineReader:
        from software_reader import SoftwareReader

        _refuse(tracking)
        place = tempfile.TemporaryDirectory(prefix="deepstream-")
        configs, inferences = self.stand_ins(pipeline, folder, settings, Path(place.name))
        told = {one.node.name: one.session.settings for one in inferences}
        return SoftwareReader(inferences, configs, place, {**told, "deepstream_syntax": RELEASE})

    def stand_ins(
        self, pipeline: PipelineFiles, folder: Path, settings: Path, run: Path
    ) -> Tuple[List[Inference], List[SoftwareInference]]:
        """Return the pipeline's nvinfer elements, and what runs each here.

        Args:
            folder: the job's, below which the networks' artifacts are.
            settings: the folder that `configure` left.
            run: a folder, in which their files are gathered and checked.

        Raises:
            Unsupported: the parsers cannot be used here.
            JobFailed: a configuration is not what nvinfer takes.
        """
        said = (settings / OUTPUTS_FILE).read_text(encoding="utf-8")
        place = libraries(Path(__file__).parent, RELEASE)
        try:
            parsers = ParserLibrary(place / BRIDGE_FILE, said)
        except ParserError as error:
            raise Unsupported(f"the parsers cannot be used here: {error}") from None
        graphs = {f"{one.network.name}.onnx": folder / one.folder / MODEL_FILE for one in pipeline.artifacts}
        found = gather(settings, run, {**graphs, PARSERS_FILE: place / PARSERS_FILE})
        threads = len(os.sched_getaffinity(0))
        inferences: List[SoftwareInference] = []
        for one in found.nodes:
            files, artifact = artifact_of(one, pipeline, folder)
            network = as_run(files, folder)
            config = read((run / one.config).read_text(encoding="utf-8"), SYNTAX, one.config)
            session = OnnxSession(network, artifact / MODEL_FILE, network.input, threads)
            outputs = network.outputs
            has_scores = isinstance(outputs, DetectionOutputs) and outputs.score is not None
            inferences.append(stand_in(one.node, config, session, parsers, has_scores))
        return [Inference(one.node.name, str(run / one.config)) for one in found.nodes], inferences


def _refuse(tracking: Tracking) -> None:
    """Refuse what only DeepStream's own tracker can do. Raises Unsupported."""
    if tracking.is_on:
        raise Unsupported("interval and vote need DeepStream's tracker, which needs a Jetson")


DEEPSTREAM = DeepStreamSoftware()
CAPABILITIES = Capabilities(
    versions,
    loader=DEEPSTREAM,
    streamer=DEEPSTREAM,
    converter=DEEPSTREAM,
    optimizer=DEEPSTREAM,
    error_summary=error_summary,
)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
