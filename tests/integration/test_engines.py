"""What an engine promises, with real containers and real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import numpy as np
import psutil
import pytest
from docker.models.containers import Container

import docker
from dockyard.engines import Executor, FollowedFolder, JobExit, Limits, OnLine, OnStarted
from dockyard.engines.docker import DockerExecutor
from dockyard.engines.venv import VenvExecutor
from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, SHARED, Workspace
from dockyard.run.side_by_side import run_side_by_side
from shared.contract.codec import decode
from shared.contract.errors import EnvironmentProblem, JobFailed
from shared.contract.job import Job
from shared.contract.model import Network
from shared.contract.result import Result, Status
from shared.contract.stages import Convert, Evaluate, NetworkFiles, Parameters, Tolerance
from tests.integration.conftest import containers_of_host, containers_of_job

LIMITS = Limits(time_s=120, memory_mb=2048)
OPENVINO = ("intel-openvino", "2026.4")
TENSORFLOW = ("tensorflow", "2.21")
DOCKYARD = Workspace(PRODUCT)

ScriptFolder = Callable[[str], Path]
JobFolder = Callable[[Job, Mapping[str, Path]], Path]


def ignore(line: str) -> None:
    """Take a line and do nothing with it."""


def interrupt(line: str) -> None:
    """Be interrupted by a line."""
    raise KeyboardInterrupt


@pytest.fixture
def script_folder(tmp_path: Path) -> ScriptFolder:
    """Make a job folder whose entry script is the given text."""

    def make(text: str) -> Path:
        folder = tmp_path / f"job-{uuid4().hex}"  # what tells its containers from those of other tests
        shutil.copytree(SHARED, folder / "code" / "shared")
        script = folder / "code" / "targets" / OPENVINO[0] / "entry.py"
        script.parent.mkdir(parents=True)
        script.write_text(text)
        (folder / "outputs").mkdir()
        return folder

    return make


def test_a_job_runs_and_its_files_come_back(executor: Executor, script_folder: ScriptFolder) -> None:
    """What the entry script prints and writes reaches the host, and its exit code does."""
    folder = script_folder(
        "import json, pathlib, sys\n"
        "job = pathlib.Path(sys.argv[sys.argv.index('--job') + 1])\n"
        "print('hello from the job', flush=True)\n"
        "(job / 'outputs' / 'deep').mkdir()\n"
        "(job / 'outputs' / 'deep' / 'file').write_text('42')\n"
        "(job / 'result.json').write_text(json.dumps({'status': 'done'}))\n"
        "sys.exit(5)\n"
    )
    lines: list[str] = []
    left = executor.run(*OPENVINO, folder, LIMITS, lines.append)
    assert (left.exit_code, left.reason) == (5, "")
    assert "hello from the job" in lines
    assert (folder / "outputs" / "deep" / "file").read_text() == "42"
    assert (folder / "result.json").read_text() == '{"status": "done"}'


def test_a_job_that_takes_too_long_is_ended(executor: Executor, script_folder: ScriptFolder) -> None:
    """The time limit ends the job and is the reason of its failure."""
    folder = script_folder("import time\nprint('working', flush=True)\ntime.sleep(600)\n")
    started = time.monotonic()
    left = executor.run(*OPENVINO, folder, Limits(time_s=3, memory_mb=512), ignore)
    assert time.monotonic() - started < 60
    assert (left.reason, left.expired) == ("stopped at its time limit of 3 s", True)
    assert not (folder / "result.json").exists()


IN_BURSTS = """
import os, sys, time, numpy, openvino
from shared.harness.bursts import take_bursts, words_of_host

def call():
    CALL
    return {"total": 1}

openvino.Core()  # its threads, and numpy's, take over which signals are blocked
print(take_bursts(call, 1e-9, words_of_host).calls, flush=True)
"""


class Lines:
    """Keeps the lines of each benchmark."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, str]] = []

    def line(self, number: int, text: str) -> None:
        self.kept.append((number, text))

    def cycle(self, done: int) -> None:
        pass


def test_jobs_wait_for_their_turn(executor: Executor, script_folder: ScriptFolder) -> None:
    """Words reach jobs that wait side by side; one that dies and one that hangs cost only themselves."""
    calls = ["pass", "os._exit(3)", "time.sleep(600)", "pass"]
    folders = [script_folder(IN_BURSTS.replace("CALL", call)) for call in calls]
    lines, starts = Lines(), []
    for folder in folders:

        def start(on_line: OnLine, on_started: OnStarted, folder: Path = folder) -> JobExit:
            return executor.run(*OPENVINO, folder, LIMITS, on_line, on_started=on_started)

        starts.append(start)
    endings = run_side_by_side(starts, 3, lines, patience_s=5.0)
    assert [ending.bursts for ending in endings] == [3, 0, 0, 3]
    exits = [ending.left for ending in endings if isinstance(ending.left, JobExit)]
    assert [left.exit_code for left in exits[:2]] == [0, 3]
    assert [left.reason for left in exits] == ["", "", "a burst took over 5 s", ""]
    assert [number for number, text in lines.kept if text == "(5, 5, 5)"] in ([0, 3], [3, 0])
    if isinstance(executor, DockerExecutor):
        assert [containers_of_job(folder.name) for folder in folders] == [[]] * len(folders)


def test_two_engines_are_two_devices(docker_executor: DockerExecutor, venv_executor: VenvExecutor) -> None:
    """An engine has one device, whoever asks; the engine of this machine and this machine are two."""
    assert DockerExecutor(DOCKYARD).device == docker_executor.device
    assert docker_executor.device != venv_executor.device


def test_a_context_is_found_without_a_docker_configuration(
    docker_executor: DockerExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A context that was just created, on a machine without Docker's config.json, leads to its engine."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    address = "host=unix:///var/run/docker.sock"
    subprocess.run(["docker", "context", "create", "tested", "--docker", address], check=True)
    executor = DockerExecutor(DOCKYARD, "tested")
    assert (executor.name, executor.device) == ("docker:tested", docker_executor.device)
    assert executor.prepare(*OPENVINO, ignore) == docker_executor.prepare(*OPENVINO, ignore)


def test_a_container_is_closed_to_everything(
    docker_executor: DockerExecutor, script_folder: ScriptFolder
) -> None:
    """No network, no root user, no writable root, no capability: a container has its job folder alone."""
    folder = script_folder(
        "import os, pathlib, socket\n"
        "print('uid', os.getuid())\n"
        "print('interfaces', sorted(n for _, n in socket.if_nameindex()))\n"
        "print('caps', next(l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')))\n"
        "try:\n    pathlib.Path('/opt/x').write_text('x')\n    print('root writable')\n"
        "except OSError as error:\n    print('root', error.strerror)\n"
    )
    lines: list[str] = []
    docker_executor.run(*OPENVINO, folder, LIMITS, lines.append)
    assert lines[:3] == ["uid 10001", "interfaces ['lo']", "caps 0000000000000000"]
    assert "root writable" not in lines


def test_a_container_that_takes_too_much_memory_is_killed(
    docker_executor: DockerExecutor, script_folder: ScriptFolder
) -> None:
    """The memory limit ends the job, says so, and leaves no container."""
    folder = script_folder("data = [bytearray(8 << 20) for _ in range(1000)]\n")
    left = docker_executor.run(*OPENVINO, folder, Limits(time_s=60, memory_mb=128), ignore)
    assert left.reason == "killed for memory (limit 128 MB)"
    assert containers_of_job(folder.name) == []


def test_a_link_out_of_a_container_is_refused(
    docker_executor: DockerExecutor, script_folder: ScriptFolder
) -> None:
    """A symbolic link among the outputs is no plain file and is refused, and nothing of it is written."""
    folder = script_folder("import os\nos.symlink('/etc/passwd', '/job/outputs/stolen')\n")
    with pytest.raises(JobFailed, match="no plain file"):
        docker_executor.run(*OPENVINO, folder, LIMITS, ignore)
    assert not (folder / "outputs" / "stolen").exists()


FOLLOWED = FollowedFolder("found", ".bin", limit_mb=1)
LEAVE = """import os, pathlib, sys, time
job = pathlib.Path(sys.argv[sys.argv.index('--job') + 1])
def write(text):
    (job / 'found' / 'new').write_text(text)
    os.replace(job / 'found' / 'new', job / 'found' / 'a.bin')
write('one')
(job / 'found' / 'other.txt').write_text('not followed')
print('written', flush=True)
"""


@pytest.mark.parametrize("then", ["sys.exit(0)", "sys.exit(3)", "os.kill(os.getpid(), 9)", "time.sleep(600)"])
def test_a_followed_folder_comes_back(executor: Executor, script_folder: ScriptFolder, then: str) -> None:
    """What a job leaves in a followed folder is on the host, however the job ends."""
    folder = script_folder(LEAVE + then)
    (folder / "found").mkdir()
    executor.run(*OPENVINO, folder, Limits(time_s=4, memory_mb=512), ignore, FOLLOWED)
    assert (folder / "found" / "a.bin").read_text() == "one"


def test_a_followed_folder_comes_back_from_an_interrupt(
    executor: Executor, script_folder: ScriptFolder
) -> None:
    """Ctrl-C loses nothing of a followed folder."""
    folder = script_folder(LEAVE + "time.sleep(600)")
    (folder / "found").mkdir()
    with pytest.raises(KeyboardInterrupt):
        executor.run(*OPENVINO, folder, LIMITS, interrupt, FOLLOWED)
    assert (folder / "found" / "a.bin").read_text() == "one"


def test_a_followed_folder_is_fetched_meanwhile(
    docker_executor: DockerExecutor, script_folder: ScriptFolder
) -> None:
    """A followed folder is on the host while the job still runs, and only the files with its suffix."""
    folder = script_folder(LEAVE + "time.sleep(3)\nwrite('two')\nprint('two', flush=True)\ntime.sleep(3)\n")
    (folder / "found").mkdir()
    seen: list[str] = []

    def look(line: str) -> None:
        if line == "two":
            seen.append((folder / "found" / "a.bin").read_text())

    DockerExecutor(DOCKYARD, fetch_s=0.5).run(*OPENVINO, folder, LIMITS, look, FOLLOWED)
    assert seen == ["one"]
    assert {path.name: path.read_text() for path in (folder / "found").iterdir()} == {"a.bin": "two"}


def test_a_followed_folder_that_cannot_be_used(
    docker_executor: DockerExecutor, script_folder: ScriptFolder
) -> None:
    """A followed folder with a link in it fails no job: a line says so, and nothing of it is taken."""
    folder = script_folder(LEAVE + "os.symlink('/etc/passwd', job / 'found' / 'b.bin')\n")
    (folder / "found").mkdir()
    lines: list[str] = []
    assert docker_executor.run(*OPENVINO, folder, LIMITS, lines.append, FOLLOWED).exit_code == 0
    assert "the files in found/ could not be fetched" in lines[-1]
    assert list((folder / "found").iterdir()) == []


@pytest.fixture
def frail_socket(tmp_path: Path, docker_executor: DockerExecutor) -> Iterator[tuple[str, Callable[[], None]]]:
    """An address that passes everything on to the engine until it is told to break."""
    address = str(tmp_path / "engine.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    opened: list[socket.socket] = [listener]

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

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
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"unix://{address}", break_off
    break_off()


@pytest.mark.skipif(not Path("/var/run/docker.sock").exists(), reason="needs the engine's own socket")
def test_an_engine_that_goes_away_is_an_environment_problem(
    frail_socket: tuple[str, Callable[[], None]],
    script_folder: ScriptFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the engine is gone during a job, one clear error says so; exit code 3."""
    address, break_off = frail_socket
    monkeypatch.setenv("DOCKER_HOST", address)
    executor = DockerExecutor(DOCKYARD)
    folder = script_folder("import time\nprint('working', flush=True)\ntime.sleep(600)\n")

    def on_line(line: str) -> None:
        break_off()

    try:
        with pytest.raises(EnvironmentProblem, match="gone") as caught:
            executor.run(*OPENVINO, folder, LIMITS, on_line)
    finally:
        monkeypatch.undo()
        for container in containers_of_job(folder.name):
            container.remove(force=True, v=True)
    assert caught.value.exit_code == 3


HOST = """
import sys
from pathlib import Path
from dockyard.engines import Limits
from dockyard.engines.docker import DockerExecutor
from dockyard.engines.venv import VenvExecutor
from dockyard.recipe.workspace import PRODUCT, SHARED, Workspace
from dockyard.run.side_by_side import run_side_by_side
kind, folder = sys.argv[1:]
executor = {"docker": DockerExecutor, "venv": VenvExecutor}[kind](Workspace(PRODUCT))
executor.run(*%r, Path(folder), Limits(120, 512), lambda line: print(line, flush=True))
"""


@contextmanager
def host(kind: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a job folder on an engine of another host process; it prints what the job prints."""
    command = [sys.executable, "-c", HOST % (OPENVINO,), kind, str(folder)]
    with subprocess.Popen(command, cwd=PRODUCT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def test_what_a_killed_host_has_left_is_removed_at_the_next_start(
    docker_executor: DockerExecutor, script_folder: ScriptFolder
) -> None:
    """The container of a killed host goes on; the next start removes it and its volume, no living host's."""
    client = docker.from_env()
    folder = script_folder("import time\nprint('working', flush=True)\ntime.sleep(600)\n")
    with host("docker", folder) as living, host("docker", folder) as killed:
        for process in (living, killed):
            assert process.stdout is not None
            assert process.stdout.readline() == "working\n"
        both = {container.name: volume_of(container) for container in containers_of_job(folder.name)}
        assert len(both) == 2
        killed.kill()
        killed.wait()
        assert len(containers_of_job(folder.name)) == 2
        lines: list[str] = []
        DockerExecutor(DOCKYARD).prepare(*OPENVINO, lines.append)
        (left,) = containers_of_job(folder.name)
        (removed,) = both.keys() - {left.name}
        (line,) = [line for line in lines if folder.name in line]
        assert removed in line
        assert "the process that started it was killed" in line
        assert left.status == "running"
        assert volumes_there(client, both.values()) == [both[left.name]]
        living.kill()
        living.wait()
    DockerExecutor(DOCKYARD).prepare(*OPENVINO, ignore)
    assert containers_of_job(folder.name) == []
    assert volumes_there(client, both.values()) == []


def volume_of(container: Container) -> str:
    (mount,) = container.attrs["Mounts"]
    return str(mount["Name"])


def volumes_there(client: docker.DockerClient, names: Iterable[str]) -> list[str]:
    """Return which volumes exist."""
    existing = {volume.name for volume in client.volumes.list()}
    return [name for name in names if name in existing]


def test_a_killed_host_takes_its_process_with_it(
    venv_executor: VenvExecutor, script_folder: ScriptFolder
) -> None:
    """The job of a host that was killed ends at once where it is a process of this machine."""
    folder = script_folder("import time\nprint('working', flush=True)\ntime.sleep(600)\n")
    with host("venv", folder) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "working\n"
        assert is_running(str(folder / "code"))
        killed.kill()
        killed.wait()
        for _ in range(100):
            if not is_running(str(folder / "code")):
                return
            time.sleep(0.05)
    pytest.fail("the job goes on without its host")


def is_running(text: str) -> bool:
    """Tell whether a process has a text in its command line."""
    return any(
        text in " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    )


@pytest.mark.parametrize("name", ["docker", "venv"])
def test_an_interrupt_leaves_nothing_running(name: str, request: pytest.FixtureRequest) -> None:
    """Ctrl-C ends a build with one line and exit code 130; no container, process or job folder stays."""
    request.getfixturevalue(f"{name}_executor")
    results_before = stamps(DOCKYARD.results)
    build = ["build", "--recipe", "digits.json", "--engine", name, "--force"]
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", "--search-root", str(PRODUCT), *build],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=listen_to_ctrl_c,
    ) as process:
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
    assert list((DOCKYARD.state / "jobs").glob("*/digits-*")) == []
    assert not is_running("jobs/digits/")
    if name == "docker":
        assert containers_of_host(process.pid) == []
    assert stamps(DOCKYARD.results) == results_before


def listen_to_ctrl_c() -> None:
    """Undo what a shell does to a job in its background, which would ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stamps(folder: Path) -> dict[Path, int]:
    """Return when each file below a folder was last changed, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def digits_job(name: str, toolchain: tuple[str, str], parameters: Parameters) -> Job:
    """Return a job of the digits model."""
    return Job(f"digits/tested/{name}-{toolchain[0]}", "digits", *toolchain, "reference", 1, parameters)


@pytest.fixture
def digits() -> NetworkFiles:
    """The digits network, its graph among a job's inputs."""
    network = load_model(DOCKYARD, "digits", "test")
    assert isinstance(network, Network)
    return NetworkFiles(network, "inputs/digits")


def run_job(executor: Executor, job: Job, folder: Path) -> Result:
    """Run a job folder and return what came of it."""
    left = executor.run(job.target, job.toolchain, folder, LIMITS, print)
    assert left.reason == ""
    return decode(Result, json.loads((folder / "result.json").read_text()))


@pytest.fixture
def reference_outputs(venv_executor: VenvExecutor, job_folder: JobFolder, digits: NetworkFiles) -> Path:
    """Real inputs of the digits model and TensorFlow's outputs for them."""
    model = DOCKYARD.model("digits")
    job = digits_job("evaluate", TENSORFLOW, Evaluate(digits, "inputs/data/test", is_reference=True))
    folder = job_folder(job, {"digits": model, "data/test": model / "data" / "test"})
    assert run_job(venv_executor, job, folder).status == Status.DONE
    return folder / "outputs" / "reference.npz"


TOLERANCE = Tolerance("inputs/reference.npz", 1e-3)


def test_tensorflow_converts_to_onnx_and_is_checked(
    executor: Executor, reference_outputs: Path, job_folder: JobFolder, digits: NetworkFiles
) -> None:
    """The reference's `convert` leaves an ONNX graph that agrees with TensorFlow on real inputs."""
    job = digits_job("convert", TENSORFLOW, Convert(digits, TOLERANCE, {"layout": "NCHW"}))
    inputs = {"digits": DOCKYARD.model("digits"), "reference.npz": reference_outputs}
    result = run_job(executor, job, job_folder(job, inputs))
    assert result.status == Status.DONE, result.reason
    assert [file.path for file in result.artifact.files] == ["manifest.json", "model.onnx"]
    (output,) = result.differences
    assert (output.output, output.agrees) == ("digit", True)
    assert output.difference is not None
    assert output.difference < 1e-4
    assert result.notes.details["inputs_as_nchw"] is True


def test_a_wrong_conversion_is_found(
    venv_executor: VenvExecutor, reference_outputs: Path, job_folder: JobFolder, digits: NetworkFiles
) -> None:
    """A converted graph whose output differs from the reference fails, naming the output and the amount."""
    with np.load(reference_outputs) as archive:
        wrong = archive["output/digit"] + 0.25
        np.savez(reference_outputs, pixels=archive["pixels"], **{"output/digit": wrong})
    job = digits_job("convert", OPENVINO, Convert(digits, TOLERANCE))
    inputs = {"digits": DOCKYARD.model("digits"), "reference.npz": reference_outputs}
    result = run_job(venv_executor, job, job_folder(job, inputs))
    assert result.status == Status.FAILED
    assert "output 'digit' differs by 0.2" in result.reason
    assert "limit 0.001" in result.reason
