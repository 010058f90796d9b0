"""What a stream that was measured reads of a user's own videos, cameras and folders of images."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dockyard.deliver.choose import chosen
from dockyard.deliver.find import measured_artifact
from dockyard.engines import Limits, OnStarted, SendSignal
from dockyard.engines.choice import choose_executor
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.locks import lock_file, locked, locked_if_free
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.run.check_result import read_result
from dockyard.run.display import Display
from dockyard.run.job_folder import place_code
from dockyard.run.job_lines import read_progress
from dockyard.run.turns import Turns
from shared.contract.clips import is_video_name
from shared.contract.codec import DecodeError, decode, encode
from shared.contract.errors import InputProblem, JobFailed, nearest
from shared.contract.job import END, READING_KEY, Job
from shared.contract.recipe import Stream
from shared.contract.record import Record
from shared.contract.result import Result, Status
from shared.contract.stages import NetworkFiles, PipelineFiles, StreamRead
from shared.contract.streaming import FrameReading, StreamSummary, is_address

SETTINGS = "inputs/settings"

LOCK = "lock"
"""Beside a job's folder, held while its stream is read."""

FOREVER_S = 10 * 365 * 86400
"""The time limit of a stream that ends with its sources, or when it is interrupted."""

LOG_LINES, LOG_LINE = 20, 4000

OnReading = Callable[[FrameReading], None]


@dataclass(frozen=True)
class Asked:
    """What is to be read, and how.

    Attributes:
        sources: files, folders of images, addresses (rtsp://...), cameras (/dev/video0).
        variant: of the recipe's pipeline; None takes the recommended one.
        seconds: after which it ends; None reads every source to its end.
        annotated: the folder that gets a video for each source with what was read drawn on it; None for none.
    """

    sources: Sequence[str]
    variant: str | None = None
    seconds: float | None = None
    annotated: Path | None = None


def read_stream(
    workspace: Workspace,
    recipe_name: str,
    asked: Asked,
    on_reading: OnReading,
    display: Display,
    *,
    engine: str = "auto",
    context: str | None = None,
) -> Result:
    """Read sources with the bytes and the settings that were measured; each line is handed on as it comes.

    An interrupt (Ctrl-C, SIGTERM) ends the sources: what was taken of them is read and told, drawn videos are
    finished. A second one ends it at once.

    Raises:
        InputProblem: the recipe is for no stream, has no such variant or no published results, its pipeline
            has changed since, or a source is not there.
        EnvironmentProblem: no engine answers, or a camera is asked for in a container.
        JobFailed: it ended otherwise than by the end of its sources; the lines before were handed on.
    """
    plan = make_plan(workspace, load_recipe(workspace, recipe_name))
    if plan.recipe.stream is None or plan.pipeline is None:
        raise InputProblem(
            f"{plan.recipe.name} is not for a stream", f"{plan.recipe.file}: $", 'add `"stream": {}`'
        )
    if not asked.sources:
        raise InputProblem(
            "no source is named", "--source", "a video, a folder of images, an address, a camera"
        )
    record = chosen(plan, asked.variant).record
    places = _places(asked.sources)
    toolchain = (record.target, record.toolchain)
    executor, why = choose_executor(workspace, engine, context, [toolchain], lambda line: None)
    with closing(executor), own_folder(workspace) as folder:
        _refuse_cameras(places, executor.name)
        display.say(f"{plan.recipe.name}: {record.variant} as measured in run {record.run}; engine: {why}")
        placed = [_placed(place, number, folder) for number, place in enumerate(places, 1)]
        job = _fill(plan, record, asked, placed, folder)
        log: deque[str] = deque(maxlen=LOG_LINES)
        names = dict(zip(placed, map(str, asked.sources), strict=True))

        def named(reading: FrameReading) -> None:
            # An address has its user and password hidden by whoever wrote the line: it keeps that name.
            is_copied = reading.source in names and not is_address(reading.source)
            on_reading(replace(reading, source=names[reading.source]) if is_copied else reading)

        limits = Limits(
            FOREVER_S, plan.recipe.measure.memory_mb, host_network=any(map(is_address, asked.sources))
        )
        with Turns(workspace, display).on([executor]), ending_when_interrupted(display) as on_started:
            executor.prepare(*toolchain, on_line=lambda line: display.progress(line[:80], 0, 0))
            # A word is lost where a line drops, and so would be the stream: over a line there is none.
            started = on_started if executor.is_local else None
            listener = _listener(named, display, log)
            left = executor.run(*toolchain, folder, limits, listener, on_started=started)
        result = read_result(folder, left, job.parameters)
        if result.status != Status.DONE:
            reason = result.reason
            for place, source in names.items():
                reason = reason.replace(place, source)
            raise JobFailed(reason, job.id, "\n  ".join(list(log)[-3:]))
        if asked.annotated is not None:
            shutil.copytree(folder / "outputs", asked.annotated, dirs_exist_ok=True)
    return result


@contextmanager
def own_folder(workspace: Workspace) -> Iterator[Path]:
    """Yield a job's folder, which goes at the end; those that killed streams have left go now."""
    folders = workspace.state / "streams"
    folders.mkdir(parents=True, exist_ok=True)
    with locked(lock_file(workspace, "streams")):
        for left in folders.iterdir():
            with locked_if_free(left / LOCK) as (_, is_over):
                if is_over:
                    shutil.rmtree(left)
        name = tempfile.mkdtemp(dir=folders)
        own = ExitStack()
        own.enter_context(locked_if_free(Path(name) / LOCK))
    with own:
        try:
            folder = Path(name) / "job"
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(name)


@contextmanager
def ending_when_interrupted(display: Display) -> Iterator[OnStarted]:
    """Yield what has the first interrupt end a job's sources, once the job has started."""
    before = {word: signal.getsignal(word) for word in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for word, handler in before.items():
            signal.signal(word, handler)

    def on_started(send: SendSignal) -> None:
        def end() -> None:
            display.say("  ending with the frames that were taken; interrupt once more to end at once")
            send(END)

        def interrupted(_: int, __: object) -> None:
            restore()
            # Elsewhere: this thread may be in the middle of what sending needs.
            threading.Thread(target=end, daemon=True).start()

        for word in before:
            signal.signal(word, interrupted)

    try:
        yield on_started
    finally:
        restore()


def _places(sources: Sequence[str]) -> list[Path | str]:
    """Return each source as a path that is there, or as its address. Raises InputProblem."""
    found: list[Path | str] = []
    for source in sources:
        if is_address(source):
            found.append(source)
            continue
        path = Path(source)
        if not path.exists():
            beside = [one.name for one in path.parent.glob("*") if is_video_name(one)]
            raise InputProblem("there is no such file, folder or camera", source, nearest(path.name, beside))
        found.append(path)
    return found


def _refuse_cameras(places: Sequence[Path | str], executor: str) -> None:
    """Refuse a camera where a container would read it: it is given no devices. Raises InputProblem."""
    for place in places:
        if isinstance(place, Path) and place.is_char_device() and executor != "venv":
            what = "a camera of this machine is not given to a container"
            raise InputProblem(
                what, str(place), "take `--engine venv`, or the camera's address on the network"
            )


def _fill(plan: Plan, record: Record, asked: Asked, placed: Sequence[str], folder: Path) -> Job:
    """Fill a job folder with the code and the bytes that were measured; the sources are in their places."""
    assert plan.pipeline is not None
    for name in (*plan.networks, plan.pipeline.name):
        place = SETTINGS if name == plan.pipeline.name else f"inputs/{name}"
        shutil.copytree(measured_artifact(plan.workspace, record, name), folder / place)
    networks = tuple(NetworkFiles(network, f"inputs/{name}") for name, network in plan.networks.items())
    measured = decode(Stream, record.recipe["stream"])  # the recipe may say otherwise today
    parameters = StreamRead(
        PipelineFiles(plan.pipeline.nodes, networks),
        tuple(placed),
        measured.tracking,
        SETTINGS,
        asked.seconds,
        asked.annotated is not None,
    )
    job = Job(
        id=f"{plan.pipeline.name}/{record.variant}/read",
        model=plan.pipeline.name,
        target=record.target,
        toolchain=record.toolchain,
        method=record.method,
        threads=record.recipe["measure"]["threads"],
        parameters=parameters,
    )
    (folder / "job.json").write_text(json.dumps(encode(job)))
    (folder / "outputs").mkdir()
    place_code(plan.workspace, job.target, folder)
    return job


def _placed(place: Path | str, number: int, folder: Path) -> str:
    """Copy a source below the job's folder, and return its path there; an address or a camera stays one."""
    if isinstance(place, str) or place.is_char_device():
        return str(place)
    relative = f"inputs/sources/{number}/{place.resolve().name}"
    destination = folder / relative
    destination.parent.mkdir(parents=True)
    if place.is_dir():
        destination.mkdir()
        for file in sorted(place.iterdir()):
            if file.is_file():  # what lies deeper is not read
                shutil.copyfile(file, destination / file.name)
    else:
        shutil.copyfile(place, destination)
    return relative


def _listener(on_reading: OnReading, display: Display, log: deque[str]) -> Callable[[str], None]:
    def on_line(line: str) -> None:
        step = read_progress(line)
        if step is not None:
            display.progress(*step)
            return
        reading = _reading(line)
        if reading is not None:
            on_reading(reading)
        elif line.strip():
            log.append(line[:LOG_LINE])

    return on_line


def _reading(line: str) -> FrameReading | None:
    """Return what a line says was read; None for any other line.

    Raises:
        JobFailed: it begins as one that says so, and does not: a frame would be missing without a word.
    """
    if not line.startswith(f'{{"{READING_KEY}"'):
        return None
    try:
        document: Any = json.loads(line)
        return decode(FrameReading, document[READING_KEY])
    except (DecodeError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise JobFailed(f"a line of a frame cannot be read ({str(error)[:200]})", "") from None


def summary(result: Result) -> str:
    """Return what came of a stream, in a line. Raises JobFailed where the job has not said it."""
    try:
        told = decode(StreamSummary, result.notes.details)
    except DecodeError as error:
        raise JobFailed(f"the job left a summary that cannot be used: {error}", "") from None
    if not told.frames:
        return "no frame was read"
    lost = {"dropped": told.dropped, "corrupt": told.corrupt, "reconnects": told.reconnects}
    losses = ", ".join(f"{count} {name}" for name, count in lost.items() if count)
    fps = told.frames / max(told.seconds, 1e-9)
    return (
        f"{told.frames} frames in {told.seconds:.1f} s, {fps:.1f} a second; latency "
        f"{told.latency_ms:.1f} ms (p99 {told.p99_ms:.1f}), {told.cpu_ms:.1f} ms of CPU a frame, "
        f"{result.peak_mb:.0f} MB at most" + (f"; {losses}" if losses else "")
    )
