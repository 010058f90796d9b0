"""Tuning databases: one `<cpu>.json.gz` for a model and an LLVM CPU, with the best schedule of each function.

`tasks` says by the function's hash how many candidates were tried; `workloads` and `records` are
MetaSchedule's own JSON.
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Dict, Iterable, Mapping, Optional

import tvm
from tvm.ir import IRModule
from tvm.s_tir.meta_schedule.database import MemoryDatabase, TuningRecord, Workload
from tvm_ffi import structural_hash

ENDING = ".json.gz"


@dataclass
class Task:
    """What was done for one function.

    Attributes:
        name: the function's name.
        weight: calls of the function in a run of the network.
        trials: candidates tried.
        best_ms: milliseconds of the fastest candidate; None before there is one.
        done: whether nothing more is to be gained.
        workload, record: MetaSchedule's JSON of the function and of the best schedule; None before there is
            one.
        tile: the tile that the best schedule was made from, as JSON; None for a schedule by rules.
    """

    name: str
    weight: int = 1
    trials: int = 0
    best_ms: Optional[float] = None
    done: bool = False
    workload: Any = None
    record: Any = None
    tile: Optional[Mapping[str, Any]] = None

    def progress(self) -> Dict[str, Any]:
        """Return how far the search is, as JSON."""
        return {
            "trials": self.trials,
            "best_ms": self.best_ms,
            "weight": self.weight,
            "done": self.done,
        }


@dataclass
class TuningDatabase:
    """What tuning found on one CPU.

    Attributes:
        cpu: LLVM's name of the CPU.
        tasks: the tasks, by the hash of their function (`key_of`).
    """

    cpu: str
    tasks: Dict[str, Task] = field(default_factory=dict)

    def memory(self) -> MemoryDatabase:
        """Return the records as a MetaSchedule database."""
        database = MemoryDatabase()
        for task in self.tasks.values():
            if task.record is not None:
                workload = database.commit_workload(Workload.from_json(task.workload).mod)
                database.commit_tuning_record(TuningRecord.from_json(task.record, workload))
        return database

    def seeds(self, good_enough: bool) -> Dict[str, Task]:
        """Return the tasks to begin another CPU's database with.

        Args:
            good_enough: whether a task with a record counts as done; otherwise all are tuned anew, each
                beginning with the tile that it has.
        """
        if good_enough:
            return {key: replace(task, done=task.record is not None) for key, task in self.tasks.items()}
        return {key: replace(task, trials=0, best_ms=None, done=False) for key, task in self.tasks.items()}

    def trials(self, keys: Iterable[str]) -> int:
        """Return how many candidates were tried for the functions with these keys."""
        return sum(self.tasks[key].trials for key in keys if key in self.tasks)

    def is_done(self, key: str) -> bool:
        """Tell whether nothing more is to be gained for a function."""
        return key in self.tasks and self.tasks[key].done

    def write(self, folder: Path) -> Path:
        """Write the database into a folder, whole or not at all, and return the file.

        The same content gives the same bytes.
        """
        document = self._document()
        packed = BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as file:
            file.write(json.dumps(document, allow_nan=False, separators=(",", ":")).encode())
        partial = folder / f".{self.cpu}.partial"
        partial.write_bytes(packed.getvalue())
        path = folder / f"{self.cpu}{ENDING}"
        os.replace(partial, path)
        return path

    def _document(self) -> Mapping[str, Any]:
        """Return the database as JSON (shared/contract/tuning.schema.json)."""
        kept = sorted(self.tasks.items())
        tuned = [task for _, task in kept if task.record is not None]
        workloads = [task.workload for task in tuned]
        records = [{"record": task.record, "tile": task.tile} for task in tuned]
        return {
            "version": 1,
            "tvm": tvm.__version__,
            "cpu": self.cpu,
            "tasks": {f"{key} {task.name}": task.progress() for key, task in kept},
            "workloads": workloads,
            "records": records,
        }


def key_of(module: IRModule) -> str:
    """Return the structural hash of a function's module, 16 hexadecimal digits."""
    return f"{structural_hash(module) & (1 << 64) - 1:016x}"


def read(path: Path) -> TuningDatabase:
    """Read a database.

    Raises:
        ValueError: it was made by another release of TVM, whose records mean other things.
    """
    document: Mapping[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    if document["tvm"] != tvm.__version__:
        raise ValueError(f"{path.name} was made by TVM {document['tvm']}, this is {tvm.__version__}")
    tasks = {}
    for label, state in document["tasks"].items():
        key, _, name = label.partition(" ")
        tasks[key] = Task(name, state["weight"], state["trials"], state["best_ms"], state["done"])
    for workload, record in zip(document["workloads"], document["records"]):
        task = tasks[key_of(Workload.from_json(workload).mod)]
        task.workload, task.record, task.tile = workload, record["record"], record["tile"]
    return TuningDatabase(document["cpu"], tasks)


def find(folder: Path, name: str) -> Optional[TuningDatabase]:
    """Return the database of a CPU in a folder, or None."""
    path = folder / f"{name}{ENDING}"
    return read(path) if path.is_file() else None
