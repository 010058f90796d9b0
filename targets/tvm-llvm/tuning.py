"""Tuning with MetaSchedule: rounds of candidates, built and measured in processes of their own, until nothing is to be gained.

The search runs in a child process, which its parent ends at the time budget, whatever it is doing; what it found is in
the database then, which is written after every round.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import cpu
import databases
import psutil
import tvm
from candidates import Candidate, Search
from databases import Task, TuningDatabase
from rule_search import RuleSearch
from schedules import shape_of
from tile_search import CostModel, NoModel, TileSearch
from tiles import tile_of
from trials import Bench, NoMachine
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule.arg_info import ArgInfo
from tvm.s_tir.meta_schedule.relax_integration import extract_tasks
from tvm.target import Target

from shared.runtime.progress import report
from shared.runtime.toolchain import Tuning

ROUND = 16
"""Candidates of one function that are built and measured together."""

GAIN = 0.01
"""A smaller share of a function's time counts as none."""

EARLY = 10
"""Exit code of a search whose functions were all done before the trials were spent."""

NO_MACHINE = 11
"""Exit code of a search that has no machine to measure on, or none any more."""


def tune(module: Path, target: Target, options: Mapping[str, Any], tuning: Tuning, threads: int) -> Tuple[TuningDatabase, Dict[str, Any]]:
    """Tune the functions of a module within a time budget; return the database and what was done.

    Args:
        module: the fused Relax module, as `tvm.ir.save_json` writes it.
        options: of the method, every default filled in.
        tuning: the databases to go on from, and where to leave what was found.
        threads: that the network will run with.

    Raises:
        ValueError: the database was made by another release of TVM.
    """
    started = time.monotonic()
    name = cpu.mcpu(target)
    own = databases.find(tuning.databases, name)
    portable = databases.find(tuning.databases, cpu.PORTABLE) if "avx512f" in cpu.features(target) else None
    database = own or TuningDatabase(name, portable.seeds(options["portable"]) if portable else {})
    tasks = {databases.key_of(t.dispatched[0]): t for t in functions(tvm.ir.load_json(module.read_text()), target, options["space"])}
    before = database.trials(tasks)
    stopped = "done"
    if any(not database.is_done(key) for key in tasks) and before < options["trials"]:
        if cpu.architecture(target) != platform.machine() and not tuning.tracker:
            stopped = "no machine"
        else:
            stopped = search_within(module, target, database, options, tuning, threads)
            database = databases.find(tuning.output, name) or database
    return database, {
        "cpu": name,
        "database": "own" if own else "portable" if portable else "new",
        "tasks": len(tasks),
        "trials": database.trials(tasks),
        "new_trials": database.trials(tasks) - before,
        "seconds": round(time.monotonic() - started, 1),
        "stopped": stopped,
    }


def search_within(module: Path, target: Target, database: TuningDatabase, options: Mapping[str, Any], tuning: Tuning, threads: int) -> str:
    """Search in a child process and end it at the time budget; return why it stopped."""
    with tempfile.TemporaryDirectory() as scratch:
        request = Path(scratch) / "request.json"
        document = {
            "module": str(module),
            "target": str(target),
            "database": str(database.write(Path(scratch))),
            "output": str(tuning.output),
            "tracker": tuning.tracker,
            "key": tuning.key,
            "options": dict(options),
        }
        request.write_text(json.dumps(document))
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "TVM_NUM_THREADS": str(threads), "TMPDIR": scratch, "PYTHONPATH": path}
        with subprocess.Popen([sys.executable, __file__, str(request)], env=environment) as process:
            try:
                process.wait(timeout=options["time_budget_s"])
                return {0: "trials", EARLY: "early", NO_MACHINE: "no machine"}.get(process.returncode, "crash")
            except subprocess.TimeoutExpired:
                return "time budget"
            finally:
                end(process.pid)


def end(pid: int) -> None:
    """End a process and all that it started."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (*parent.children(recursive=True), parent):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def functions(module: Any, target: Target, space: str) -> List[Any]:
    """Return MetaSchedule's tasks of a module: all, or the convolutions and matrix products that the project's space is for."""
    tasks = extract_tasks(module, target)
    return [t for t in tasks if space == "default" or shape_of(t.dispatched[0]["main"], cpu.widest_vector(target)) is not None]


def search(request: Mapping[str, Any]) -> int:
    """Tune until the trials are spent or every function is done; return the exit code."""
    started = time.monotonic()
    options, target, output = request["options"], Target(json.loads(request["target"])), Path(request["output"])
    module = tvm.ir.load_json(Path(request["module"]).read_text())
    database = databases.read(Path(request["database"]))
    tasks = functions(module, target, options["space"])
    states = [database.tasks.setdefault(databases.key_of(t.dispatched[0]), Task(t.task_name)) for t in tasks]
    for state, task in zip(states, tasks):
        state.name, state.weight = task.task_name, int(task.weight)
    searches = make_searches([t.dispatched[0] for t in tasks], states, database, options, target)
    tuned = [Tuned(t.dispatched[0], s, search, target, options) for t, s, search in zip(tasks, states, searches)]
    bench = Bench(target, options["runner"], request["tracker"], request["key"])
    while True:
        spent = sum(t.state.trials for t in tuned)
        tell(tuned, min(spent, options["trials"]), options, time.monotonic() - started)
        task = next_task(tuned)
        if task is None:
            return EARLY
        if spent >= options["trials"]:
            return 0
        task.round(bench, min(ROUND, options["trials"] - spent))
        database.write(output)


def make_searches(
    modules: List[Any], states: List[Task], database: TuningDatabase, options: Mapping[str, Any], target: Target
) -> List[Search]:
    """Return the search of each function."""
    threads, learns = len(os.sched_getaffinity(0)), options["cost_model"] == "xgb"
    if options["space"] == "dockyard":
        costs = CostModel(threads) if learns else NoModel(threads)
        cores, widest = int(target.attrs["num-cores"]), cpu.widest_vector(target)
        return [TileSearch(m, costs, tile_of(s.tile), cores, widest) for m, s in zip(modules, states)]
    shared = ms.cost_model.XGBModel(num_tuning_cores=threads) if learns else ms.cost_model.RandomModel()
    return [RuleSearch(m, shared, database.memory(), target, threads, ROUND) for m in modules]


def next_task(tuned: List[Tuned]) -> Optional[Tuned]:
    """Return the function from which most milliseconds are to be expected: first those that were never tried."""
    return max((t for t in tuned if not t.state.done), key=Tuned.promise, default=None)


def tell(tuned: List[Tuned], spent: int, options: Mapping[str, Any], seconds: float) -> None:
    """Report the progress: functions done, best time of all so far, time left."""
    known = sum(t.state.weight * t.state.best_ms for t in tuned if t.state.best_ms is not None)
    done = sum(t.state.done for t in tuned)
    left = max(0, round(options["time_budget_s"] - seconds))
    report(f"tune: {done} of {len(tuned)} functions done, {known:.2f} ms, {left} s left", spent, options["trials"])


class Tuned:
    """A function that is being tuned.

    Args:
        module: of the function.
        state: what was done for it before.
        search: through its schedules.
        target, options: of the tuning.
    """

    def __init__(self, module: Any, state: Task, search: Search, target: Target, options: Mapping[str, Any]) -> None:
        self.state = state
        self._workload = ms.database.Workload(module)
        self._search, self._target = search, target
        self._arguments = ArgInfo.from_entry_func(module, remove_preproc=True)
        self._most, self._patience = options["trials_per_task"], options["early_stopping"]
        self._gain, self._since_gain = 1.0, 0

    def promise(self) -> float:
        """Return the milliseconds that another round may gain: as much of its time as the last one did, but no less than a little."""
        if self.state.best_ms is None:
            return float("inf") if self.state.trials == 0 else 0.0
        return self.state.weight * self.state.best_ms * max(self._gain, GAIN)

    def round(self, bench: Bench, count: int) -> None:
        """Try some candidates and take over the best."""
        tried = self._search.propose(count)
        times = bench.measure([candidate.schedule.mod for candidate in tried], self._arguments)
        before = self.state.best_ms
        for candidate, seconds in zip(tried, times):
            if seconds is not None:
                self._take(candidate, seconds)
        self._search.learn(times)
        self.state.trials += len(tried)
        self._gain = 1.0 if before is None or self.state.best_ms is None else 1 - self.state.best_ms / before
        self._since_gain = 0 if self._gain > GAIN else self._since_gain + len(tried)
        self.state.done = not tried or self._since_gain >= self._patience or self.state.trials >= self._most

    def _take(self, candidate: Candidate, seconds: float) -> None:
        if self.state.best_ms is None or 1e3 * seconds < self.state.best_ms:
            record = ms.database.TuningRecord(candidate.schedule.trace, self._workload, [seconds], self._target, self._arguments)
            self.state.best_ms, self.state.tile = 1e3 * seconds, candidate.tile
            self.state.workload, self.state.record = plain(self._workload.as_json()), plain(record.as_json())


def plain(value: Any) -> Any:
    """Return TVM's JSON as Python's own lists, numbers and texts."""
    if isinstance(value, (str, int, float, type(None))):
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if hasattr(value, "__iter__"):
        return [plain(v) for v in value]
    return int(value)


if __name__ == "__main__":
    try:
        sys.exit(search(json.loads(Path(sys.argv[1]).read_text())))
    except NoMachine as error:
        print(f"tune: {error}", file=sys.stderr)
        sys.exit(NO_MACHINE)
