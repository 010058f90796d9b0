"""Run one job folder: read `job.json`, do its stage with a toolchain, write `result.json`.

<folder>/job.json      the job
<folder>/inputs/       graphs, artifacts, data, the reference's outputs
<folder>/outputs/      what the stage leaves
<folder>/tuning/       where the method tunes: the databases that it leaves
<folder>/result.json   what came of it, failures included
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple, cast

import cv2

from shared.contract.errors import DockyardError
from shared.contract.job import Artifact, ArtifactFile, Job
from shared.contract.model import Network
from shared.runtime import benchmark, evaluate, machine
from shared.runtime.preprocess import UnreadableImage
from shared.runtime.progress import report
from shared.runtime.toolchain import Session, Toolchain, Tuning, TuningToolchain, Unsupported


def main(toolchain: Callable[[], Toolchain]) -> int:
    """Command line of every entry script: `entry.py --job FOLDER`. Returns the exit code: 0 done, 1 otherwise."""
    parser = argparse.ArgumentParser(description="Run one Dockyard job folder.")
    parser.add_argument("--job", type=Path, required=True, help="folder with job.json and inputs/")
    folder: Path = parser.parse_args().job
    result = run_folder(folder, toolchain)
    (folder / "result.json").write_text(json.dumps(result))
    return 0 if result["status"] == "done" else 1


def run_folder(folder: Path, make_toolchain: Callable[[], Toolchain]) -> Dict[str, Any]:
    """Run the job of a folder and return its result; whatever the stage raises becomes a `failed` result."""
    started = time.monotonic()
    result: Dict[str, Any] = {"version": 1, "status": "done"}
    try:
        job = Job.from_json(json.loads((folder / "job.json").read_text()))
        threads = machine.pin(int(job.measure.get("threads", 0)))
        result["device"] = {**machine.describe(), "threads": threads}
        cv2.setNumThreads(threads)
        report(f"{job.stage}: load {job.target} {job.toolchain}", 0, 0)
        toolchain = make_toolchain()
        result["versions"] = toolchain.versions()
        output = folder / "outputs"
        output.mkdir(exist_ok=True)
        result.update(STAGES[job.stage](job, toolchain, folder, output, threads))
        result["artifact"] = describe_artifact(output).to_json()
        result["measured"] = {name: describe_artifact(folder / path).sha256 for name, path in job.artifacts.items()}
    except Unsupported as error:
        result.update(status="not measured", reason=str(error))
    except (DockyardError, UnreadableImage) as error:
        result.update(status="failed", reason=str(error))
    except Exception as error:
        traceback.print_exc()
        result.update(status="failed", reason=f"{type(error).__name__}: {telling_line(str(error))}")
    result["duration_s"] = time.monotonic() - started
    return result


def telling_line(message: str) -> str:
    """Return the line of a vendor's message that says what is wrong, at most 500 characters.

    Around it are places in the vendor's sources (OpenVINO), in the graph (TensorFlow) and whole configurations (Keras).
    """
    lines = [" ".join(line.split()) for line in message.splitlines() if line.strip()]
    causes = [line[len(KERAS_CAUSE) :] for line in lines if line.startswith(KERAS_CAUSE)]
    told = [*causes, *(line for line in lines if not PLACE.match(line)), *lines]
    line = told[0] if told else ""
    return line if len(line) <= 500 else line[:496] + " ..."


KERAS_CAUSE = "Exception encountered: "
PLACE = re.compile(
    r"(\[ GENERAL_ERROR \] )?(Check '|Exception from |FrontEnd API failed|While validating node|Model wasn't fully converted|Summary:)"
    r"|Graph execution error:|Detected at node|File \"|Node: '"
)
"""Lines of OpenVINO's and TensorFlow's messages that lead to the one that tells."""


def describe_artifact(folder: Path) -> Artifact:
    """Return the files below a folder with SHA-256 and size, sorted by path."""
    return Artifact(
        tuple(
            ArtifactFile(str(p.relative_to(folder)), hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_size)
            for p in sorted(folder.rglob("*"))
            if p.is_file()
        )
    )


def _networks(job: Job, folder: Path) -> List[Tuple[Network, Path]]:
    return [(Network.from_json(name, spec), folder / job.artifacts[name]) for name, spec in job.networks.items()]


def _settings(session: Session) -> Dict[str, Any]:
    """What a session runs with, and what is done to an image outside of it."""
    return {**session.settings, "input": session.input.to_json()}


def _convert(job: Job, toolchain: Toolchain, folder: Path, output: Path, threads: int) -> Dict[str, Any]:
    ((network, source),) = _networks(job, folder)
    report(f"convert {network.name}", 0, 0)
    notes = toolchain.convert(network, source / network.graph, output, job.options)
    session = toolchain.load(network, output, threads)
    rows = evaluate.check_conversion(session, folder / job.reference)
    reason = _disagreement(rows)
    failed = {"status": "failed", "reason": f"the converted graph disagrees with the reference: {reason}"} if reason else {}
    return {"conversion": rows, "notes": notes, "settings": _settings(session), **failed}


def _disagreement(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return which outputs disagree and by how much, or an empty text."""
    told = [
        f"'{r['output']}' "
        + (
            "is missing, has another shape or is not finite"
            if r["difference"] is None
            else f"differs by {r['difference']:.2g} of its largest value (limit {r['limit']:g})"
        )
        for r in rows
        if not r["agrees"]
    ]
    return "output " + "; ".join(told) if told else ""


def _optimize(job: Job, toolchain: Toolchain, folder: Path, output: Path, threads: int) -> Dict[str, Any]:
    ((network, source),) = _networks(job, folder)
    report(f"{job.method} {network.name}", 0, 0)
    if job.tuning:
        tuning = Tuning(folder / job.tuning, folder / "tuning", job.tracker, job.tracker_key)
        tuning.output.mkdir(exist_ok=True)
        tuner = cast(TuningToolchain, toolchain)
        return {"notes": tuner.tune(network, source, output, job.method, job.options, tuning, threads)}
    data = evaluate.SplitCalibration(network, {name: folder / path for name, path in job.data.items()})
    return {"notes": toolchain.optimize(network, source, output, job.method, job.options, data)}


def _evaluate(job: Job, toolchain: Toolchain, folder: Path, output: Path, threads: int) -> Dict[str, Any]:
    ((network, artifact),) = _networks(job, folder)
    session = toolchain.load(network, artifact, threads)
    rows = evaluate.check_conversion(session, folder / job.reference, job.agreement) if job.agreement else []
    reason = _disagreement(rows)
    if reason:
        return {"conversion": rows, "status": "failed", "reason": f"not the reference's outputs: {reason}"}
    quality, times, kept = evaluate.evaluate(
        network, session, folder / job.data["test"], with_truth=not job.reference, most=job.measure.get("samples", 0)
    )
    if not job.reference:
        evaluate.save_reference(output / "reference.npz", kept)
    timing = {"scope": "network", "protocol": "dataset", "samples_ns": {"total": times}}
    return {"conversion": rows, "quality": quality, "timing": timing, "settings": _settings(session)}


def _benchmark(job: Job, toolchain: Toolchain, folder: Path, output: Path, threads: int) -> Dict[str, Any]:
    pairs = _networks(job, folder)
    sessions = [toolchain.load(network, artifact, threads) for network, artifact in pairs]
    settings = {network.name: _settings(session) for (network, _), session in zip(pairs, sessions)}
    warmup = job.measure["warmup"]
    if len(pairs) == 1:
        timing = benchmark.benchmark_network(
            sessions[0], folder / job.reference, warmup, job.measure["runs"], job.measure.get("seconds", 0)
        )
        return {"timing": timing, "settings": settings[pairs[0][0].name]}
    timing, quality = benchmark.benchmark_pipeline(
        (pairs[0][0], pairs[1][0]),
        (sessions[0], sessions[1]),
        folder / job.data["test"],
        job.crop_margin,
        warmup,
        job.measure["images"],
    )
    return {"timing": timing, "quality": quality, "settings": settings}


Stage = Callable[[Job, Toolchain, Path, Path, int], Dict[str, Any]]
STAGES: Mapping[str, Stage] = {"convert": _convert, "optimize": _optimize, "evaluate": _evaluate, "benchmark": _benchmark}
