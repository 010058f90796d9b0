"""What a pipeline of `deepstream-l4t` is run from: engines alone, under nvinfer's names, and the parsers."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dockyard.plan.make import make_plan
from dockyard.recipe.models import load_model
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.artifact import MANIFEST_FILE, Manifest
from shared.contract.codec import encode
from shared.contract.delivery import Delivery
from shared.contract.errors import EnvironmentProblem, InputProblem, JobFailed
from shared.contract.model import InputSpec, Network, Pipeline
from shared.contract.stages import NetworkFiles, PipelineFiles
from shared.contract.streaming import Tracking
from shared.harness.toolchain import Product
from shared.inference.loading import Loaders
from shared.inference.session import Unsupported
from shared.serving.delivered import Delivered
from tests.stand_ins.deepstream import Gst, Pyds

sys.path.insert(0, str(PRODUCT / "targets" / "deepstream-parsers"))
sys.path.insert(0, str(PRODUCT / "targets" / "deepstream-pipeline"))
sys.path.insert(0, str(PRODUCT / "targets" / "jetson-engines"))
sys.path.insert(0, str(PRODUCT / "targets" / "nvinfer-configs"))
sys.path.insert(0, str(PRODUCT / "targets" / "tensorrt-engines"))
sys.path.insert(0, str(PRODUCT / "targets" / "deepstream-l4t"))
from deepstream_l4t import DeepStreamL4t
from deepstream_reader import Vendor
from pyds_metadata import PydsMetadata

OURS = Workspace(PRODUCT)
SHARED = (
    "deepstream-parsers",
    "deepstream-pipeline",
    "jetson-engines",
    "nvinfer-configs",
    "tensorrt-engines",
)


def load_entry() -> ModuleType:
    """The entry script, under a name of its own: each target has one."""
    folders = [str(PRODUCT / "targets" / name) for name in (*SHARED, "deepstream-l4t")]
    sys.path[:0] = folders
    other = sys.modules.pop("serving", None)
    try:
        path = PRODUCT / "targets" / "deepstream-l4t" / "entry.py"
        spec = importlib.util.spec_from_file_location("deepstream_l4t_entry", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        del sys.path[: len(folders)]
        sys.modules.pop("serving")
        if other is not None:
            sys.modules["serving"] = other
    return module


ENTRY = load_entry()


class NoEngines:
    """Compiles nothing; an engine with `foreign` in it is for another device."""

    def compile(self, network: Network, source: Path, manifest: Manifest, output: Path, *_: Any) -> Product:
        return Product("tensorrt-engine", manifest.input, {"gpu": "Orin"})

    def check(self, artifact: Path, manifest: Manifest) -> None:
        if b"foreign" in (artifact / "model.engine").read_bytes():
            raise Unsupported("it was built for another GPU")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job's folder."""
    folder = tmp_path / "job"
    folder.mkdir()
    return folder


Pipelines = Callable[..., PipelineFiles]


@pytest.fixture
def pipeline(job: Path) -> Pipelines:
    """Makes the licence plates' pipeline in the job's folder, with an engine of each network."""

    def make(release: str = "7.1", precisions: tuple[str, str] = ("fp16", "fp16"), **changes: Any) -> Any:
        found = load_model(OURS, "license_plate", "test")
        assert isinstance(found, Pipeline)
        artifacts = []
        for node, precision in zip(found.nodes, precisions):
            network = load_model(OURS, node.network, "test")
            assert isinstance(network, Network)
            spec: InputSpec = replace(network.input.in_layout("NCHW"), **changes)
            folder = job / "inputs" / node.network
            folder.mkdir(parents=True)
            (folder / "model.engine").write_bytes(node.network.encode())
            settings = {"precision": precision, "gpu": "Orin"}
            manifest = Manifest("tensorrt-engine", "deepstream-l4t", release, spec, settings=settings)
            (folder / MANIFEST_FILE).write_text(json.dumps(encode(manifest)))
            artifacts.append(NetworkFiles(network, f"inputs/{node.network}"))
        return PipelineFiles(found.nodes, tuple(artifacts))

    return make


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The target, with an image's parsers."""
    libraries = tmp_path / "lib"
    libraries.mkdir()
    (libraries / "libdockyard_parsers.so").write_bytes(b"parsers")
    monkeypatch.setenv("DOCKYARD_OUTPUTS", "")
    vendor = Vendor(Gst, lambda: PydsMetadata(Pyds()), lambda description: None, lambda source: (640, 480))
    return DeepStreamL4t(NoEngines(), lambda: vendor, libraries)


@pytest.fixture
def settings(job: Path) -> Path:
    """The folder that `configure` writes into."""
    folder = job / "inputs" / "settings"
    folder.mkdir(parents=True)
    return folder


OFF = Tracking()


def test_an_engine_says_its_precision(job: Path) -> None:
    """What was compiled says in which precision, by which nvinfer names the engine."""
    network = load_model(OURS, "lp_reader", "test")
    assert isinstance(network, Network)
    prepared = Manifest("onnx", "tensorrt-onnx", "1.32", network.input, settings={"precision": "int8"})
    compiler = ENTRY.NamedEngines(NoEngines())
    product = compiler.compile(network, job, prepared, job, "int8-accuracy-aware", {}, job)
    assert product.settings == {"gpu": "Orin", "precision": "int8"}


@pytest.mark.parametrize("release", ["6.3", "7.1", "9.1"])
def test_nvinfer_is_given_engines_alone(
    job: Path, pipeline: Pipelines, target: Any, settings: Path, release: str
) -> None:
    """No configuration names an ONNX, so that nvinfer cannot build another engine; each names its engine as
    nvinfer would.
    """
    target.configure(pipeline(release), job, settings, OFF)
    for name in ("detector", "reader"):
        text = (settings / f"{name}.txt").read_text()
        assert "onnx-file" not in text
        assert f"model-engine-file=lp_{name}.onnx_b1_gpu0_fp16.engine" in text
        assert "network-mode=2" in text


def test_all_that_is_run_lies_in_one_folder(
    job: Path, pipeline: Pipelines, target: Any, settings: Path
) -> None:
    """Opened, a pipeline has engines, parsers and what outputs mean beside its configurations, and the
    parsers are told where that is; closed, it leaves nothing.
    """
    files = pipeline()
    target.configure(files, job, settings, OFF)
    reader = target.open(files, job, settings, OFF)
    run = Path(os.environ["DOCKYARD_OUTPUTS"]).parent
    assert (run / "lp_detector.onnx_b1_gpu0_fp16.engine").read_bytes() == b"lp_detector"
    assert (run / "lp_reader.onnx_b1_gpu0_fp16.engine").read_bytes() == b"lp_reader"
    assert (run / "libdockyard_parsers.so").read_bytes() == b"parsers"
    assert (run / "outputs.txt").read_text().startswith("dockyard-outputs 1\n")
    assert not list(run.glob("*.onnx"))
    assert reader.settings["lp_reader"]["gpu"] == "Orin"
    assert reader.settings["stream"] == {"deepstream": "7.1"}
    reader.close()
    assert not run.exists()


def test_a_missing_engine_is_told_before_anything_runs(
    job: Path, pipeline: Pipelines, target: Any, settings: Path
) -> None:
    """What nvinfer is to run and is not there is an error of the job: nvinfer builds nothing in its place."""
    files = pipeline(precisions=("fp16", "fp16"))
    target.configure(files, job, settings, OFF)
    text = (settings / "reader.txt").read_text()
    (settings / "reader.txt").write_text(text.replace("lp_reader.onnx_b1", "other.onnx_b1"))
    with pytest.raises(JobFailed, match="there is no file"):
        target.open(files, job, settings, OFF)


def test_what_cannot_be_run_here(job: Path, pipeline: Pipelines, target: Any, settings: Path) -> None:
    """An engine for another device, an image without parsers and one without pyds are not measured."""
    files = pipeline()
    target.configure(files, job, settings, OFF)
    with pytest.raises(Unsupported, match="cannot be read without pyds"):
        DeepStreamL4t(NoEngines()).open(files, job, settings, OFF)
    without = DeepStreamL4t(NoEngines(), lambda: None, job / "nowhere")
    with pytest.raises(Unsupported, match=r"the image has no .*libdockyard_parsers\.so"):
        without.open(files, job, settings, OFF)
    (job / "inputs" / "lp_reader" / "model.engine").write_bytes(b"foreign")
    with pytest.raises(Unsupported, match="another GPU"):
        target.open(files, job, settings, OFF)


def test_networks_of_two_precisions_are_refused(
    job: Path, pipeline: Pipelines, target: Any, settings: Path
) -> None:
    """One variant's engines have one precision, by which nvinfer finds them."""
    with pytest.raises(JobFailed, match="engines of one variant in fp16 and int8"):
        target.configure(pipeline(precisions=("int8", "fp16")), job, settings, OFF)


def test_what_nvinfer_cannot_normalize_is_refused(
    job: Path, pipeline: Pipelines, target: Any, settings: Path
) -> None:
    """An input that nvinfer cannot make of the pixels is refused, not read with other pixels."""
    files = pipeline(scale=(58.4, 57.1, 57.4), mean=(0.0, 0.0, 0.0))
    with pytest.raises(InputProblem, match="lp_detector: the scale differs by channel"):
        target.configure(files, job, settings, OFF)


def test_a_tracker_is_there_where_it_is_wished_for(
    job: Path, pipeline: Pipelines, target: Any, settings: Path
) -> None:
    """With an interval, nvinfer pauses and NVIDIA's tracker says where objects are; voting is refused."""
    files, every_third = pipeline(), Tracking(interval=3)
    target.configure(files, job, settings, every_third)
    assert "interval=2" in (settings / "detector.txt").read_text()
    reader = target.open(files, job, settings, every_third)
    assert reader.elements.tracker.endswith("libnvds_nvmultiobjecttracker.so")
    reader.close()
    with pytest.raises(InputProblem, match="DeepStream does not vote"):
        target.configure(files, job, settings, Tracking(vote=True))


def test_the_recipe_is_planned_without_a_device() -> None:
    """The committed recipe is planned anywhere: graphs are prepared by what needs no Jetson, engines compiled
    and the pipeline streamed by DeepStream's toolchain.
    """
    plan = make_plan(OURS, load_recipe(OURS, "lp_jetson_stream.json"))
    by = {one.job.id: (one.job.target, one.job.toolchain) for one in plan.jobs}
    assert by["lp_reader/int8/optimize"] == ("tensorrt-onnx", "1.32")
    assert by["lp_reader/int8/compile"] == ("deepstream-l4t", "7.1")
    assert by["license_plate/int8/configure"] == ("deepstream-l4t", "7.1")
    assert plan.recipe.device == "jetson"


def test_a_delivered_stream_is_configured_when_it_is_opened(
    job: Path, pipeline: Pipelines, target: Any, settings: Path
) -> None:
    """Without what a measured stream left, a delivery writes at each start what `configure` writes."""
    files = pipeline()
    delivery = Delivery(
        recipe="gate",
        run="",
        model="license_plate",
        variant="fp16",
        target="deepstream-l4t",
        toolchain="7.1",
        networks=files.artifacts,
        nodes=files.nodes,
        threads=1,
        golden="golden",
        quality=None,
        speed=None,
        not_measured="no device 'jetson'",
    )
    reader = Delivered(delivery, job, Loaders(target, streamer=target)).open_reader()
    target.configure(files, job, settings, OFF)
    try:
        for config, name in zip(reader.elements.configs, ("detector.txt", "reader.txt")):
            assert Path(config.config).read_text() == (settings / name).read_text()
    finally:
        reader.close()
    (job / "inputs" / "lp_reader" / "model.engine").write_bytes(b"foreign")
    with pytest.raises(EnvironmentProblem, match="built for another GPU"):
        Delivered(delivery, job, Loaders(target, streamer=target)).open_reader()
