"""Tuning databases: what a method that tunes has found out about a model on a CPU, kept however a job ends.

models/<model>/tuning/<target>/<cpu>.json.gz            committed with the model
.dockyard/tuning/<target>/<model>/<cpu>.json.gz         this machine's own; a job gets it in place of that one
"""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from dockyard.recipe import documents
from dockyard.recipe.hashing import file_hash, json_hash
from dockyard.recipe.targets import load_target
from dockyard.recipe.workspace import SHARED, Workspace
from shared.contract.codec import DecodeError, decode
from shared.contract.errors import InputProblem, nearest
from shared.contract.job import Job
from shared.contract.stages import Optimize

SUFFIX = ".json.gz"
NAME = re.compile(r"[A-Za-z0-9._-]+\.json\.gz")
SCHEMA = SHARED / "contract" / "tuning.schema.json"

MAX_BYTES = 64 << 20
"""Of a database, packed or not."""


class Origin(str, Enum):
    """Where a database is kept: committed with its model, or this machine's own."""

    COMMITTED = "committed"
    OWN = "own"


@dataclass(frozen=True)
class Database:
    """A kept database."""

    model: str
    target: str
    origin: Origin
    path: Path


@dataclass(frozen=True)
class DatabaseSummary:
    """What a database holds.

    Attributes:
        cpu: as LLVM calls it.
        tasks, tasks_done: functions, and those of which nothing more is to be gained.
        trials: candidates that were measured.
        best_ms: milliseconds, the functions' best times by how often each is called; None while one has none.
        kilobytes: packed.
    """

    cpu: str
    tasks: int
    tasks_done: int
    trials: int
    best_ms: float | None
    kilobytes: float


def read(path: Path, display_path: str) -> tuple[bytes, Mapping[str, Any]]:
    """Read a database that anyone may have written; return the bytes of its file, and what it says.

    Args:
        display_path: for messages.

    Raises:
        InputProblem: another name than `<cpu>.json.gz`, a link, too large, no gzip of JSON, not in the
            schema, of another CPU.
    """
    where = ascii(display_path)[1:-1][-200:]
    if not NAME.fullmatch(path.name):
        raise InputProblem(
            "no name of a tuning database", where, "it is <cpu>.json.gz: LLVM's name of the CPU"
        )
    try:
        packed, document = _unpack(path, where)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {ascii(str(error))[1:-1][:200]}"
        raise InputProblem(f"no gzip of JSON ({reason})", where) from None
    documents.check(document, SCHEMA, where)
    if path.name != document["cpu"] + SUFFIX:
        advice = f"name it {document['cpu']}{SUFFIX}"
        raise InputProblem(f"it is of the CPU {document['cpu']}", f"{where}: $.cpu", advice)
    return packed, document


def _unpack(path: Path, where: str) -> tuple[bytes, Any]:
    if path.is_symlink() or not path.is_file():
        raise InputProblem("no plain file", where)
    if path.stat().st_size > MAX_BYTES:
        raise InputProblem(f"larger than {MAX_BYTES >> 20} MiB", where)
    packed = path.read_bytes()
    text = gzip.GzipFile(fileobj=io.BytesIO(packed)).read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise InputProblem(f"larger than {MAX_BYTES >> 20} MiB when unpacked", where)
    return packed, documents.parse(text.decode("utf-8"))


def summarize(workspace: Workspace, database: Database) -> DatabaseSummary:
    """Return what a database holds. Raises InputProblem where it cannot be read."""
    packed, document = read(database.path, workspace.display_path(database.path))
    tasks = list(document["tasks"].values())
    best = None
    if tasks and all(task["best_ms"] is not None for task in tasks):
        best = float(sum(task["best_ms"] * task["weight"] for task in tasks))
    done = sum(task["done"] for task in tasks)
    trials = sum(task["trials"] for task in tasks)
    return DatabaseSummary(
        cpu=document["cpu"],
        tasks=len(tasks),
        tasks_done=done,
        trials=trials,
        best_ms=best,
        kilobytes=len(packed) / 1e3,
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step: it is the earlier one or this one, whenever it is looked at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def _committed(workspace: Workspace, model: str) -> list[Path]:
    """Return the folders of the databases that are committed with a model; the workspace's own come last."""
    return [place / "models" / model / "tuning" for place in reversed(workspace.places)]


def _own(workspace: Workspace, model: str, target: str) -> Path:
    return workspace.state / "tuning" / target / model


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def databases_of(workspace: Workspace, model: str, target: str) -> dict[str, Path]:
    """Return a model's databases for a target by file name; this machine's own in place of the committed."""
    committed = [folder / target for folder in _committed(workspace, model)]
    found = {}
    for folder in (*committed, _own(workspace, model, target)):
        found.update({path.name: path for path in _files(folder)})
    return found


def digest(workspace: Workspace, model: str, target: str) -> str:
    """Return the SHA-256 over names and contents of what `databases_of` returns."""
    found = databases_of(workspace, model, target)
    return json_hash({name: file_hash(path) for name, path in found.items()})


def _put(workspace: Workspace, path: Path, model: str, target: str) -> Path:
    """Keep a database as this machine's own, unless it is the one that there is; return where it lies.

    Raises:
        InputProblem: it cannot be read.
    """
    content, _ = read(path, workspace.display_path(path))
    there = databases_of(workspace, model, target).get(path.name)
    if there is not None and there.read_bytes() == content:
        return there
    destination = _own(workspace, model, target) / path.name
    _write(destination, content)
    return destination


def keep(workspace: Workspace, folder: Path, model: str, target: str) -> list[str]:
    """Keep the databases that a job left in a folder; return what was refused, and why.

    A refused one leaves the earlier as it is.
    """
    refused = []
    for path in [] if folder.is_symlink() else _files(folder):
        try:
            _put(workspace, path, model, target)
        except InputProblem as problem:
            reason = ascii(" ".join(f"{path.name[:100]}: {problem.what}".split()))[1:-1]
            refused.append(f"a tuning database is not kept: {reason[:400]}")
    return refused


def keep_leftovers(workspace: Workspace, jobs: Path) -> list[str]:
    """Keep the databases in the job folders of a run that was killed; return what was refused, and why."""
    refused = []
    targets = workspace.names("targets", "target.json")
    models = workspace.names("models", "model.json")
    for folder in sorted(jobs.glob("*/tuning")):
        job = _job_of(folder.parent)
        if job is not None and job.target in targets and job.model in models:
            refused += keep(workspace, folder, job.model, job.target)
    return refused


def _job_of(folder: Path) -> Job | None:
    """Return the job of a folder, where it is one that tunes."""
    try:
        job = decode(Job, documents.read_json(folder / "job.json", "job.json"))
    except (InputProblem, DecodeError):
        return None
    tunes = isinstance(job.parameters, Optimize) and job.parameters.tuning is not None
    return job if tunes else None


def every_database(workspace: Workspace, model: str = "") -> Iterator[Database]:
    """Yield the databases of all models, or of one: committed, then own.

    Raises:
        InputProblem: there is no such model.
    """
    known = workspace.names("models", "model.json")
    if model and model not in known:
        raise InputProblem(f"there is no model '{model}'", "--model", nearest(model, known))
    for name in [model] if model else known:
        for place in _committed(workspace, name):
            for folder in sorted(place.glob("*")):
                yield from (Database(name, folder.name, Origin.COMMITTED, path) for path in _files(folder))
        for folder in sorted((workspace.state / "tuning").glob(f"*/{name}")):
            yield from (Database(name, folder.parent.name, Origin.OWN, path) for path in _files(folder))


def export(workspace: Workspace, folder: Path, model: str = "") -> list[Path]:
    """Copy the databases that jobs get to `<folder>/<model>/<target>/`, with SHA256SUMS; return the copies.

    Raises:
        InputProblem: there are none, or one cannot be read.
    """
    found = list(every_database(workspace, model))
    if not found:
        advice = "a build with a method that tunes makes one"
        raise InputProblem("there is no tuning database", "--export", advice)
    # This machine's own come last, and take the place of a committed one.
    wanted = {(one.model, one.target, one.path.name): one.path for one in found}
    copies = []
    for parts, path in wanted.items():
        content, _ = read(path, workspace.display_path(path))
        copies.append(folder.joinpath(*parts))
        _write(copies[-1], content)
    lines = [f"{file_hash(path)}  {path.relative_to(folder).as_posix()}\n" for path in copies]
    _write(folder / "SHA256SUMS", "".join(lines).encode())
    return copies


def add(workspace: Workspace, file: Path, model: str, target: str) -> Path:
    """Take a database from elsewhere as this machine's own; return where it lies.

    Raises:
        InputProblem: no such model, no such target or one that does not tune, no database.
    """
    known = workspace.names("models", "model.json")
    if model not in known:
        raise InputProblem(f"there is no model '{model}'", "--model", nearest(model, known))
    methods = load_target(workspace, target, "--target").methods.values()
    if not any(method.tunes for method in methods):
        raise InputProblem(f"{target} has no method that tunes", "--target")
    return _put(workspace, file, model, target)


def commit(workspace: Workspace, model: str) -> list[Path]:
    """Copy this machine's own databases of a model into the workspace's folder of it; return the copies.

    Raises:
        InputProblem: no such model, or it has none of this machine's own, or one cannot be read.
    """
    found = list(every_database(workspace, model)) if model else []
    own = [one for one in found if one.origin == Origin.OWN]
    if not own:
        what = f"this machine has no tuning database of its own for '{model}'"
        raise InputProblem(what, "--model", "./inv tuning lists what there is")
    copies = []
    for one in own:
        content, _ = read(one.path, workspace.display_path(one.path))
        copies.append(_committed(workspace, model)[-1] / one.target / one.path.name)
        _write(copies[-1], content)
    return copies


def verify(workspace: Workspace, model: str) -> None:
    """Check the databases that are committed with a model.

    Raises:
        InputProblem: a file that is none, a folder of no target.
    """
    for place in _committed(workspace, model):
        for folder in sorted(place.glob("*")):
            load_target(workspace, folder.name, workspace.display_path(folder))
            for path in sorted(folder.glob("*")):
                read(path, workspace.display_path(path))
