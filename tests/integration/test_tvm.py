"""The target `tvm-llvm` on real images: its three methods, tuning that is cut short and goes on, other
machines, other CPUs.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dockyard.deliver.find import measured_artifact
from dockyard.engines import FollowedFolder, Limits, images
from dockyard.engines.docker import DockerExecutor
from dockyard.engines.venv import VenvExecutor
from dockyard.judge.record_files import read_records
from dockyard.recipe.models import load_model
from dockyard.recipe.targets import code_folders, load_target, with_defaults
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.check_result import read_result
from dockyard.run.tuning_store import read as read_database
from shared.contract.job import PROGRESS_KEY, Job
from shared.contract.model import Network
from shared.contract.record import Record, RecordStatus
from shared.contract.result import Result, Status
from shared.contract.stages import Evaluate, NetworkFiles, Optimize, Parameters, Tracker, Tuning
from tests.fakes import attempt
from tests.integration.conftest import DOCKYARD

TARGET, TOOLCHAIN = "tvm-llvm", "0.27"
TRIALS = 48
RECIPE: dict[str, Any] = {
    "model": "digits",
    "target": TARGET,
    "optimizations": [
        "baseline",
        "scheduled",
        {"method": "tuned", "trials": TRIALS, "time_budget_s": 120},
        {
            "method": "scheduled",
            "llvm": {"mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a78ae", "num-cores": 6},
        },
    ],
    "measure": {"threads": 2, "cycles": 3, "burst_s": 0.02, "warmup": 2, "max_rounds": 3},
}
AARCH64 = "scheduled-2"
LIMITS = Limits(time_s=120, memory_mb=4096)

FOLLOWED = FollowedFolder("tuning", ".json.gz", 64)
DATA = PRODUCT / "models" / "digits" / "data"

Run = Callable[..., tuple[Result, Path]]
Tune = Callable[..., tuple[dict[str, Any], Path]]
Script = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def workspace(docker_executor: DockerExecutor, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose digits were never tuned."""
    root = tmp_path_factory.mktemp("tvm") / "workspace"
    for kind in ("recipes", "models"):
        (root / kind).mkdir(parents=True)
    (root / "recipes" / "digits.json").write_text(json.dumps(RECIPE))
    return Workspace(root)


@pytest.fixture(scope="module")
def built(workspace: Workspace) -> dict[str, Record]:
    """The records by variant of a whole build in containers; whether a machine is noisy is no matter here."""
    invoke = [sys.executable, "-m", "invoke", "--search-root", str(PRODUCT)]
    command = [
        *invoke,
        "build",
        "--recipe",
        "digits",
        "--engine",
        "docker",
        "--workspace",
        str(workspace.root),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert "under the clock" in done.stdout, done.stdout + done.stderr
    return {record.variant: record for record in read_records(workspace.state / "runs" / "digits")}


@pytest.fixture
def artifact(workspace: Workspace, built: dict[str, Record]) -> Callable[[str], Path]:
    """Return the folder of a variant's artifact, or of the converted network."""

    def find(variant: str) -> Path:
        if variant == "converted":
            (path,) = (workspace.state / "artifacts").glob("*/outputs/relax.json")
            return path.parent
        return measured_artifact(workspace, built[variant], "digits")

    return find


@pytest.fixture
def database(workspace: Workspace, built: dict[str, Record]) -> Path:
    """The tuning database that the build left."""
    (path,) = (workspace.state / "tuning" / TARGET / "digits").glob("*.json.gz")
    return path


def digits() -> NetworkFiles:
    """The network of the digits, with the folder that its artifact comes in."""
    network = load_model(DOCKYARD, "digits", "test")
    assert isinstance(network, Network)
    return NetworkFiles(network, "inputs/digits")


@pytest.fixture
def run(docker_executor: DockerExecutor, job_folder: Callable[..., Path]) -> Run:
    """Run a job of the digits in a container; return its result and its folder."""

    def go(
        parameters: Parameters,
        inputs: dict[str, Path],
        note: str = "",
        limits: Limits = LIMITS,
        on_line: Callable[[str], None] = print,
        toolchain: str = TOOLCHAIN,
    ) -> tuple[Result, Path]:
        job = Job(f"digits/job-{note}", "digits", TARGET, TOOLCHAIN, "tuned", 2, parameters)
        folder = job_folder(job, inputs)
        tunes = isinstance(parameters, Optimize)
        if tunes:
            (folder / "inputs" / "tuning").mkdir(exist_ok=True)
            (folder / "tuning").mkdir()
        followed = FOLLOWED if tunes else None
        left, interrupted = attempt(
            KeyboardInterrupt, docker_executor.run, TARGET, toolchain, folder, limits, on_line, followed
        )
        if left is None:
            return Result(Status.FAILED, repr(interrupted)), folder
        return read_result(folder, left, parameters), folder

    return go


@pytest.fixture
def tune(run: Run, artifact: Callable[[str], Path]) -> Tune:
    """Run a tuning job of the digits that goes on from a database; return its notes and its folder."""
    schema = load_target(DOCKYARD, TARGET, "test").option_schema("tuned", TOOLCHAIN)

    def go(
        options: dict[str, Any],
        known: Path | None = None,
        note: str = "",
        tracker: Tracker | None = None,
        **how: Any,
    ) -> tuple[dict[str, Any], Path]:
        inputs = {"digits": artifact("converted")}
        if known is not None:
            inputs[f"tuning/{known.name}"] = known
        tuning = Tuning("inputs/tuning", tracker)
        parameters = Optimize(digits(), with_defaults(options, schema), {}, tuning)
        result, folder = run(parameters, inputs, note, **how)
        return dict(result.notes.details.get("tuning", {})), folder

    return go


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of the target's virtual environment."""
    VenvExecutor(DOCKYARD).prepare(TARGET, TOOLCHAIN, print)
    return DOCKYARD.state / "venvs" / f"{TARGET}-{TOOLCHAIN}" / "bin" / "python"


@pytest.fixture
def script(python: Path, tmp_path: Path) -> Iterator[Script]:
    """Start Python in the target's environment, with candidates to measure; whatever was started is ended."""
    environment = {
        "PATH": f"{python.parent}{os.pathsep}{os.defpath}",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(map(str, [PRODUCT, *code_folders(DOCKYARD, TARGET)])),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "TVM_NUM_THREADS": "2",
    }
    with ExitStack() as started:

        def start(*arguments: str, log: Path | None = None, **more: str) -> subprocess.Popen[str]:
            output = started.enter_context(log.open("w")) if log else subprocess.PIPE
            process = started.enter_context(
                subprocess.Popen(
                    [str(python), *arguments],
                    env={**environment, **more},
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output if log else None,
                    text=True,
                    start_new_session=True,
                )
            )
            started.callback(end, process)
            return process

        yield start


def end(process: subprocess.Popen[str]) -> None:
    """End a process that `script` started, and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def predictions(record: Record) -> list[Any]:
    assert record.quality is not None, record.reason
    return [sample.prediction for sample in record.quality.samples]


def test_every_method_computes_what_the_reference_does(built: dict[str, Record]) -> None:
    """Not tuned, with the project's schedules and tuned, the digits predict what they do in TensorFlow."""
    for variant in ("reference", "baseline", "scheduled", "tuned"):
        assert built[variant].status == RecordStatus.MEASURED, built[variant].reason
        assert predictions(built[variant]) == predictions(built["reference"])
        assert all(difference.agrees for difference in built[variant].differences)


@pytest.mark.parametrize("variant", ["baseline", "scheduled", "tuned"])
def test_the_kernels_are_listed(built: dict[str, Record], variant: str) -> None:
    """The record has each kernel's time, and a table of the slowest for the report."""
    notes = built[variant].notes["digits"]
    kernels = notes.details["kernels"]
    assert sum(kernel["fraction"] for kernel in kernels) == pytest.approx(1, abs=0.01)
    assert all(kernel["ms"] >= 0 and kernel["calls"] >= 1 for kernel in kernels)
    (table,) = notes.tables
    assert table.rows[0][0] == kernels[0]["name"]


def test_what_tuning_finds_is_kept(built: dict[str, Record], database: Path) -> None:
    """The first build tries as many candidates as it was asked to; the database has each function's trials
    and time.
    """
    notes = built["tuned"].notes["digits"].details["tuning"]
    made = (notes["database"], notes["trials"], notes["new_trials"], notes["stopped"])
    assert made == ("new", TRIALS, TRIALS, "trials")
    _, document = read_database(database, database.name)
    tasks = list(document["tasks"].values())
    assert (document["cpu"], len(tasks)) == (notes["cpu"], notes["tasks"])
    assert sum(task["trials"] for task in tasks) == TRIALS
    timed = [task for task in tasks if task["best_ms"] is not None]
    assert len(timed) == len(document["records"]) > 0


def test_nothing_is_tried_twice(tune: Tune, database: Path) -> None:
    """From a database with all its trials an artifact is made without trying anything, in seconds, and the
    database stays as it is.
    """
    notes, folder = tune({"trials": TRIALS}, database)
    assert (notes["database"], notes["trials"], notes["new_trials"], notes["stopped"]) == (
        "own",
        TRIALS,
        0,
        "done",
    )
    assert notes["seconds"] < 15
    assert list((folder / "tuning").iterdir()) == []


def interrupt_at(trials: int) -> Callable[[str], None]:
    """Return what interrupts a job when it tells that it has tried so many candidates."""

    def look(line: str) -> None:
        step = json.loads(line).get(PROGRESS_KEY, {}) if line.startswith("{") else {}
        if step.get("what", "").startswith("tune: ") and step["done"] >= trials:
            raise KeyboardInterrupt

    return look


def test_a_tuning_that_was_cut_short_goes_on(tune: Tune) -> None:
    """What a killed tuning found is the next one's beginning; that one keeps to its time, and no function
    loses a trial.
    """
    endless = {"trials": 100000, "trials_per_task": 100000, "early_stopping": 100000}
    notes, folder = tune(endless, note="killed", on_line=interrupt_at(32))
    assert notes == {}
    (known,) = (folder / "tuning").glob("*.json.gz")
    _, before = read_database(known, known.name)
    tried = sum(task["trials"] for task in before["tasks"].values())
    assert tried >= 32
    notes, folder = tune({**endless, "time_budget_s": 15}, known, note="next")
    assert (notes["stopped"], notes["database"]) == ("time budget", "own")
    assert 15 <= notes["seconds"] < 30
    assert notes["trials"] - notes["new_trials"] == tried
    assert notes["new_trials"] > 0
    _, after = read_database(folder / "tuning" / known.name, known.name)
    assert all(after["tasks"][name]["trials"] >= task["trials"] for name, task in before["tasks"].items())
    best = {name: task["best_ms"] for name, task in before["tasks"].items() if task["best_ms"] is not None}
    assert all(after["tasks"][name]["best_ms"] <= milliseconds for name, milliseconds in best.items())


def test_a_tracker_that_does_not_answer(tune: Tune, database: Path) -> None:
    """Where the tracker cannot be reached the artifact is made of what is known, and the notes say that there
    was no machine.
    """
    lines: list[str] = []
    notes, folder = tune(
        {"trials": 10 * TRIALS},
        database,
        on_line=lines.append,
        limits=Limits(120, 4096, host_network=True),
        tracker=Tracker(f"127.0.0.1:{free_port()}", "board"),
    )
    assert (notes["stopped"], notes["new_trials"]) == ("no machine", 0)
    assert notes["seconds"] < 20
    assert any("does not answer" in line for line in lines)
    assert (folder / "outputs" / "model.so").is_file()


def test_the_runtime_image_runs_a_tuned_artifact(
    docker_executor: DockerExecutor, run: Run, built: dict[str, Record], artifact: Callable[[str], Path]
) -> None:
    """In the image without a compiler a tuned artifact gives the same outputs, bit by bit, as where it was
    made.
    """
    if images.current_image(DOCKYARD, TARGET, TOOLCHAIN, stage="runtime") is None:
        images.build_image(DOCKYARD, TARGET, TOOLCHAIN, stage="runtime", on_line=print)
    inputs = {"digits": artifact("tuned"), "data/test": DATA / "test"}
    evaluate = Evaluate(digits(), "inputs/data/test", is_reference=True)
    outputs = {}
    for image in (TOOLCHAIN, f"{TOOLCHAIN}-runtime"):
        result, folder = run(evaluate, inputs, image, toolchain=image)
        assert result.status == Status.DONE, result
        assert result.quality is not None
        assert built["tuned"].quality is not None
        assert result.quality.metrics == built["tuned"].quality.metrics
        with np.load(folder / "outputs" / "reference.npz") as archive:
            outputs[image] = {name: archive[name] for name in archive.files}
    made, ran = outputs.values()
    assert made.keys() == ran.keys() == {"pixels", "output/digit"}
    for name, values in made.items():
        np.testing.assert_array_equal(ran[name], values)


def test_another_architecture(built: dict[str, Record], artifact: Callable[[str], Path]) -> None:
    """An artifact for another architecture is a library of it with vector code, and is not measured here."""
    assert built[AARCH64].status == RecordStatus.NOT_MEASURED
    assert f"compiled for aarch64, and this machine is {platform.machine()}" in built[AARCH64].reason
    library = (artifact(AARCH64) / "model.so").read_bytes()
    magic, kind, machine = struct.unpack_from("<16sHH", library)
    assert (magic[:6], kind, machine) == (b"\x7fELF\x02\x01", 3, 183)
    assert b"__tvm_ffi_" in library
    words = np.frombuffer(library[: len(library) // 4 * 4], "<u4")
    # FMLA of four floats, by vector and by element.
    fmla = ((words & 0xFFE0FC00) == 0x4E20CC00) | ((words & 0xFFC0F400) == 0x4F801000)
    assert np.count_nonzero(fmla) > 100


CANDIDATES = '''
import json, sys, time
import cpu
import trials
from shared.contract.stages import Tracker
from tvm.ir import IRModule
from tvm.s_tir.meta_schedule.arg_info import ArgInfo
from tvm.script import from_source

def candidate(body):
    """A function of two vectors of 64 floats."""
    head = "@T.prim_func(s_tir=True)\\n"
    head += "def main(a: T.Buffer((64,), 'float32'), b: T.Buffer((64,), 'float32')):\\n"
    return IRModule({"main": from_source(head + "    T.func_attr({'global_symbol': 'main'})\\n" + body)})

GOOD = candidate("    for i in range(64):\\n        b[i] = a[i] * T.float32(2)\\n")
LOOP = "    for i in T.serial(T.int64(1099511627776)):\\n"
ENDLESS = candidate(LOOP + "        b[0] = b[0] * T.float32(0.5) + a[0]\\n")
ASTRAY = candidate("    b[T.int64(1099511627776)] = a[0]\\n")
ARGUMENTS = ArgInfo.from_entry_func(GOOD, remove_preproc=True)

def bench(repeat, tracker=""):
    runner = {"number": 1, "repeat": repeat, "timeout_s": 2}
    return trials.Bench(cpu.target_of({}, 2), runner, Tracker(tracker, "board") if tracker else None)

def tell(what):
    print(json.dumps(what), flush=True)
'''


def test_candidates_that_hang_or_crash(script: Script) -> None:
    """A candidate that runs for ever or crashes has no time; those beside and after it have one."""
    turns = "([GOOD, ENDLESS, ASTRAY, GOOD], [GOOD])"
    process = script("-c", f"{CANDIDATES}\nb = bench(1)\ntell([b.measure(m, ARGUMENTS) for m in {turns}])")
    printed, _ = process.communicate(timeout=100)
    (first, endless, astray, last), (after,) = json.loads(printed)
    assert endless is astray is None
    assert all(0 < seconds < 1 for seconds in (first, last, after))


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(log: Path, text: str, times: int) -> None:
    """Wait until a log has a text so many times."""
    until = time.monotonic() + 60
    while log.read_text().count(text) < times:
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.02)


MEASURE_THERE = """
def measure(modules):
    began = time.monotonic()
    try:
        return machines.measure(modules, ARGUMENTS)
    except trials.NoMachine as error:
        return [str(error), time.monotonic() - began]

machines = bench(10, sys.argv[1])
for turn in ([GOOD] * 16, [GOOD, ENDLESS, GOOD], [GOOD], [GOOD]):
    tell(measure(turn))
    sys.stdin.readline()
"""


def test_other_machines(script: Script, tmp_path: Path) -> None:
    """Two machines measure, one without a compiler; one dies, every candidate has its time; when none is
    left, a line says so.
    """
    logs = [tmp_path / f"{name}.log" for name in ("first", "second", "tracker")]

    def serve(module: str, log: Path, *options: str, **more: str) -> tuple[subprocess.Popen[str], str]:
        port = free_port()
        place = ("--host", "127.0.0.1", "--port", str(port), "--port-end", str(port + 1))
        process = script("-m", module, *place, *options, log=log, **more)
        wait_for(log, "bind to", 1)
        return process, f"127.0.0.1:{port}"

    at_tracker, tracker = serve("tvm.exec.rpc_tracker", logs[2])
    board = ("--tracker", tracker, "--key", "board")
    first, _ = serve("tvm.exec.rpc_server", logs[0], *board)
    second, _ = serve("tvm.exec.rpc_server", logs[1], *board, TVM_USE_RUNTIME_LIB="1")
    measuring = script("-c", CANDIDATES + MEASURE_THERE, tracker)
    assert measuring.stdin is not None
    assert measuring.stdout is not None
    wait_for(logs[0], "load_module", 3)
    end(first)
    times = json.loads(measuring.stdout.readline())
    assert len(times) == 16
    assert all(0 < seconds < 1 for seconds in times)
    assert logs[1].read_text().count("load_module") >= 16 - 3

    def next_turn() -> Any:
        assert measuring.stdin is not None
        assert measuring.stdout is not None
        measuring.stdin.write("\n")
        measuring.stdin.flush()
        return json.loads(measuring.stdout.readline())

    before, endless, after = next_turn()
    assert endless is None
    assert all(0 < seconds < 1 for seconds in (before, after))
    end(second)
    message, seconds = next_turn()
    assert message == f"the tracker {tracker} has no machine with the key board"
    assert seconds < 10
    end(at_tracker)
    message, seconds = next_turn()
    assert message.startswith(f"the tracker {tracker} does not answer: ")
    assert seconds < 10


WINOGRAD = """
import json
import numpy as np, tvm
from tvm import relax
import compilation, cpu, relax_import, winograd

rng = np.random.default_rng(7)
for rows, columns, channels, filters in ((8, 12, 16, 32), (6, 10, 48, 24), (4, 4, 20, 16), (2, 8, 64, 16)):
    weights = rng.standard_normal((3, 3, channels, filters), np.float32)
    data = rng.standard_normal((1, rows, columns, channels), np.float32)
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(data.shape, "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            layouts = {"data_layout": "NHWC", "kernel_layout": "HWIO"}
            out = builder.emit(relax.op.nn.conv2d(x, relax.const(weights), padding=1, **layouts))
            out = builder.emit_output(builder.emit(relax.op.nn.relu(out)))
        builder.emit_func_output(out)
    changed, target = winograd.rewritten(builder.get()), cpu.target_of({}, 2)
    library = tvm.compile(compilation.scheduled(relax_import.fused(changed), target), target)
    got = relax.VirtualMachine(library, tvm.cpu())["main"](tvm.runtime.tensor(data)).numpy()[0]
    padded = np.pad(data[0].astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    parts = [padded[r : r + rows, s : s + columns] @ weights[r, s] for r in range(3) for s in range(3)]
    want = np.maximum(sum(parts), 0)
    functions = [variable.name_hint for variable in changed.functions]
    is_rewritten = any(name.startswith(winograd.NAME) for name in functions)
    print(json.dumps([is_rewritten, float(np.abs(got - want).max() / want.max())]))
"""


def test_winograd_is_the_plain_sum(script: Script) -> None:
    """A 3x3 convolution by Winograd, for tiles of four and of two outputs, is the plain sum in double
    precision within 1e-5.
    """
    process = script("-c", WINOGRAD)
    printed, _ = process.communicate(timeout=100)
    rows = [json.loads(line) for line in printed.splitlines()]
    assert len(rows) == 4
    assert all(rewritten and difference < 1e-5 for rewritten, difference in rows)
