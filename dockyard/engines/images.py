"""The container images of the targets: their names, whether they are current, and how they are built.

A target is a folder under `docker/` with a Dockerfile; a toolchain of it is a
`requirements-<toolchain>.txt` there. Building is left to the docker command
line, because BuildKit is not in reach of the Docker SDK.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from dockyard import package_index as mirror
from dockyard.engines.processes import stream
from shared.contract.errors import EnvironmentProblem, InputProblem, nearest

Stage = Literal["runtime", "build"]
STAGES: tuple[Stage, ...] = ("runtime", "build")
OnLine = Callable[[str], None]

DOCKER_FOLDER = Path(__file__).resolve().parent.parent.parent / "docker"
LOCAL_BASE = "dockyard/base:bookworm"
PUBLIC_BASE = "debian:bookworm-slim"

_RUNTIME = "-runtime"
_LOCK_LABEL = "dockyard.lock"
_ANSWER_SECONDS = 30  # an engine behind ssh is slow to greet
_LAST_LINES = 25
_PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_MACHINE_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


def targets() -> list[str]:
    """Every target that has an image to build."""
    return sorted(file.parent.name for file in DOCKER_FOLDER.glob("*/Dockerfile"))


def toolchains(target: str) -> list[str]:
    """The toolchains that a target's image can have."""
    if target not in targets():
        raise InputProblem(f"no image is described for target '{target}'", "docker/", nearest(target, targets()))
    locks = (DOCKER_FOLDER / target).glob("requirements-*.txt")
    names = (file.stem.removeprefix("requirements-") for file in locks)
    return sorted(name for name in names if not name.endswith(_RUNTIME))


def lock_file(target: str, toolchain: str, stage: Stage = "build") -> Path:
    """The locked requirements that an image, or a virtual environment in its place, is made from."""
    known = toolchains(target)
    if toolchain not in known:
        where = f"docker/{target}/"
        raise InputProblem(f"target '{target}' has no toolchain '{toolchain}'", where, nearest(toolchain, known))
    folder = DOCKER_FOLDER / target
    runtime = folder / f"requirements-{toolchain}{_RUNTIME}.txt"
    if stage == "runtime" and runtime.exists():
        return runtime
    return folder / f"requirements-{toolchain}.txt"


def image_tag(target: str, toolchain: str, stage: Stage = "build") -> str:
    """The name of an image, for example `dockyard/intel-openvino:2026.4`."""
    return f"dockyard/{target}:{toolchain}{_RUNTIME if stage == 'runtime' else ''}"


def lock_digest(target: str, toolchain: str) -> str:
    """SHA-256 over all that decides what is in an image: the Dockerfile and the locked requirements."""
    digest = hashlib.sha256()
    for file in (
        DOCKER_FOLDER / target / "Dockerfile",
        lock_file(target, toolchain, "runtime"),
        lock_file(target, toolchain, "build"),
    ):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def current_image(target: str, toolchain: str, *, context: str | None = None, stage: Stage = "build") -> str | None:
    """The ID of the image on that engine when it was built from today's files, else None."""
    wanted = lock_digest(target, toolchain)
    form = '{{json .Id}} {{json (index .Config.Labels "' + _LOCK_LABEL + '")}}'
    found = _ask(_any_client(), context, "image", "inspect", "--format", form, image_tag(target, toolchain, stage))
    if found is None:
        return None
    image_id, label = found.split(" ", 1)
    return str(json.loads(image_id)) if json.loads(label) == wanted else None


@functools.cache
def build_client() -> list[str]:
    """The first docker command line on this machine that builds with BuildKit.

    A newer client needs the buildx component for that, an older one does not:
    where several are installed the one that builds is not always the first.
    """
    clients = _clients()
    for client in clients:
        help_text = subprocess.run(
            [client, "build", "--help"],
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        if "--secret" in help_text:
            return [client]
    if not clients:
        raise EnvironmentProblem("docker is not installed", "", "install Docker Engine, or use --engine venv")
    raise EnvironmentProblem(
        "no docker command here can build with BuildKit",
        ", ".join(clients),
        "install Docker's buildx component (package docker-buildx or docker-buildx-plugin), or use --engine venv",
    )


def build_image(
    target: str,
    toolchain: str,
    *,
    context: str | None = None,
    bootstrap: bool = False,
    stage: Stage = "build",
    on_line: OnLine,
) -> str:
    """Build a target's image on an engine and return its ID."""
    tag = image_tag(target, toolchain, stage)
    lock = lock_digest(target, toolchain)
    client = build_client()
    base = _base(context, bootstrap, on_line)
    on_line(f"building {tag} on {base}")
    with tempfile.TemporaryDirectory(prefix="dockyard-build-") as scratch:
        id_file = Path(scratch, "image-id")
        command = [
            *_in_context(client, context),
            *("build", "--progress", "plain", "--network", "host", "--target", stage),
            *("--tag", tag, "--iidfile", str(id_file)),
            *("--build-arg", f"BASE={base}", "--build-arg", f"TOOLCHAIN={toolchain}", "--build-arg", f"LOCK={lock}"),
            *(item for name in _PROXY_NAMES if name in os.environ for item in ("--build-arg", name)),
            *_secrets(Path(scratch)),
            str(DOCKER_FOLDER / target),
        ]
        environment = {**_environment(context), "DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": _builder(client, context)}
        code, last = stream(command, environment, on_line)
        if code != 0:
            raise EnvironmentProblem(
                f"image {tag} could not be built: {_build_error(last)}",
                f"docker/{target}/Dockerfile",
                "the whole output is above; a build takes packages from where pip does (pip config, PIP_* variables)",
            )
        return id_file.read_text(encoding="utf-8").strip()


def bootstrap_base(on_line: OnLine, *, context: str | None = None) -> None:
    """Make the base image without any container registry, from Debian's packages."""
    script = DOCKER_FOLDER / "base" / "make-base.sh"
    if shutil.which("mmdebstrap") is None:
        raise EnvironmentProblem(
            "mmdebstrap is not installed; it makes the base image where no registry is in reach",
            "docker/base/make-base.sh",
            "Debian and Ubuntu: apt-get install mmdebstrap",
        )
    engine = _ask(_any_client(), context, "version", "--format", "{{.Server.Arch}}")
    here = _MACHINE_NAMES.get(platform.machine(), platform.machine())
    if engine is not None and engine != here:
        raise EnvironmentProblem(
            f"the base image is made for {here}, and the engine is {engine}",
            f"context {context or 'default'}",
            f"run docker/base/make-base.sh on a machine of that kind, or load {PUBLIC_BASE} on the engine",
        )
    code, last = stream([str(script)], _environment(context), on_line)
    if code != 0:
        said = "\n  ".join(last[-4:])
        raise EnvironmentProblem(f"the base image could not be made (exit code {code})", "docker/base", said)


def _base(context: str | None, bootstrap: bool, on_line: OnLine) -> str:
    """The base image to build on: what is here, then what can be pulled, then what can be made."""
    client = _any_client()
    if _ask(client, context, "version", "--format", "{{.Server.Version}}") is None:
        raise EnvironmentProblem(
            "no Docker engine answers",
            f"context {context}" if context else "",
            "start Docker, check 'docker version', or use --engine venv",
        )
    if _present(client, context, LOCAL_BASE):
        return LOCAL_BASE
    if bootstrap:
        bootstrap_base(on_line, context=context)
        return LOCAL_BASE
    if _present(client, context, PUBLIC_BASE):
        return PUBLIC_BASE
    on_line(f"pulling {PUBLIC_BASE}")
    code, last = stream([*_in_context(client, context), "pull", PUBLIC_BASE], _environment(context), on_line)
    if code == 0:
        return PUBLIC_BASE
    if shutil.which("mmdebstrap") is not None:
        on_line("no registry in reach; making the base from Debian's packages")
        bootstrap_base(on_line, context=context)
        return LOCAL_BASE
    raise EnvironmentProblem(
        f"there is no base image: {PUBLIC_BASE} cannot be pulled ({last[-1] if last else 'no reason given'})",
        f"context {context}" if context else "",
        "without a registry: apt-get install mmdebstrap, then invoke images --bootstrap",
    )


def _build_error(last: Sequence[str]) -> str:
    """The line that tells why a build failed, without BuildKit's own frame around it."""
    reasons = [line.partition("ERROR:")[2].strip() for line in last if "ERROR:" in line]
    told = [reason for reason in reasons if not reason.startswith(("executor failed", "process ", "failed to solve"))]
    return (told or reasons or [*last, "no output"][-1:])[-1]


def _secrets(scratch: Path) -> list[str]:
    """Options that lend the build this machine's certificates and package mirror; no layer keeps them."""
    options: list[str] = []
    bundle = mirror.ca_bundle()
    if bundle is not None:
        options += ["--secret", f"id=ca_bundle,src={bundle}"]
    settings = mirror.pip_settings()
    if settings:
        file = scratch / "pip.conf"
        file.touch(mode=0o600)
        file.write_text(mirror.pip_conf(settings), encoding="utf-8")
        options += ["--secret", f"id=pip_conf,src={file}"]
    return options


def _clients() -> list[str]:
    """Every docker command line of this machine, in the order of the PATH."""
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    clients: dict[str, str] = {}
    for folder in [*folders, "/usr/bin"]:
        client = shutil.which("docker", path=folder)
        if client is not None:
            clients.setdefault(os.path.realpath(client), client)
    return list(clients.values())


def _any_client() -> list[str]:
    clients = _clients()
    if not clients:
        raise EnvironmentProblem("docker is not installed", "", "install Docker Engine, or use --engine venv")
    return clients[:1]


def _builder(client: Sequence[str], context: str | None) -> str:
    """The builder that works in the engine itself, so that its images can be a base and the result stays there."""
    if context:
        return context
    if "DOCKER_HOST" in os.environ:
        return "default"
    return _ask(client, None, "context", "show") or "default"


def _in_context(client: Sequence[str], context: str | None) -> list[str]:
    return [*client, "--context", context] if context else list(client)


def _environment(context: str | None) -> dict[str, str]:
    """The environment for a docker command; a context that was named beats what the environment says."""
    environment = dict(os.environ)
    if context:
        environment.pop("DOCKER_HOST", None)
        environment["DOCKER_CONTEXT"] = context
    return environment


def _present(client: Sequence[str], context: str | None, image: str) -> bool:
    return _ask(client, context, "image", "inspect", "--format", "{{.Id}}", image) is not None


def _ask(client: Sequence[str], context: str | None, *arguments: str) -> str | None:
    """What docker answers to a question, or None when it cannot."""
    try:
        answer = subprocess.run(
            [*_in_context(client, context), *arguments],
            env=_environment(context),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return answer.stdout.strip() if answer.returncode == 0 and answer.stdout.strip() else None
