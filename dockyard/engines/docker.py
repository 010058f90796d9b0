"""The Docker engine: any Docker context, so also a Jetson over ssh.

There are no bind mounts: files go in and out as archives.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import docker.errors
import docker.types
import requests
from docker.models.containers import Container
from docker.tls import TLSConfig

import docker
from dockyard.engines import (
    LAUNCHER,
    FollowedFolder,
    JobExit,
    Limits,
    OnLine,
    OnStarted,
    entry_script,
    images,
)
from dockyard.engines.archives import CHUNK, pack, receive
from dockyard.engines.docker_cli import context_endpoint
from dockyard.engines.host_process import HostProcess, from_text, identify
from dockyard.engines.time_limit import time_limit
from dockyard.recipe.hashing import json_hash
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import EnvironmentProblem, JobFailed

JOB_LABEL = "dockyard.job"
"""The job folder that a container is for."""

HOST_LABEL = "dockyard.host"
"""The process that started it, and that removes it at the end."""

MAX_LINE = 4000
RESULT_MB = 64
KILLED = 128 + signal.SIGKILL
ENGINE_ERRORS = (docker.errors.DockerException, requests.RequestException)


class DockerExecutor:
    """Runs each job in a container of its own: no network, read-only root, no privileges, bounded throughout.

    Its device is the engine, by its name and id. What hosts that were killed have left there is removed when
    the first toolchain is prepared.

    Args:
        context: a Docker context's name; None takes the one in use.
        fetch_s: seconds between two looks at a followed folder; a host that goes down loses what came since.

    Raises:
        EnvironmentProblem: no engine answers there.
    """

    def __init__(self, workspace: Workspace, context: str | None = None, fetch_s: float = 30.0) -> None:
        self._workspace, self._context, self._fetch_s = workspace, context, fetch_s
        self._is_swept = False
        self.name = f"docker:{context}" if context else "docker"
        with _engine_errors("no Docker engine answers"):
            self._client = docker.from_env(timeout=120) if context is None else _client_of(context)
            engine = self._client.info()
        self.device = json_hash(["docker", engine.get("Name"), engine.get("ID")])[:16]
        self.memory_mb = int(engine.get("MemTotal", 0) / 1e6)

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        if not self._is_swept:
            with _engine_errors("the Docker engine is gone"):
                sweep(self._client, identify(os.getpid()), on_line)
            self._is_swept = True
        wanted = (self._workspace, target, toolchain)
        image = images.current_image(*wanted, context=self._context)
        if image is None:
            image = images.build_image(*wanted, context=self._context, on_line=on_line)
        return {"lock": images.lock_digest(*wanted), "image_digest": image}

    def run(
        self,
        target: str,
        toolchain: str,
        folder: Path,
        limits: Limits,
        on_line: OnLine,
        followed: FollowedFolder | None = None,
        on_started: OnStarted | None = None,
    ) -> JobExit:
        image = images.image_tag(target, toolchain)
        with (
            _engine_errors("the Docker engine is gone"),
            self._container(image, entry_script(target), folder, limits) as container,
        ):
            with tempfile.TemporaryFile() as archive:
                pack(folder, archive, images.USER)
                archive.seek(0)
                container.put_archive("/job", archive)
            with time_limit(limits.time_s, lambda: _kill(container)) as expired:
                started = time.monotonic()
                container.start()
                if on_started is not None:
                    on_started(lambda word: _kill(container, word))
                with self._following(container, followed, folder, on_line):
                    for line in log_lines(container.logs(stream=True, follow=True)):
                        on_line(line)
                    code = int(container.wait()["StatusCode"])
                    seconds = time.monotonic() - started
            container.reload()
            if expired.is_set():
                return JobExit(code, seconds, f"stopped at its time limit of {limits.time_s} s", expired=True)
            if container.attrs["State"].get("OOMKilled"):
                return JobExit(code, seconds, f"killed for memory (limit {limits.memory_mb} MB)")
            if code == KILLED:
                limit = f"the limit is {limits.memory_mb} MB"
                return JobExit(code, seconds, f"killed, by somebody or for memory ({limit})")
            _fetch(container, "result.json", folder, RESULT_MB)
            _fetch(container, "outputs", folder, limits.output_mb)
            return JobExit(code, seconds)

    @contextmanager
    def _container(self, image: str, script: str, folder: Path, limits: Limits) -> Iterator[Container]:
        """Make a container for a job, and remove it with its volume, whatever comes."""
        container = self._client.containers.create(
            image,
            ["python", LAUNCHER, script, "--job", "/job"],
            user=f"{images.USER}:{images.USER}",
            working_dir="/job",
            environment={"PYTHONPATH": "/job/code"},
            network_mode="host" if limits.host_network else "none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=f"{limits.memory_mb}m",
            memswap_limit=f"{limits.memory_mb}m",
            pids_limit=limits.processes,
            tmpfs={"/tmp": "rw,size=512m,mode=1777"},
            mounts=[docker.types.Mount(target="/job", source=None, type="volume")],
            labels={JOB_LABEL: folder.name, HOST_LABEL: identify(os.getpid()).to_text()},
        )
        try:
            yield container
        finally:
            with suppress(*ENGINE_ERRORS):
                container.remove(v=True, force=True)

    @contextmanager
    def _following(
        self, container: Container, followed: FollowedFolder | None, folder: Path, on_line: OnLine
    ) -> Iterator[None]:
        """Fetch the files of a followed folder now and then meanwhile, and at the end, however it comes."""
        if followed is None:
            yield
            return
        over = threading.Event()

        def follow() -> None:
            while not over.wait(self._fetch_s):
                with suppress(*ENGINE_ERRORS, JobFailed, OSError):  # the last fetch says what is wrong
                    fetch_followed(container, followed, folder)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield
        finally:
            over.set()
            follower.join()
            try:
                fetch_followed(container, followed, folder)
            except (*ENGINE_ERRORS, JobFailed, OSError) as error:
                on_line(f"the files in {followed.name}/ could not be fetched: {error}")


def sweep(client: docker.DockerClient, here: HostProcess, on_line: OnLine) -> None:
    """Remove the containers, with their volumes, that processes of this host have left which were killed.

    Those of living processes and of other hosts are left alone, and what has no such label.

    Args:
        here: this process.
    """
    for container in client.containers.list(all=True, filters={"label": HOST_LABEL}, ignore_removed=True):
        owner = from_text(container.labels.get(HOST_LABEL, ""))
        if owner is None or not owner.has_ended(here):
            continue
        with suppress(docker.errors.APIError):  # somebody else removes it as well
            container.remove(v=True, force=True)
            job = container.labels.get(JOB_LABEL, "")
            on_line(
                f"removed container {container.name} of job {job}: the process that started it was killed"
            )


def fetch_followed(container: Container, followed: FollowedFolder, folder: Path) -> None:
    """Fetch a followed folder's files as they are now; each takes the place of the one before at once.

    Raises:
        JobFailed: what is there is not plain files, or more than may be.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name:
        _fetch(container, followed.name, Path(name), followed.limit_mb)
        for path in (Path(name) / PurePosixPath(followed.name).name).glob(f"*{followed.suffix}"):
            if path.is_file():
                path.replace(folder / followed.name / path.name)


def _fetch(container: Container, name: str, folder: Path, limit_mb: int) -> None:
    """Fetch a file or folder of the job into `folder`; one that is not there is not an error."""
    with suppress(docker.errors.NotFound):
        chunks, _ = container.get_archive(f"/job/{name}", chunk_size=CHUNK)
        receive(chunks, folder, limit_mb << 20)


def log_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Split a stream of bytes into lines, each cut at MAX_LINE characters."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")[:MAX_LINE]
        rest = rest[: MAX_LINE * 4]
    if rest:
        yield rest.decode("utf-8", "replace")[:MAX_LINE]


def _kill(container: Container, word: signal.Signals = signal.SIGKILL) -> None:
    """Send a container's first process a signal."""
    with suppress(*ENGINE_ERRORS):  # it has just ended, or whoever waits for it will meet the same error
        container.kill(word.name)


def _client_of(context: str) -> docker.DockerClient:
    endpoint = context_endpoint(context)
    tls: TLSConfig | bool = False
    if endpoint.tls is not None:
        pair = (str(endpoint.tls / "cert.pem"), str(endpoint.tls / "key.pem"))
        tls = TLSConfig(pair, ca_cert=str(endpoint.tls / "ca.pem"), verify=endpoint.is_verified)
    return docker.DockerClient(base_url=endpoint.host, tls=tls, timeout=120, use_ssh_client=True)


@contextmanager
def _engine_errors(what: str) -> Iterator[None]:
    try:
        yield
    except ENGINE_ERRORS as error:
        reason = " ".join(str(error).split())[:300]
        advice = "look at 'docker version', or use --engine venv"
        raise EnvironmentProblem(f"{what} ({reason})", "", advice) from None
