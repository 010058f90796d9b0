"""The matrix builds what is not up to date, goes on where it stopped, and says what became of each recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from dockyard.engines.images import lock_digest
from dockyard.judge.assessment import Assessment
from dockyard.judge.record_files import write_records
from dockyard.judge.records import model_hash
from dockyard.judge.verdicts import judge
from dockyard.matrix import RecipeOutcome, State, build_each, recipes_of
from dockyard.placing import NoDevice
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.published import this_cpu, why_data_outdated, why_outdated
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.run.artifact_cache import code_hash
from dockyard.run.datasets import prepare
from dockyard.workflow import BuildResult, summarize
from shared.contract.errors import InputProblem, JobFailed
from shared.contract.record import Record, RecordStatus
from shared.harness.machine import describe
from tests.builders import record, requiring, rounds
from tests.unit.test_commands import invoke

CPU = ("fake", "avx2")


def published(plan: Plan, cpu: tuple[str, str] = CPU, **changes: Any) -> list[Record]:
    """The records of a run of a plan, as a build of today leaves them."""
    records = []
    for variant in plan.variants:
        one = record(variant)
        toolchain = plan.toolchain if one.target == plan.target.name else plan.reference_toolchain
        identity = {
            "lock": lock_digest(plan.workspace, one.target, toolchain),
            "code_sha256": code_hash(plan.workspace, one.target),
            "model_sha256": model_hash(plan, one.model),
        }
        recipe = {"name": plan.recipe.name, **plan.recipe.to_json()}
        device = {"cpu": cpu[0], "flags": cpu[1], "threads": 2}
        known = {"recipe": recipe, "toolchain": toolchain, "identity": identity, "device": device}
        records.append(replace(one, **{**known, "engine": "docker", **changes}))
    return records


def test_results_of_the_same_are_up_to_date(digits_plan: Plan) -> None:
    """Results of the same recipe, model, code, packages and CPU are what a build would measure again."""
    assert why_outdated(digits_plan, published(digits_plan), CPU, "auto") == ""
    assert why_outdated(digits_plan, published(digits_plan), CPU, "docker") == ""


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"recipe": {"name": "digits"}}, "the recipe has changed"),
    ({"status": RecordStatus.FAILED}, "digits/reference failed"),
    ({"identity": {"model_sha256": "0"}}, "model.json or the graph of digits has changed"),
    ({"device": {"cpu": "fake", "flags": ""}}, "it was measured on another CPU, fake"),
    ({"engine": "venv"}, "it was measured by the engine venv"),
]


@pytest.mark.parametrize(("changes", "reason"), CHANGES)
def test_what_has_changed_is_told(digits_plan: Plan, changes: dict[str, Any], reason: str) -> None:
    """Results of anything else are outdated, and the first thing that differs is said."""
    assert why_outdated(digits_plan, published(digits_plan, **changes), CPU, "docker") == reason


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("code_sha256", "the code of tensorflow has changed"),
        ("lock", "the packages of tensorflow 2.21 have changed"),
    ],
)
def test_changed_code_or_packages_are_told(digits_plan: Plan, key: str, reason: str) -> None:
    """Results of other code or other packages are outdated."""
    records = [replace(one, identity={**one.identity, key: "0"}) for one in published(digits_plan)]
    assert why_outdated(digits_plan, records, CPU, "auto") == reason


def test_what_was_not_measured_is_to_be_built(digits_plan: Plan) -> None:
    """Results of a recipe whose device was not there are none; measured there, this CPU does not matter."""
    recipe = replace(digits_plan.recipe, device="board")
    plan = replace(digits_plan, recipe=recipe)
    missing = published(plan, status=RecordStatus.NOT_MEASURED, rounds=())
    assert why_outdated(plan, missing, CPU, "auto") == "nothing of it was measured"
    assert why_outdated(plan, published(plan, engine="docker:board"), ("other", ""), "docker") == ""


def test_another_device_is_asked_for(digits_plan: Plan) -> None:
    """Where a context is asked for, results of this machine are none of a recipe that names no device."""
    far = published(digits_plan, engine="docker:board")
    assert why_outdated(digits_plan, published(digits_plan), CPU, "auto", "board") == (
        "it was measured on docker"
    )
    assert why_outdated(digits_plan, far, ("other", ""), "auto", "board") == ""
    named = replace(digits_plan, recipe=replace(digits_plan.recipe, device="boards"))
    assert why_outdated(named, published(named, engine="docker:board-2"), CPU, "auto", "board-1") == ""


def test_nothing_published_is_to_be_built(digits_plan: Plan) -> None:
    """A recipe without published results is to be built."""
    assert why_outdated(digits_plan, [], CPU, "auto") == "nothing is published of it"


def test_changed_data_is_told() -> None:
    """Results on other data are outdated."""
    digests = {"digits": {"test": "1"}}
    assert why_data_outdated([record(data={"test": "1"})], digests) == ""
    assert why_data_outdated([record(data={"test": "0"})], digests) == "the data of digits has changed"


def test_this_cpu_is_the_one_that_jobs_see() -> None:
    """The host names its CPU as a job on it does, or nothing would ever be up to date."""
    found = describe()
    assert this_cpu() == (found["cpu"], found["flags"])
    assert this_cpu("model name\t: A\nflags\t\t: sse avx2 fma\n") == ("A", "avx2")


def outcomes(
    names: Sequence[str], build: Callable[[str], Sequence[Assessment]], current: Sequence[str] = ()
) -> dict[str, RecipeOutcome]:
    met = judge([record("reference"), record()])
    found = build_each(names, lambda name: met if name in current else [], build)
    return {outcome.recipe: outcome for outcome in found}


def test_a_recipe_that_fails_stops_no_other() -> None:
    """Whatever a recipe meets, the others are built, and each has a line."""
    problems = {"input": InputProblem("wrong"), "job": JobFailed("broken"), "disk": OSError("full")}

    def build(name: str) -> list[Assessment]:
        if name in problems:
            raise problems[name]
        return judge([record("reference"), record()])

    found = outcomes([*problems, "good", "known"], build, current=["known"])
    failures = dict.fromkeys(problems, State.FAILED)
    states = {name: one.state for name, one in found.items()}
    assert states == {**failures, "good": State.BUILT, "known": State.UP_TO_DATE}
    assert found["job"].text == "broken"
    assert "take int8, 4.00x" in found["good"].text


def test_a_recipe_whose_device_is_not_there_is_skipped() -> None:
    """Its line says why, and the next one is built; results of it that are up to date need no device."""

    def build(name: str) -> list[Assessment]:
        if name == "far":
            raise NoDevice("no device 'board'")
        return judge([record("reference"), record()])

    found = outcomes(["far", "known", "near"], build, current=["known"])
    assert found["far"] == RecipeOutcome("far", State.SKIPPED, "no device 'board'")
    states = [outcome.state for outcome in found.values()]
    assert states == [State.SKIPPED, State.UP_TO_DATE, State.BUILT]


def test_what_this_machine_cannot_measure_is_skipped(workspace: Workspace) -> None:
    """A recipe of which nothing could be measured, for want of a GPU, has not failed: its line says why."""
    declined = record(
        status=RecordStatus.NOT_MEASURED, rounds=(), quality=None, reason="no GPU", stage="evaluate"
    )

    def build(name: str) -> list[Assessment]:
        built = BuildResult(workspace, judge([record("reference"), declined]), workspace.state, 0, 0)
        summarize(built, Console(quiet=True))
        return built.assessments

    found = outcomes(["rtx"], build)
    assert found["rtx"].state == State.SKIPPED
    assert found["rtx"].text.startswith("digits: not measured: no GPU")


def test_a_requirement_stays_missed() -> None:
    """A recipe whose requirement is missed has failed, however often it is looked at."""
    missed = judge([record("reference"), requiring(record(rounds=rounds(2.0, 2.0, 2.0)), min_speedup=3.0)])
    (one,) = build_each(["slow"], lambda _: missed, lambda _: [])
    assert one.state == State.FAILED
    assert one.text.startswith("what the recipe requires was not reached. No variant of digits")


def test_an_interrupted_matrix_ends_at_once() -> None:
    """Ctrl-C is no failure of a recipe: it ends the matrix, and what was built before is kept."""

    def build(name: str) -> list[Assessment]:
        if name == "second":
            raise KeyboardInterrupt
        return judge([record("reference"), record()])

    built = build_each(["first", "second", "third"], lambda _: [], build)
    assert next(built).state == State.BUILT
    with pytest.raises(KeyboardInterrupt):
        next(built)


@pytest.fixture
def two_recipes(workspace: Workspace) -> Workspace:
    """A workspace with a recipe, and one that cannot be read."""
    recipe = {"model": "digits", "target": "intel-openvino", "optimizations": ["int8"]}
    (workspace.root / "recipes" / "ours.json").write_text(json.dumps(recipe))
    (workspace.root / "recipes" / "broken.json").write_text("{")
    return workspace


def test_command_skips_a_recipe_whose_device_is_not_there(workspace: Workspace) -> None:
    """`matrix` says that a device is not there and succeeds; with --strict it fails."""
    recipe = {"model": "digits", "target": "intel-openvino", "optimizations": ["int8"], "device": "no-board"}
    (workspace.root / "recipes" / "far.json").write_text(json.dumps(recipe))
    done = invoke("matrix", "--workspace", str(workspace.root))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("skipped     far.json: no device 'no-board' (")
    strict = invoke("matrix", "--strict", "--workspace", str(workspace.root))
    assert strict.returncode == 1
    assert strict.stderr.splitlines()[-1] == "error: 1 of 1 recipes did not succeed: far.json"


def test_command_goes_on_with_every_device(workspace: Workspace) -> None:
    """Recipes of several devices: each device's lines have its name, each recipe has a line as it ends, and
    the last lines are in the recipes' order; for machines each is a line of JSON and nothing else.
    """
    recipe = {"model": "digits", "target": "intel-openvino", "optimizations": ["int8"]}
    for name in ("b-board", "c-board"):
        (workspace.root / "recipes" / f"{name}.json").write_text(json.dumps({**recipe, "device": name}))
    (workspace.root / "recipes" / "a.json").write_text("{")
    done = invoke("matrix", "--workspace", str(workspace.root))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[-3:]] == [
        ["failed", "a.json:"],
        ["skipped", "b-board.json:"],
        ["skipped", "c-board.json:"],
    ]
    assert sum(line.startswith("skipped     b-board.json: no device 'b-board' (") for line in lines) == 2
    assert "[b-board] b-board: building, because nothing is published of it" in lines
    errors = done.stderr.splitlines()
    assert errors[0].startswith("error: a.json: recipes/a.json")
    assert errors[-1] == "error: 1 of 3 recipes did not succeed: a.json"
    told = invoke("matrix", "--json", "--strict", "--workspace", str(workspace.root))
    assert told.returncode == 1
    outcomes = [json.loads(line) for line in told.stdout.splitlines()]
    states = {one["recipe"]: one["state"] for one in outcomes}
    assert states == {"a.json": "failed", "b-board.json": "skipped", "c-board.json": "skipped"}
    assert len(outcomes) == 3
    assert "skipped     b-board.json" not in told.stderr


def test_recipes_of_a_target(two_recipes: Workspace) -> None:
    """Recipes are chosen by target; one that cannot be read stays in, and an unknown target is refused."""
    assert recipes_of(two_recipes, []) == ["broken.json", "ours.json"]
    assert recipes_of(two_recipes, ["intel-openvino"]) == ["broken.json", "ours.json"]
    with pytest.raises(InputProblem, match="did you mean 'intel-openvino'"):
        recipes_of(two_recipes, ["intel-openvin"])


def test_recipes_by_name(two_recipes: Workspace) -> None:
    """Recipes are chosen by name, with or without the ending; an unknown name is refused."""
    assert (
        recipes_of(two_recipes, [], ["ours"]) == recipes_of(two_recipes, [], ["ours.json"]) == ["ours.json"]
    )
    assert recipes_of(two_recipes, [], ["ours", "broken"]) == ["broken.json", "ours.json"]
    with pytest.raises(InputProblem, match=r"did you mean 'ours\.json'"):
        recipes_of(two_recipes, [], ["our"])


def test_command_leaves_what_is_up_to_date(two_recipes: Workspace) -> None:
    """`matrix` says of each recipe what became of it; results of the same inputs are not measured again."""
    plan = make_plan(two_recipes, load_recipe(two_recipes, "ours.json"))
    data = prepare(plan, lambda *_: None)
    records = published(plan, this_cpu(), data=dict(data["digits"].digests))
    write_records(records, two_recipes.results / "records" / "ours")
    done = invoke("matrix", "--workspace", str(two_recipes.root))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert "ours: up to date: run 20260101T000000Z measured the same" in lines
    assert lines[-2].startswith("failed      broken.json: recipes/broken.json")
    assert lines[-1].startswith("up to date  ours.json: digits: take int8, 4.00x")
    assert done.stderr.splitlines()[-1] == "error: 1 of 2 recipes did not succeed: broken.json"
    (two_recipes.root / "recipes" / "broken.json").unlink()
    assert invoke("matrix", "--workspace", str(two_recipes.root)).returncode == 0
