"""Tuning with MetaSchedule: batches of candidates, built and measured in processes of their own.

It goes on until nothing is to be gained. The search runs in a child process, which its parent ends at the
time budget, whatever it is doing; what it found is in the database then, which is written after every batch.
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
from typing import Any, List, Mapping, Optional, Tuple

import cpu
import databases
import psutil
import tvm
from candidates import Candidate, Search
from databases import Task, TuningDatabase
from notes import Origin, Stopped, TuningSummary
from portable import portable_name
from rule_search import RuleSearch
from schedules import shape_of
from search_progress import progress_line
from tile_search import CostModel, NoModel, TileSearch
from tiles import tile_of
from trials import Bench, NoMachine
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule.arg_info import ArgInfo
from tvm.s_tir.meta_schedule.relax_integration import extract_tasks
from tvm.target import Target

from shared.contract.codec import decode, encode
from shared.contract.stages import Tracker
from shared.harness.progress import report
from shared.harness.toolchain import Options, Tuning

BATCH = 16
"""Candidates of one function that are built and measured together."""

GAIN = 0.01
"""Fraction of a function's time below which a gain counts as none."""

TRIALS_SPENT = 0
"""Exit code of a search that made all its trials."""

ALL_DONE = 10
"""Exit code of a search whose functions were all done before the trials were spent."""

NO_MACHINE = 11
"""Exit code of a search that has no machine to measure on, or none any more."""

ENDINGS = {TRIALS_SPENT: Stopped.TRIALS, ALL_DONE: Stopped.EARLY, NO_MACHINE: Stopped.NO_MACHINE}
"""Why a search stopped, by its exit code; any other is a crash."""


def tune(
    module: Path, target: Target, options: Options, tuning: Tuning, threads: int
) -> Tuple[TuningDatabase, TuningSummary]:
    """Tune the functions of a module within a time budget; return the database and what was done.

    Args:
        module: the fused Relax module, as `tvm.ir.save_json` writes it.
        options: the method's options, every default filled in.
        tuning: the databases to go on from, and where to leave what was found.
        threads: number of threads that the network will run with.

    Raises:
        ValueError: the database was made by another release of TVM.
    """
    started = time.monotonic()
    name = cpu.mcpu(target)
    database, origin = first_database(target, options, tuning)
    wanted = functions(tvm.ir.load_json(module.read_text()), target, options["space"])
    tasks = {databases.key_of(task.dispatched[0]) for task in wanted}
    before = database.trials(tasks)
    stopped = Stopped.DONE
    if before < options["trials"] and not all(database.is_done(key) for key in tasks):
        if cpu.architecture(target) != platform.machine() and tuning.tracker is None:
            stopped = Stopped.NO_MACHINE
        else:
            stopped = search_within(module, target, database, options, tuning, threads)
            database = databases.find(tuning.output, name) or database
    summary = TuningSummary(
        cpu=name,
        database=origin,
        tasks=len(tasks),
        trials=database.trials(tasks),
        new_trials=database.trials(tasks) - before,
        seconds=round(time.monotonic() - started, 1),
        stopped=stopped,
    )
    return database, summary


def first_database(target: Target, options: Options, tuning: Tuning) -> Tuple[TuningDatabase, Origin]:
    """Return the database to go on from, and which one it is.

    It is the CPU's own, one that begins with the portable database's tasks, or a new one.
    """
    name = cpu.mcpu(target)
    own = databases.find(tuning.databases, name)
    if own is not None:
        return own, Origin.OWN
    shared = portable_name(cpu.features(target))
    portable = databases.find(tuning.databases, shared) if shared else None
    if portable is not None:
        return TuningDatabase(name, portable.seeds(options["portable"])), Origin.PORTABLE
    return TuningDatabase(name), Origin.NEW


def search_within(
    module: Path,
    target: Target,
    database: TuningDatabase,
    options: Options,
    tuning: Tuning,
    threads: int,
) -> Stopped:
    """Search in a child process and end it at the time budget; return why it stopped."""
    with tempfile.TemporaryDirectory() as scratch:
        request = Path(scratch) / "request.json"
        document = {
            "module": str(module),
            "target": str(target),
            "database": str(database.write(Path(scratch))),
            "output": str(tuning.output),
            "tracker": encode(tuning.tracker),
            "options": dict(options),
        }
        request.write_text(json.dumps(document))
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        own = {"TVM_NUM_THREADS": str(threads), "TMPDIR": scratch, "PYTHONPATH": path}
        command = [sys.executable, __file__, str(request)]
        with subprocess.Popen(command, env={**os.environ, **own}) as process:
            try:
                process.wait(timeout=options["time_budget_s"])
                return ENDINGS.get(process.returncode, Stopped.CRASH)
            except subprocess.TimeoutExpired:
                return Stopped.TIME_BUDGET
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
    """Return MetaSchedule's tasks of a module, one for each function that is tuned.

    Args:
        space: "default" for all functions; "dockyard" for the convolutions and matrix products that the
            project's own schedules are for.
    """
    tasks = extract_tasks(module, target)
    if space == "default":
        return list(tasks)
    widest = cpu.widest_vector(target)
    return [task for task in tasks if shape_of(task.dispatched[0]["main"], widest) is not None]


def search(request: Mapping[str, Any]) -> int:
    """Tune until the trials are spent or every function is done; return the exit code."""
    started = time.monotonic()
    options, output = request["options"], Path(request["output"])
    target = Target(json.loads(request["target"]))
    module = tvm.ir.load_json(Path(request["module"]).read_text())
    database = databases.read(Path(request["database"]))
    tuned = begin(functions(module, target, options["space"]), database, options, target)
    tracker = None if request["tracker"] is None else decode(Tracker, request["tracker"])
    bench = Bench(target, options["runner"], tracker)
    # Once each function has been timed with its first tile, what all take together can be told. In
    # MetaSchedule's own search no first candidate is better than another.
    at_first = 1 if options["space"] == "dockyard" else BATCH
    while True:
        spent = sum(each.state.trials for each in tuned)
        report_progress(tuned, min(spent, options["trials"]), options, time.monotonic() - started)
        chosen = next_task(tuned)
        if chosen is None:
            return ALL_DONE
        if spent >= options["trials"]:
            return TRIALS_SPENT
        wanted = at_first if chosen.state.trials == 0 else BATCH
        chosen.try_batch(bench, min(wanted, options["trials"] - spent))
        database.write(output)


def begin(tasks: List[Any], database: TuningDatabase, options: Options, target: Target) -> List[Tuned]:
    """Return the functions to tune, each with its state in the database; a new one gets an empty state."""
    modules = [task.dispatched[0] for task in tasks]
    states = []
    for task, module in zip(tasks, modules):
        state = database.tasks.setdefault(databases.key_of(module), Task(task.task_name))
        state.name, state.weight = task.task_name, int(task.weight)
        states.append(state)
    searches = make_searches(modules, states, database, options, target)
    return [Tuned(*parts, target, options) for parts in zip(modules, states, searches)]


def make_searches(
    modules: List[Any], states: List[Task], database: TuningDatabase, options: Options, target: Target
) -> List[Search]:
    """Return the search of each function; all share one cost model."""
    threads, learns = len(os.sched_getaffinity(0)), options["cost_model"] == "xgb"
    if options["space"] == "dockyard":
        costs = CostModel(threads) if learns else NoModel(threads)
        cores, widest = int(target.attrs["num-cores"]), cpu.widest_vector(target)
        known = zip(modules, states)
        return [TileSearch(module, costs, tile_of(state.tile), cores, widest) for module, state in known]
    shared = ms.cost_model.XGBModel(num_tuning_cores=threads) if learns else ms.cost_model.RandomModel()
    return [RuleSearch(each, shared, database.memory(), target, threads, BATCH) for each in modules]


def next_task(tuned: List[Tuned]) -> Optional[Tuned]:
    """Return the function that promises to gain most milliseconds, or None where all are done.

    Those that have no time yet come first.
    """
    return max((each for each in tuned if not each.state.done), key=Tuned.promise, default=None)


def report_progress(tuned: List[Tuned], spent: int, options: Options, seconds: float) -> None:
    """Report how far the functions are, and the time left.

    Args:
        spent: trials made.
        seconds: time since the search began.
    """
    left = max(0, round(options["time_budget_s"] - seconds))
    report(progress_line([each.state for each in tuned], BATCH, left), spent, options["trials"])


class Tuned:
    """A function that is being tuned.

    Args:
        module: the module with the function.
        state: what the database has of it; kept up to date.
        search: the search through its schedules.
        target: the CPU to tune for.
        options: the method's options.
    """

    def __init__(self, module: Any, state: Task, search: Search, target: Target, options: Options) -> None:
        self.state = state
        self._workload = ms.database.Workload(module)
        self._search, self._target = search, target
        self._arguments = ArgInfo.from_entry_func(module, remove_preproc=True)
        self._most_trials, self._patience = options["trials_per_task"], options["early_stopping"]
        # Fraction of the function's time that the last batch gained, and trials since one gained enough.
        self._gain, self._since_gain = 1.0, 0

    def promise(self) -> float:
        """Return the milliseconds that another batch may gain in a run of the network.

        That is the fraction of the function's time that its last batch gained, or GAIN if that is more. A
        function that has no time yet comes first, and one none of a whole batch of which could be timed last.
        """
        if self.state.best_ms is None:
            return float("inf") if self.state.trials < BATCH else 0.0
        return self.state.weight * self.state.best_ms * max(self._gain, GAIN)

    def try_batch(self, bench: Bench, count: int) -> None:
        """Build and measure up to `count` candidates; bring the function's state up to date."""
        tried = self._search.propose(count)
        times = bench.measure([candidate.schedule.mod for candidate in tried], self._arguments)
        before = self.state.best_ms
        for candidate, seconds in zip(tried, times):
            if seconds is not None:
                self._take(candidate, seconds)
        self._search.learn(times)
        self.state.trials += len(tried)
        after = self.state.best_ms
        self._gain = 1.0 if before is None or after is None else 1 - after / before
        self._since_gain = 0 if self._gain > GAIN else self._since_gain + len(tried)
        is_spent = self._since_gain >= self._patience or self.state.trials >= self._most_trials
        self.state.done = not tried or is_spent

    def _take(self, candidate: Candidate, seconds: float) -> None:
        """Keep a candidate in the function's state if it is the fastest so far."""
        if self.state.best_ms is None or 1e3 * seconds < self.state.best_ms:
            record = ms.database.TuningRecord(
                candidate.schedule.trace, self._workload, [seconds], self._target, self._arguments
            )
            self.state.best_ms, self.state.tile = 1e3 * seconds, candidate.tile
            self.state.workload, self.state.record = plain(self._workload.as_json()), plain(record.as_json())


def plain(value: Any) -> Any:
    """Return TVM's JSON as Python's own lists, numbers and texts."""
    if isinstance(value, (str, int, float, type(None))):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "__iter__"):
        return [plain(item) for item in value]
    return int(value)


if __name__ == "__main__":
    try:
        sys.exit(search(json.loads(Path(sys.argv[1]).read_text())))
    except NoMachine as error:
        print(f"tune: {error}", file=sys.stderr)
        sys.exit(NO_MACHINE)
