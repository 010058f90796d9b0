"""What tuning found out outlives the job that found it, however it ended; what is no database is not kept."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dockyard.engines import JobExit
from dockyard.judge.decisions import RoundDecisions
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe import documents
from dockyard.recipe.workspace import PRODUCT, Workspace
from dockyard.report.tuning_table import tuning_table
from dockyard.run import tuning_store
from dockyard.run.datasets import DataSet
from dockyard.run.outcome import Outcome
from dockyard.run.placement import Placement
from dockyard.run.runner import run_plan
from shared.contract.codec import encode
from shared.contract.errors import EnvironmentProblem, InputProblem
from shared.contract.job import Job
from shared.contract.recipe import Optimization, Recipe
from shared.contract.result import Result, Status
from shared.contract.stages import Optimize, Tracker
from tests.fakes import Answer, FakeExecutor, QuietDisplay, attempt, good_answer
from tests.unit.test_commands import invoke

TARGET, CPU = "shelf-cpu", "znver4"
NAME = f"{CPU}.json.gz"
OPTIMIZE = "digits/tuned/optimize"


def database(trials: int = 8, **changes: Any) -> dict[str, Any]:
    task = {"trials": trials, "best_ms": 0.5, "weight": 2, "done": False}
    document = {"version": 1, "tvm": "0.27", "cpu": CPU, "tasks": {"conv": task, "dense": task}}
    return {**document, "workloads": [[1]], "records": [{"x": 1}], **changes}


def packed(document: Any) -> bytes:
    return gzip.compress(json.dumps(document).encode(), mtime=0)


def put(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(document if isinstance(document, bytes) else packed(document))
    return path


@pytest.fixture
def tuned(workspace: Workspace, digits: Recipe) -> Recipe:
    """A recipe with a method that tunes, of a target of the workspace's own."""
    none: dict[str, Any] = {"type": "object", "additionalProperties": False}
    options = {**none, "properties": {"time_budget_s": {"type": "integer", "default": 1800}}}
    methods = {
        "baseline": {"description": "", "options": {"1": none}},
        "tuned": {"description": "", "tunes": True, "options": {"1": options}},
    }
    toolchains: dict[str, Any] = {"1": {}}
    document = {"description": "", "toolchains": toolchains, "sources": ["frozen graph"], "methods": methods}
    folder = workspace.root / "targets" / TARGET
    folder.mkdir(parents=True)
    (folder / "target.json").write_text(json.dumps(document))
    return replace(digits, target=TARGET, optimizations=(Optimization("tuned"),))


def own(workspace: Workspace) -> Path:
    """Where this machine's own database lies."""
    return workspace.state / "tuning" / TARGET / "digits" / NAME


def committed(workspace: Workspace, target: str = TARGET) -> Path:
    """The folder of the databases that are committed in the workspace."""
    return workspace.root / "models" / "digits" / "tuning" / target


class ByStage(FakeExecutor):
    """Answers as `good_answer` does; only the job that tunes ends as given."""

    def __init__(self, answer: Answer, left: JobExit) -> None:
        super().__init__({OPTIMIZE: answer})
        self.left_by_tuning = left

    def run(self, *arguments: Any, **named: Any) -> JobExit:
        left = super().run(*arguments, **named)
        return self.left_by_tuning if self.ran[-1] == OPTIMIZE else left


@pytest.fixture
def build(
    workspace: Workspace, tuned: Recipe, digits_data: dict[str, DataSet], tmp_path: Path
) -> Callable[..., dict[str, Outcome]]:
    """Run the plan as far as it goes; return the outcomes by job."""

    def go(
        executor: FakeExecutor,
        recipe: Recipe = tuned,
        display: QuietDisplay | None = None,
        force: bool = False,
    ) -> dict[str, Outcome]:
        scratch = tmp_path / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        outcomes: list[Outcome] = []
        jobs = run_plan(
            make_plan(workspace, recipe),
            Placement(executor),
            digits_data,
            RoundDecisions(),
            display or QuietDisplay(),
            scratch,
            force,
        )
        attempt(KeyboardInterrupt, lambda: attempt(EnvironmentProblem, outcomes.extend, (o for o in jobs)))
        return {outcome.planned.job.id: outcome for outcome in outcomes}

    return go


Build = Callable[..., dict[str, Outcome]]


def leaving(document: Any, then: Any = None, name: str = NAME) -> Answer:
    """Tune: leave a database, then end as given (well, unless given otherwise)."""

    def answer(job: Job, folder: Path) -> Any:
        put(folder / "tuning" / name, document)
        return good_answer(job, folder) if then is None else then

    return answer


ENDINGS: dict[str, tuple[Any, JobExit]] = {
    "done": (None, JobExit(0, 1.0)),
    "failed": (encode(Result(Status.FAILED, "no compiler")), JobExit(1, 1.0)),
    "no result": ({}, JobExit(139, 1.0)),
    "expired": ({}, JobExit(137, 1.0, "stopped at its time limit of 9 s", expired=True)),
    "memory": ({}, JobExit(137, 1.0, "killed for memory (limit 9 MB)")),
    "interrupt": (KeyboardInterrupt(), JobExit(0, 0.0)),
    "engine gone": (EnvironmentProblem("the engine is gone"), JobExit(0, 0.0)),
    "disk full": (OSError(28, "No space left on device"), JobExit(0, 0.0)),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_kept_however_the_job_ends(build: Build, workspace: Workspace, how: str) -> None:
    """A database that the job left is this machine's own afterwards, whatever became of the job, and nothing
    else is left.
    """
    outcomes = build(ByStage(leaving(database(), ENDINGS[how][0]), ENDINGS[how][1]))
    assert (outcomes[OPTIMIZE].status == "done") is (how == "done")
    assert own(workspace).read_bytes() == packed(database())
    assert [p.name for p in own(workspace).parent.iterdir()] == [NAME]


def seen_by(build: Build, found: dict[str, bytes], **changes: Any) -> dict[str, Outcome]:
    """Build, and note what the job that tunes was given."""

    def look(job: Job, folder: Path) -> Any:
        assert list((folder / "tuning").iterdir()) == []
        found.update({p.name: p.read_bytes() for p in (folder / "inputs" / "tuning").iterdir()})
        return good_answer(job, folder)

    return build(ByStage(look, JobExit(0, 1.0)), **changes)


def test_a_job_gets_nothing_first(build: Build) -> None:
    """Before there is any database a job finds its two folders, empty."""
    found: dict[str, bytes] = {}
    assert seen_by(build, found)[OPTIMIZE].status == "done"
    assert found == {}


def test_a_job_goes_on_from_what_is_kept(build: Build, workspace: Workspace) -> None:
    """A job gets the model's committed databases and this machine's own, which comes first; other targets'
    stay away.
    """
    put(committed(workspace) / NAME, database(1))
    put(committed(workspace) / "skylake.json.gz", database(2, cpu="skylake"))
    put(committed(workspace, "intel-openvino") / "i.json.gz", database(3, cpu="i"))
    put(own(workspace), database(4))
    found: dict[str, bytes] = {}
    seen_by(build, found)
    assert found == {NAME: packed(database(4)), "skylake.json.gz": packed(database(2, cpu="skylake"))}


def test_only_a_method_that_tunes_keeps(build: Build, tuned: Recipe, workspace: Workspace) -> None:
    """A job of another method has no such folder, and what it leaves in one is not kept."""

    def intrude(job: Job, folder: Path) -> Any:
        assert not (folder / "inputs" / "tuning").exists()
        put(folder / "tuning" / NAME, database())
        return good_answer(job, folder)

    outcomes = build(
        FakeExecutor({"digits/baseline/optimize": intrude}),
        replace(tuned, optimizations=(Optimization("baseline"),)),
    )
    assert outcomes["digits/baseline/optimize"].status == "done"
    assert not (workspace.state / "tuning").exists()


def test_artifact_follows_its_database(build: Build, workspace: Workspace) -> None:
    """What was tuned is taken from an earlier run while the databases are those that it left, and made anew
    when they change.
    """
    engine = ByStage(leaving(database(8)), JobExit(0, 1.0))
    assert not build(engine)[OPTIMIZE].cached
    assert build(engine)[OPTIMIZE].cached
    put(own(workspace), database(9))
    again = build(engine)
    assert not again[OPTIMIZE].cached
    assert engine.ran.count(OPTIMIZE) == 2


def test_failed_tuning_is_taken_up_again(build: Build) -> None:
    """A tuning that was cut off leaves no artifact: the next run goes on from its database."""
    build(ByStage(leaving(database(8), KeyboardInterrupt()), JobExit(0, 1.0)))
    found: dict[str, bytes] = {}
    assert seen_by(build, found)[OPTIMIZE].status == "done"
    assert found == {NAME: packed(database(8))}


HOSTILE: dict[str, tuple[str, Any]] = {
    "no gzip": (NAME, b"no gzip"),
    "empty": (NAME, b""),
    "cut off": (NAME, packed(database())[:-9]),
    "no JSON": (NAME, gzip.compress(b"{")),
    "no UTF-8": (NAME, gzip.compress(b"\xff\xfe")),
    "NaN": (NAME, gzip.compress(json.dumps(database()).replace("0.5", "NaN").encode())),
    "too deep": (NAME, gzip.compress(b"[" * 100_000)),
    "a bomb": (NAME, gzip.compress(bytes(tuning_store.MAX_BYTES + 1))),
    "a list": (NAME, []),
    "another version": (NAME, database(version=2)),
    "more keys": (NAME, database(extra=1)),
    "negative trials": (NAME, database(-1)),
    "another cpu": (NAME, database(cpu="znver5")),
    "a name with a space": ("zn ver4.json.gz", database(cpu="zn ver4")),
    "a name that is no text": (os.fsdecode(b"\xff\x1b[2J.json.gz"), database()),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_file_is_refused(build: Build, workspace: Workspace, what: str) -> None:
    """What is no database is told in plain ASCII and not kept, the earlier one stays, and the job is what it
    is.
    """
    put(own(workspace), database(3))
    display = QuietDisplay()
    name, content = HOSTILE[what]
    outcomes = build(ByStage(leaving(content, name=name), JobExit(0, 1.0)), display=display)
    assert outcomes[OPTIMIZE].status == "done"
    assert own(workspace).read_bytes() == packed(database(3))
    assert [p.name for p in own(workspace).parent.iterdir()] == [NAME]
    (line,) = display.lines
    assert "a tuning database is not kept: " in line
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("link", ["file", "folder"])
def test_links_are_refused(workspace: Workspace, tmp_path: Path, link: str) -> None:
    """A link to a database elsewhere, or to a folder of them, is not followed."""
    elsewhere = put(tmp_path / "elsewhere" / NAME, database())
    left = tmp_path / "tuning"
    if link == "file":
        left.mkdir()
        (left / NAME).symlink_to(elsewhere)
    else:
        left.symlink_to(elsewhere.parent)
    assert len(tuning_store.keep(workspace, left, "digits", TARGET)) == (link == "file")
    assert not (workspace.state / "tuning").exists()


def test_unfinished_files_are_passed_over(workspace: Workspace, tmp_path: Path) -> None:
    """A temporary file that a job was writing when it was ended is neither kept nor told."""
    put(tmp_path / "tuning" / f".{CPU}.tmp", b"half")
    put(tmp_path / "tuning" / NAME, database())
    assert tuning_store.keep(workspace, tmp_path / "tuning", "digits", TARGET) == []
    assert [p.name for p in own(workspace).parent.iterdir()] == [NAME]


def test_what_is_committed_is_not_kept_twice(workspace: Workspace, tmp_path: Path) -> None:
    """A database that is the committed one, byte for byte, does not become this machine's own."""
    put(committed(workspace) / NAME, database())
    put(tmp_path / "tuning" / NAME, database())
    assert tuning_store.keep(workspace, tmp_path / "tuning", "digits", TARGET) == []
    assert not own(workspace).exists()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(database())), values)
def test_any_value_is_read_or_refused(tmp_path: Path, key: str, value: Any) -> None:
    """Whatever stands under a key, the database is handed on as it is or refused as wrong input, never
    another error.
    """
    path = put(tmp_path / NAME, gzip.compress(json.dumps(database(**{key: value})).encode()))
    found, problem = attempt(InputProblem, tuning_store.read, path, NAME)
    if problem is None:
        assert found == (path.read_bytes(), database(**{key: value}))
    else:
        assert (
            key not in ("workloads", "records")
            or not isinstance(value, list)
            or "Infinity" in json.dumps(value)
        )


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_are_refused(tmp_path: Path, damage: bytes, place: int) -> None:
    """A database with any bytes put over its own is the same database or wrong input."""
    whole = packed(database())
    path = put(tmp_path / NAME, whole[:place] + damage + whole[place + len(damage) :])
    found, problem = attempt(InputProblem, tuning_store.read, path, NAME)
    assert problem is not None or (found is not None and found[1] == database())


@pytest.fixture
def leftover(tuned: Recipe, workspace: Workspace) -> Path:
    """The folder of a job that tuned, as a run that was killed leaves it."""
    folder = workspace.state / "jobs" / "digits" / "digits-tuned-optimize-x"
    job = next(p.job for p in make_plan(workspace, tuned).jobs if p.job.id == OPTIMIZE)
    put(folder / "tuning" / NAME, database())
    (folder / "job.json").write_text(json.dumps(encode(job)))
    return folder


def test_leftovers_are_kept(leftover: Path, workspace: Workspace) -> None:
    """What the job of a killed run had found out is this machine's own before its folder is deleted."""
    assert tuning_store.keep_leftovers(workspace, leftover.parent) == []
    assert own(workspace).read_bytes() == packed(database())


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "../x"},
        {"target": ["x"]},
        {"model": "../../x"},
        {"model": None},
        {"model": "digit"},
        {"parameters": None},
    ],
)
def test_leftovers_of_what_there_is_not(
    leftover: Path, workspace: Workspace, changes: dict[str, Any]
) -> None:
    """A leftover that names no model or target that there is, or is no job at all, is let go."""
    job = json.loads((leftover / "job.json").read_text())
    (leftover / "job.json").write_text(json.dumps({**job, **changes}))
    assert tuning_store.keep_leftovers(workspace, leftover.parent) == []
    assert not (workspace.state / "tuning").exists()


def test_leftovers_of_what_does_not_tune(leftover: Path, workspace: Workspace) -> None:
    """A leftover of a job that does not tune is let go."""
    job = json.loads((leftover / "job.json").read_text())
    job["parameters"]["tuning"] = None
    (leftover / "job.json").write_text(json.dumps(job))
    assert tuning_store.keep_leftovers(workspace, leftover.parent) == []
    assert not (workspace.state / "tuning").exists()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff"])
def test_leftovers_without_a_job(leftover: Path, workspace: Workspace, content: bytes | None) -> None:
    """A leftover whose job.json is none is let go."""
    (leftover / "job.json").unlink()
    if content is not None:
        (leftover / "job.json").write_bytes(content)
    assert tuning_store.keep_leftovers(workspace, leftover.parent) == []
    assert not (workspace.state / "tuning").exists()


TRACKER = Tracker("tracker.local:9190", "client-box")


def optimize_job(plan: Plan) -> Optimize:
    """The parameters of the job that tunes."""
    return next(p.job.parameters for p in plan.jobs if isinstance(p.job.parameters, Optimize))


def test_tracker_reaches_the_job(build: Build, workspace: Workspace, tuned: Recipe) -> None:
    """A recipe's tracker reaches the job that tunes, which alone sees the network."""
    without = optimize_job(make_plan(workspace, tuned)).tuning
    assert without is not None
    assert without.tracker is None
    recipe = replace(tuned, tracker=TRACKER)
    tuning = optimize_job(make_plan(workspace, recipe)).tuning
    assert tuning is not None
    assert (tuning.databases, tuning.tracker) == ("inputs/tuning", TRACKER)
    for asked, network in ((tuned, False), (recipe, True)):
        executor = ByStage(leaving(database()), JobExit(0, 1.0))
        build(executor, asked, force=True)
        assert executor.limits[OPTIMIZE].host_network is network
        others = [limits for job_id, limits in executor.limits.items() if job_id != OPTIMIZE]
        assert others
        assert not any(limits.host_network for limits in others)


def test_only_the_job_that_tunes_is_followed(build: Build) -> None:
    """The executor is asked to follow the folder of the databases, of the job that tunes alone."""
    executor = ByStage(leaving(database()), JobExit(0, 1.0))
    build(executor)
    followed = {job_id: folder for job_id, folder in executor.followed.items() if folder is not None}
    assert list(followed) == [OPTIMIZE]
    assert (followed[OPTIMIZE].name, followed[OPTIMIZE].suffix) == ("tuning", ".json.gz")


def test_tracker_without_tuning(workspace: Workspace, tuned: Recipe) -> None:
    """A tracker in a recipe whose methods do not tune is refused, with those that do."""
    with pytest.raises(InputProblem, match="no method of this recipe tunes") as caught:
        make_plan(workspace, replace(tuned, tracker=TRACKER, optimizations=(Optimization("baseline"),)))
    assert caught.value.where.endswith("$.tuning")
    assert "shelf-cpu: tuned" in caught.value.advice


@pytest.mark.parametrize(
    ("given_tuning", "place"),
    [
        ({"tracker": "host", "key": "k"}, "$.tuning.tracker"),
        ({"tracker": "host:port", "key": "k"}, "$.tuning.tracker"),
        ({"tracker": "tcp://host:1", "key": "k"}, "$.tuning.tracker"),
        ({"tracker": "host:1", "key": ""}, "$.tuning.key"),
        ({"tracker": "host:1"}, "$.tuning"),
        ({"tracker": "host:1", "key": "k", "user": "u"}, "$.tuning"),
    ],
)
def test_tracker_of_another_form(given_tuning: dict[str, str], place: str) -> None:
    """A tracker that is not host:port, or without its key, is refused at its place."""
    document = {"model": "digits", "target": TARGET, "optimizations": ["tuned"], "tuning": given_tuning}
    with pytest.raises(InputProblem) as caught:
        documents.check(document, PRODUCT / "recipes" / "recipe.schema.json", "own.json")
    assert caught.value.where == f"own.json: {place}"


@pytest.mark.parametrize(
    ("budget", "limit", "fits"), [(60, 60, True), (61, 60, False), (None, 1800, True), (None, 1799, False)]
)
def test_budget_within_the_time_limit(
    workspace: Workspace, tuned: Recipe, budget: int | None, limit: int, fits: bool
) -> None:
    """A tuning whose budget, given or the method's own, is beyond the job's time limit is refused with what
    to raise.
    """
    options = {} if budget is None else {"time_budget_s": budget}
    recipe = replace(
        tuned,
        optimizations=(Optimization("tuned", options),),
        measure=replace(tuned.measure, time_limit_s=limit),
    )
    plan, problem = attempt(InputProblem, make_plan, workspace, recipe)
    assert (plan is not None) is fits
    if problem is not None:
        assert "$.measure.time_limit_s" in problem.advice
        assert problem.where.endswith("$.optimizations[0].time_budget_s")


def printed(workspace: Workspace, model: str = "") -> list[list[str]]:
    """The rows of the list, cell by cell."""
    stream = io.StringIO()
    Console(width=200, file=stream).print(tuning_table(workspace, model))
    rows = [line.split("│")[1:-1] for line in stream.getvalue().splitlines() if line.startswith("│")]
    return [list(map(str.strip, row)) for row in rows]


def test_list(workspace: Workspace) -> None:
    """The list tells each database: whose it is, how far its tasks are, and the time that their best add up
    to.
    """
    put(committed(workspace) / NAME, database(3))
    tasks = {
        "a": {"trials": 5, "best_ms": None, "weight": 1, "done": True},
        "b": {"trials": 1, "best_ms": 2, "weight": 1, "done": False},
    }
    put(own(workspace), database(tasks=tasks))
    rows = printed(workspace, "digits")
    assert [row[:7] for row in rows] == [
        ["digits", TARGET, CPU, "committed", "0/2", "6", "2.000"],
        ["digits", TARGET, CPU, "own", "1/2", "6", "-"],
    ]


def test_export(workspace: Workspace, tmp_path: Path) -> None:
    """What is exported is what a job would get, with checksums that sha256sum takes."""
    put(committed(workspace) / NAME, database(1))
    put(committed(workspace) / "skylake.json.gz", database(2, cpu="skylake"))
    put(own(workspace), database(4))
    out = tmp_path / "out"
    copies = tuning_store.export(workspace, out, "digits")
    assert [str(p.relative_to(out)) for p in copies] == [
        f"digits/{TARGET}/skylake.json.gz",
        f"digits/{TARGET}/{NAME}",
    ]
    assert (out / "digits" / TARGET / NAME).read_bytes() == packed(database(4))
    sums = dict(line.split("  ")[::-1] for line in (out / "SHA256SUMS").read_text().splitlines())
    assert sums == {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in copies}
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=out, check=True)


def test_nothing_to_export(workspace: Workspace, tmp_path: Path) -> None:
    """Without a database there is nothing to export, and no folder is made."""
    with pytest.raises(InputProblem, match="there is no tuning database"):
        tuning_store.export(workspace, tmp_path / "out", "digits")
    assert not (tmp_path / "out").exists()


def test_exported_can_be_added(tuned: Recipe, workspace: Workspace, tmp_path: Path) -> None:
    """A database from elsewhere becomes this machine's own; one that is none is refused and the earlier
    stays.
    """
    put(committed(workspace) / NAME, database(1))
    file = put(tmp_path / NAME, database(7))
    assert tuning_store.add(workspace, file, "digits", TARGET) == own(workspace)
    assert own(workspace).read_bytes() == file.read_bytes()
    file.write_bytes(b"no gzip")
    with pytest.raises(InputProblem, match="no gzip of JSON"):
        tuning_store.add(workspace, file, "digits", TARGET)
    assert own(workspace).read_bytes() == packed(database(7))


@pytest.mark.parametrize(
    ("model", "target", "message"),
    [
        ("digit", TARGET, "did you mean 'digits'"),
        ("", TARGET, "there is no model ''"),
        ("../digits", TARGET, "there is no model '../digits'"),
        ("digits", "shelf", "did you mean 'shelf-cpu'"),
        ("digits", "intel-openvino", "intel-openvino has no method that tunes"),
    ],
)
def test_added_where_there_is_nothing(
    workspace: Workspace, tuned: Recipe, tmp_path: Path, model: str, target: str, message: str
) -> None:
    """A database is only added for a model that there is and a target that tunes."""
    with pytest.raises(InputProblem, match=message):
        tuning_store.add(workspace, put(tmp_path / NAME, database()), model, target)


def test_commit(workspace: Workspace) -> None:
    """This machine's own database becomes the committed one, and jobs get the same as before."""
    put(committed(workspace) / NAME, database(1))
    put(own(workspace), database(4))
    before = tuning_store.digest(workspace, "digits", TARGET)
    (copy,) = tuning_store.commit(workspace, "digits")
    assert copy == committed(workspace) / NAME
    assert copy.read_bytes() == packed(database(4))
    own(workspace).unlink()
    assert tuning_store.digest(workspace, "digits", TARGET) == before


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("digits", "no tuning database of its own"),
        ("digit", "did you mean 'digits'"),
        ("", "of its own for ''"),
    ],
)
def test_nothing_to_commit(workspace: Workspace, model: str, message: str) -> None:
    """Without a database of its own, or without a model, nothing is committed."""
    with pytest.raises(InputProblem, match=message):
        tuning_store.commit(workspace, model)


def test_committed_ones_are_verified(workspace: Workspace, tuned: Recipe) -> None:
    """A committed database must fit, lie in a target's folder, and be alone there."""
    place = committed(workspace).parent
    put(place / TARGET / NAME, database())
    tuning_store.verify(workspace, "digits")
    for wrong in (
        place / TARGET / "notes.txt",
        place / TARGET / "skylake.json.gz",
        place / "no-target" / NAME,
    ):
        put(wrong, database())
        with pytest.raises(InputProblem):
            tuning_store.verify(workspace, "digits")
        wrong.unlink()
        if wrong.parent.name == "no-target":
            wrong.parent.rmdir()
    tuning_store.verify(workspace, "digits")


@pytest.mark.parametrize("model", ["damage_detector", "lp_detector", "lp_reader"])
@pytest.mark.parametrize("cpu", ["x86-64-v3", "x86-64-v4", "znver4"])
def test_dockyards_own_are_whole(model: str, cpu: str) -> None:
    """The databases that are committed with the models have a schedule and a time for each of their
    functions.
    """
    tuning_store.verify(Workspace(PRODUCT), model)
    path = PRODUCT / "models" / model / "tuning" / "tvm-llvm" / f"{cpu}.json.gz"
    _, document = tuning_store.read(path, path.name)
    assert len(document["tasks"]) == len(document["records"]) == len(document["workloads"]) > 0
    assert all(task["best_ms"] > 0 for task in document["tasks"].values())


def test_a_workspace_has_dockyards_databases_too(workspace: Workspace) -> None:
    """A workspace finds what is committed with Dockyard's models; its own of the same CPU comes first."""
    ours = PRODUCT / "models" / "lp_reader" / "tuning" / "tvm-llvm"
    found = tuning_store.databases_of(workspace, "lp_reader", "tvm-llvm")
    assert found[NAME] == ours / NAME
    mine = put(workspace.root / "models" / "lp_reader" / "tuning" / "tvm-llvm" / NAME, database())
    found = tuning_store.databases_of(workspace, "lp_reader", "tvm-llvm")
    assert (found[NAME], found["x86-64-v4.json.gz"]) == (mine, ours / "x86-64-v4.json.gz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "digit"], "did you mean 'digits'"),
        (["--add", "nowhere.json.gz", "--model", "digits"], "--add needs --model and --target"),
        (["--commit"], "--commit needs --model"),
    ],
)
def test_command_refuses(arguments: list[str], message: str) -> None:
    """The command refuses what it cannot do with exit code 2 and two lines."""
    done = invoke("tuning", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_command_lists() -> None:
    """The command lists, also where there is nothing yet."""
    done = invoke("tuning")
    assert done.returncode == 0
    assert "target" in done.stdout
    assert str(PRODUCT) not in done.stdout
