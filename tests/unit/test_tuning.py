"""What tuning found out outlives the job that found it, however it ended; what is no database is not kept."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dockyard.engines import Ended, Engine, Limits, OnLine
from dockyard.plan.plan import Plan, make_plan
from dockyard.recipe import catalog, documents
from dockyard.recipe.places import MODELS, RECIPES, TARGETS
from dockyard.run import artifact_cache as artifacts
from dockyard.run import runner as run
from dockyard.run import tuning_store as tuning
from dockyard.run.datasets import DataSet
from dockyard.run.outcome import Outcome
from dockyard.run.runner import Display, run_plan
from shared.contract.errors import EnvironmentProblem, InputProblem
from shared.contract.job import Job
from shared.contract.model import Network
from shared.contract.recipe import Optimization, Recipe
from shared.runtime.run_job import run_folder
from shared.runtime.toolchain import Tuning
from tests.conftest import ROOT
from tests.fakes import FakeEngine, attempt, good_answer
from tests.unit.test_commands import invoke

TARGET, CPU = "shelf-cpu", "znver4"
NAME = f"{CPU}.json.gz"
OPTIMIZE = "digits/tuned/optimize"


def database(trials: int = 8, **changes: Any) -> dict[str, Any]:
    task = {"trials": trials, "best_ms": 0.5, "weight": 2, "done": False}
    document = {"version": 1, "tvm": "0.27", "cpu": CPU, "tasks": {"conv": task, "dense": task}, "workloads": [[1]], "records": [{"x": 1}]}
    return {**document, **changes}


def packed(document: Any) -> bytes:
    return gzip.compress(json.dumps(document).encode(), mtime=0)


def put(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(document if isinstance(document, bytes) else packed(document))
    return path


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models with the example's alone, without its data."""
    folder = tmp_path / "models"
    (folder / "digits").mkdir(parents=True)
    shutil.copyfile(MODELS / "digits" / "model.json", folder / "digits" / "model.json")
    monkeypatch.setattr(tuning, "MODELS", folder)
    return folder


@pytest.fixture
def tuned(state: Path, models: Path, digits: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe with a method that tunes, of a target beside the repository's."""
    folder = tmp_path / "targets"
    shutil.copytree(TARGETS, folder)
    none: dict[str, Any] = {"type": "object", "additionalProperties": False}
    options = {**none, "properties": {"time_budget_s": {"type": "integer", "default": 1800}}}
    methods = {
        "baseline": {"description": "", "options": {"1": none}},
        "tuned": {"description": "", "tuning": True, "options": {"1": options}},
    }
    document = {"description": "", "toolchains": {"1": {}}, "sources": ["frozen graph"], "methods": methods}
    (folder / TARGET).mkdir()
    (folder / TARGET / "target.json").write_text(json.dumps(document))
    for module in (artifacts, catalog, run, tuning):
        monkeypatch.setattr(module, "TARGETS", folder)
    return replace(digits, target=TARGET, optimizations=(Optimization("tuned"),))


def own(state: Path) -> Path:
    return state / "tuning" / TARGET / "digits" / NAME


class Told(Display):
    """Keeps the lines that stay."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


class ByStage:
    """Answers as `good_answer` does; only the job that tunes ends as given."""

    name = "fake"

    def __init__(self, answer: Callable[[Job, Path], Any], ended: Ended) -> None:
        self.tuning, self.other, self.limits = FakeEngine({"": answer}, ended), FakeEngine(), Limits(0, 0)

    def prepare(self, target: str, toolchain: str, on_line: OnLine) -> Mapping[str, str]:
        return self.other.prepare(target, toolchain, on_line)

    def run(self, target: str, toolchain: str, folder: Path, limits: Limits, on_line: OnLine) -> Ended:
        tunes = json.loads((folder / "job.json").read_text())["tuning"]
        if tunes:
            self.limits = limits
        return (self.tuning if tunes else self.other).run(target, toolchain, folder, limits, on_line)


@pytest.fixture
def build(tuned: Recipe, digits_data: dict[str, DataSet], tmp_path: Path) -> Callable[..., dict[str, Outcome]]:
    """Run the plan as far as it goes; return the outcomes by job."""

    def go(engine: Engine, recipe: Recipe = tuned, display: Display | None = None, force: bool = False) -> dict[str, Outcome]:
        scratch = tmp_path / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        outcomes: list[Outcome] = []
        jobs = run_plan(make_plan(recipe), engine, digits_data, display or Display(), scratch, force)
        attempt(KeyboardInterrupt, lambda: attempt(EnvironmentProblem, outcomes.extend, (o for o in jobs)))
        return {o.planned.job.id: o for o in outcomes}

    return go


Build = Callable[..., dict[str, Outcome]]


def leaving(document: Any, then: Any = None, name: str = NAME) -> Callable[[Job, Path], Any]:
    """Tune: leave a database, then end as told (well, unless told otherwise)."""

    def answer(job: Job, folder: Path) -> Any:
        put(folder / "tuning" / name, document)
        return good_answer(job, folder) if then is None else then

    return answer


ENDINGS: dict[str, tuple[Any, Ended]] = {
    "done": (None, Ended(0, 1.0)),
    "failed": ({"version": 1, "status": "failed", "reason": "no compiler"}, Ended(1, 1.0)),
    "no result": ({}, Ended(139, 1.0)),
    "expired": ({}, Ended(137, 1.0, "stopped at its time limit of 9 s", expired=True)),
    "memory": ({}, Ended(137, 1.0, "killed for memory (limit 9 MB)")),
    "interrupt": (KeyboardInterrupt(), Ended(0, 0.0)),
    "engine gone": (EnvironmentProblem("the engine is gone"), Ended(0, 0.0)),
    "disk full": (OSError(28, "No space left on device"), Ended(0, 0.0)),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_kept_however_the_job_ends(build: Build, state: Path, how: str) -> None:
    """A database that the job left is this machine's own afterwards, whatever became of the job, and nothing else is left."""
    outcomes = build(ByStage(leaving(database(), ENDINGS[how][0]), ENDINGS[how][1]))
    assert (outcomes[OPTIMIZE].status == "done") is (how == "done")
    assert own(state).read_bytes() == packed(database())
    assert [p.name for p in own(state).parent.iterdir()] == [NAME]


def seen_by(build: Build, found: dict[str, bytes], **changes: Any) -> dict[str, Outcome]:
    """Build, and note what the job that tunes was given."""

    def look(job: Job, folder: Path) -> Any:
        assert list((folder / "tuning").iterdir()) == []
        found.update({p.name: p.read_bytes() for p in (folder / job.tuning).iterdir()})
        return good_answer(job, folder)

    return build(ByStage(look, Ended(0, 1.0)), **changes)


def test_a_job_gets_nothing_first(build: Build) -> None:
    """Before there is any database a job finds its two folders, empty."""
    found: dict[str, bytes] = {}
    assert seen_by(build, found)[OPTIMIZE].status == "done"
    assert found == {}


def test_a_job_goes_on_from_what_is_kept(build: Build, models: Path, state: Path) -> None:
    """A job gets the model's committed databases and this machine's own, which comes first; other targets' stay away."""
    put(models / "digits" / "tuning" / TARGET / NAME, database(1))
    put(models / "digits" / "tuning" / TARGET / "skylake.json.gz", database(2, cpu="skylake"))
    put(models / "digits" / "tuning" / "intel-openvino" / "i.json.gz", database(3, cpu="i"))
    put(own(state), database(4))
    found: dict[str, bytes] = {}
    seen_by(build, found)
    assert found == {NAME: packed(database(4)), "skylake.json.gz": packed(database(2, cpu="skylake"))}


def test_only_a_method_that_tunes_keeps(build: Build, tuned: Recipe, state: Path) -> None:
    """A job of another method has no such folder, and what it leaves in one is not kept."""

    def intrude(job: Job, folder: Path) -> Any:
        assert not (folder / "inputs" / "tuning").exists()
        put(folder / "tuning" / NAME, database())
        return good_answer(job, folder)

    outcomes = build(FakeEngine({"digits/baseline/optimize": intrude}), replace(tuned, optimizations=(Optimization("baseline"),)))
    assert outcomes["digits/baseline/optimize"].status == "done"
    assert not (state / "tuning").exists()


def test_artifact_follows_its_database(build: Build, state: Path) -> None:
    """What was tuned is taken from an earlier run while the databases are those that it left, and made anew when they change."""
    engine = ByStage(leaving(database(8)), Ended(0, 1.0))
    assert not build(engine)[OPTIMIZE].cached
    assert build(engine)[OPTIMIZE].cached
    put(own(state), database(9))
    again = build(engine)
    assert not again[OPTIMIZE].cached
    assert engine.tuning.ran == [OPTIMIZE] * 2


def test_failed_tuning_is_taken_up_again(build: Build) -> None:
    """A tuning that was cut off leaves no artifact: the next run goes on from its database."""
    build(ByStage(leaving(database(8), KeyboardInterrupt()), Ended(0, 1.0)))
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
    "a bomb": (NAME, gzip.compress(bytes(tuning.MAX_BYTES + 1))),
    "a list": (NAME, []),
    "another version": (NAME, database(version=2)),
    "more keys": (NAME, database(extra=1)),
    "negative trials": (NAME, database(-1)),
    "another cpu": (NAME, database(cpu="znver5")),
    "a name with a space": ("zn ver4.json.gz", database(cpu="zn ver4")),
    "a name that is no text": (os.fsdecode(b"\xff\x1b[2J.json.gz"), database()),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_file_is_refused(build: Build, state: Path, what: str) -> None:
    """What is no database is told in plain ASCII and not kept, the earlier one stays, and the job is what it is."""
    put(own(state), database(3))
    told = Told()
    name, content = HOSTILE[what]
    outcomes = build(ByStage(leaving(content, name=name), Ended(0, 1.0)), display=told)
    assert outcomes[OPTIMIZE].status == "done"
    assert own(state).read_bytes() == packed(database(3))
    assert [p.name for p in own(state).parent.iterdir()] == [NAME]
    (line,) = told.lines
    assert "a tuning database is not kept: " in line
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("link", ["file", "folder"])
def test_links_are_refused(state: Path, models: Path, tmp_path: Path, link: str) -> None:
    """A link to a database elsewhere, or to a folder of them, is not followed."""
    elsewhere = put(tmp_path / "elsewhere" / NAME, database())
    left = tmp_path / "tuning"
    if link == "file":
        left.mkdir()
        (left / NAME).symlink_to(elsewhere)
    else:
        left.symlink_to(elsewhere.parent)
    assert len(tuning.keep(left, "digits", TARGET)) == (link == "file")
    assert not (state / "tuning").exists()


def test_unfinished_files_are_passed_over(state: Path, models: Path, tmp_path: Path) -> None:
    """A temporary file that a job was writing when it was ended is neither kept nor told."""
    put(tmp_path / "tuning" / f".{CPU}.tmp", b"half")
    put(tmp_path / "tuning" / NAME, database())
    assert tuning.keep(tmp_path / "tuning", "digits", TARGET) == []
    assert [p.name for p in own(state).parent.iterdir()] == [NAME]


def test_what_is_committed_is_not_kept_twice(state: Path, models: Path, tmp_path: Path) -> None:
    """A database that is the committed one, byte for byte, does not become this machine's own."""
    put(models / "digits" / "tuning" / TARGET / NAME, database())
    put(tmp_path / "tuning" / NAME, database())
    assert tuning.keep(tmp_path / "tuning", "digits", TARGET) == []
    assert not own(state).exists()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(database())), values)
def test_any_value_is_read_or_refused(tmp_path: Path, key: str, value: Any) -> None:
    """Whatever stands under a key, the database is handed on as it is or refused as wrong input, never another error."""
    path = put(tmp_path / NAME, gzip.compress(json.dumps(database(**{key: value})).encode()))
    found, problem = attempt(InputProblem, tuning.read, path)
    if problem is None:
        assert found == (path.read_bytes(), database(**{key: value}))
    else:
        assert key not in ("workloads", "records") or not isinstance(value, list) or "Infinity" in json.dumps(value)


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_are_refused(tmp_path: Path, damage: bytes, place: int) -> None:
    """A database with any bytes put over its own is the same database or wrong input."""
    whole = packed(database())
    path = put(tmp_path / NAME, whole[:place] + damage + whole[place + len(damage) :])
    found, problem = attempt(InputProblem, tuning.read, path)
    assert problem is not None or (found is not None and found[1] == database())


@pytest.fixture
def leftover(tuned: Recipe, state: Path) -> Path:
    """The folder of a job that tuned, as a run that was killed leaves it."""
    folder = state / "jobs" / "digits-tuned-optimize-x"
    job = next(p.job for p in make_plan(tuned).jobs if p.job.id == OPTIMIZE)
    put(folder / "tuning" / NAME, database())
    (folder / "job.json").write_text(json.dumps(job.to_json()))
    return folder


def test_leftovers_are_kept(leftover: Path, state: Path) -> None:
    """What the job of a killed run had found out is this machine's own before its folder is deleted."""
    assert tuning.keep_leftovers() == []
    assert own(state).read_bytes() == packed(database())


@pytest.mark.parametrize(
    "changes", [{"target": "../x"}, {"target": ["x"]}, {"model": "../../x"}, {"model": None}, {"model": "digit"}, {"tuning": ""}]
)
def test_leftovers_of_what_there_is_not(leftover: Path, state: Path, changes: dict[str, Any]) -> None:
    """A leftover that names no model or target of the repository, or did not tune, is let go."""
    job = json.loads((leftover / "job.json").read_text())
    (leftover / "job.json").write_text(json.dumps({**job, **changes}))
    assert tuning.keep_leftovers() == []
    assert not (state / "tuning").exists()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff"])
def test_leftovers_without_a_job(leftover: Path, state: Path, content: bytes | None) -> None:
    """A leftover whose job.json is none is let go."""
    (leftover / "job.json").unlink()
    if content is not None:
        (leftover / "job.json").write_bytes(content)
    assert tuning.keep_leftovers() == []
    assert not (state / "tuning").exists()


TRACKER = {"tracker": "tracker.local:9190", "key": "client-box"}


def optimize_job(plan: Plan) -> Job:
    return next(p.job for p in plan.jobs if p.job.stage == "optimize")


def test_tracker_reaches_the_job(build: Build, tuned: Recipe) -> None:
    """A recipe's tracker reaches the job that tunes, which alone sees the network."""
    assert optimize_job(make_plan(tuned)).tracker == ""
    recipe = replace(tuned, tuning=TRACKER)
    job = optimize_job(make_plan(recipe))
    assert (job.tuning, job.tracker, job.tracker_key) == ("inputs/tuning", "tracker.local:9190", "client-box")
    for asked, network in ((tuned, False), (recipe, True)):
        engine = ByStage(leaving(database()), Ended(0, 1.0))
        build(engine, asked, force=True)
        assert engine.limits.host_network is network
    others = [p.job for p in make_plan(recipe).jobs if p.job.stage != "optimize"]
    assert others
    assert not any(j.tracker or j.tuning for j in others)


def test_tracker_without_tuning(tuned: Recipe) -> None:
    """A tracker in a recipe whose methods do not tune is refused, with those that do."""
    with pytest.raises(InputProblem, match="no method of this recipe tunes") as caught:
        make_plan(replace(tuned, tuning=TRACKER, optimizations=(Optimization("baseline"),)))
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
        documents.check(document, documents.load_schema(RECIPES / "recipe.schema.json"), "own.json")
    assert caught.value.where == f"own.json: {place}"


@pytest.mark.parametrize(("budget", "limit", "fits"), [(60, 60, True), (61, 60, False), (None, 1800, True), (None, 1799, False)])
def test_budget_within_the_time_limit(tuned: Recipe, budget: int | None, limit: int, fits: bool) -> None:
    """A tuning whose budget, given or the method's own, is beyond the job's time limit is refused with what to raise."""
    options = {} if budget is None else {"time_budget_s": budget}
    recipe = replace(tuned, optimizations=(Optimization("tuned", options),), measure=replace(tuned.measure, time_limit_s=limit))
    plan, problem = attempt(InputProblem, make_plan, recipe)
    assert (plan is not None) is fits
    if problem is not None:
        assert "$.measure.time_limit_s" in problem.advice
        assert problem.where.endswith("$.optimizations[0].time_budget_s")


class Tuner:
    """A toolchain whose methods tune; it notes what it is given and leaves a database."""

    def __init__(self) -> None:
        self.given: tuple[Any, ...] = ()

    def versions(self) -> dict[str, str]:
        return {}

    def tune(
        self, network: Network, source: Path, output: Path, method: str, options: Mapping[str, Any], at: Tuning, threads: int
    ) -> dict[str, Any]:
        self.given = (network.name, source, output, method, dict(options), at)
        put(at.output / NAME, database())
        (output / "model.bin").write_bytes(b"tuned")
        return {"trials": 8}


def test_harness_hands_on_the_databases(tuned: Recipe, tmp_path: Path) -> None:
    """In the container a job that tunes goes to `tune`, with the folder of the databases and the folder for its own."""
    folder = tmp_path / "job"
    (folder / "inputs" / "tuning").mkdir(parents=True)
    (folder / "inputs" / "digits").mkdir()
    job = optimize_job(make_plan(replace(tuned, tuning=TRACKER)))
    (folder / "job.json").write_text(json.dumps(job.to_json()))
    toolchain = Tuner()
    result = run_folder(folder, lambda: toolchain)
    assert (result["status"], result["notes"]) == ("done", {"trials": 8})
    at = Tuning(folder / "inputs" / "tuning", folder / "tuning", "tracker.local:9190", "client-box")
    assert toolchain.given == ("digits", folder / "inputs" / "digits", folder / "outputs", "tuned", {}, at)
    assert [f["path"] for f in result["artifact"]] == ["model.bin"]
    assert (folder / "tuning" / NAME).is_file()


def printed(model: str = "") -> list[list[str]]:
    """The rows of the list, cell by cell."""
    console = Console(width=200, file=open(os.devnull, "w"), record=True)  # noqa: SIM115
    console.print(tuning.table(model))
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in console.export_text().splitlines() if line.startswith("│")]


def test_list(state: Path, models: Path) -> None:
    """The list tells each database: whose it is, how far its tasks are, and the time that their best add up to."""
    put(models / "digits" / "tuning" / TARGET / NAME, database(3))
    tasks = {"a": {"trials": 5, "best_ms": None, "weight": 1, "done": True}, "b": {"trials": 1, "best_ms": 2, "weight": 1, "done": False}}
    put(own(state), database(tasks=tasks))
    rows = printed("digits")
    assert [row[:7] for row in rows] == [
        ["digits", TARGET, CPU, "committed", "0/2", "6", "2.000"],
        ["digits", TARGET, CPU, "own", "1/2", "6", "-"],
    ]


def test_export(state: Path, models: Path, tmp_path: Path) -> None:
    """What is exported is what a job would get, with checksums that sha256sum takes."""
    put(models / "digits" / "tuning" / TARGET / NAME, database(1))
    put(models / "digits" / "tuning" / TARGET / "skylake.json.gz", database(2, cpu="skylake"))
    put(own(state), database(4))
    out = tmp_path / "out"
    copies = tuning.export(out, "digits")
    assert [str(p.relative_to(out)) for p in copies] == [f"digits/{TARGET}/skylake.json.gz", f"digits/{TARGET}/{NAME}"]
    assert (out / "digits" / TARGET / NAME).read_bytes() == packed(database(4))
    sums = dict(line.split("  ")[::-1] for line in (out / "SHA256SUMS").read_text().splitlines())
    assert sums == {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in copies}
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=out, check=True)


def test_nothing_to_export(state: Path, models: Path, tmp_path: Path) -> None:
    """Without a database there is nothing to export, and no folder is made."""
    with pytest.raises(InputProblem, match="there is no tuning database"):
        tuning.export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_exported_can_be_added(tuned: Recipe, state: Path, models: Path, tmp_path: Path) -> None:
    """A database from elsewhere becomes this machine's own; one that is none is refused and the earlier stays."""
    put(models / "digits" / "tuning" / TARGET / NAME, database(1))
    file = put(tmp_path / NAME, database(7))
    assert tuning.add(file, "digits", TARGET) == own(state)
    assert own(state).read_bytes() == file.read_bytes()
    file.write_bytes(b"no gzip")
    with pytest.raises(InputProblem, match="no gzip of JSON"):
        tuning.add(file, "digits", TARGET)
    assert own(state).read_bytes() == packed(database(7))


@pytest.mark.parametrize(
    ("model", "target", "told"),
    [
        ("digit", TARGET, "did you mean 'digits'"),
        ("", TARGET, "there is no model ''"),
        ("../digits", TARGET, "there is no model '../digits'"),
        ("digits", "shelf", "did you mean 'shelf-cpu'"),
        ("digits", "intel-openvino", "intel-openvino has no method that tunes"),
    ],
)
def test_added_where_there_is_nothing(tuned: Recipe, tmp_path: Path, model: str, target: str, told: str) -> None:
    """A database is only added for a model that there is and a target that tunes."""
    with pytest.raises(InputProblem, match=told):
        tuning.add(put(tmp_path / NAME, database()), model, target)


def test_commit(state: Path, models: Path) -> None:
    """This machine's own database becomes the committed one, and jobs get the same as before."""
    put(models / "digits" / "tuning" / TARGET / NAME, database(1))
    put(own(state), database(4))
    before = tuning.digest("digits", TARGET)
    (copy,) = tuning.commit("digits")
    assert copy == models / "digits" / "tuning" / TARGET / NAME
    assert copy.read_bytes() == packed(database(4))
    own(state).unlink()
    assert tuning.digest("digits", TARGET) == before


@pytest.mark.parametrize(
    ("model", "told"), [("digits", "no tuning database of its own"), ("digit", "did you mean 'digits'"), ("", "of its own for ''")]
)
def test_nothing_to_commit(state: Path, models: Path, model: str, told: str) -> None:
    """Without a database of its own, or without a model, nothing is committed."""
    with pytest.raises(InputProblem, match=told):
        tuning.commit(model)


def test_committed_ones_are_verified(tuned: Recipe, models: Path) -> None:
    """A committed database must fit, lie in a target's folder, and be alone there."""
    place = models / "digits" / "tuning"
    put(place / TARGET / NAME, database())
    tuning.verify("digits")
    for wrong in (place / TARGET / "notes.txt", place / TARGET / "skylake.json.gz", place / "no-target" / NAME):
        put(wrong, database())
        with pytest.raises(InputProblem):
            tuning.verify("digits")
        wrong.unlink()
        if wrong.parent.name == "no-target":
            wrong.parent.rmdir()
    tuning.verify("digits")


@pytest.mark.parametrize("model", ["damage_detector", "lp_detector", "lp_reader"])
@pytest.mark.parametrize("cpu", ["x86-64-v4", "znver4"])
def test_the_repositorys_own_are_whole(model: str, cpu: str) -> None:
    """The databases that are committed with the models have a schedule and a time for each of their functions."""
    tuning.verify(model)
    _, told = tuning.read(MODELS / model / "tuning" / "tvm-llvm" / f"{cpu}.json.gz")
    assert len(told["tasks"]) == len(told["records"]) == len(told["workloads"]) > 0
    assert all(task["best_ms"] > 0 for task in told["tasks"].values())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "digit"], "did you mean 'digits'"),
        (["--add", "nowhere.json.gz"], "there is no model ''"),
        (["--commit"], "no tuning database of its own for ''"),
    ],
)
def test_command_refuses(arguments: list[str], told: str) -> None:
    """The command refuses what it cannot do with exit code 2 and two lines."""
    done = invoke("tuning", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_command_lists() -> None:
    """The command lists, also where there is nothing yet."""
    done = invoke("tuning")
    assert done.returncode == 0
    assert "target" in done.stdout
    assert str(ROOT) not in done.stdout
