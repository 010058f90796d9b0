"""Every job of a plan gives an outcome, whatever happens to it, and what it leaves is checked before it is believed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.engines import Ended
from dockyard.plan.plan import Plan, Planned, make_plan
from dockyard.recipe.places import TARGETS
from dockyard.run.datasets import DataSet, read_progress
from dockyard.run.outcome import Outcome
from dockyard.run.runner import Display, read_result, run_plan
from shared.contract.errors import EnvironmentProblem, JobFailed
from shared.contract.job import Job
from shared.contract.recipe import Recipe
from tests.fakes import FakeEngine, good_answer, quality, until_raised

CONVERT = "digits/convert/intel-openvino-2026.4"

Run = Callable[..., Iterator[Outcome]]


@pytest.fixture
def start(state: Path, digits_plan: Plan, digits_data: dict[str, DataSet], tmp_path: Path) -> Run:
    """Run the example's plan, or another, on an engine."""

    def begin(engine: FakeEngine, plan: Plan = digits_plan, force: bool = False, display: Display | None = None) -> Iterator[Outcome]:
        scratch = tmp_path / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        return run_plan(plan, engine, digits_data, display or Display(), scratch, force)

    return begin


def by_id(outcomes: list[Outcome]) -> dict[str, Outcome]:
    return {o.planned.job.id: o for o in outcomes}


def test_all_goes_well(start: Run, digits_plan: Plan, state: Path) -> None:
    """Every job of the plan runs once, in its order, and leaves no folder behind."""
    engine = FakeEngine()
    outcomes = list(start(engine))
    assert engine.ran == [p.job.id for p in digits_plan.jobs] == [o.planned.job.id for o in outcomes]
    assert {o.status for o in outcomes} == {"done"}
    assert list((state / "jobs").iterdir()) == []
    assert engine.prepared == [("tensorflow", "2.21"), ("intel-openvino", "2026.4")]


def test_job_folder_is_whole(start: Run) -> None:
    """A job finds its code, its inputs and an empty place for its outputs, and nothing else."""
    seen: dict[str, list[str]] = {}

    def look(job: Job, folder: Path) -> Any:
        seen[job.id] = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and "shared" not in p.parts)
        assert (folder / "code" / "shared" / "runtime" / "run_job.py").is_file()
        assert list((folder / "outputs").iterdir()) == []
        return good_answer(job, folder)

    list(start(FakeEngine({"digits": look})))
    target = [f"code/targets/intel-openvino/{p.name}" for p in sorted((TARGETS / "intel-openvino").glob("*.*"))]
    data = [f"inputs/data/calibration/{name}" for name in ("images/0.png", "labels.csv")]
    assert seen["digits/int8/optimize"] == sorted([*target, *data, "inputs/digits/model.bin", "job.json"])
    assert seen[CONVERT] == sorted([*target, "inputs/digits/digits.pb", "inputs/reference.npz", "job.json"])


def failing(reason: str, status: str = "failed") -> Callable[[Job, Path], Any]:
    return lambda job, folder: {"version": 1, "status": status, "reason": reason}


@pytest.mark.parametrize("status", ["failed", "not measured"])
def test_dependents_carry_the_reason(start: Run, status: str) -> None:
    """What needs a job that failed, or could not be measured, is not run and has its status, reason and log."""
    engine = FakeEngine({"digits/int8/optimize": failing("no room in the accumulator", status)})
    outcomes = by_id(list(start(engine)))
    for name in ("optimize", "evaluate", "benchmark/1", "benchmark/2", "benchmark/3"):
        outcome = outcomes[f"digits/int8/{name}"]
        assert (outcome.status, outcome.reason) == (status, "no room in the accumulator")
        assert outcome.log == ("log of digits/int8/optimize",)
        assert name == "optimize" or outcome.planned.job.id not in engine.ran
    assert {o.status for i, o in outcomes.items() if "/int8/" not in i} == {"done"}


def test_failed_reference_fails_all(start: Run, digits_plan: Plan) -> None:
    """Without a reference nothing is measured, and each job still has an outcome that says why."""
    engine = FakeEngine({"digits/reference/evaluate": failing("out of luck")})
    outcomes = list(start(engine))
    assert len(outcomes) == len(digits_plan.jobs)
    first_rounds = [o for o in outcomes if o.planned.job.id.startswith("digits/reference/benchmark")]
    assert {o.reason for o in first_rounds} == {"out of luck"}
    assert {o.reason for o in outcomes if o.status == "failed"} == {"out of luck"}
    assert engine.ran == ["digits/reference/evaluate"]


def test_environment_problem_ends_the_run(start: Run) -> None:
    """When the engine goes away its job's outcome comes first, then the problem is raised and nothing more runs."""
    engine = FakeEngine({"digits/baseline/evaluate": lambda job, folder: EnvironmentProblem("the engine is gone", "", "start it")})
    outcomes, problem = until_raised(EnvironmentProblem, start(engine))
    assert problem.what == "the engine is gone"
    assert (outcomes[-1].planned.job.id, outcomes[-1].status) == ("digits/baseline/evaluate", "failed")
    assert "the engine is gone" in outcomes[-1].reason
    assert outcomes[-1].log == ("log of digits/baseline/evaluate",)
    assert engine.ran[-1] == "digits/baseline/evaluate"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x"),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "/x"),
        shutil.Error([("/a", "/b", str(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/b")))]),
    ],
    ids=["file", "quota", "folder"],
)
def test_full_disk(start: Run, error: OSError) -> None:
    """A full disk, met with one file or while a folder is copied, is told as that and ends the run."""
    outcomes, problem = until_raised(EnvironmentProblem, start(FakeEngine({CONVERT: lambda job, folder: error})))
    assert problem.what == "the disk is full"
    assert "make room" in problem.advice
    assert (outcomes[-1].status, problem.where) == ("failed", CONVERT)


def test_other_system_errors(start: Run) -> None:
    """Another error of the system ends the run with its own words."""
    with pytest.raises(EnvironmentProblem, match="PermissionError: Permission denied"):
        list(start(FakeEngine({CONVERT: lambda job, folder: PermissionError(errno.EACCES, "Permission denied")})))


def test_hostile_archive_fails_the_job(start: Run, digits_plan: Plan) -> None:
    """What the engine refuses of a job's output fails that job, and the run goes on."""
    engine = FakeEngine({"digits/int8/optimize": lambda job, folder: JobFailed("the container returned '../x'")})
    outcomes = by_id(list(start(engine)))
    assert len(outcomes) == len(digits_plan.jobs)
    assert outcomes["digits/int8/evaluate"].reason == "the container returned '../x'"
    assert outcomes["digits/baseline/benchmark/3"].status == "done"


def test_interrupt_leaves_no_folder(start: Run, state: Path) -> None:
    """Ctrl-C in a job is handed on after the job's outcome, and the job's folder is gone."""
    outcomes, _ = until_raised(KeyboardInterrupt, start(FakeEngine({CONVERT: lambda job, folder: KeyboardInterrupt()})))
    assert (outcomes[-1].status, outcomes[-1].reason) == ("failed", "interrupted")
    assert list((state / "jobs").iterdir()) == []


def timing(*samples: int) -> Callable[[Job, Path], Any]:
    """Answer a round with the samples in microseconds."""

    def answer(job: Job, folder: Path) -> Any:
        result = good_answer(job, folder)
        result["timing"]["samples_ns"]["total"] = [s * 1000 for s in samples]
        return result

    return answer


def rounds_run(outcomes: list[Outcome]) -> int:
    return max(o.planned.round for o in outcomes)


def measured(recipe: Recipe, rounds: int, max_rounds: int) -> Plan:
    return make_plan(replace(recipe, measure=replace(recipe.measure, rounds=rounds, max_rounds=max_rounds)))


def test_more_rounds_while_unstable(start: Run, digits: Recipe) -> None:
    """When the rounds of any variant disagree all are measured again, until they agree."""
    unstable = {f"digits/int8/benchmark/{n}": timing(value) for n, value in ((1, 100), (2, 120), (3, 110))}
    settled = {f"digits/int8/benchmark/{n}": timing(110) for n in (4, 5, 6, 7, 8)}
    outcomes = list(start(FakeEngine({**unstable, **settled}), measured(digits, 3, 8)))
    assert rounds_run(outcomes) == 8
    assert [o.planned.variant for o in outcomes if o.planned.round == 8] == ["reference", "baseline", "int8"]


def test_rounds_end_when_stable(start: Run, digits: Recipe) -> None:
    """No round more than asked for is run when the medians agree."""
    assert rounds_run(list(start(FakeEngine(), measured(digits, 4, 9)))) == 4


def test_rounds_end_at_the_limit(start: Run, digits: Recipe) -> None:
    """Rounds that never agree end at the recipe's limit."""
    unstable = {f"digits/int8/benchmark/{n}": timing(100 * n) for n in range(1, 6)}
    assert rounds_run(list(start(FakeEngine(unstable), measured(digits, 3, 5)))) == 5


def test_rounds_are_judged_by_their_medians(start: Run, digits: Recipe) -> None:
    """Rounds are held to be stable by the same medians as in the verdict, also with an even number of samples."""
    unstable = {"digits/int8/benchmark/1": timing(50, 100), "digits/int8/benchmark/2": timing(90, 100)}
    unstable["digits/int8/benchmark/3"] = timing(100, 100)
    assert rounds_run(list(start(FakeEngine(unstable), measured(digits, 3, 4)))) == 4


def test_artifacts_are_reused_and_measurements_are_not(start: Run) -> None:
    """A second run takes conversions and optimizations from the first and measures everything anew."""
    list(start(FakeEngine()))
    engine = FakeEngine()
    outcomes = by_id(list(start(engine)))
    reused = {i for i, o in outcomes.items() if o.cached}
    assert reused == {CONVERT, "digits/baseline/optimize", "digits/int8/optimize"}
    assert set(engine.ran) == set(outcomes) - reused
    assert {o.status for o in outcomes.values()} == {"done"}


def test_force_makes_artifacts_anew(start: Run) -> None:
    """With force nothing is taken from an earlier run."""
    list(start(FakeEngine()))
    engine = FakeEngine()
    outcomes = list(start(engine, force=True))
    assert not any(o.cached for o in outcomes)
    assert "digits/int8/optimize" in engine.ran


def test_failures_are_not_kept(start: Run) -> None:
    """An optimization that failed is tried again by the next run."""
    list(start(FakeEngine({"digits/int8/optimize": failing("broken")})))
    engine = FakeEngine()
    assert by_id(list(start(engine)))["digits/int8/optimize"].status == "done"
    assert "digits/int8/optimize" in engine.ran


def test_changed_data_makes_artifacts_anew(start: Run, digits_data: dict[str, DataSet]) -> None:
    """Other calibration data makes what was calibrated anew, and nothing else."""
    list(start(FakeEngine()))
    data = digits_data["digits"]
    digits_data["digits"] = replace(data, digests={**data.digests, "calibration": "f" * 64})
    engine = FakeEngine()
    list(start(engine))
    assert [i for i in engine.ran if "optimize" in i or "convert" in i] == ["digits/int8/optimize"]


def drop(*keys: str) -> Callable[[Job, Path], Any]:
    """Answer well, but without the value at the path of keys."""

    def answer(job: Job, folder: Path) -> Any:
        result = place = good_answer(job, folder)
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]
        return result

    return answer


def replace_in(*keys: str, value: Any) -> Callable[[Job, Path], Any]:
    """Answer well, but with another value at the path of keys."""

    def answer(job: Job, folder: Path) -> Any:
        result = place = good_answer(job, folder)
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        return result

    return answer


@pytest.mark.parametrize(
    ("job", "answer"),
    [
        ("digits/int8/benchmark/1", drop("timing")),
        ("digits/int8/benchmark/1", drop("timing", "samples_ns", "total")),
        ("digits/int8/benchmark/1", timing()),
        ("digits/int8/benchmark/1", timing(0, 0, 0)),
        ("digits/int8/benchmark/1", timing(10**400)),
        ("digits/int8/evaluate", replace_in("quality", "samples", value=[])),
        ("digits/int8/evaluate", replace_in("quality", "metrics", value={"accuracy": 0.99})),
        ("digits/int8/evaluate", drop("quality")),
        ("digits/int8/optimize", drop("artifact")),
        (CONVERT, drop("artifact")),
    ],
    ids=[
        "no timing",
        "no total",
        "no samples",
        "no time",
        "endless time",
        "nothing scored",
        "another mean",
        "no quality",
        "no artifact",
        "nothing converted",
    ],
)
def test_done_without_what_was_asked(start: Run, digits_plan: Plan, job: str, answer: Callable[[Job, Path], Any]) -> None:
    """A job that says done and leaves out what it was to bring has failed; the run goes on."""
    outcomes = by_id(list(start(FakeEngine({job: answer}))))
    assert len(outcomes) == len(digits_plan.jobs)
    assert outcomes[job].status == "failed"
    assert outcomes[job].reason


class Told(Display):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, int, int]] = []
        self.outcomes: list[str] = []
        self.steps: list[str] = []

    def job(self, planned: Planned, number: int, total: int) -> None:
        self.jobs.append((planned.job.id, number, total))

    def progress(self, what: str, done: int, total: int) -> None:
        self.steps.append(what)

    def outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome.planned.job.id)


def test_everything_is_told(start: Run, digits_plan: Plan) -> None:
    """Each job is announced with its number and its end is told."""
    told = Told()
    list(start(FakeEngine(), display=told))
    total = len(digits_plan.jobs)
    assert told.jobs == [(p.job.id, n, total) for n, p in enumerate(digits_plan.jobs, 1)]
    assert told.outcomes == [p.job.id for p in digits_plan.jobs]
    assert "preparing tensorflow" in told.steps


KERNEL = {"name": "fused_conv", "ms": 0.25, "share": 1.0, "calls": 2}
TUNING = {"cpu": "znver4", "database": "new", "tasks": 1, "trials": 8, "new_trials": 8, "seconds": 3.5, "stopped": "early"}
RESULT: dict[str, Any] = {
    "version": 1,
    "status": "done",
    "quality": quality([0.5], "iou"),
    "notes": {"kernels": [KERNEL], "tuning": TUNING},
}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        json.dumps(RESULT).encode()[:-3],
        json.dumps({**RESULT, "version": 2}).encode(),
        json.dumps({**RESULT, "status": "fine"}).encode(),
        json.dumps({**RESULT, "extra": 1}).encode(),
        json.dumps({**RESULT, "reason": "x" * 20_001}).encode(),
        json.dumps({**RESULT, "duration_s": -1}).encode(),
        json.dumps(RESULT).replace("0.5", '"0.5"').encode(),
        json.dumps(RESULT).replace("0.5", "NaN").encode(),
        json.dumps(RESULT).replace("0.5", "Infinity").encode(),
        json.dumps(RESULT).replace("0.5", "1" * 5000).encode(),
        json.dumps({**RESULT, "artifact": [{"path": "a", "sha256": "no", "bytes": 1}]}).encode(),
        json.dumps({**RESULT, "notes": {"kernels": [{**KERNEL, "share": 1.5}]}}).encode(),
        json.dumps({**RESULT, "notes": {"kernels": [{**KERNEL, "ms": 10**400}]}}).encode(),
        json.dumps({**RESULT, "notes": {"kernels": [{"name": "fused_conv"}]}}).encode(),
        json.dumps({**RESULT, "notes": {"tuning": {**TUNING, "database": "theirs"}}}).encode(),
        json.dumps({**RESULT, "notes": {"tuning": {"cpu": "znver4"}}}).encode(),
        b'{"device": ' + b"[" * 100_000,
    ],
)
def test_result_that_cannot_be_believed(tmp_path: Path, content: bytes) -> None:
    """A result that is no JSON, too large, too deep or not in its schema is a failure."""
    (tmp_path / "result.json").write_bytes(content)
    result = read_result(tmp_path, Ended(0, 1.0), "stream")
    assert result["status"] == "failed"
    assert result["reason"].startswith("the job left a result that cannot be used: ")
    assert len(result["reason"]) < 1000


def test_result_that_fits(tmp_path: Path) -> None:
    """A result that fits its schema is handed on as it is."""
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    assert read_result(tmp_path, Ended(0, 1.0), "stream") == RESULT


def test_pipeline_result_without_its_steps(tmp_path: Path) -> None:
    """A pipeline's times must have every step, or the report would have a hole."""
    timing = {"scope": "pipeline", "samples_ns": {"total": [1]}}
    (tmp_path / "result.json").write_text(json.dumps({**RESULT, "quality": quality([1.0], "exact"), "timing": timing}))
    assert read_result(tmp_path, Ended(0, 1.0), "benchmark")["status"] == "failed"


def test_no_result(tmp_path: Path) -> None:
    """A job that left no result, or a folder in its place, failed with its exit code."""
    assert "exit code 139" in read_result(tmp_path, Ended(139, 1.0), "convert")["reason"]
    (tmp_path / "result.json").mkdir()
    assert read_result(tmp_path, Ended(1, 1.0), "convert")["status"] == "failed"


def test_the_engines_reason_counts(tmp_path: Path) -> None:
    """A job that the engine ended failed for the engine's reason, whatever it left."""
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    result = read_result(tmp_path, Ended(137, 1.0, "killed for memory (limit 100 MB)"), "convert")
    assert (result["status"], result["reason"]) == ("failed", "killed for memory (limit 100 MB)")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["what", "done", "total", "x"]), inner, max_size=3),
    max_leaves=6,
)


@given(st.text(max_size=60) | values.map(json.dumps) | values.map(lambda v: json.dumps({"dockyard_progress": v})))
def test_any_line_is_progress_or_not(line: str) -> None:
    """Whatever line a job prints, it is progress or it is not, and never an error."""
    step = read_progress(line)
    assert step is None or (isinstance(step[0], str) and len(step[0]) <= 80 and isinstance(step[1], int) and isinstance(step[2], int))


@pytest.mark.parametrize(
    "line",
    [
        '{"dockyard_progress": {"what": "x", "done": 1e999, "total": 1}}',
        '{"dockyard_progress": {"what": "x", "done": NaN, "total": 1}}',
        '{"dockyard_progress": {"what": "x", "done": ' + "1" * 5000 + ', "total": 1}}',
        '{"a":' + "[" * 100_000,
    ],
    ids=["infinite", "NaN", "5000 digits", "deep"],
)
def test_hostile_progress(line: str) -> None:
    """A line made to break its reader is no progress."""
    assert read_progress(line) is None


@given(st.text(max_size=80), st.integers(0, 10**6), st.integers(0, 10**6))
def test_progress_is_read_back(what: str, done: int, total: int) -> None:
    """What the harness reports is read as it was reported."""
    line = json.dumps({"dockyard_progress": {"what": what, "done": done, "total": total}})
    assert read_progress(line) == (what, done, total)
