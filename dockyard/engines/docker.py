"""The Docker engine: any Docker context, so also a Jetson over ssh.

There are no bind mounts: files go in and out as archives.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from uuid import uuid4

import docker.types

from dockyard.engines import (
    LAUNCHER,
    Finding,
    FollowedFolder,
    JobExit,
    Limits,
    LineLost,
    OnLine,
    OnStarted,
    entry_script,
    images,
)
from dockyard.engines.endpoint import resolve
from dockyard.engines.engine_line import ENGINE_ERRORS, LOST, PATIENCE_S, EngineLine, engine_errors
from dockyard.engines.host_process import identify
from dockyard.engines.image_transfer import image_from_here
from dockyard.engines.job_container import (
    FOLDER,
    JOB_LABEL,
    KEY_LABEL,
    OWN_VOLUME,
    WORKSPACE_LABEL,
    JobContainer,
    moment,
)
from dockyard.engines.kept_inputs import KeptInputs
from dockyard.engines.leftovers import find_leftovers, held, sweep
from dockyard.engines.preflight import (
    container_runtime,
    examine_engine,
    examine_platform,
    free_bytes,
    gpu_groups,
    has_release,
    observe,
)
from dockyard.engines.time_limit import time_limit
from dockyard.recipe.hashing import json_hash
from dockyard.recipe.targets import Platform, load_target
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import EnvironmentProblem, JobFailed

RESULT_MB = 64
KILLED = 128 + signal.SIGKILL
_ENDED_WITH_ENGINE = (KILLED, 128 + signal.SIGTERM, 255)
_ATTEMPTS = 3


class DockerExecutor:
    """Runs each job in a container of its own: no network, read-only root, no privileges, bounded throughout.

    Its device is the engine, by its name and id. What hosts that were killed have left there is collected by
    the jobs that are the same, and the rest removed.

    Args:
        context: a Docker context's name; None takes the one in use, as the docker command line finds it.
        fetch_s: seconds between two looks at a followed folder; a host that goes down loses what came since.
        patience_s: seconds that a dropped line to an engine elsewhere is waited for.

    Raises:
        EnvironmentProblem: no engine answers there.
    """

    def __init__(
        self,
        workspace: Workspace,
        context: str | None = None,
        fetch_s: float = 30.0,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._workspace, self._fetch_s = workspace, fetch_s
        self._is_swept = self._has_collected = False
        self._groups: tuple[int, ...] = ()
        endpoint = resolve(context)
        self.line = EngineLine(endpoint, patience_s)
        with engine_errors("no Docker engine answers"):
            engine = self.line.client.info()
        self._engine: Mapping[str, Any] = engine
        self.name, self.is_local = endpoint.name, endpoint.is_local
        self._inputs = KeptInputs(self.line, lambda: free_bytes(engine, self.line.ask))
        self.device = device_of(engine)
        self.memory_mb = int(engine.get("MemTotal", 0) / 1e6)
        self.place: Mapping[str, str] = {
            "engine_host": endpoint.host,
            "engine_name": str(engine.get("Name", "")),
            "engine_id": str(engine.get("ID", "")),
        }

    def close(self) -> None:
        with suppress(EnvironmentProblem, *ENGINE_ERRORS, *LOST):
            self._collect_no_more()
        self.line.close()

    def has_image(self, target: str, toolchain: str) -> bool:
        """Tell whether the engine has a toolchain's image, made from today's files."""
        return images.current_image(self._workspace, target, toolchain, address=self.line.address) is not None

    def examine(self, toolchains: Iterable[tuple[str, str]]) -> Iterator[Finding]:
        yield from examine_engine(self._engine, self.line.ask)
        yield from self.examine_platforms(toolchains)

    def examine_platforms(self, toolchains: Iterable[tuple[str, str]]) -> Iterator[Finding]:
        """Yield findings on what toolchains, each with its target, ask of the engine's machine."""
        for pair in toolchains:
            yield from examine_platform(" ".join(pair), self._platform(*pair), self._engine, self.line.ask)

    def observe(self, toolchains: Iterable[tuple[str, str]]) -> Mapping[str, str]:
        return observe([self._platform(*pair) for pair in toolchains], self.line.ask)

    def is_for(self, target: str, toolchain: str) -> bool:
        """Tell whether a toolchain is for machines of this architecture."""
        return self._platform(target, toolchain).architecture in (None, self._engine.get("Architecture"))

    def has_release_for(self, target: str, toolchain: str) -> bool:
        """Tell whether the machine has a release of L4T that a toolchain is for, where it is for any."""
        return has_release(self._platform(target, toolchain), self.line.ask)

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        if not self._is_swept:
            with engine_errors("the Docker engine is gone"):
                sweep(self.line.client, identify(os.getpid()), on_line)
                if not self.is_local:
                    self._inputs.tidy(on_line)
            self._is_swept = True
        image = self._image(target, toolchain, on_line)
        return {"lock": images.lock_digest(self._workspace, target, toolchain), "image_digest": image}

    def run(
        self,
        target: str,
        toolchain: str,
        folder: Path,
        limits: Limits,
        on_line: OnLine,
        followed: FollowedFolder | None = None,
        on_started: OnStarted | None = None,
        key: str = "",
    ) -> JobExit:
        job = _Job(target, toolchain, folder, limits, on_line, followed, on_started, key)
        with engine_errors("the Docker engine is gone"):
            if on_started is not None:  # a job that is timed
                self._collect_no_more()
            for _ in range(_ATTEMPTS):
                left = self._run(job)
                if left is not None:
                    return left
                on_line("the job ended with its engine, and is done anew")
        what = f"the Docker engine went away {_ATTEMPTS} times while the job ran"
        raise EnvironmentProblem(what, folder.name)

    def _image(self, target: str, toolchain: str, on_line: OnLine) -> str:
        """Return the id of a toolchain's image, which is sent there or built where it is not current.

        The docker command does that, whose answer is another where the line dropped meanwhile: then anew.
        """
        wanted, address = (self._workspace, target, toolchain), self.line.address
        for _ in range(_ATTEMPTS):
            seen = self.line.outages
            try:
                image = images.current_image(*wanted, address=address)
                if image is None and not self.is_local:
                    image = image_from_here(*wanted, self.line, on_line)
                return image or images.build_image(*wanted, address=address, on_line=on_line)
            except LineLost:
                raise
            except EnvironmentProblem:
                with engine_errors("the Docker engine is gone"):
                    self.line.again(self.line.client.ping, on_line)
                if self.line.outages == seen:
                    raise
        what = f"the line dropped each time that the image of {target} {toolchain} was made there"
        raise LineLost(what, self.name, "build it again, over a steadier line")

    def _run(self, job: _Job) -> JobExit | None:
        """Run a job, or go on with one that a killed host has left; None where it ended with the engine."""
        given_up = threading.Event()
        with ExitStack() as stack:
            return self._run_in(self._leftover(job, given_up, stack), job, given_up)

    def _run_in(self, container: JobContainer | None, job: _Job, given_up: threading.Event) -> JobExit | None:
        """Run a job in a container of its own where there is none to go on with."""
        is_new = container is None
        container = container or JobContainer(self.line, f"dockyard-{uuid4().hex}", job.on_line, given_up)
        try:
            if is_new:
                self._make(container, job, given_up)
            outages = self.line.outages
            with time_limit(job.limits.time_s, lambda: container.send(signal.SIGKILL)) as expired:
                if is_new:
                    container.start()
                if job.on_started is not None:
                    job.on_started(lambda word: _send(container, word, given_up))
                with self._following(container, job):
                    state = container.follow(expired, outages if job.on_started is not None else None)
            if _has_ended_with_engine(state) and self.line.outages != outages and not expired.is_set():
                return None
            left = _job_exit(state, job.limits, expired.is_set())
            if not left.reason:
                container.fetch("result.json", job.folder, RESULT_MB)
                container.fetch("outputs", job.folder, job.limits.output_mb)
            return left
        except BaseException:
            given_up.set()
            raise
        finally:
            container.remove()

    def _make(self, container: JobContainer, job: _Job, given_up: threading.Event) -> None:
        """Make a job's container and fill it; large inputs are kept on an engine elsewhere."""
        image = images.image_tag(job.target, job.toolchain)
        command = ["python", LAUNCHER, entry_script(job.target), "--job", FOLDER]
        labels = {JOB_LABEL: job.folder.name, KEY_LABEL: job.key, WORKSPACE_LABEL: self._root}
        runtime = container_runtime(self._platform(job.target, job.toolchain), self._engine)
        groups = self._gpu_groups() if runtime else ()
        placed: Mapping[str, str] = {}
        for attempt in range(_ATTEMPTS):
            is_kept = not self.is_local and attempt + 1 < _ATTEMPTS  # else somebody removes them each time
            placed = self._inputs.place(job.folder, image, job.on_line, given_up) if is_kept else {}
            mounts = [OWN_VOLUME, *(_kept_at(path, volume) for path, volume in placed.items())]
            container.make(image, command, job.limits, labels, mounts, runtime, groups)
            if self._inputs.are_there(placed, job.on_line, given_up):
                break
        container.fill(job.folder, placed)

    def _gpu_groups(self) -> tuple[int, ...]:
        """Return what `preflight.gpu_groups` does, asked until there is an answer: a line may be down."""
        self._groups = self._groups or gpu_groups(self.line.ask)
        return self._groups

    def _leftover(self, job: _Job, given_up: threading.Event, stack: ExitStack) -> JobContainer | None:
        """Return the container of a killed host that does the same work, if there is one, held by a stack."""
        for name in self._leftovers(job):
            with ExitStack() as holding:
                is_held = holding.enter_context(held(self._root, name))
                if is_held and name in self._leftovers(job):  # another build may just have removed it
                    stack.push(holding.pop_all())
                    job.on_line(f"going on with container {name}, which a killed host has left")
                    return JobContainer(self.line, name, job.on_line, given_up)
        return None

    def _leftovers(self, job: _Job) -> list[str]:
        if not job.key:
            return []
        here = identify(os.getpid())
        return self.line.again(
            lambda: find_leftovers(self.line.client, here, self._root, job.key), job.on_line
        )

    def _collect_no_more(self) -> None:
        """Remove what is left of killed hosts, which would disturb whatever is timed."""
        if not self._has_collected:
            sweep(self.line.client, identify(os.getpid()), _ignore, self._root)
            self._has_collected = True

    def _platform(self, target: str, toolchain: str) -> Platform:
        release = toolchain.removesuffix(images.RUNTIME_SUFFIX)
        return load_target(self._workspace, target, "target").toolchains[release].platform

    @property
    def _root(self) -> str:
        return str(self._workspace.root.resolve())

    @contextmanager
    def _following(self, container: JobContainer, job: _Job) -> Iterator[None]:
        """Fetch the files of a followed folder now and then meanwhile, and at the end, however it comes."""
        followed = job.followed
        if followed is None:
            yield
            return
        over = threading.Event()

        def follow() -> None:
            while not over.wait(self._fetch_s):
                with suppress(*_NOT_FETCHED):  # the last fetch says what is wrong
                    fetch_followed(container, followed, job.folder)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield
        finally:
            over.set()
            follower.join()
            try:
                fetch_followed(container, followed, job.folder)
            except _NOT_FETCHED as error:
                job.on_line(f"the files in {followed.name}/ could not be fetched: {error}")


_NOT_FETCHED = (*ENGINE_ERRORS, *LOST, JobFailed, EnvironmentProblem, OSError)


@dataclass(frozen=True)
class _Job:
    """What a job is run with (`Executor.run`)."""

    target: str
    toolchain: str
    folder: Path
    limits: Limits
    on_line: OnLine
    followed: FollowedFolder | None
    on_started: OnStarted | None
    key: str


def _kept_at(path: str, volume: str) -> docker.types.Mount:
    """Return the mount of a kept input at its path below a job's folder."""
    return docker.types.Mount(f"{FOLDER}/{path}", volume, read_only=True, no_copy=True)


class HoldsFiles(Protocol):
    """What a folder's files are fetched from (`JobContainer`)."""

    def fetch(self, name: str, folder: Path, limit_mb: int) -> None: ...


def fetch_followed(container: HoldsFiles, followed: FollowedFolder, folder: Path) -> None:
    """Fetch a followed folder's files as they are now; each takes the place of the one before at once.

    Raises:
        JobFailed: what is there is not plain files, or more than may be.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name:
        container.fetch(followed.name, Path(name), followed.limit_mb)
        for path in (Path(name) / PurePosixPath(followed.name).name).glob(f"*{followed.suffix}"):
            if path.is_file():
                path.replace(folder / followed.name / path.name)


def device_of(engine: Mapping[str, Any]) -> str:
    """Return what tells an engine's device from others, by what it says of itself (`docker info`)."""
    return json_hash(["docker", engine.get("Name"), engine.get("ID")])[:16]


def _send(container: JobContainer, word: signal.Signals, given_up: threading.Event) -> None:
    if word == signal.SIGKILL:
        given_up.set()
    container.send(word)


def _has_ended_with_engine(state: Mapping[str, Any]) -> bool:
    """Tell whether a container ended as those do whose engine stops or whose machine goes down."""
    return int(state["ExitCode"]) in _ENDED_WITH_ENGINE and not state.get("OOMKilled")


def _job_exit(state: Mapping[str, Any], limits: Limits, has_expired: bool) -> JobExit:
    code, seconds = int(state["ExitCode"]), _seconds_of(state)
    if has_expired:
        return JobExit(code, seconds, f"stopped at its time limit of {limits.time_s} s", expired=True)
    if state.get("OOMKilled"):
        return JobExit(code, seconds, f"killed for memory (limit {limits.memory_mb} MB)")
    if code == KILLED:
        limit = f"the limit is {limits.memory_mb} MB"
        return JobExit(code, seconds, f"killed, by somebody or for memory ({limit})")
    return JobExit(code, seconds)


def _seconds_of(state: Mapping[str, Any]) -> float:
    """Return how long a container ran, by its engine's clock."""
    return max(0.0, moment(state["FinishedAt"]) - moment(state["StartedAt"]))


def _ignore(line: str) -> None:
    pass
