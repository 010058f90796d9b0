"""Run one job folder: read `job.json`, do its stage with a target's capabilities, write `result.json`.

<folder>/job.json      the job
<folder>/inputs/       graphs, artifacts, data, the reference's outputs
<folder>/outputs/      what the stage leaves; an artifact has its manifest.json here
<folder>/tuning/       where the method tunes: the databases that it leaves
<folder>/cache/        where it compiles: what is kept for the next compilation
<folder>/result.json   what came of it, failures included
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, Optional, Tuple, TypeVar, Union

import cv2

from shared.contract.artifact import MANIFEST_FILE, Manifest
from shared.contract.cgroup import cpu_quota
from shared.contract.codec import decode, encode
from shared.contract.device import AFTER, BEFORE
from shared.contract.errors import DockyardError, JobFailed
from shared.contract.job import JOB_VERSION, Job
from shared.contract.measurement import TOTAL, Latency, Scope, TimingProtocol
from shared.contract.result import Result, Status
from shared.contract.stages import (
    CLOCKED,
    Compile,
    Convert,
    Evaluate,
    NetworkBenchmark,
    NetworkFiles,
    Optimize,
    PipelineBenchmark,
    PipelineEvaluate,
    Predict,
    StreamBenchmark,
    StreamConfigure,
    StreamEvaluate,
    StreamRead,
    artifacts_of,
)
from shared.harness import machine
from shared.harness.benchmark import benchmark_network, benchmark_pipeline
from shared.harness.bursts import Words, words_of_host
from shared.harness.calibration import SplitCalibration
from shared.harness.evaluate import evaluate
from shared.harness.evaluate_pipeline import evaluate_pipeline, frames_of
from shared.harness.machine_state import read_state
from shared.harness.progress import report
from shared.harness.reference import REFERENCE_FILE, compare, disagreement, save_reference
from shared.harness.reference_check import what_is_wrong, what_is_wrong_end_to_end
from shared.harness.toolchain import OPEN_BATCH, Capabilities, Options, Product, Tuning, first_line
from shared.inference.artifacts import describe_artifact, read_manifest
from shared.inference.image_files import UnreadableImage
from shared.inference.loaded_nodes import load_nodes, settings_by_network, settings_of
from shared.inference.session import Session, Unsupported

OUTPUTS, TUNING = "outputs", "tuning"
"""Folders of a job that the harness fills."""

C = TypeVar("C")

StreamParameters = Union[StreamConfigure, StreamEvaluate, StreamBenchmark, StreamRead]


def main(capabilities: Capabilities) -> int:
    """Run an entry script's command line, `entry.py --job FOLDER`; return 0 when the job is done, else 1."""
    parser = argparse.ArgumentParser(description="Run one Dockyard job folder.")
    parser.add_argument("--job", type=Path, required=True, help="folder with job.json and inputs/")
    folder: Path = parser.parse_args().job
    result = run_folder(folder, capabilities)
    (folder / "result.json").write_text(json.dumps(encode(result)))
    return 0 if result.status == Status.DONE else 1


def run_folder(folder: Path, capabilities: Capabilities, words: Words = words_of_host) -> Result:
    """Run the job of a folder and return its result; whatever the stage raises becomes a `failed` result.

    Args:
        words: what a benchmark runs its bursts at.
    """
    started = time.monotonic()
    result = Result(Status.FAILED)
    try:
        job = read_job(folder)
        threads = machine.pin(job.threads)
        cv2.setNumThreads(threads)
        result = replace(result, device={**machine.describe(), "threads": threads})
        report(f"{job.stage.name}: load {job.target} {job.toolchain}", 0, 0)
        result = replace(result, versions=capabilities.versions())
        output = folder / OUTPUTS
        output.mkdir(exist_ok=True)
        before = read_state()
        found = _run_stage(_Work(job, capabilities, folder, output, threads, words))
        states = {BEFORE: before, AFTER: read_state()} if job.stage.name in CLOCKED else {}
        remarks = machine.doubts(job.threads, threads, cpu_quota()) if job.stage.name in CLOCKED else []
        result = replace(
            found,
            notes=replace(found.notes, remarks=(*found.notes.remarks, *remarks)),
            device={**result.device, **states},
            versions=result.versions,
            artifact=describe_artifact(output),
            measured=_measured(job, folder),
        )
    except Unsupported as error:
        result = replace(result, status=Status.NOT_MEASURED, reason=str(error))
    except (DockyardError, UnreadableImage) as error:
        result = replace(result, reason=str(error))
    except Exception as error:
        traceback.print_exc()
        summary = first_line(capabilities.error_summary(str(error)))
        result = replace(result, reason=f"{type(error).__name__}: {summary}")
    return replace(result, duration_s=time.monotonic() - started, peak_mb=machine.peak_mb())


def read_job(folder: Path) -> Job:
    """Read a job folder's `job.json`.

    Raises:
        ValueError: no JSON, another version, no job.
    """
    document = json.loads((folder / "job.json").read_text())
    version = document.get("version") if isinstance(document, dict) else None
    if version != JOB_VERSION:
        raise ValueError(f"a job of version {version}, this harness reads {JOB_VERSION}")
    return decode(Job, document)


def _measured(job: Job, folder: Path) -> Dict[str, str]:
    """Return the SHA-256 of what each network was loaded from; of a stream, that of its settings too."""
    given = artifacts_of(job.parameters)
    found = {files.network.name: describe_artifact(folder / files.folder).sha256 for files in given}
    settings = getattr(job.parameters, "settings", None)
    if settings is not None:
        found[job.model] = describe_artifact(folder / settings).sha256
    return found


@dataclass(frozen=True)
class _Work:
    """A job at work.

    Attributes:
        folder: the job's folder.
        output: for what the stage leaves.
        threads: inference threads.
        words: what a benchmark runs its bursts at.
    """

    job: Job
    capabilities: Capabilities
    folder: Path
    output: Path
    threads: int
    words: Words


def _run_stage(work: _Work) -> Result:
    parameters = work.job.parameters
    if isinstance(parameters, Convert):
        return _convert(work, parameters)
    if isinstance(parameters, Optimize):
        return _optimize(work, parameters)
    if isinstance(parameters, Compile):
        return _compile(work, parameters)
    if isinstance(parameters, Evaluate):
        return _evaluate(work, parameters)
    if isinstance(parameters, Predict):
        return _predict(work, parameters)
    if isinstance(parameters, PipelineEvaluate):
        return _evaluate_pipeline(work, parameters)
    if isinstance(parameters, NetworkBenchmark):
        return _benchmark_network(work, parameters)
    if isinstance(parameters, PipelineBenchmark):
        return _benchmark_pipeline(work, parameters)
    return _stream(work, parameters)


def _stream(work: _Work, parameters: StreamParameters) -> Result:
    """Do a stage of a stream, which alone needs what decodes videos."""
    from shared.harness import stream_reading, stream_stages
    from shared.harness.stream_work import StreamWork

    own = StreamWork(
        work.capabilities, work.folder, work.output, work.threads, lambda files: _load(files, work)
    )
    if isinstance(parameters, StreamConfigure):
        return stream_stages.configure(own, parameters)
    if isinstance(parameters, StreamEvaluate):
        return stream_stages.evaluate_stream(own, parameters)
    if isinstance(parameters, StreamBenchmark):
        return stream_stages.benchmark_stream(own, parameters, work.words)
    return stream_reading.read_sources(own, parameters)


def _convert(work: _Work, parameters: Convert) -> Result:
    found = _converted(work, parameters, parameters.options)
    reason = disagreement(found.differences)
    if not reason:
        return found
    failed = replace(found, status=Status.FAILED, reason=f"{_DISAGREES}: {reason}")
    if not work.capabilities.leaves_batch_open:
        return failed
    # There are conversions that are wrong with a batch of 1, without a word, and right with an open one.
    report("convert again, the batch left open", 0, 0)
    for path in list(work.output.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    try:
        again = _converted(work, parameters, {**parameters.options, OPEN_BATCH: True})
    except Exception as error:
        traceback.print_exc()
        summary = first_line(work.capabilities.error_summary(str(error)))
        return replace(failed, reason=f"{failed.reason}; with the batch left open it fails: {summary}")
    still = disagreement(again.differences)
    if still:
        return replace(failed, reason=f"{failed.reason}; with the batch left open too: {still}")
    remark = f"converted with the batch left open: for a batch of 1 {_DISAGREES} ({reason})"
    return replace(again, notes=replace(again.notes, remarks=(*again.notes.remarks, remark)))


_DISAGREES = "the converted graph disagrees with the reference"


def _converted(work: _Work, parameters: Convert, options: Options) -> Result:
    """Return what came of converting with these options, its outputs compared with the reference's."""
    network = parameters.source.network
    converter = _needed(work.capabilities.converter, "converter", work.job)
    report(f"convert {network.name}", 0, 0)
    graph = work.folder / parameters.source.folder / network.graph
    product = converter.convert(network, graph, work.output, options)
    manifest = _write_manifest(product, work)
    session = work.capabilities.loader.load(network, work.output, manifest, work.threads)
    rows = compare(session, parameters.tolerance, work.folder)
    return Result(Status.DONE, settings=settings_of(session), differences=rows, notes=product.notes)


def _optimize(work: _Work, parameters: Optimize) -> Result:
    job, network = work.job, parameters.source.network
    source, manifest = _made_before(work, parameters.source)
    report(f"{job.method} {network.name}", 0, 0)
    given = (network, source, manifest, work.output, job.method, parameters.options)
    if parameters.tuning is not None:
        tuner = _needed(work.capabilities.tuner, "tuner", job)
        output = work.folder / TUNING
        output.mkdir(exist_ok=True)
        tuning = Tuning(work.folder / parameters.tuning.databases, output, parameters.tuning.tracker)
        product = tuner.tune(*given, tuning, work.threads)
    else:
        optimizer = _needed(work.capabilities.optimizer, "optimizer", job)
        splits = {name: work.folder / path for name, path in parameters.data.items()}
        start = None if parameters.start is None else work.folder / parameters.start
        has_start = start is not None and start.is_dir()
        product = optimizer.optimize(*given, SplitCalibration(network, splits), start if has_start else None)
    _write_manifest(product, work)
    return Result(Status.DONE, notes=product.notes)


def _compile(work: _Work, parameters: Compile) -> Result:
    job, network = work.job, parameters.source.network
    source, manifest = _made_before(work, parameters.source)
    compiler = _needed(work.capabilities.compiler, "compiler", job)
    report(f"compile {network.name}", 0, 0)
    cache = work.folder / parameters.cache
    product = compiler.compile(network, source, manifest, work.output, job.method, parameters.options, cache)
    _write_manifest(product, work)
    return Result(Status.DONE, notes=product.notes)


def _evaluate(work: _Work, parameters: Evaluate) -> Result:
    network = parameters.artifact.network
    session = _load(parameters.artifact, work)
    rows = () if parameters.tolerance is None else compare(session, parameters.tolerance, work.folder)
    reason = disagreement(rows)
    if reason:
        return Result(Status.FAILED, f"not the reference's outputs: {reason}", differences=rows)
    test = work.folder / parameters.test
    found = evaluate(network, session, test, parameters.samples, with_truth=parameters.is_reference)
    if parameters.is_reference:
        wrong = what_is_wrong(network, session, found)
        if wrong:
            return Result(Status.FAILED, wrong, settings=settings_of(session))
        save_reference(work.output / REFERENCE_FILE, found.kept)
    return Result(
        Status.DONE,
        settings=settings_of(session),
        differences=rows,
        quality=found.quality,
        measurement=Latency(Scope.NETWORK, TimingProtocol.DATASET, {TOTAL: found.times_ns}),
    )


def _predict(work: _Work, parameters: Predict) -> Result:
    network = parameters.artifact.network
    predictor = _needed(work.capabilities.predictor, "predictor", work.job)
    folder, manifest = _made_before(work, parameters.artifact)
    session = predictor.load(network, folder, manifest, work.threads)
    found = evaluate(network, session, work.folder / parameters.test, parameters.samples)
    return Result(Status.DONE, settings=settings_of(session), quality=found.quality)


def _benchmark_network(work: _Work, parameters: NetworkBenchmark) -> Result:
    session = _load(parameters.artifact, work)
    maker = work.capabilities.kernel_maker
    kernel = None if maker is None else maker.kernel(work.folder / parameters.artifact.folder, work.threads)
    latency, notes = benchmark_network(session, parameters, work.folder, work.words, kernel)
    return Result(Status.DONE, settings=settings_of(session), measurement=latency, notes=notes)


def _evaluate_pipeline(work: _Work, parameters: PipelineEvaluate) -> Result:
    nodes = load_nodes(parameters.pipeline, lambda files: _load(files, work))
    frames = frames_of(nodes, parameters, work.folder)
    quality, latency = evaluate_pipeline(nodes, frames)
    if parameters.is_reference:
        wrong = what_is_wrong_end_to_end(
            nodes[-1].network, frames_of(nodes, parameters, work.folder), quality
        )
        if wrong:
            return Result(Status.FAILED, wrong, settings=settings_by_network(nodes))
    return Result(Status.DONE, settings=settings_by_network(nodes), quality=quality, measurement=latency)


def _benchmark_pipeline(work: _Work, parameters: PipelineBenchmark) -> Result:
    nodes = load_nodes(parameters.pipeline, lambda files: _load(files, work))
    latency, notes = benchmark_pipeline(nodes, parameters, work.folder, work.words)
    return Result(Status.DONE, settings=settings_by_network(nodes), measurement=latency, notes=notes)


def _made_before(work: _Work, files: NetworkFiles) -> Tuple[Path, Manifest]:
    """Return the folder of what an earlier job made, and its manifest. Raises JobFailed where it has none."""
    folder = work.folder / files.folder
    manifest = read_manifest(folder)
    if manifest is None:
        what = f"{MANIFEST_FILE} is missing in {files.folder}"
        raise JobFailed(what, work.job.id, "an earlier job makes what this one is given")
    return folder, manifest


def _load(files: NetworkFiles, work: _Work) -> Session:
    """Load an artifact, which has a manifest, or a graph as it came, which has none."""
    folder = work.folder / files.folder
    manifest = read_manifest(folder)
    if manifest is not None:
        return work.capabilities.loader.load(files.network, folder, manifest, work.threads)
    loader = _needed(work.capabilities.graph_loader, "graph_loader", work.job)
    return loader.load_graph(files.network, folder / files.network.graph, work.threads)


def _needed(capability: Optional[C], name: str, job: Job) -> C:
    """Return a capability. Raises JobFailed where the target lacks it."""
    if capability is None:
        raise JobFailed(
            f"the target {job.target} has no {name}, which this {job.stage.name} needs",
            job.id,
            f"an entry script that has one gives it to Capabilities({name}=...)",
        )
    return capability


def _write_manifest(product: Product, work: _Work) -> Manifest:
    """Write the manifest beside a product's files and return it; the same product gives the same bytes."""
    manifest = Manifest(
        format=product.format,
        target=work.job.target,
        toolchain=work.job.toolchain,
        input=product.input,
        built_for=product.built_for,
        settings=product.settings,
    )
    (work.output / MANIFEST_FILE).write_text(json.dumps(encode(manifest), indent=2) + "\n", encoding="utf-8")
    return manifest
