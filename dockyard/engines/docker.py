"""The Docker engine: any Docker context, so also a Jetson over ssh. No bind mounts: files go in and out as archives."""

from __future__ import annotations

import errno
import shutil
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any

import docker.errors
import docker.types
import requests

import docker
from dockyard.engines import Ended, Limits, OnLine, entry_script, images
from shared.contract.errors import EnvironmentProblem, JobFailed

USER = 10001
"""The images' user `dockyard`; also the group."""

LABEL = "dockyard.job"
CHUNK = 1 << 20
MAX_LINE = 4000

TUNING_MB = 64
"""Of all the databases that a job may leave, packed."""

FETCH_S = 30.0
"""A host that goes down while it tunes loses at most so many seconds, and the round that was under way."""


class DockerEngine:
    """Runs each job in a container of its own: no network, read-only root, no privileges, bounded in every way.

    Args:
        context: a Docker context's name; None takes the one in use.
        fetch_s: seconds between two looks at what a job that tunes has found out so far.

    Raises:
        EnvironmentProblem: no engine answers there.
    """

    def __init__(self, context: str | None = None, fetch_s: float = FETCH_S) -> None:
        self._context, self._fetch_s = context, fetch_s
        self.name = f"docker:{context}" if context else "docker"
        with _engine_errors("no Docker engine answers"):
            self._client = docker.from_env(timeout=120) if context is None else _client_of(context)
            self._client.ping()

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        image = images.current_image(target, toolchain, context=self._context)
        if image is None:
            image = images.build_image(target, toolchain, context=self._context, on_line=on_line)
        return {"lock": images.lock_digest(target, toolchain), "image_digest": image}

    def run(self, target: str, toolchain: str, folder: Path, limits: Limits, on_line: OnLine) -> Ended:
        with _engine_errors("the Docker engine is gone"), self._container(target, toolchain, limits) as container:
            with tempfile.TemporaryFile() as archive:
                pack(folder, archive)
                archive.seek(0)
                container.put_archive("/job", archive)
            expired = threading.Event()

            def expire() -> None:
                expired.set()
                container.kill()

            timer = threading.Timer(limits.time_s, expire)
            timer.daemon = True
            timer.start()
            try:
                started = time.monotonic()
                container.start()
                with self._followed(container, folder, on_line):
                    for line in _lines(container.logs(stream=True, follow=True)):
                        on_line(line)
                    code = int(container.wait()["StatusCode"])
                    seconds = time.monotonic() - started
            finally:
                timer.cancel()
            container.reload()
            if expired.is_set():
                return Ended(code, seconds, f"stopped at its time limit of {limits.time_s} s", expired=True)
            if container.attrs["State"].get("OOMKilled") or code == 137:
                return Ended(code, seconds, f"killed for memory (limit {limits.memory_mb} MB)")
            for name, size_mb in (("result.json", 64), ("outputs", limits.output_mb)):
                self._fetch(container, name, folder, size_mb << 20)
            return Ended(code, seconds)

    @contextmanager
    def _container(self, target: str, toolchain: str, limits: Limits) -> Iterator[Any]:
        container = self._client.containers.create(
            images.image_tag(target, toolchain),
            ["python", entry_script(target), "--job", "/job"],
            user=f"{USER}:{USER}",
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
            labels={LABEL: target},
        )
        try:
            yield container
        finally:
            with suppress(docker.errors.APIError, requests.RequestException):
                container.remove(v=True, force=True)

    @contextmanager
    def _followed(self, container: Any, folder: Path, on_line: OnLine) -> Iterator[None]:
        """Fetch the tuning databases of a job that has some: now and then, and at its end, however it comes."""
        if not (folder / "tuning").is_dir():
            yield
            return
        over = threading.Event()

        def follow() -> None:
            while not over.wait(self._fetch_s):
                with suppress(*FETCH_ERRORS):
                    self._fetch_tuning(container, folder)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield
        finally:
            over.set()
            follower.join()
            try:
                self._fetch_tuning(container, folder)
            except FETCH_ERRORS as error:
                on_line(f"the tuning databases could not be fetched: {error}")

    def _fetch_tuning(self, container: Any, folder: Path) -> None:
        """Fetch the tuning databases as they are now; each takes the place of the one before at once."""
        with tempfile.TemporaryDirectory(dir=folder) as name:
            self._fetch(container, "tuning", Path(name), TUNING_MB << 20)
            for path in (Path(name) / "tuning").glob("*.json.gz"):
                if path.is_file():
                    path.replace(folder / "tuning" / path.name)

    @staticmethod
    def _fetch(container: Any, name: str, folder: Path, limit: int) -> None:
        try:
            stream, _ = container.get_archive(f"/job/{name}", chunk_size=CHUNK)
        except docker.errors.NotFound:
            return
        with tempfile.TemporaryFile() as archive:
            written = 0
            for chunk in stream:
                written += len(chunk)
                if written > limit + CHUNK:
                    raise JobFailed(f"the container returned more than {limit >> 20} MB as {name}")
                archive.write(chunk)
            archive.seek(0)
            unpack(archive, folder, limit)


FETCH_ERRORS = (docker.errors.DockerException, requests.RequestException, JobFailed, OSError)


def pack(folder: Path, archive: IO[bytes]) -> None:
    """Write a job folder as a tar whose files belong to the images' user."""

    def owned(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = USER
        info.uname = info.gname = ""
        info.mode = 0o755 if info.isdir() else 0o644
        return info

    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name, filter=owned)


def unpack(archive: IO[bytes], folder: Path, limit: int) -> None:
    """Unpack an archive that a container returned: plain files and folders below `folder`, `limit` bytes in all.

    Raises:
        JobFailed: a path that escapes, a link or a device, more bytes than allowed, no tar at all.
    """
    total = 0
    try:
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
                    raise JobFailed(f"the container returned '{member.name[:200]}', which is no plain file below its folder")
                destination = folder / path
                if member.isdir():
                    destination.mkdir(parents=True, exist_ok=True)
                    continue
                total += member.size
                if total > limit:
                    raise JobFailed(f"the container returned more than {limit >> 20} MB")
                destination.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None
                with destination.open("wb") as file:
                    shutil.copyfileobj(content, file, CHUNK)
    except (tarfile.TarError, EOFError) as error:
        raise JobFailed(f"the container returned no readable archive ({error})") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise JobFailed(f"the container returned the same path twice ({error.filename})") from None
    except ValueError as error:
        raise JobFailed(f"the container returned a path that is none ({error})") from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise JobFailed("the container returned a path that is too long") from None


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Split a stream of bytes into lines, each cut at MAX_LINE characters."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")[:MAX_LINE]
        rest = rest[: MAX_LINE * 4]
    if rest:
        yield rest.decode("utf-8", "replace")[:MAX_LINE]


def _client_of(context: str) -> Any:
    from docker.context import ContextAPI

    found = ContextAPI.get_context(context)
    if found is None:
        known = ", ".join(sorted(c.name for c in ContextAPI.contexts()))
        raise EnvironmentProblem(f"there is no Docker context '{context}'", "", f"docker context ls; known: {known}")
    return docker.DockerClient(base_url=found.Host, tls=found.TLSConfig, timeout=120, use_ssh_client=True)


@contextmanager
def _engine_errors(what: str) -> Iterator[None]:
    try:
        yield
    except (docker.errors.DockerException, requests.RequestException) as error:
        reason = " ".join(str(error).split())[:300]
        raise EnvironmentProblem(f"{what} ({reason})", "", "look at 'docker version', or use --engine venv") from None
