"""Containers that killed hosts have left: collected where the same work is wanted anew, else removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import docker.errors
from docker.models.containers import Container

import docker
from dockyard.engines import OnLine
from dockyard.engines.host_process import HostProcess, from_text
from dockyard.engines.job_container import HOST_LABEL, JOB_LABEL, KEY_LABEL, WORKSPACE_LABEL
from dockyard.recipe.hashing import json_hash
from dockyard.recipe.locks import lock_file, locked_if_free
from dockyard.recipe.workspace import Workspace

_COLLECTABLE = ("running", "exited")


def sweep(client: docker.DockerClient, here: HostProcess, on_line: OnLine, ending: str = "") -> None:
    """Remove the containers, with their volumes, that processes of this host have left which were killed.

    Those of living processes and of other hosts are left alone, and what has no such label. So are those that
    a build may collect, or has collected.

    Args:
        here: this process.
        ending: the workspace whose build collects nothing more.
    """
    for container in _of_killed_hosts(client, here):
        if _may_be_collected(container, ending):
            continue
        is_own = bool(ending) and container.labels.get(WORKSPACE_LABEL) == ending
        with held(ending, str(container.name)) if is_own else nullcontext(True) as is_free:
            if is_free:
                _remove(container, on_line)


def _remove(container: Container, on_line: OnLine) -> None:
    with suppress(docker.errors.APIError):  # somebody else removes it as well
        container.remove(v=True, force=True)
        job = container.labels.get(JOB_LABEL, "")
        on_line(f"removed container {container.name} of job {job}: the process that started it was killed")


def find_leftovers(client: docker.DockerClient, here: HostProcess, workspace: str, key: str) -> list[str]:
    """Return the names of killed hosts' containers that do, or did, a key's work."""
    found = []
    for container in _of_killed_hosts(client, here):
        labels = container.labels
        is_same = labels.get(KEY_LABEL) == key and labels.get(WORKSPACE_LABEL) == workspace
        if is_same and container.status in _COLLECTABLE:
            found.append(str(container.name))
    return found


@contextmanager
def held(workspace: str, name: str) -> Iterator[bool]:
    """Hold a leftover, and yield whether that is so: another build of its workspace may hold it.

    Its label goes on naming the host that died. What a build held that dies, the system takes back.
    """
    path = lock_file(Workspace(Path(workspace)), f"container-{json_hash([name])[:16]}")
    with locked_if_free(path) as (file, is_held):
        # Whoever held it a moment ago has removed the file, and a third may have made it anew.
        is_own = is_held and path.exists() and os.path.samestat(os.fstat(file), path.stat())
        try:
            yield is_own
        finally:
            if is_own:
                path.unlink(missing_ok=True)


def _of_killed_hosts(client: docker.DockerClient, here: HostProcess) -> list[Container]:
    found = []
    for container in client.containers.list(all=True, filters={"label": HOST_LABEL}, ignore_removed=True):
        owner = from_text(container.labels.get(HOST_LABEL, ""))
        if owner is not None and owner.has_ended(here):
            found.append(container)
    return found


def _may_be_collected(container: Container, ending: str) -> bool:
    """Tell whether a build of its workspace, if that is still there, may collect it."""
    labels = container.labels
    workspace = labels.get(WORKSPACE_LABEL, "")
    if not labels.get(KEY_LABEL) or not workspace or container.status not in _COLLECTABLE:
        return False
    return workspace != ending and Path(workspace).is_dir()
