"""The commands: exit codes as designed, one or two lines for an error, no traceback, and quick."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from dockyard.judge.record_files import write_records
from dockyard.plan.plan import Plan
from dockyard.recipe.locks import lock_file, locked
from dockyard.recipe.workspace import VARIABLE, Workspace
from tests.builders import record
from tests.conftest import ROOT
from tests.stand_ins.engine import StandInEngine

INVOKE = Path(sys.executable).with_name("invoke")


def invoke(
    *arguments: str, standing: Path = ROOT, named: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a task as a user does, standing in a folder, with DOCKYARD_WORKSPACE set where it is named."""
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    if named is not None:
        environment[VARIABLE] = named
    command = [str(INVOKE), "--search-root", str(ROOT), *arguments]
    return subprocess.run(
        command, cwd=standing, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("words", [("--help", "compare"), ("compare", "--help"), ("compare", "-h")])
def test_help_before_and_after_a_command(words: tuple[str, str]) -> None:
    """A command's help is shown wherever it is asked for, also of one that needs arguments."""
    done = subprocess.run([ROOT / "inv", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Compare two runs of the same recipe" in done.stdout


def put(folder: Path, content: str) -> str:
    path = folder / "own.json"
    path.write_text(content)
    return str(path)


def wanted(**changes: object) -> str:
    recipe = {"model": "digits", "target": "intel-openvino", "optimizations": ["int8"]}
    return json.dumps({**recipe, **changes})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ('{"model": "dig', "not valid JSON"),
        ('{"model": "digits", "model": "digits"}', "stands twice"),
        (wanted(mesure={}), "did you mean 'measure'?"),
        (wanted(model="digit"), "did you mean 'digits'?"),
    ],
)
def test_wrong_recipe(tmp_path: Path, content: str, message: str) -> None:
    """A wrong recipe ends with exit code 2 and one or two lines that name file and remedy."""
    done = invoke("plan", "--recipe", put(tmp_path, content))
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert len(lines) <= 2
    assert "own.json" in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_build_finds_errors_first(tmp_path: Path) -> None:
    """A build refuses a wrong recipe before anything runs, with the same exit code."""
    done = invoke("build", "--recipe", "nowhere.json")
    assert done.returncode == 2
    assert "there is no recipe 'nowhere.json'" in done.stderr


def test_debug_shows_where() -> None:
    """With --debug the traceback is shown."""
    done = invoke("plan", "--recipe", "nowhere.json", "--debug")
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_plan_as_json(digits_plan: Plan) -> None:
    """`plan --json` tells the matrix's cells and every job with its needs, and nothing else on the output."""
    done = invoke("plan", "--recipe", "digits.json", "--json")
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    assert len(plan["jobs"]) == len(digits_plan.jobs)
    for job, planned in zip(plan["jobs"], digits_plan.jobs):
        assert (job["id"], job["needs"]) == (planned.job.id, planned.needs)
    assert [cell["method"] for cell in plan["include"]] == ["baseline", "int8"]
    toolchains = {(cell["recipe"], cell["target"], cell["toolchain"]) for cell in plan["include"]}
    assert toolchains == {("digits", "intel-openvino", "2026.4")}


def test_plan_of_every_recipe(tmp_path: Path) -> None:
    """Without a recipe `plan` is for all of the workspace: a cell each for a CI matrix, and every error."""
    for folder in ("recipes", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "recipes" / "here.json").write_text(wanted())
    (tmp_path / "recipes" / "far.json").write_text(wanted(device="board"))
    done = invoke("plan", "--json", "--workspace", str(tmp_path))
    cell = {"target": "intel-openvino", "toolchain": "2026.4"}
    assert json.loads(done.stdout) == {
        "include": [{"recipe": "far", **cell, "device": "board"}, {"recipe": "here", **cell, "device": ""}]
    }
    (tmp_path / "recipes" / "far.json").write_text(wanted(model="digit"))
    (tmp_path / "recipes" / "wrong.json").write_text("{")
    done = invoke("plan", "--json", "--workspace", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    errors = [line.split(":")[1] for line in done.stderr.splitlines() if line.startswith("error")]
    assert errors == [" recipes/far.json", " recipes/wrong.json"]


def test_every_task_is_listed_with_a_sentence() -> None:
    """Every task that a user types is listed with a sentence."""
    lines = [line for line in invoke("--list").stdout.splitlines() if line[:2] == "  " and line[2:3].strip()]
    listed = {line.split()[0]: line.split()[1:] for line in lines}
    tasks = {"build", "plan", "matrix", "report", "compare", "images", "doctor", "models", "tuning", "test"}
    assert tasks <= set(listed)
    assert all(words for words in listed.values())


@pytest.fixture
def own_recipe(workspace: Workspace) -> Workspace:
    """A workspace with a recipe of its own, for a model of Dockyard's."""
    (workspace.root / "recipes" / "ours.json").write_text(wanted())
    return workspace


@pytest.mark.parametrize("way", ["flag", "variable", "standing in it", "standing below it"])
def test_workspace(own_recipe: Workspace, way: str) -> None:
    """A recipe of a workspace is found by the flag, by the variable, or by standing in it."""
    root = own_recipe.root
    arguments = ["--workspace", str(root)] if way == "flag" else []
    standing = {"standing in it": root, "standing below it": root / "models"}.get(way, ROOT)
    named = str(root) if way == "variable" else None
    done = invoke("plan", "--recipe", "ours.json", *arguments, standing=standing, named=named)
    assert (done.returncode, done.stderr) == (0, "")
    assert "digits/int8/optimize" in done.stdout


def test_flag_beats_variable(own_recipe: Workspace, tmp_path: Path) -> None:
    """The flag counts where the variable names another workspace."""
    flag = ("--workspace", str(own_recipe.root))
    assert invoke("plan", "--recipe", "ours.json", *flag, named=str(tmp_path)).returncode == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("workspac", "did you mean 'workspace'?"),
        ("workspace/recipes", "make the folders recipes/ and models/"),
    ],
)
def test_wrong_workspace(own_recipe: Workspace, name: str, message: str) -> None:
    """A workspace that is none ends with exit code 2 and two lines that say what to do."""
    done = invoke("plan", "--recipe", "ours.json", "--workspace", str(own_recipe.root.parent / name))
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_report_of_two_machines(own_recipe: Workspace, tmp_path: Path) -> None:
    """`report --add` puts another's records beside one's own; what to take and the files asked for follow."""
    write_records([record("reference"), record()], tmp_path / "results" / "records" / "digits")
    files = ("--junit", str(tmp_path / "junit.xml"), "--parquet", str(tmp_path / "results.parquet"))
    done = invoke("report", "--add", str(tmp_path / "results"), *files, standing=own_recipe.root)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "added: digits, run 20260101T000000Z on fake, 2 threads (2 records)"
    assert lines[1].startswith("digits (fake, 2 threads): take int8, the fastest within max_drop 0.02: 4.00x")
    assert (own_recipe.results / "report.html").is_file()
    assert (tmp_path / "junit.xml").is_file()
    assert (tmp_path / "results.parquet").is_file()
    refused = invoke("report", "--add", str(tmp_path), standing=own_recipe.root)
    assert refused.returncode == 2
    assert "name the results folder of another workspace" in refused.stderr


def test_models_are_listed() -> None:
    """`models` lists each model with its description."""
    assert "digits: Handwritten digits" in invoke("models").stdout


@pytest.mark.parametrize("arguments", [["--list"], ["plan", "--recipe", "digits.json"]])
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    """Listing and planning import no numeric or plotting library, which would make them slow."""
    command = [sys.executable, "-X", "importtime", str(INVOKE), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert done.returncode == 0
    assert imported & {"numpy", "pandas", "matplotlib", "cv2", "docker", "PIL", "scipy", "rich"} == set()


def test_images_wait_for_what_is_measured_here(workspace: Workspace, this_engine: StandInEngine) -> None:
    """Images of this machine's engine are built in this machine's turn, not beside a job that is timed."""
    this_engine.has_base(workspace)
    command = [str(INVOKE), "--search-root", str(ROOT), "images", "--target", "tensorflow"]
    command += ["--workspace", str(workspace.root)]
    with ExitStack() as job:
        job.enter_context(locked(lock_file(workspace, "device-here")))
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as building:
            assert building.stdout is not None
            try:
                assert "waiting for this machine" in building.stdout.readline()
                assert this_engine.builds() == []
                job.close()
                assert building.wait(60) == 0
            finally:
                building.kill()
    tags = ["dockyard/tensorflow:2.21-runtime", "dockyard/tensorflow:2.21"]
    assert this_engine.builds() == [f"default: {tag}" for tag in tags]
