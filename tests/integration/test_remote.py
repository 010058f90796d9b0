"""An engine at the other end of ssh: found as docker finds it, used over a line that drops, left clean."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

import docker
from dockyard.deliver.find import measured_artifact
from dockyard.engines import JobExit, Limits, OnLine, OnStarted, WordsLost, images
from dockyard.engines.choice import choose_executor
from dockyard.engines.docker import DockerExecutor
from dockyard.engines.docker_cli import DockerCommand, EngineAddress, any_client
from dockyard.engines.endpoint import resolve
from dockyard.engines.engine_line import EngineLine
from dockyard.engines.host_process import identify
from dockyard.engines.image_transfer import LOCAL_SOCKET, send_image
from dockyard.engines.input_volumes import PREFIX, Volumes, read_volumes
from dockyard.engines.job_container import WORKSPACE_LABEL
from dockyard.engines.kept_inputs import FILLER
from dockyard.engines.leftovers import sweep
from dockyard.judge.record_files import read_records
from dockyard.recipe.workspace import PRODUCT, SHARED, Workspace
from dockyard.run.side_by_side import run_side_by_side
from shared.contract.errors import EnvironmentProblem
from shared.contract.record import RecordStatus
from tests.integration.conftest import DOCKYARD, new_workspace
from tests.integration.second_engine import CONTEXT, SecondEngine
from tests.integration.test_build import DIGITS, Recipe, qualities, records, run

PLAIN = ("plain", "1")
PLAIN_TAG = "dockyard/plain:1"
BASE = "dockyard/python:bookworm"
CHILD = "dockyard/child:1"
LIMITS = Limits(time_s=120, memory_mb=512)
MB = 1 << 20
KEPT = "data/test/large"
"""An input in a folder, which the engine keeps."""

WORK = """
import hashlib, os, pathlib, sys, time, uuid
job = pathlib.Path(sys.argv[sys.argv.index('--job') + 1])
print('run', uuid.uuid4().hex, flush=True)
for number in range(10):
    print('step', number, flush=True)
    time.sleep(PAUSE)
(path,) = (job / 'inputs').rglob('large')
content = path.read_bytes()
(job / 'outputs' / 'large').write_bytes(content[::-1])
(job / 'result.json').write_text(hashlib.sha256(content).hexdigest())
"""


def ignore(line: str) -> None:
    """Take a line and do nothing with it."""


@pytest.fixture
def second(second_engine: SecondEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecondEngine]:
    """The second engine, whose context this process knows; nothing is left on it, and no line to it."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in second_engine.environment.items():
        monkeypatch.setenv(name, value)
    scratch = second_engine.root / "tmp"  # where lines of this test's processes alone are
    scratch.mkdir(exist_ok=True)
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    yield second_engine
    with closing(second_engine.client()) as client:
        assert client.containers.list(all=True) == []
        left = kept_on(client)
        assert left.strays == ()
        for volume in client.volumes.list():
            assert volume.name.startswith(PREFIX)
            volume.remove()
    assert lines_left() == []


def kept_on(client: docker.DockerClient) -> Volumes:
    """Return the inputs that an engine keeps."""
    return read_volumes(client.api.volumes()["Volumes"] or ())


def lines_left() -> list[str]:
    """Return the folders of lines over ssh that have not ended within some seconds."""
    for _ in range(50):
        left = [path.name for path in Path(tempfile.gettempdir()).glob("dockyard-ssh-*")]
        if not left:
            break
        time.sleep(0.1)
    return left


@pytest.fixture(scope="session")
def plain_image(docker_executor: object, second_engine: SecondEngine) -> str:
    """A small image on the second engine, under the name of a target that the workspaces of tests have."""
    here = EngineAddress(socket=LOCAL_SOCKET)
    found = DockerCommand(any_client(), here).images(BASE)[BASE]
    old = dict(os.environ)
    os.environ.update(second_engine.environment)
    try:
        with closing(EngineLine(resolve(CONTEXT))) as line:
            send_image(BASE, found, here, line, ignore)
            assert line.client.images.get(BASE).id == found.id
            with_python(line.client)
    finally:
        os.environ.clear()
        os.environ.update(old)
    return PLAIN_TAG


def with_python(client: docker.DockerClient) -> None:
    """Make the small image of the base, which calls Python by another name; the base's own name goes."""
    command = ["ln", "-sf", "/usr/bin/python3", "/usr/local/bin/python"]
    container = client.containers.run(BASE, command, user="0", network_mode="none", detach=True)
    assert container.wait()["StatusCode"] == 0
    container.commit(*PLAIN_TAG.split(":"), conf={"Cmd": ["true"]})
    container.remove(v=True)
    client.images.remove(BASE)


@pytest.fixture
def plain(plain_image: str, workspace: Workspace) -> Workspace:
    """A workspace with the target of the small image."""
    folder = workspace.root / "targets" / PLAIN[0]
    folder.mkdir(parents=True)
    document = {"description": "", "toolchains": {PLAIN[1]: {}}, "sources": ["ONNX"], "methods": {}}
    (folder / "target.json").write_text(json.dumps(document))
    return workspace


def job_of(folder: Path, script: str, size_mb: int = 20, name: str = "large") -> bytes:
    """Make a job folder with an input of that size; return the input.

    Args:
        name: of the input's file. One in a folder is kept on the engine, one without travels with the job.
    """
    shutil.copytree(SHARED, folder / "code" / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    entry = folder / "code" / "targets" / PLAIN[0] / "entry.py"
    entry.parent.mkdir(parents=True)
    entry.write_text(script)
    (folder / "outputs").mkdir()
    content = os.urandom(MB) * size_mb
    (folder / "inputs" / name).parent.mkdir(parents=True)
    (folder / "inputs" / name).write_bytes(content)
    return content


def check_work(folder: Path, content: bytes, lines: list[str], left: JobExit) -> None:
    """Check that a job was done whole, once, and that every line came once and in order."""
    assert (left.exit_code, left.reason) == (0, "")
    assert (folder / "result.json").read_text() == hashlib.sha256(content).hexdigest()
    assert (folder / "outputs" / "large").read_bytes() == content[::-1]
    printed = [line for line in lines if line.startswith(("run ", "step "))]
    assert [line.split()[0] for line in printed[:1]] == ["run"]
    assert printed[1:] == [f"step {number}" for number in range(10)]


def test_a_recipe_over_ssh(
    docker_executor: object, second: SecondEngine, recipe_file: Recipe, tmp_path: Path
) -> None:
    """A whole recipe on an engine elsewhere, its images sent there, has the quality that it has here; the
    record names where it ran.
    """
    recipe = recipe_file({**DIGITS, "optimizations": ["baseline"]})
    here, _ = run(new_workspace(tmp_path / "here"), recipe, "docker")
    there, printed = run(new_workspace(tmp_path / "there"), recipe, "auto", context=CONTEXT)
    assert qualities(here) == qualities(there)
    assert {record.status for record in records(there)} == {RecordStatus.MEASURED}
    for record in records(there):
        assert record.engine == f"docker:{CONTEXT}"
        assert record.device["engine_host"] == second.address
        assert record.device["engine_id"] == second.client().info()["ID"]
    assert f"Docker context {CONTEXT}, as asked" in printed


@pytest.fixture
def board(docker_executor: DockerExecutor, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with the target `board`, in an image that is ONNX Runtime's."""
    images.build_image(DOCKYARD, "tensorrt-onnx", "1.32", on_line=ignore)
    workspace = new_workspace(tmp_path / "workspace")
    shutil.copytree(PRODUCT / "docker" / "onnxruntime", workspace.root / "docker" / "board")
    folder = workspace.root / "targets" / "board"
    shutil.copytree(PRODUCT / "tests" / "fixtures" / "board", folder)
    prepared = {"python": ">=3.11", "prepared_by": {"target": "tensorrt-onnx", "toolchain": "1.32"}}
    no_options = {"1.32": {"type": "object", "additionalProperties": False}}
    document = {
        "description": "",
        "toolchains": {"1.32": prepared},
        "sources": ["ONNX"],
        "shares": ["onnx-models", "onnx-graphs"],
        "predicts": True,
        "methods": {name: {"description": "", "options": no_options} for name in ("fp32", "fp16")},
    }
    (folder / "target.json").write_text(json.dumps(document))
    images.build_image(workspace, "board", "1.32", on_line=ignore)
    yield workspace
    docker_executor.line.client.images.remove("dockyard/board:1.32", force=True)


def test_what_a_device_compiles_is_prepared_here(
    second: SecondEngine, board: Workspace, recipe_file: Recipe
) -> None:
    """For a toolchain that has its graphs prepared, this machine converts, types and predicts, and the device
    compiles and measures, the reference too; what its compilations leave is handed from one to the next.
    """
    methods = ["fp32", {"method": "fp16"}]
    recipe = recipe_file({**DIGITS, "target": "board", "toolchain": "1.32", "optimizations": methods})
    built, printed = run(board, recipe, "auto", context=CONTEXT)
    assert "prepared here by Docker" in printed
    assert f"; compiled and measured by docker:{CONTEXT}" in printed
    found = {record.variant: record for record in records(built)}
    assert {record.status for record in found.values()} == {RecordStatus.MEASURED}
    assert {record.engine for record in found.values()} == {f"docker:{CONTEXT}"}
    for one in built.assessments:
        assert one.is_reference or one.speedup is not None
    for variant in ("fp32", "fp16"):
        predicted, quality = found[variant].predicted, found[variant].quality
        assert predicted
        assert quality
        assert abs(predicted.value - quality.value) < 0.05
        assert measured_artifact(board, found[variant], "digits").joinpath("model.onnx").is_file()
    (left,) = (board.state / "devices").glob("*/board-1.32/timing.cache")
    assert left.read_text() == "2"
    tags = [tag for image in second.client().images.list() for tag in image.tags]
    assert not [tag for tag in tags if tag.startswith("dockyard/tensorrt-onnx")]
    second.client().images.remove("dockyard/board:1.32", force=True)


@pytest.mark.parametrize(
    "how", ["--context", "DOCKER_CONTEXT", "DOCKER_HOST", "use", "named beats DOCKER_HOST"]
)
def test_what_docker_resolves_is_what_runs(
    second: SecondEngine, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """However docker is told of an engine, that one is taken and named."""
    context = None
    if how in ("--context", "named beats DOCKER_HOST"):
        context = CONTEXT
    if how == "named beats DOCKER_HOST":
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    if how == "DOCKER_CONTEXT":
        monkeypatch.setenv("DOCKER_CONTEXT", CONTEXT)
    if how == "DOCKER_HOST":
        monkeypatch.setenv("DOCKER_HOST", second.address)
    if how == "use":
        subprocess.run(["docker", "context", "use", CONTEXT], check=True)
    try:
        executor, _ = choose_executor(workspace, "auto", context, [], ignore)
        with closing(executor):
            name = second.address if how == "DOCKER_HOST" else CONTEXT
            assert executor.name == f"docker:{name}"
            assert executor.place["engine_id"] == second.client().info()["ID"]
    finally:
        if how == "use":
            subprocess.run(["docker", "context", "use", "default"], check=True)


@contextmanager
def ssh_config(second: SecondEngine, old: str, new: str) -> Iterator[None]:
    """Have `ssh` configured otherwise meanwhile."""
    file = second.root / "ssh_config"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    try:
        yield
    finally:
        file.write_text(text)


def test_a_host_key_that_is_not_known(second: SecondEngine, workspace: Workspace) -> None:
    """An unknown host key is never accepted nor asked about; the error says what to do."""
    with (
        ssh_config(second, f"{second.root}/known_hosts", "/dev/null"),
        pytest.raises(EnvironmentProblem, match=r"the host key of 127\.0\.0\.1 is not known") as caught,
    ):
        choose_executor(workspace, "auto", CONTEXT, [], ignore)
    assert "ssh root@127.0.0.1" in caught.value.advice


def test_a_key_that_is_refused(second: SecondEngine, workspace: Workspace) -> None:
    """A device that refuses the key is told, without a question for a password."""
    with (
        ssh_config(second, f"{second.root}/user", f"{second.root}/host"),
        pytest.raises(EnvironmentProblem, match="refuses the ssh key") as caught,
    ):
        choose_executor(workspace, "auto", CONTEXT, [], ignore)
    assert "ssh-copy-id" in caught.value.advice


def test_a_device_that_is_away_is_not_replaced(
    second: SecondEngine, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the engine that docker would take is elsewhere and away, this machine is not measured instead."""
    monkeypatch.setenv("DOCKER_HOST", "ssh://root@127.0.0.1:1")
    with pytest.raises(EnvironmentProblem, match="does not answer ssh"):
        choose_executor(workspace, "auto", None, [], ignore)
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", "secnod")
    with pytest.raises(EnvironmentProblem, match="there is no Docker context 'secnod'") as caught:
        choose_executor(workspace, "auto", None, [], ignore)
    assert f"did you mean '{CONTEXT}'" in caught.value.advice


Moment = tuple[str, float]
"""The state that a container is in, and seconds after."""

CUTS: list[Moment] = [
    *(("absent", 0.0), ("created", 0.0), ("created", 0.15), ("running", 0.0), ("running", 0.3)),
    *(("running", 0.9), ("exited", 0.0), ("exited", 0.02), ("exited", 0.1), ("exited", 0.25)),
]


def label_of(job: str) -> dict[str, str]:
    """Return what finds the containers of a job."""
    return {"label": f"dockyard.job={job}"}


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until it is so, or a minute."""
    deadline = time.monotonic() + 60
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.005)


def cut_at(second: SecondEngine, job: str, moment: Moment, cuts: list[int]) -> threading.Thread:
    """Cut the line when the container of a job is at a moment."""

    def watch() -> None:
        state, delay_s = moment
        with closing(second.client()) as client:

            def is_there() -> bool:
                found = client.containers.list(all=True, filters=label_of(job), ignore_removed=True)
                return state == "absent" or any(container.status == state for container in found)

            wait_until(is_there)
        time.sleep(delay_s)
        cuts.append(second.cut())

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.mark.parametrize("moment", CUTS, ids=lambda moment: f"{moment[0]} {moment[1]} s")
def test_a_line_that_is_cut(second: SecondEngine, plain: Workspace, tmp_path: Path, moment: Moment) -> None:
    """Cut while the input is sent, while a job runs or while results come, a job is done whole and once."""
    folder = tmp_path / f"job-{uuid4().hex}"
    content = job_of(folder, WORK.replace("PAUSE", "0.1"))
    lines: list[str] = []
    cuts: list[int] = []
    with closing(DockerExecutor(plain, CONTEXT)) as executor:
        thread = cut_at(second, folder.name, moment, cuts)
        left = executor.run(*PLAIN, folder, LIMITS, lines.append)
        thread.join()
    assert cuts[0] > 0
    check_work(folder, content, lines, left)


HOST = """
import sys
from pathlib import Path
from dockyard.engines import Limits
from dockyard.engines.docker import DockerExecutor
from dockyard.recipe.workspace import Workspace
workspace, folder, key = sys.argv[1:]
executor = DockerExecutor(Workspace(Path(workspace)), %r)
show = lambda line: print(line, flush=True)
executor.run(*%r, Path(folder), Limits(120, 512), show, key=key)
"""

READ_ONLY = """
(path,) = (job / 'inputs').rglob('large')
assert path.is_file() and not path.is_symlink()
for change in (path.unlink, path.with_name('more').touch, lambda: path.open('ab')):
    try:
        change()
    except OSError:
        continue
    raise SystemExit('an input could be changed')
assert sorted(path.name for path in (job / 'inputs').rglob('*')) == ['data', 'large', 'test']
"""


def test_an_input_goes_over_the_line_once(second: SecondEngine, plain: Workspace, tmp_path: Path) -> None:
    """A job whose input an earlier one has had sends less than a tenth of what that sent; neither can change
    it, and it is a plain file to both.
    """
    folders = [tmp_path / f"job-{uuid4().hex}" for _ in range(2)]
    content = job_of(folders[0], WORK.replace("PAUSE", "0") + READ_ONLY, name=KEPT)
    shutil.copytree(folders[0], folders[1])
    sent, seconds = [], []
    for folder in folders:
        with closing(DockerExecutor(plain, CONTEXT)) as executor:
            before, started = second.received(), time.monotonic()
            lines: list[str] = []
            left = executor.run(*PLAIN, folder, LIMITS, lines.append)
            check_work(folder, content, lines, left)
            shutil.rmtree(folder)
            seconds.append(time.monotonic() - started)
            # what the job leaves, as large as its input, comes the same way
            sent.append(second.received() - before - len(content))
    print(f"sent {sent} bytes in {seconds} s")
    assert sent[1] < sent[0] / 10
    with closing(second.client()) as client:
        assert len(kept_on(client).whole) == 1


@pytest.mark.parametrize("moment", CUTS[1:6], ids=lambda moment: f"{moment[0]} {moment[1]} s")
def test_a_line_that_is_cut_while_an_input_is_sent(
    second: SecondEngine, plain: Workspace, tmp_path: Path, moment: Moment
) -> None:
    """Cut while an input is sent to be kept, or looked at there, the job has it whole."""
    folder = tmp_path / f"job-{uuid4().hex}"
    content = job_of(folder, WORK.replace("PAUSE", "0.1"), name=KEPT)
    lines: list[str] = []
    cuts: list[int] = []
    with closing(DockerExecutor(plain, CONTEXT)) as executor:
        thread = cut_at(second, FILLER, moment, cuts)
        left = executor.run(*PLAIN, folder, LIMITS, lines.append)
        thread.join()
    check_work(folder, content, lines, left)


def test_a_host_that_is_killed_while_it_sends(second: SecondEngine, plain: Workspace, tmp_path: Path) -> None:
    """What a killed host has half sent is no input: the next build removes it, and sends it whole."""
    folder = tmp_path / f"job-{uuid4().hex}"
    content = job_of(folder, WORK.replace("PAUSE", "0"), 60, KEPT)
    command = [sys.executable, "-c", HOST % (CONTEXT, PLAIN), str(plain.root), str(folder), ""]
    with closing(second.client()) as client:
        with subprocess.Popen(command, cwd=PRODUCT, stdout=subprocess.DEVNULL) as killed:
            wait_until(lambda: bool(client.api.containers(all=True, filters=label_of(FILLER))))
            killed.kill()
        assert kept_on(client).whole == []
        lines: list[str] = []
        with closing(DockerExecutor(plain, CONTEXT)) as executor:
            sweep(client, identify(os.getpid()), ignore)
            left = executor.run(*PLAIN, folder, LIMITS, lines.append)
        check_work(folder, content, lines, left)
        assert len(kept_on(client).whole) == 1


def test_two_hosts_that_send_the_same(second: SecondEngine, plain: Workspace, tmp_path: Path) -> None:
    """Two builds that want one input at once both have it whole."""
    folders = [tmp_path / f"job-{uuid4().hex}" for _ in range(2)]
    content = job_of(folders[0], WORK.replace("PAUSE", "0"), name=KEPT)
    shutil.copytree(folders[0], folders[1])
    lines: list[list[str]] = [[], []]
    left: dict[int, JobExit] = {}

    def work(number: int) -> None:
        with closing(DockerExecutor(plain, CONTEXT)) as executor:
            left[number] = executor.run(*PLAIN, folders[number], LIMITS, lines[number].append)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, folder in enumerate(folders):
        check_work(folder, content, lines[number], left[number])


def test_a_line_that_is_cut_while_an_image_is_sent(
    docker_executor: object, second: SecondEngine, plain_image: str
) -> None:
    """An image whose way is cut is sent anew, and arrives whole."""
    here = EngineAddress(socket=LOCAL_SOCKET)
    found = DockerCommand(any_client(), here).images(BASE)[BASE]
    cuts: list[int] = []

    def on_line(line: str) -> None:
        if line.startswith("sending") and not cuts:
            cuts.append(second.cut())

    with closing(EngineLine(resolve(CONTEXT))) as line:
        line.client.images.remove(PLAIN_TAG, force=True)  # else the layers are there, and nothing is sent
        send_image(BASE, found, here, line, on_line)
        assert line.client.images.get(BASE).id == found.id
        with_python(line.client)
    assert cuts in ([], [2])  # a fast machine sends it before the first word on how far it is


def test_layers_that_are_there_are_not_sent(
    docker_executor: object, second: SecondEngine, plain_image: str
) -> None:
    """Of an image whose lower layers the engine has, only the others go over the line, and it is whole."""
    here = EngineAddress(socket=LOCAL_SOCKET)
    with closing(docker.DockerClient(base_url=f"unix://{LOCAL_SOCKET}")) as client:
        made = client.containers.run(
            BASE, ["sh", "-c", "echo more > /more"], user="0", network_mode="none", detach=True
        )
        assert made.wait()["StatusCode"] == 0
        made.commit(*CHILD.split(":"))
        made.remove(v=True)
        try:
            found = DockerCommand(any_client(), here).images(CHILD)[CHILD]
            with closing(EngineLine(resolve(CONTEXT))) as line:
                before, started = second.received(), time.monotonic()
                send_image(CHILD, found, here, line, ignore)
                sent, seconds = second.received() - before, time.monotonic() - started
                print(f"sent {sent} of {found.size} bytes in {seconds:.1f} s")
                assert line.client.images.get(CHILD).id == found.id
                assert sent < found.size / 10
                command = {"entrypoint": ["cat", "/more"], "network_mode": "none", "remove": True}
                assert line.client.containers.run(CHILD, **command) == b"more\n"
                line.client.images.remove(CHILD)
        finally:
            client.images.remove(CHILD)


IN_BURSTS = """
import sys
from shared.harness.bursts import take_bursts, words_of_host
print(take_bursts(lambda: {"total": 1}, 1e-9, words_of_host)[1], flush=True)
"""


class CutAfter:
    """Watches benchmarks side by side, and cuts the line after a cycle."""

    def __init__(self, second: SecondEngine, cycle: int) -> None:
        self._second, self._cycle = second, cycle

    def line(self, number: int, text: str) -> None:
        pass

    def cycle(self, done: int) -> None:
        if done == self._cycle:
            self._second.cut()


def test_a_line_that_is_cut_while_bursts_are_timed(
    second: SecondEngine, plain: Workspace, tmp_path: Path
) -> None:
    """A round whose line drops has no result at all: what was timed is thrown away, and the jobs with it."""
    folders = [tmp_path / f"job-{uuid4().hex}" for _ in range(2)]
    with closing(DockerExecutor(plain, CONTEXT)) as executor:
        starts = []
        for folder in folders:
            job_of(folder, IN_BURSTS, 1)

            def start(on_line: OnLine, on_started: OnStarted, folder: Path = folder) -> JobExit:
                return executor.run(*PLAIN, folder, LIMITS, on_line, on_started=on_started)

            starts.append(start)
        endings = run_side_by_side(starts, 6, CutAfter(second, 2), patience_s=30)
    assert [type(ending.left) for ending in endings] == [WordsLost, WordsLost]


def test_an_engine_that_is_restarted(second: SecondEngine, plain: Workspace, tmp_path: Path) -> None:
    """A job that ends with its engine is done anew when the engine is back."""
    folder = tmp_path / f"job-{uuid4().hex}"
    at_once = "import os, signal\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(143))\n"
    content = job_of(folder, at_once + WORK.replace("PAUSE", "0.3"), 1)
    lines: list[str] = []
    restarts: list[threading.Thread] = []

    def restart() -> None:
        second.stop_engine()
        second.start_engine()

    def on_line(line: str) -> None:
        lines.append(line)
        if line == "step 2" and not restarts:
            restarts.append(threading.Thread(target=restart))
            restarts[0].start()

    with closing(DockerExecutor(plain, CONTEXT)) as executor:
        left = executor.run(*PLAIN, folder, LIMITS, on_line)
    restarts[0].join()
    again = [number for number, line in enumerate(lines) if line.startswith("run ")]
    assert len(again) == 2
    check_work(folder, content, lines[again[-1] :], left)


@pytest.mark.parametrize("name", ["large", KEPT])
def test_a_disk_that_is_full(second: SecondEngine, plain: Workspace, tmp_path: Path, name: str) -> None:
    """A device without room is told as that, and what was sent is removed."""
    folder = tmp_path / f"job-{uuid4().hex}"
    job_of(folder, WORK.replace("PAUSE", "0"), 40, name)
    volumes = str(second.data / "volumes")
    small = ["mount", "-t", "tmpfs", "-o", "size=20m", "none", volumes]
    if subprocess.run(small, check=False).returncode != 0:
        pytest.skip("this machine may not mount a small disk")
    try:
        with (
            closing(DockerExecutor(plain, CONTEXT)) as executor,
            pytest.raises(EnvironmentProblem, match="the disk of the Docker engine is full") as caught,
        ):
            executor.run(*PLAIN, folder, LIMITS, ignore)
        assert "docker system df" in caught.value.advice
    finally:
        subprocess.run(["umount", volumes], check=True)


def test_two_contexts_at_once(second: SecondEngine, plain: Workspace, tmp_path: Path) -> None:
    """Two contexts are used at once, each over a line of its own; a cut of one does not touch the other."""
    address = f"host=unix://{second.socket}"
    subprocess.run(["docker", "context", "create", "direct", "--docker", address], check=True)
    try:
        folders = {name: tmp_path / f"job-{uuid4().hex}" for name in (CONTEXT, "direct")}
        contents = {name: job_of(folder, WORK.replace("PAUSE", "0.1")) for name, folder in folders.items()}
        lines: dict[str, list[str]] = {name: [] for name in folders}
        left: dict[str, JobExit] = {}

        def work(name: str) -> None:
            with closing(DockerExecutor(plain, name)) as executor:
                left[name] = executor.run(*PLAIN, folders[name], LIMITS, lines[name].append)

        threads = [threading.Thread(target=work, args=(name,)) for name in folders]
        for thread in threads:
            thread.start()
        cut = cut_at(second, folders[CONTEXT].name, ("running", 0.2), [])
        for thread in [*threads, cut]:
            thread.join()
        for name, folder in folders.items():
            check_work(folder, contents[name], lines[name], left[name])
    finally:
        subprocess.run(["docker", "context", "rm", "--force", "direct"], check=True)


def test_a_killed_hosts_job_is_collected(second: SecondEngine, plain: Workspace, tmp_path: Path) -> None:
    """A host that is killed leaves its job running; the next one that wants the same work collects it, and
    one that wants other work removes it.
    """
    folder = tmp_path / f"job-{uuid4().hex}"
    content = job_of(folder, WORK.replace("PAUSE", "0.5"), 1)
    command = [sys.executable, "-c", HOST % (CONTEXT, PLAIN), str(plain.root), str(folder), "the key"]
    with subprocess.Popen(command, cwd=PRODUCT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        first = killed.stdout.readline().strip()
        killed.kill()
    assert lines_left() == []
    lines: list[str] = []
    with closing(DockerExecutor(plain, CONTEXT)) as executor:
        left = executor.run(*PLAIN, folder, LIMITS, lines.append, key="the key")
    assert first in lines
    check_work(folder, content, lines[1:], left)


def test_a_killed_hosts_job_that_nobody_wants_is_removed(
    second: SecondEngine, plain: Workspace, tmp_path: Path
) -> None:
    """A killed host's job that the next build of its workspace has no use for is gone at that build's end."""
    folder = tmp_path / f"job-{uuid4().hex}"
    job_of(folder, WORK.replace("PAUSE", "30"), 1)
    command = [sys.executable, "-c", HOST % (CONTEXT, PLAIN), str(plain.root), str(folder), "the key"]
    with subprocess.Popen(command, cwd=PRODUCT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        killed.stdout.readline()
        killed.kill()
    with closing(second.client()) as client:
        assert len(client.containers.list()) == 1
        DockerExecutor(plain, CONTEXT).close()
        assert client.containers.list(all=True) == []


@pytest.fixture
def two_devices(second: SecondEngine, workspace: Workspace) -> Workspace:
    """A workspace with a recipe for this machine and one, of the same, for the second engine."""
    document = {**DIGITS, "optimizations": ["baseline"]}
    (workspace.root / "recipes" / "near.json").write_text(json.dumps(document))
    (workspace.root / "recipes" / "far.json").write_text(json.dumps({**document, "device": CONTEXT}))
    return workspace


@contextmanager
def matrix(workspace: Workspace, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run `matrix`, as a user does."""
    command = [sys.executable, "-m", "invoke", "--search-root", str(PRODUCT), "matrix", "--engine", "docker"]
    command += ["--workspace", str(workspace.root), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield process


def test_a_matrix_on_two_devices(docker_executor: object, two_devices: Workspace) -> None:
    """Both recipes are built at the same time, each on its device, with the same quality, and both are in the
    results.
    """
    with matrix(two_devices) as process:
        printed, _ = process.communicate(timeout=1200)
    lines = printed.splitlines()
    assert process.returncode == 0, printed
    ends = [line.split(":")[0] for line in lines[-2:]]
    assert ends == [f"built       far.json on {CONTEXT}", "built       near.json"]
    devices = [line.split("]")[0][1:] for line in lines if line.startswith("[")]
    assert set(devices) == {"here", CONTEXT}
    assert devices not in (sorted(devices), sorted(devices, reverse=True)), printed
    found = {name: read_records(two_devices.results / "records" / name) for name in ("near", "far")}
    for near, far in zip(found["near"], found["far"]):
        assert near.status == far.status == RecordStatus.MEASURED
        assert (near.engine, far.engine) == ("docker", f"docker:{CONTEXT}")
        assert near.quality == far.quality
    assert [len(both) for both in found.values()] == [2, 2]
    rows = (two_devices.results / "results.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["far", "far", "near", "near"]
    with matrix(two_devices) as again:
        printed, _ = again.communicate(timeout=300)
    assert [line.split(":")[0] for line in printed.splitlines()[-2:]] == [
        "up to date  far.json",
        "up to date  near.json",
    ]


def test_an_interrupt_ends_a_matrix_on_two_devices(docker_executor: object, two_devices: Workspace) -> None:
    """Ctrl-C ends the builds on both devices: no container, no job and no process stays."""
    with matrix(two_devices) as process:
        assert process.stdout is not None
        begun: set[str] = set()
        for line in process.stdout:
            if "reference/evaluate" in line:
                begun.add(line.split("]")[0])
            if len(begun) == 2:
                break
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.communicate(timeout=120)
    assert process.returncode == 130
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert list((two_devices.state / "jobs").glob("*/*")) == []
    label = f"{WORKSPACE_LABEL}={two_devices.root.resolve()}"
    assert docker.from_env().containers.list(all=True, filters={"label": label}) == []


def test_a_fleet_goes_on_where_its_host_was_killed(
    docker_executor: object, second: SecondEngine, workspace: Workspace
) -> None:
    """Recipes for a label are measured on the device that has it. Where the host is killed, the next call
    measures only what was not, even when told to measure anew, and nothing is left on the device.
    """
    document = {**DIGITS, "optimizations": ["baseline"], "device": "boards"}
    for name in ("first", "then"):
        (workspace.root / "recipes" / f"{name}.json").write_text(json.dumps(document))
    fleet = workspace.root / "fleet.json"
    fleet.write_text(json.dumps({"devices": {"board-1": {"context": CONTEXT, "labels": ["boards"]}}}))
    options = ("--fleet", str(fleet), "--force")
    with matrix(workspace, *options) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "reference/evaluate" in line and (workspace.results / "records" / "first").is_dir():
                break
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert psutil.wait_procs(children, timeout=30)[1] == []
    (measured, *_) = read_records(workspace.results / "records" / "first")
    with matrix(workspace, *options) as again:
        printed, _ = again.communicate(timeout=1200)
    assert again.returncode == 0, printed
    lines = printed.splitlines()
    assert "then.json was at work on board-1 when its matrix was killed" in lines
    assert [line.split(":")[0] for line in lines[-2:]] == [
        "up to date  first.json",
        "built       then.json on board-1",
    ]
    (kept, *_) = read_records(workspace.results / "records" / "first")
    (built, *_) = read_records(workspace.results / "records" / "then")
    assert kept.run == measured.run < built.run
    assert built.engine == f"docker:{CONTEXT}"
    assert list((workspace.state / "matrix").glob("*.jsonl")) == []
    with closing(second.client()) as client:
        assert client.containers.list(all=True) == []
