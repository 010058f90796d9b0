"""The commands: exit codes as designed, one or two lines for an error, no traceback, and quick."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dockyard.plan.plan import Plan
from tests.conftest import ROOT

INVOKE = Path(sys.executable).with_name("invoke")


def invoke(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(INVOKE), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def put(folder: Path, content: str) -> str:
    path = folder / "own.json"
    path.write_text(content)
    return str(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the file is empty"),
        ('{"model": "dig', "not valid JSON"),
        ('{"model": "digits", "target": "intel-openvino", "optimizations": ["int8"], "mesure": {}}', "did you mean 'measure'?"),
        ('{"model": "digit", "target": "intel-openvino", "optimizations": ["int8"]}', "did you mean 'digits'?"),
    ],
)
def test_wrong_recipe(tmp_path: Path, content: str, told: str) -> None:
    """A wrong recipe ends with exit code 2 and one or two lines that name file and remedy."""
    done = invoke("plan", "--recipe", put(tmp_path, content))
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert len(lines) <= 2
    assert "own.json" in done.stderr
    assert told in done.stderr
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
    told = json.loads(done.stdout)
    assert [j["id"] for j in told["jobs"]] == [p.job.id for p in digits_plan.jobs]
    assert [j["needs"] for j in told["jobs"]] == [p.needs for p in digits_plan.jobs]
    assert [cell["method"] for cell in told["include"]] == ["baseline", "int8"]
    assert {(cell["recipe"], cell["target"], cell["toolchain"]) for cell in told["include"]} == {("digits", "intel-openvino", "2026.4")}


def test_every_task_is_listed_and_told() -> None:
    """Every task that a user types is listed with a sentence."""
    listed = {line.split()[0]: line.split()[1:] for line in invoke("--list").stdout.splitlines() if line[:2] == "  " and line[2:3].strip()}
    assert {"build", "plan", "matrix", "report", "compare", "images", "doctor", "models", "tuning", "test"} <= set(listed)
    assert all(words for words in listed.values())


def test_models_are_listed() -> None:
    """`models` lists each model with its description."""
    assert "digits: Handwritten digits" in invoke("models").stdout


@pytest.mark.parametrize("arguments", [["--list"], ["plan", "--recipe", "digits.json"]])
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    """Listing and planning import no numeric or plotting library, which would make them slow."""
    command = [sys.executable, "-X", "importtime", str(INVOKE), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert done.returncode == 0
    assert imported & {"numpy", "pandas", "matplotlib", "cv2", "docker", "PIL", "scipy"} == set()
