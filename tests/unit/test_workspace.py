"""A workspace of one's own is found wherever it is named, and what it lacks is Dockyard's."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from dockyard.plan.make import make_plan
from dockyard.recipe.models import load_model
from dockyard.recipe.recipes import find_recipe, load_recipe
from dockyard.recipe.targets import code_folders, load_target
from dockyard.recipe.workspace import PRODUCT, VARIABLE, Workspace, find_workspace
from shared.contract.errors import InputProblem
from tests.builders import change_target, share


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with recipes/ and models/, beside others."""
    root = tmp_path / "our-models"
    for name in ("recipes", "models"):
        (root / name).mkdir(parents=True)
    (tmp_path / "our-photos").mkdir()
    (tmp_path / "our-photos" / "one.jpg").touch()
    return root


def put_model(own: Path, name: str = "digits", description: str = "ours") -> Path:
    """Put the example model, described anew, into a workspace; return its folder."""
    folder = own / "models" / name
    folder.mkdir()
    shutil.copy(PRODUCT / "models" / "digits" / "digits.pb", folder)
    document = json.loads((PRODUCT / "models" / "digits" / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**document, "description": description}))
    return folder


def put_recipe(own: Path, name: str = "ours.json", model: str = "digits") -> Path:
    """Put a recipe into a workspace; return its file."""
    path = own / "recipes" / name
    document = {"model": model, "target": "intel-openvino", "optimizations": ["baseline"]}
    path.write_text(json.dumps({**document, "description": "ours"}))
    return path


def test_workspace_that_is_named(own: Path) -> None:
    """--workspace comes before DOCKYARD_WORKSPACE, and that before where one stands."""
    elsewhere = own.parent / "theirs"
    for name in ("recipes", "models"):
        (elsewhere / name).mkdir(parents=True)
    environment = {VARIABLE: str(own)}
    assert find_workspace(str(elsewhere), environment, PRODUCT) == Workspace(elsewhere)
    assert find_workspace(None, environment, elsewhere) == Workspace(own)
    assert find_workspace("", {}, elsewhere) == Workspace(elsewhere)


@pytest.mark.parametrize("below", [".", "recipes", "models/ours/data"])
def test_workspace_that_is_stood_in(own: Path, below: str) -> None:
    """Standing in a workspace, or anywhere below it, is enough."""
    (own / below).mkdir(parents=True, exist_ok=True)
    assert find_workspace(None, {}, own / below) == Workspace(own)


def test_nearest_workspace_above(own: Path) -> None:
    """Of two workspaces, one in the other, the inner one is stood in."""
    inner = own / "models" / "copied"
    for name in ("recipes", "models"):
        (inner / name).mkdir(parents=True)
    assert find_workspace(None, {}, inner / "models") == Workspace(inner)


def test_no_workspace_is_dockyards(own: Path) -> None:
    """Standing in no workspace, Dockyard's own repository is it; so it is from a folder of Dockyard's."""
    assert find_workspace(None, {}, own.parent / "our-photos") == Workspace(PRODUCT)
    assert find_workspace(None, {}, PRODUCT / "tests" / "unit") == Workspace(PRODUCT)
    assert Workspace(PRODUCT).places == (PRODUCT,)


def test_current_folder_is_stood_in(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is said, the process's own environment and folder count, links followed."""
    link = own.parent / "link"
    link.symlink_to(own)
    monkeypatch.chdir(link)
    assert find_workspace(environment={}) == Workspace(own)
    assert find_workspace(".", {}) == Workspace(own)


def test_home_is_understood(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that begins with ~ is one below the home folder."""
    monkeypatch.setitem(os.environ, "HOME", str(own.parent))
    assert find_workspace("~/our-models", {}) == Workspace(own)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("our-model", "did you mean 'our-models'?"),
        ("nowhere/our-models", "there is no folder"),
        ("nothing-alike", "make it, with the folders recipes/ and models/ in it"),
        ("our-photos", "make the folders recipes/ and models/ in it"),
        ("our-photos/one.jpg", "is no folder"),
        ("a\0b", "no path"),
        ("x" * 300, ""),
    ],
)
@pytest.mark.parametrize("by_variable", [False, True])
def test_wrong_workspace(own: Path, name: str, message: str, by_variable: bool) -> None:
    """A workspace that is not there, or is none, is refused with its place and the nearest folder."""
    path = str(own.parent / name)
    with pytest.raises(InputProblem) as caught:
        find_workspace(None if by_variable else path, {VARIABLE: path} if by_variable else {}, own)
    assert caught.value.where == (VARIABLE if by_variable else "--workspace")
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_home_of_nobody() -> None:
    """A home folder that cannot be found is refused like any other wrong path."""
    with pytest.raises(InputProblem, match="no path"):
        find_workspace("~nobody-of-this-name/models", {})


def test_own_model_first_then_dockyards(own: Path) -> None:
    """A model is the workspace's where it has one of that name, else Dockyard's."""
    workspace = Workspace(own)
    assert load_model(workspace, "digits", "test").description != "ours"
    put_model(own)
    put_model(own, "letters")
    assert load_model(workspace, "digits", "test").description == "ours"
    assert load_model(workspace, "lp_detector", "test").name == "lp_detector"
    names = workspace.names("models", "model.json")
    assert {"letters", "digits", "lp_detector"} <= set(names)
    assert names == sorted(set(names))


def test_own_recipe_first_then_dockyards(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe is the workspace's where it has one of that name, else Dockyard's, from anywhere."""
    workspace = Workspace(own)
    monkeypatch.chdir(own.parent)
    assert find_recipe(workspace, "digits") == PRODUCT / "recipes" / "digits.json"
    path = put_recipe(own, "digits.json")
    for name in ("digits", "digits.json", "recipes/digits.json", "our-models/recipes/digits.json", str(path)):
        assert find_recipe(workspace, name).resolve() == path
    recipe = load_recipe(workspace, "digits")
    assert (recipe.description, recipe.file) == ("ours", "recipes/digits.json")
    assert "lp_intel.json" in workspace.recipe_names()
    assert workspace.recipe_names().count("digits.json") == 1
    assert workspace.own_recipe_names() == ["digits.json"]


def test_nearest_recipe_of_both(own: Path) -> None:
    """A wrong name is answered with the nearest of the workspace's recipes and Dockyard's."""
    put_recipe(own, "letters.json")
    with pytest.raises(InputProblem, match="did you mean 'letters'") as caught:
        find_recipe(Workspace(own), "leters")
    assert "digits" in caught.value.advice


def test_own_target_first_then_dockyards(own: Path) -> None:
    """A target of the workspace's own stands beside Dockyard's, and in the place of one of the same name."""
    workspace = Workspace(own)
    none = {"type": "object", "additionalProperties": False}
    document = {
        "description": "ours",
        "toolchains": {"1": {}},
        "sources": ["ONNX"],
        "methods": {"baseline": {"description": "", "options": {"1": none}}},
    }
    for name in ("our-board", "tvm-llvm"):
        (own / "targets" / name).mkdir(parents=True)
        (own / "targets" / name / "target.json").write_text(json.dumps(document))
        assert load_target(workspace, name, "test").description == "ours"
    assert load_target(workspace, "intel-openvino", "test").description != "ours"
    with pytest.raises(InputProblem, match="did you mean 'our-board'"):
        load_target(workspace, "our-bord", "test")


def test_a_method_starts_from_one_that_there_is(own: Path) -> None:
    """A target whose method starts from one that its toolchain lacks is refused, with the nearest."""
    options = {"1": {"type": "object", "additionalProperties": False, "properties": {}}}
    document = {
        "description": "ours",
        "toolchains": {"1": {}},
        "sources": ["ONNX"],
        "methods": {
            "int8": {"description": "", "options": options},
            "int8-better": {"description": "", "options": options, "starts_from": {"1": "int9"}},
        },
    }
    (own / "targets" / "our-board").mkdir(parents=True)
    (own / "targets" / "our-board" / "target.json").write_text(json.dumps(document))
    with pytest.raises(InputProblem, match=r"1 has no method 'int9'\s+did you mean 'int8'"):
        load_target(Workspace(own), "our-board", "test")


def test_a_target_shares_modules(workspace: Workspace, second_target: str) -> None:
    """A target's modules lie together with those of the folders that it shares, in the workspace or in
    Dockyard; the folder itself is no target.
    """
    place = share(workspace, second_target, "shelf-graphs")
    assert code_folders(workspace, second_target) == (place, workspace.target(second_target))
    assert "shelf-graphs" not in workspace.names("targets", "target.json")
    change_target(workspace, second_target, shares=["onnx-graphs"])
    assert code_folders(workspace, second_target)[0] == PRODUCT / "targets" / "onnx-graphs"


def test_modules_that_cannot_be_shared(workspace: Workspace, second_target: str) -> None:
    """A folder that is not there, and a module that the target has itself, are refused with their place."""
    change_target(workspace, second_target, shares=["shelf-graphs"])
    with pytest.raises(InputProblem, match="there is no folder of modules 'shelf-graphs'") as caught:
        load_target(workspace, second_target, "test")
    assert caught.value.where.endswith("$.shares[0]")
    share(workspace, second_target, "shelf-graphs", "entry.py")
    (workspace.target(second_target) / "entry.py").write_text("2")
    with pytest.raises(
        InputProblem, match=r"entry\.py is in targets/shelf-graphs/ and in targets/shelf-cpu/"
    ):
        load_target(workspace, second_target, "test")


def test_sources_that_are_not_there(workspace: Workspace, second_target: str) -> None:
    """A folder of sources that an image would compile and that is not there is refused with its place."""
    change_target(workspace, second_target, image_sources=["shelf-parsers"])
    with pytest.raises(InputProblem, match="there is no folder of sources 'shelf-parsers'") as caught:
        load_target(workspace, second_target, "test")
    assert caught.value.where.endswith("$.image_sources[0]")


def test_own_model_in_a_plan(own: Path) -> None:
    """A recipe and a model in a workspace are planned with Dockyard's targets."""
    put_model(own, "letters")
    put_recipe(own, model="letters")
    workspace = Workspace(own)
    plan = make_plan(workspace, load_recipe(workspace, "ours"))
    assert plan.models == ["letters"]
    assert plan.target.name == "intel-openvino"


def test_whole_model_folder_is_taken(own: Path) -> None:
    """A folder without model.json does not hide Dockyard's model of that name."""
    (own / "models" / "digits").mkdir()
    workspace = Workspace(own)
    assert workspace.model("digits") == PRODUCT / "models" / "digits"
    assert workspace.model("nowhere") == own / "models" / "nowhere"


def test_results_and_state_are_its_own(own: Path) -> None:
    """Results and cache lie in the workspace, never in Dockyard's folders."""
    workspace = Workspace(own)
    assert (workspace.results, workspace.state) == (own / "results", own / ".dockyard")


def test_display_path(own: Path) -> None:
    """A path is shown relative to the workspace or to Dockyard, one elsewhere as it is."""
    workspace = Workspace(own)
    assert workspace.display_path(own / "models" / "a" / "model.json") == "models/a/model.json"
    assert workspace.display_path(PRODUCT / "targets" / "tvm-llvm") == "targets/tvm-llvm"
    assert workspace.display_path(own.parent / "own.json") == str(own.parent / "own.json")


def test_error_in_an_own_model_has_its_path(own: Path) -> None:
    """What is wrong in a workspace's model is refused with its path there."""
    folder = put_model(own)
    (folder / "digits.pb").write_bytes(b"")
    with pytest.raises(InputProblem) as caught:
        load_model(Workspace(own), "digits", "test")
    assert caught.value.where == "models/digits/digits.pb"


BENCHMARKS = sorted(path.name for path in (PRODUCT / "benchmarks").iterdir())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmarks_can_be_planned(name: str) -> None:
    """Each benchmark is a workspace whose own targets are valid, and whose recipes are planned with them."""
    workspace = Workspace(PRODUCT / "benchmarks" / name)
    (recipe,) = workspace.own_recipe_names()
    plan = make_plan(workspace, load_recipe(workspace, recipe))
    own = set(Workspace(workspace.root, workspace.root).names("targets", "target.json"))
    assert own <= set(plan.targets)
