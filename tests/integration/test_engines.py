"""What an engine promises, with real containers and real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import docker
from dockyard.engines import Engine, Limits
from dockyard.engines.docker import LABEL, DockerEngine
from dockyard.recipe.places import ROOT
from dockyard.run.runner import read_result
from shared.contract.errors import EnvironmentProblem, JobFailed
from shared.contract.job import Job

LIMITS = Limits(time_s=120, memory_mb=2048)
TARGET, TOOLCHAIN = "intel-openvino", "2026.4"


@pytest.fixture
def script_folder(tmp_path: Path) -> Callable[[str], Path]:
    """Make a job folder whose entry script is the given text."""

    def make(text: str) -> Path:
        folder = tmp_path / "job"
        script = folder / "code" / "targets" / TARGET / "entry.py"
        script.parent.mkdir(parents=True)
        script.write_text(text)
        (folder / "outputs").mkdir()
        return folder

    return make


def containers_left() -> list[str]:
    """Names of the job containers that exist, running or not."""
    return [c.name for c in docker.from_env().containers.list(all=True, filters={"label": LABEL})]


def test_a_job_runs_and_its_files_come_back(engine: Engine, script_folder: Callable[[str], Path]) -> None:
    """What the entry script prints and writes reaches the host, and its exit code does."""
    folder = script_folder(
        "import json, pathlib, sys\n"
        "job = pathlib.Path(sys.argv[sys.argv.index('--job') + 1])\n"
        "print('hello from the job', flush=True)\n"
        "(job / 'outputs' / 'deep').mkdir()\n"
        "(job / 'outputs' / 'deep' / 'file').write_text('42')\n"
        "(job / 'result.json').write_text(json.dumps({'version': 1, 'status': 'done'}))\n"
        "sys.exit(5)\n"
    )
    lines: list[str] = []
    ended = engine.run(TARGET, TOOLCHAIN, folder, LIMITS, lines.append)
    assert ended.exit_code == 5
    assert "hello from the job" in lines
    assert (folder / "outputs" / "deep" / "file").read_text() == "42"
    assert read_result(folder, ended, "optimize")["reason"].endswith("a done optimize without artifact")


def test_a_job_that_takes_too_long_is_ended(engine: Engine, script_folder: Callable[[str], Path]) -> None:
    """The time limit ends the job and is the reason of its failure."""
    folder = script_folder("import time\nprint('working', flush=True)\ntime.sleep(600)\n")
    started = time.monotonic()
    ended = engine.run(TARGET, TOOLCHAIN, folder, Limits(time_s=3, memory_mb=512), lambda line: None)
    assert time.monotonic() - started < 60
    assert "time limit of 3 s" in ended.reason
    assert read_result(folder, ended, "evaluate") == {"version": 1, "status": "failed", "reason": ended.reason}


def test_a_container_is_closed_to_everything(docker_engine: DockerEngine, script_folder: Callable[[str], Path]) -> None:
    """No network, no root user, no writable root, no capability: the container has its job folder and nothing else."""
    folder = script_folder(
        "import os, pathlib, socket\n"
        "print('uid', os.getuid())\n"
        "print('interfaces', sorted(n for _, n in socket.if_nameindex()))\n"
        "print('caps', next(l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')))\n"
        "try:\n    pathlib.Path('/opt/x').write_text('x')\n    print('root writable')\n"
        "except OSError as error:\n    print('root', error.strerror)\n"
    )
    lines: list[str] = []
    docker_engine.run(TARGET, TOOLCHAIN, folder, LIMITS, lines.append)
    assert lines[:3] == ["uid 10001", "interfaces ['lo']", "caps 0000000000000000"]
    assert "root writable" not in lines


def test_a_container_that_takes_too_much_memory_is_killed(docker_engine: DockerEngine, script_folder: Callable[[str], Path]) -> None:
    """The memory limit ends the job, says so, and leaves no container."""
    folder = script_folder("data = [bytearray(8 << 20) for _ in range(1000)]\n")
    ended = docker_engine.run(TARGET, TOOLCHAIN, folder, Limits(time_s=60, memory_mb=128), lambda line: None)
    assert ended.reason == "killed for memory (limit 128 MB)"
    assert containers_left() == []


def test_a_link_out_of_a_container_is_refused(docker_engine: DockerEngine, script_folder: Callable[[str], Path]) -> None:
    """A symbolic link among the outputs is no plain file and is refused, and nothing of it is written."""
    folder = script_folder("import os\nos.symlink('/etc/passwd', '/job/outputs/stolen')\n")
    with pytest.raises(JobFailed, match="no plain file"):
        docker_engine.run(TARGET, TOOLCHAIN, folder, LIMITS, lambda line: None)
    assert not (folder / "outputs" / "stolen").exists()


@pytest.fixture
def frail_socket(tmp_path: Path, docker_engine: DockerEngine) -> Iterator[tuple[str, Callable[[], None]]]:
    """An address that passes everything on to the engine until it is told to break."""
    address = str(tmp_path / "engine.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    opened: list[socket.socket] = [listener]

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect("/var/run/docker.sock")
            opened.extend([client, engine])
            for pair in ((client, engine), (engine, client)):
                threading.Thread(target=pass_on, args=pair, daemon=True).start()

    def break_off() -> None:
        for one in opened:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                one.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"unix://{address}", break_off
    break_off()
    for container in docker.from_env().containers.list(all=True, filters={"label": LABEL}):
        container.remove(force=True, v=True)


@pytest.mark.skipif(not Path("/var/run/docker.sock").exists(), reason="needs the engine's own socket")
def test_an_engine_that_goes_away_is_an_environment_problem(
    frail_socket: tuple[str, Callable[[], None]], script_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the engine is gone during a job, one clear error says so; exit code 3."""
    address, break_off = frail_socket
    monkeypatch.setenv("DOCKER_HOST", address)
    engine = DockerEngine()
    folder = script_folder("import time\nprint('working', flush=True)\ntime.sleep(600)\n")

    def on_line(line: str) -> None:
        break_off()

    with pytest.raises(EnvironmentProblem, match="gone") as caught:
        engine.run(TARGET, TOOLCHAIN, folder, LIMITS, on_line)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("name", ["docker", "venv"])
def test_an_interrupt_leaves_nothing_running(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Ctrl-C ends a build with one line and exit code 130; no container, no process and no job folder stays."""
    request.getfixturevalue(f"{name}_engine")
    results_before = {p: p.stat().st_mtime_ns for p in (ROOT / "results").rglob("*") if p.is_file()}
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", "--search-root", str(ROOT), "build", "--recipe", "digits.json", "--engine", name, "--force"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background of a shell would ignore it
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if "reference/evaluate" in line:
                break
        time.sleep(1)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert list((ROOT / ".dockyard" / "jobs").glob("digits-*")) == []
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "jobs/digits-" not in running
    if name == "docker":
        assert containers_left() == []
    assert {p: p.stat().st_mtime_ns for p in (ROOT / "results").rglob("*") if p.is_file()} == results_before


def digits_job(stage: str, target: str, toolchain: str, data: dict[str, str] | None = None, **fields: Any) -> Job:
    """A job of the digits model."""
    network = json.loads((ROOT / "models" / "digits" / "model.json").read_text())
    return Job(
        id=f"digits/tested/{stage}-{target}",
        stage=stage,
        model="digits",
        target=target,
        toolchain=toolchain,
        method="reference",
        networks={"digits": {k: v for k, v in network.items() if k not in ("$schema", "licence")}},
        artifacts={"digits": "inputs/digits"},
        data=data or {},
        measure={"threads": 1, "runs": 1, "warmup": 0, "images": 0},
        **fields,
    )


@pytest.fixture
def reference_outputs(venv_engine: Engine, job_folder: Callable[..., Path]) -> Path:
    """Real inputs of the digits model and TensorFlow's outputs for them."""
    model = ROOT / "models" / "digits"
    job = digits_job("evaluate", "tensorflow", "2.21", data={"test": "inputs/data/test"})
    folder = job_folder(job, {"digits": model, "data/test": model / "data" / "test"})
    ended = venv_engine.run("tensorflow", "2.21", folder, LIMITS, print)
    assert read_result(folder, ended, "evaluate")["status"] == "done"
    return folder / "outputs" / "reference.npz"


def test_tensorflow_converts_to_onnx_and_is_checked(engine: Engine, reference_outputs: Path, job_folder: Callable[..., Path]) -> None:
    """The `convert` stage of the reference target leaves an ONNX graph that agrees with TensorFlow on real inputs."""
    job = digits_job("convert", "tensorflow", "2.21", reference="inputs/reference.npz", options={"layout": "NCHW"})
    folder = job_folder(job, {"digits": ROOT / "models" / "digits", "reference.npz": reference_outputs})
    result = read_result(folder, engine.run("tensorflow", "2.21", folder, LIMITS, print), "convert")
    assert result["status"] == "done", result
    assert [f["path"] for f in result["artifact"]] == ["model.onnx"]
    assert result["conversion"][0]["output"] == "digit"
    assert result["conversion"][0]["difference"] < 1e-4
    assert result["notes"]["inputs_as_nchw"] is True


def test_a_wrong_conversion_is_found(venv_engine: Engine, reference_outputs: Path, job_folder: Callable[..., Path]) -> None:
    """A converted graph whose output differs from the reference fails, naming the output and the amount."""
    import numpy as np

    with np.load(reference_outputs) as archive:
        np.savez(reference_outputs, pixels=archive["pixels"], **{"output/digit": archive["output/digit"] + 0.25})
    job = digits_job("convert", TARGET, TOOLCHAIN, reference="inputs/reference.npz")
    folder = job_folder(job, {"digits": ROOT / "models" / "digits", "reference.npz": reference_outputs})
    result = read_result(folder, venv_engine.run(TARGET, TOOLCHAIN, folder, LIMITS, print), "convert")
    assert result["status"] == "failed"
    assert "output 'digit' differs by 0.2" in result["reason"]
    assert "limit 0.001" in result["reason"]
