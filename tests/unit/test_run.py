"""Every job of a plan gives an outcome, whatever happens to it, and what it leaves is checked before it is
believed.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dockyard.engines import WordsLost
from dockyard.judge.decisions import RoundDecisions
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.run.datasets import DataSet
from dockyard.run.job_folder import place_code
from dockyard.run.outcome import Outcome
from dockyard.run.placement import Placement
from dockyard.run.round import STEADY_TRIES
from dockyard.run.runner import run_plan
from shared.contract.codec import encode
from shared.contract.errors import EnvironmentProblem, JobFailed
from shared.contract.job import Job
from shared.contract.recipe import Optimization, Recipe
from shared.contract.result import Result, Status
from tests.builders import share
from tests.fakes import FakeExecutor, QuietDisplay, artifact_of, good_answer, until_raised

CONVERT = "digits/convert/intel-openvino-2026.4"

Run = Callable[..., Iterator[Outcome]]


@pytest.fixture
def start(digits_plan: Plan, digits_data: dict[str, DataSet], tmp_path: Path) -> Run:
    """Run the example's plan, or another, on an executor."""

    def begin(
        executor: FakeExecutor,
        plan: Plan = digits_plan,
        force: bool = False,
        display: QuietDisplay | None = None,
        placement: Placement | None = None,
    ) -> Iterator[Outcome]:
        scratch = tmp_path / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        return run_plan(
            plan,
            placement or Placement(executor),
            digits_data,
            RoundDecisions(),
            display or QuietDisplay(),
            scratch,
            force,
        )

    return begin


def by_id(outcomes: list[Outcome]) -> dict[str, Outcome]:
    return {o.planned.job.id: o for o in outcomes}


def test_all_goes_well(start: Run, digits_plan: Plan, workspace: Workspace) -> None:
    """Every job of the plan runs once, in its order, those of a round at once, and leaves no folder."""
    engine = FakeExecutor()
    outcomes = list(start(engine))
    planned = [each.job.id for each in digits_plan.jobs]
    assert [outcome.planned.job.id for outcome in outcomes] == planned
    assert sorted(engine.ran) == sorted(planned)
    alone = [job_id for job_id in planned if "benchmark" not in job_id]
    assert engine.ran[: len(alone)] == alone
    assert {o.status for o in outcomes} == {"done"}
    assert list((workspace.state / "jobs" / "digits").iterdir()) == []
    assert engine.prepared == [("tensorflow", "2.21"), ("intel-openvino", "2026.4")]


def test_job_folder_is_whole(start: Run) -> None:
    """A job finds its code, its inputs and an empty place for its outputs, and nothing else."""
    seen: dict[str, list[str]] = {}

    def look(job: Job, folder: Path) -> Any:
        seen[job.id] = sorted(
            str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and "shared" not in p.parts
        )
        assert (folder / "code" / "shared" / "harness" / "run_job.py").is_file()
        assert list((folder / "outputs").iterdir()) == []
        return good_answer(job, folder)

    list(start(FakeExecutor({"digits": look})))
    target = [
        f"code/targets/intel-openvino/{p.name}"
        for folder in ("openvino-ir", "intel-openvino")
        for p in (PRODUCT / "targets" / folder).glob("*.*")
    ]
    data = [f"inputs/data/calibration/{name}" for name in ("images/0.png", "labels.csv")]
    assert seen["digits/int8/optimize"] == sorted([*target, *data, "inputs/digits/model.bin", "job.json"])
    assert seen[CONVERT] == sorted(
        [*target, "inputs/digits/digits.pb", "inputs/data/reference/reference.npz", "job.json"]
    )


def test_a_farm_of_links_is_copied(start: Run, digits_data: dict[str, DataSet], tmp_path: Path) -> None:
    """Links in a user's data are copied as what they lead to; of those that lead nowhere there is nothing."""
    split = digits_data["digits"].folder / "test"
    (split / "images" / "0.png").rename(tmp_path / "elsewhere.png")
    (split / "images" / "0.png").symlink_to(tmp_path / "elsewhere.png")
    (split / "images" / "gone.png").symlink_to(tmp_path / "gone.png")
    (split / "images" / "round").symlink_to(split)
    seen: dict[str, list[Path]] = {}

    def look(job: Job, folder: Path) -> Any:
        seen[job.id] = [*(folder / "inputs" / "data" / "test").rglob("*")]
        assert not any(path.is_symlink() for path in folder.rglob("*"))
        return good_answer(job, folder)

    list(start(FakeExecutor({"digits": look})))
    names = sorted(path.name for path in seen["digits/reference/evaluate"])
    assert names == ["0.png", "images", "labels.csv"]


def test_shared_modules_lie_beside_the_targets_own(
    workspace: Workspace, second_target: str, tmp_path: Path
) -> None:
    """The code of a job has the modules that its target shares with others in the target's own folder."""
    share(workspace, second_target, "shelf-graphs")
    place_code(workspace, second_target, tmp_path)
    found = {path.name for path in (tmp_path / "code" / "targets" / second_target).iterdir()}
    assert found == {"graphs.py", "target.json"}
    assert [path.name for path in (tmp_path / "code" / "targets").iterdir()] == [second_target]


def failing(reason: str, status: str = "failed") -> Callable[[Job, Path], Any]:
    return lambda job, folder: encode(Result(Status(status), reason))


def test_a_variant_does_without_the_one_it_would_start_from(
    start: Run, workspace: Workspace, digits: Recipe
) -> None:
    """A method finds the artifact that it can go on from where that was made, and runs without where it was
    not; what it makes is kept under different keys.
    """
    methods = (Optimization("int8"), Optimization("int8-accuracy-aware"))
    plan = make_plan(workspace, replace(digits, optimizations=methods))
    found: list[list[str]] = []

    def look(job: Job, folder: Path) -> Any:
        found.append([path.name for path in (folder / "inputs").glob("start/*")])
        return good_answer(job, folder)

    controlled, plain = "digits/int8-accuracy-aware/optimize", "digits/int8/optimize"
    made = by_id(list(start(FakeExecutor({controlled: look}), plan, force=True)))
    failed = by_id(list(start(FakeExecutor({controlled: look, plain: failing("no room")}), plan, force=True)))
    assert found == [["model.bin"], []]
    assert (made[controlled].status, failed[controlled].status) == ("done", "done")
    assert made[controlled].cache_key != failed[controlled].cache_key


@pytest.mark.parametrize("status", ["failed", "not measured"])
def test_dependents_carry_the_reason(start: Run, status: str) -> None:
    """What needs a job that failed, or was not measured, is not run and has its status, reason and log."""
    engine = FakeExecutor({"digits/int8/optimize": failing("no room in the accumulator", status)})
    outcomes = by_id(list(start(engine)))
    for name in ("optimize", "evaluate", "benchmark/1", "benchmark/2", "benchmark/3"):
        outcome = outcomes[f"digits/int8/{name}"]
        assert (outcome.status, outcome.reason) == (status, "no room in the accumulator")
        assert outcome.log == ("log of digits/int8/optimize",)
        assert name == "optimize" or outcome.planned.job.id not in engine.ran
    assert {o.status for i, o in outcomes.items() if "/int8/" not in i} == {"done"}


def test_failed_reference_fails_all(start: Run, digits_plan: Plan) -> None:
    """Without a reference nothing is measured, and each job still has an outcome that says why."""
    engine = FakeExecutor({"digits/reference/evaluate": failing("out of luck")})
    outcomes = list(start(engine))
    assert len(outcomes) == len(digits_plan.jobs)
    first_rounds = [o for o in outcomes if o.planned.job.id.startswith("digits/reference/benchmark")]
    assert {o.reason for o in first_rounds} == {"out of luck"}
    assert {o.reason for o in outcomes if o.status == "failed"} == {"out of luck"}
    assert engine.ran == ["digits/reference/evaluate"]


def test_environment_problem_ends_the_run(start: Run) -> None:
    """When the engine goes away its job's outcome comes first, then the problem is raised and nothing more
    runs.
    """
    engine = FakeExecutor(
        {
            "digits/baseline/evaluate": lambda job, folder: EnvironmentProblem(
                "the engine is gone", "", "start it"
            )
        }
    )
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
    outcomes, problem = until_raised(
        EnvironmentProblem, start(FakeExecutor({CONVERT: lambda job, folder: error}))
    )
    assert problem.what == "the disk is full"
    assert "make room" in problem.advice
    assert (outcomes[-1].status, problem.where) == ("failed", CONVERT)


def test_other_system_errors(start: Run) -> None:
    """Another error of the system ends the run with its own words."""
    with pytest.raises(EnvironmentProblem, match="PermissionError: Permission denied"):
        list(
            start(
                FakeExecutor(
                    {CONVERT: lambda job, folder: PermissionError(errno.EACCES, "Permission denied")}
                )
            )
        )


def test_hostile_archive_fails_the_job(start: Run, digits_plan: Plan) -> None:
    """What the engine refuses of a job's output fails that job, and the run goes on."""
    engine = FakeExecutor(
        {"digits/int8/optimize": lambda job, folder: JobFailed("the container returned '../x'")}
    )
    outcomes = by_id(list(start(engine)))
    assert len(outcomes) == len(digits_plan.jobs)
    assert outcomes["digits/int8/evaluate"].reason == "the container returned '../x'"
    assert outcomes["digits/baseline/benchmark/3"].status == "done"


def test_interrupt_leaves_no_folder(start: Run, workspace: Workspace) -> None:
    """Ctrl-C in a job is handed on after the job's outcome, and the job's folder is gone."""
    outcomes, _ = until_raised(
        KeyboardInterrupt, start(FakeExecutor({CONVERT: lambda job, folder: KeyboardInterrupt()}))
    )
    assert (outcomes[-1].status, outcomes[-1].reason) == ("failed", "interrupted")
    assert list((workspace.state / "jobs" / "digits").iterdir()) == []


def times(*samples: int) -> Callable[[Job, Path], Any]:
    """Answer a round with bursts of these samples, in microseconds."""

    def answer(job: Job, folder: Path) -> Any:
        result = good_answer(job, folder)
        result["measurement"]["samples_ns"]["total"] = [s * 1000 for s in samples]
        return result

    return answer


def rounds_run(outcomes: list[Outcome]) -> int:
    return max(o.planned.round or 0 for o in outcomes)


def measured(workspace: Workspace, recipe: Recipe, rounds: int, max_rounds: int) -> Plan:
    return make_plan(
        workspace, replace(recipe, measure=replace(recipe.measure, rounds=rounds, max_rounds=max_rounds))
    )


def test_more_rounds_while_open(start: Run, workspace: Workspace, digits: Recipe) -> None:
    """What its intervals do not decide is measured again beside the reference, and nothing else is."""
    open_at_first = {
        f"digits/int8/benchmark/{n}": times(micro) for n, micro in ((1, 3500), (2, 4100), (3, 3600))
    }
    clear = {f"digits/int8/benchmark/{n}": times(3500) for n in range(4, 12)}
    outcomes = list(start(FakeExecutor({**open_at_first, **clear}), measured(workspace, digits, 3, 12)))
    assert 3 < rounds_run(outcomes) < 12
    assert [o.planned.variant for o in outcomes if o.planned.round == 4] == ["reference", "int8"]


def test_rounds_end_when_all_is_decided(start: Run, workspace: Workspace, digits: Recipe) -> None:
    """No round more than asked for is run when every interval decides."""
    assert rounds_run(list(start(FakeExecutor(), measured(workspace, digits, 4, 9)))) == 4


def test_rounds_end_at_the_limit(start: Run, workspace: Workspace, digits: Recipe) -> None:
    """Rounds that never decide end at the recipe's limit."""
    never = {f"digits/int8/benchmark/{n}": times(3000 if n % 2 else 5000) for n in range(1, 6)}
    assert rounds_run(list(start(FakeExecutor(never), measured(workspace, digits, 3, 5)))) == 5


def test_bursts_go_forwards_and_backwards(start: Run, workspace: Workspace, digits: Recipe) -> None:
    """In each cycle every variant has one burst, every other cycle in the opposite order."""
    executor = FakeExecutor()
    recipe = replace(digits, measure=replace(digits.measure, cycles=2))
    list(start(executor, make_plan(workspace, recipe)))
    forwards = [f"digits/{variant}/benchmark/1" for variant in ("reference", "baseline", "int8")]
    assert executor.bursts[:6] == [*forwards, *reversed(forwards)]


def test_a_device_is_observed_around_a_round(start: Run, workspace: Workspace, digits: Recipe) -> None:
    """Before the first burst of a round and after its last one the device is asked for its state, which the
    results have beside what the jobs read.
    """

    def answer(job: Job, folder: Path) -> Any:
        read = {"cpu": "fake", "before": {"cooling": {}}, "after": 5}
        return {**good_answer(job, folder), "device": read}

    executor = FakeExecutor({"digits/int8/benchmark": answer})
    executor.state = {"power_mode": "MAXN"}
    recipe = replace(digits, measure=replace(digits.measure, cycles=2, rounds=3, max_rounds=3))
    outcomes = by_id(list(start(executor, make_plan(workspace, recipe))))
    assert executor.observed == [0, 6, 6, 12, 12, 18]
    result = outcomes["digits/int8/benchmark/1"].result
    assert result is not None
    assert result.device["before"] == {"cooling": {}, "power_mode": "MAXN"}
    assert result.device["after"] == {"power_mode": "MAXN"}


def test_a_benchmark_that_dies_costs_its_own_variant(start: Run) -> None:
    """The others of the round are measured to its end, and the dead one is not started again."""
    died = Result(Status.FAILED, "broken")
    executor = FakeExecutor({"digits/int8/benchmark/1": lambda job, folder: encode(died)})
    outcomes = by_id(list(start(executor)))
    assert outcomes["digits/baseline/benchmark/3"].status == Status.DONE
    assert outcomes["digits/int8/benchmark/2"].reason == "broken"
    assert "digits/int8/benchmark/2" not in executor.ran


def test_groups_where_memory_is_short(start: Run, digits_plan: Plan) -> None:
    """What memory does not hold at once is measured in groups, each beside the reference."""
    large = replace_in("peak_mb", value=4000.0)
    names = ("reference", "baseline", "int8")
    executor = FakeExecutor({f"digits/{name}/evaluate": large for name in names}, memory_mb=11_000)
    outcomes = [o for o in start(executor) if o.planned.round == 1]
    found = [(o.planned.variant, o.planned.group, o.planned.job.id) for o in outcomes]
    assert found == [
        ("reference", 1, "digits/reference/benchmark/1"),
        ("baseline", 1, "digits/baseline/benchmark/1"),
        ("reference", 2, "digits/reference/benchmark/1.2"),
        ("int8", 2, "digits/int8/benchmark/1.2"),
    ]


def test_same_bytes_are_judged_once(start: Run, workspace: Workspace, digits: Recipe) -> None:
    """The quality of an artifact that another method of the run has left too is not judged again."""

    def same(job: Job, folder: Path) -> Any:
        (folder / "outputs" / "model.bin").write_text("same bytes")
        return encode(Result(Status.DONE, artifact=artifact_of(folder / "outputs")))

    twice = replace(digits, optimizations=(Optimization("int8"), Optimization("int8-accuracy-aware")))
    executor = FakeExecutor({f"digits/{one.method}/optimize": same for one in twice.optimizations})
    outcomes = by_id(list(start(executor, make_plan(workspace, twice))))
    again = outcomes["digits/int8-accuracy-aware/evaluate"]
    assert (again.cached, again.result) == (True, outcomes["digits/int8/evaluate"].result)
    assert "digits/int8-accuracy-aware/evaluate" not in executor.ran


def test_artifacts_are_reused_and_measurements_are_not(start: Run) -> None:
    """A second run takes conversions and optimizations from the first and measures everything anew."""
    list(start(FakeExecutor()))
    engine = FakeExecutor()
    outcomes = by_id(list(start(engine)))
    reused = {i for i, o in outcomes.items() if o.cached}
    assert reused == {CONVERT, "digits/baseline/optimize", "digits/int8/optimize"}
    assert set(engine.ran) == set(outcomes) - reused
    assert {o.status for o in outcomes.values()} == {"done"}


def test_force_makes_artifacts_anew(start: Run) -> None:
    """With force nothing is taken from an earlier run."""
    list(start(FakeExecutor()))
    engine = FakeExecutor()
    outcomes = list(start(engine, force=True))
    assert not any(o.cached for o in outcomes)
    assert "digits/int8/optimize" in engine.ran


def test_failures_are_not_kept(start: Run) -> None:
    """An optimization that failed is tried again by the next run."""
    list(start(FakeExecutor({"digits/int8/optimize": failing("broken")})))
    engine = FakeExecutor()
    assert by_id(list(start(engine)))["digits/int8/optimize"].status == "done"
    assert "digits/int8/optimize" in engine.ran


def test_changed_data_makes_artifacts_anew(start: Run, digits_data: dict[str, DataSet]) -> None:
    """Other calibration data makes what was calibrated anew, and nothing else."""
    list(start(FakeExecutor()))
    data = digits_data["digits"]
    digits_data["digits"] = replace(data, digests={**data.digests, "calibration": "f" * 64})
    engine = FakeExecutor()
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
        ("digits/int8/benchmark/1", drop("measurement")),
        ("digits/int8/benchmark/1", replace_in("measurement", "samples_ns", value={"step": [1]})),
        ("digits/int8/benchmark/1", times()),
        ("digits/int8/benchmark/1", times(0, 0, 0)),
        ("digits/int8/benchmark/1", times(10**400)),
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
def test_done_without_what_was_asked(
    start: Run, digits_plan: Plan, job: str, answer: Callable[[Job, Path], Any]
) -> None:
    """A job that says done and leaves out what it was to bring has failed; the run goes on."""
    outcomes = by_id(list(start(FakeExecutor({job: answer}))))
    assert len(outcomes) == len(digits_plan.jobs)
    assert outcomes[job].status == "failed"
    assert outcomes[job].reason


def test_everything_is_displayed(start: Run, digits_plan: Plan) -> None:
    """Each job is announced with its number and its end is display."""
    display = QuietDisplay()
    list(start(FakeExecutor(), display=display))
    total = len(digits_plan.jobs)
    assert display.jobs == [(p.job.id, n, total) for n, p in enumerate(digits_plan.jobs, 1)]
    assert display.outcomes == [p.job.id for p in digits_plan.jobs]
    assert "preparing tensorflow" in display.steps


def test_a_failure_is_not_displayed_in_every_round(start: Run) -> None:
    """That a variant's evaluation failed is said there and in the first round it misses, then no more."""
    display = QuietDisplay()
    list(start(FakeExecutor({"digits/int8/evaluate": failing("out of luck")}), display=display))
    told = [job_id for job_id in display.outcomes if job_id.startswith("digits/int8/")]
    assert told == ["digits/int8/optimize", "digits/int8/evaluate", "digits/int8/benchmark/1"]


def test_without_its_device_a_run_makes_what_needs_none(start: Run, digits_plan: Plan) -> None:
    """Where the device is missing, artifacts are made; each job that measures says that and runs nowhere."""
    engine = FakeExecutor()
    placement = Placement(engine, missing_device="no device 'board'")
    outcomes = by_id(list(start(engine, placement=placement)))
    made = {job_id for job_id, outcome in outcomes.items() if outcome.status == "done"}
    assert made == set(engine.ran)
    assert made == {
        "digits/reference/evaluate",
        CONVERT,
        "digits/baseline/optimize",
        "digits/int8/optimize",
    }
    left = {(outcomes[job_id].status, outcomes[job_id].reason) for job_id in outcomes.keys() - made}
    assert left == {(Status.NOT_MEASURED, "no device 'board'")}


def test_without_its_device_a_failure_is_still_one(start: Run) -> None:
    """What could not be made has failed, with or without a device to measure it on."""
    engine = FakeExecutor({"digits/int8/optimize": failing("no calibration")})
    outcomes = by_id(list(start(engine, placement=Placement(engine, missing_device="no device 'board'"))))
    assert outcomes["digits/int8/benchmark/1"].reason == "no calibration"
    assert outcomes["digits/baseline/benchmark/1"].reason == "no device 'board'"


def test_cache_key_leads_to_the_outputs(start: Run, workspace: Workspace) -> None:
    """The outcome of an optimization names the key under which the bytes that were measured are kept."""
    outcome = by_id(list(start(FakeExecutor())))["digits/int8/optimize"]
    assert outcome.outputs == workspace.state / "artifacts" / str(outcome.cache_key) / "outputs"


def test_a_round_whose_line_drops_is_measured_anew(start: Run, digits_plan: Plan) -> None:
    """Where the line drops in a round, nothing that was timed in it is kept, and the round begins anew."""
    drops = [WordsLost("the line dropped")]

    def once_dropped(job: Job, folder: Path) -> Any:
        return drops.pop() if drops else good_answer(job, folder)

    engine, display = FakeExecutor({"digits/int8/benchmark": once_dropped}), QuietDisplay()
    outcomes = by_id(list(start(engine, display=display)))
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    assert engine.ran.count("digits/reference/benchmark/1") == 2
    assert [line for line in display.lines if "is back" in line] == [
        "  the line to the engine dropped and is back: the round is measured anew"
    ]


def test_a_line_that_keeps_dropping_ends_the_run(start: Run, digits_plan: Plan) -> None:
    """A round that never gets through is a problem of the environment, told after all its outcomes."""

    def always_dropped(job: Job, folder: Path) -> Any:
        return WordsLost("the line dropped")

    engine = FakeExecutor({"digits/int8/benchmark": always_dropped})
    outcomes, problem = until_raised(EnvironmentProblem, start(engine))
    assert "the line dropped" in str(problem)
    assert engine.ran.count("digits/reference/benchmark/1") == STEADY_TRIES
    assert len({outcome.planned.job.id for outcome in outcomes}) == len(outcomes)


def test_the_same_work_has_the_same_key(start: Run, digits_plan: Plan) -> None:
    """A job is run under a key of all that goes into it, so that what a killed host left of it is found; one
    that is forced to be made anew has none.
    """
    engines = [FakeExecutor(), FakeExecutor(), FakeExecutor()]
    for engine, force in zip(engines, (True, False, True)):
        list(start(engine, force=force))
    assert set(engines[0].keys.values()) == {""}
    alone = {job: key for job, key in engines[1].keys.items() if "/benchmark/" not in job}
    assert alone
    assert all(alone.values())
    assert len(set(alone.values())) == len(alone)
