"""Recipes: found by name or path, read, checked against the schema.

Whether their targets, toolchains, methods and options exist is checked by `dockyard.plan.resolve`.
"""

from __future__ import annotations

from pathlib import Path

from dockyard.recipe import documents
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import InputProblem, nearest
from shared.contract.recipe import Recipe

SCHEMA = PRODUCT / "recipes" / "recipe.schema.json"


def find_recipe(workspace: Workspace, name: str) -> Path:
    """Return a recipe's file.

    Args:
        workspace: whose recipes/ is looked in first, then Dockyard's.
        name: a path, or a name in recipes/ with or without its ending.

    Raises:
        InputProblem: there is none, with the nearest name.
    """
    given = Path(name)
    candidates = [given, workspace.root / name]
    for place in workspace.places:
        candidates += [place / "recipes" / name, place / "recipes" / f"{name}.json"]
    try:
        found = next((path for path in candidates if path.is_file()), None)
    except (OSError, ValueError) as error:
        raise InputProblem(f"no file name ({error})", name[:80]) from None
    if found is not None:
        return found
    if len(given.parts) > 1:
        raise InputProblem("no such file", name, "give a path to a recipe, or the name of one in recipes/")
    known = [Path(file).stem for file in workspace.recipe_names()]
    raise InputProblem(f"there is no recipe '{name}'", "recipes/", nearest(given.stem, known))


def load_recipe(workspace: Workspace, name: str) -> Recipe:
    """Read a recipe and check it: JSON, known keys, types.

    Args:
        workspace: where it is looked up.
        name: as `find_recipe` takes it.

    Raises:
        InputProblem: with file and JSON path.
    """
    path = find_recipe(workspace, name)
    where = workspace.display_path(path.resolve())
    _refuse_namesake(workspace, path, where)
    document = documents.read_json(path, where)
    documents.check(document, SCHEMA, where)
    recipe = Recipe.from_json(path.stem, document, where)
    measure = recipe.measure
    if measure.max_rounds < measure.rounds:
        raise InputProblem(
            f"max_rounds ({measure.max_rounds}) is below rounds ({measure.rounds})",
            f"{where}: $.measure.max_rounds",
        )
    return recipe


def _refuse_namesake(workspace: Workspace, path: Path, where: str) -> None:
    """Refuse a file from elsewhere that has the name of one in recipes/, whose results it would replace."""
    places = (place / "recipes" / f"{path.stem}.json" for place in workspace.places)
    known = [place for place in places if place.is_file()]
    if known and path.resolve() not in {place.resolve() for place in known}:
        what = f"{workspace.display_path(known[0])} is another recipe of the name '{path.stem}'"
        advice = "its results would take the place of that one's: give the file another name"
        raise InputProblem(what, where, advice)


def data_folder(workspace: Workspace, recipe: Recipe) -> Path:
    """Return the user's own data folder of a recipe, which lies in the workspace (or in Dockyard's own).

    Raises:
        InputProblem: the recipe names none, it is not there, or it leaves the workspace.
    """
    where = f"{recipe.file}: $.data"
    if recipe.data is None:
        raise InputProblem("the recipe names no data", where)
    for folder in _inside(workspace, recipe.data, where):
        if folder.is_dir():
            return folder
    raise InputProblem(f"there is no folder '{recipe.data}'", where)


def _inside(workspace: Workspace, path: str, where: str) -> list[Path]:
    """Return where a path of a recipe may lie. Raises InputProblem where it leaves the workspace."""
    try:
        paths = {place: (place / path).resolve() for place in workspace.places}
    except (OSError, ValueError) as error:
        raise InputProblem(f"no path ({error})", where) from None
    inside = [resolved for place, resolved in paths.items() if place in resolved.parents]
    if not inside:
        raise InputProblem(
            f"the path '{path}' leaves the workspace", where, f"put the data below {workspace.root}"
        )
    return inside
