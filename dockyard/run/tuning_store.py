"""Tuning databases: what a method that tunes has found out about a model on a CPU, kept however its job ended.

models/<model>/tuning/<target>/<cpu>.json.gz            committed with the model
.dockyard/tuning/<target>/<model>/<cpu>.json.gz         this machine's own, which a job gets in place of a committed one
"""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockyard.recipe import catalog, documents
from dockyard.recipe.hashing import file_hash, json_hash
from dockyard.recipe.places import MODELS, SHARED, STATE, TARGETS, shown
from shared.contract.errors import InputProblem, nearest

if TYPE_CHECKING:
    from rich.table import Table

ENDING = ".json.gz"
MAX_BYTES = 64 << 20
"""Of a database, packed or not."""


@dataclass(frozen=True)
class Database:
    """A kept database; `where` is `committed` or `own`."""

    model: str
    target: str
    where: str
    path: Path


def read(path: Path) -> tuple[bytes, Mapping[str, Any]]:
    """Read a database that anyone may have written; return its bytes, as they are in the file, and what it says.

    Raises:
        InputProblem: the name is not `<cpu>.json.gz`, a link, too large, no gzip of JSON, not in the schema, of another CPU.
    """
    where = ascii(shown(path))[1:-1][-200:]
    if not re.fullmatch(r"[A-Za-z0-9._-]+\.json\.gz", path.name):
        raise InputProblem("no name of a tuning database", where, "it is <cpu>.json.gz: LLVM's name of the CPU")
    try:
        if path.is_symlink() or not path.is_file():
            raise InputProblem("no plain file", where)
        if path.stat().st_size > MAX_BYTES:
            raise InputProblem(f"larger than {MAX_BYTES >> 20} MiB", where)
        packed = path.read_bytes()
        text = gzip.GzipFile(fileobj=io.BytesIO(packed)).read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise InputProblem(f"larger than {MAX_BYTES >> 20} MiB when unpacked", where)
        document: dict[str, Any] = documents.parse(text.decode("utf-8"))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise InputProblem(f"no gzip of JSON ({type(error).__name__}: {ascii(str(error))[1:-1][:200]})", where) from None
    documents.check(document, documents.load_schema(SHARED / "contract" / "tuning.schema.json"), where)
    if path.name != document["cpu"] + ENDING:
        raise InputProblem(f"it is of the CPU {document['cpu']}", f"{where}: $.cpu", f"name it {document['cpu']}{ENDING}")
    return packed, document


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step: it is the earlier one or this one, whenever it is looked at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def _committed(model: str, target: str) -> Path:
    return MODELS / model / "tuning" / target


def _own(model: str, target: str) -> Path:
    return STATE / "tuning" / target / model


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{ENDING}"))


def of_model(model: str, target: str) -> dict[str, Path]:
    """Return a model's databases for a target by file name: the committed ones, and this machine's own in their place."""
    return {path.name: path for folder in (_committed(model, target), _own(model, target)) for path in _files(folder)}


def digest(model: str, target: str) -> str:
    """Return the SHA-256 over names and contents of what `of_model` returns."""
    return json_hash({name: file_hash(path) for name, path in of_model(model, target).items()})


def _put(path: Path, model: str, target: str) -> Path:
    """Keep a database as this machine's own, unless it is the one that there is; return where it lies. Raises InputProblem."""
    content, _ = read(path)
    there = of_model(model, target).get(path.name)
    if there is not None and there.read_bytes() == content:
        return there
    destination = _own(model, target) / path.name
    _write(destination, content)
    return destination


def keep(folder: Path, model: str, target: str) -> list[str]:
    """Keep the databases that a job left in a folder; return what was refused, and why. A refused one leaves the earlier as it is."""
    refused = []
    for path in [] if folder.is_symlink() else _files(folder):
        try:
            _put(path, model, target)
        except InputProblem as problem:
            told = ascii(" ".join(f"{path.name[:100]}: {problem.what}".split()))[1:-1]
            refused.append(f"a tuning database is not kept: {told[:400]}")
    return refused


def keep_leftovers() -> list[str]:
    """Keep the databases in the job folders of a run that was killed; return what was refused, and why."""
    refused = []
    targets, models = catalog.names(TARGETS, "target.json"), catalog.names(MODELS, "model.json")
    for folder in sorted((STATE / "jobs").glob("*/tuning")):
        try:
            job = documents.read_json(folder.parent / "job.json")
        except InputProblem:
            continue
        if isinstance(job, dict) and job.get("tuning") and job.get("target") in targets and job.get("model") in models:
            refused += keep(folder, job["model"], job["target"])
    return refused


def every(model: str = "") -> Iterator[Database]:
    """Yield the databases of all models, or of one: committed, then own. Raises InputProblem when there is no such model."""
    known = catalog.names(MODELS, "model.json")
    if model and model not in known:
        raise InputProblem(f"there is no model '{model}'", "--model", nearest(model, known))
    for name in [model] if model else known:
        for folder in sorted((MODELS / name / "tuning").glob("*")):
            yield from (Database(name, folder.name, "committed", path) for path in _files(folder))
        for folder in sorted((STATE / "tuning").glob(f"*/{name}")):
            yield from (Database(name, folder.parent.name, "own", path) for path in _files(folder))


def table(model: str = "") -> Table:
    """Return what there is, for the terminal. Raises InputProblem for a database that cannot be read."""
    from rich.table import Column, Table

    names = ("model", "target", "cpu", "where")
    rows = Table(*(Column(n, overflow="fold") for n in names), "tasks done", "trials", "sum of best ms x weight", "kB")
    for one in every(model):
        packed, document = read(one.path)
        tasks = document["tasks"].values()
        whole = bool(tasks) and all(t["best_ms"] is not None for t in tasks)
        rows.add_row(
            one.model,
            one.target,
            document["cpu"],
            one.where,
            f"{sum(t['done'] for t in tasks)}/{len(tasks)}",
            str(sum(t["trials"] for t in tasks)),
            f"{sum(t['best_ms'] * t['weight'] for t in tasks):.3f}" if whole else "-",
            f"{len(packed) / 1e3:.1f}",
        )
    return rows


def export(folder: Path, model: str = "") -> list[Path]:
    """Copy the databases that jobs get to `<folder>/<model>/<target>/`, with SHA256SUMS, and return the copies.

    Raises:
        InputProblem: there are none, or one cannot be read.
    """
    wanted = {(d.model, d.target, d.path.name): d.path for d in every(model)}
    if not wanted:
        raise InputProblem("there is no tuning database", "--export", "a build with a method that tunes makes one")
    copies = []
    for parts, path in wanted.items():
        content, _ = read(path)
        copies.append(folder.joinpath(*parts))
        _write(copies[-1], content)
    sums = "".join(f"{file_hash(path)}  {path.relative_to(folder).as_posix()}\n" for path in copies)
    _write(folder / "SHA256SUMS", sums.encode())
    return copies


def add(file: Path, model: str, target: str) -> Path:
    """Take a database from elsewhere as this machine's own; return where it lies.

    Raises:
        InputProblem: no such model, no such target or one that does not tune, no database.
    """
    known = catalog.names(MODELS, "model.json")
    if model not in known:
        raise InputProblem(f"there is no model '{model}'", "--model", nearest(model, known))
    if not any(method.get("tuning") for method in catalog.load_target(target, "--target").methods.values()):
        raise InputProblem(f"{target} has no method that tunes", "--target")
    return _put(file, model, target)


def commit(model: str) -> list[Path]:
    """Copy this machine's own databases of a model into its folder; return the copies.

    Raises:
        InputProblem: no such model, or it has none of this machine's own, or one cannot be read.
    """
    own = [d for d in every(model) if model and d.where == "own"]
    if not own:
        raise InputProblem(f"this machine has no tuning database of its own for '{model}'", "--model", "./inv tuning lists what there is")
    copies = []
    for one in own:
        content, _ = read(one.path)
        copies.append(_committed(model, one.target) / one.path.name)
        _write(copies[-1], content)
    return copies


def verify(model: str) -> None:
    """Check the databases that are committed with a model.

    Raises:
        InputProblem: a file that is none, a folder of no target.
    """
    for folder in sorted((MODELS / model / "tuning").glob("*")):
        catalog.load_target(folder.name, shown(folder))
        for path in sorted(folder.glob("*")):
            read(path)
