"""The workspace: a folder of one's own with recipes and models; what it lacks is Dockyard's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from shared.contract.errors import InputProblem

PRODUCT = Path(__file__).resolve().parent.parent.parent
"""Dockyard's own repository, which is a workspace too."""

SHARED = PRODUCT / "shared"
"""The code that travels with every job."""

VARIABLE = "DOCKYARD_WORKSPACE"


@dataclass(frozen=True)
class Workspace:
    """Where recipes, models, targets, results and the cache of one company lie.

    Attributes:
        root: the folder; results/ and .dockyard/ are always its own.
        product: where recipes, models, targets and images that the root lacks are found.
    """

    root: Path
    product: Path = PRODUCT

    @property
    def state(self) -> Path:
        """Cache, environments and runs."""
        return self.root / ".dockyard"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def places(self) -> tuple[Path, ...]:
        """Where things are looked for, in this order."""
        return (self.root,) if self.root == self.product else (self.root, self.product)

    def names(self, kind: str, marker: str) -> list[str]:
        """Return the sorted names of the folders below `<kind>/` that hold a file `marker` (`model.json`)."""
        found = {path.parent.name for place in self.places for path in place.glob(f"{kind}/*/{marker}")}
        return sorted(found)

    def folder(self, kind: str, name: str, marker: str) -> Path:
        """Return the folder `<kind>/<name>` that holds a file `marker`: the workspace's own, else Dockyard's.

        Where there is none it is the path that it would have in the workspace.
        """
        for place in self.places:
            if (place / kind / name / marker).is_file():
                return place / kind / name
        return self.root / kind / name

    def model(self, name: str) -> Path:
        """Return a model's folder."""
        return self.folder("models", name, "model.json")

    def target(self, name: str) -> Path:
        """Return a target's folder."""
        return self.folder("targets", name, "target.json")

    def modules(self, name: str) -> Path:
        """Return a folder of modules below targets/, a target's own or one that targets share."""
        places = [place / "targets" / name for place in self.places]
        return next((folder for folder in places if folder.is_dir()), places[0])

    def docker(self, name: str) -> Path:
        """Return the folder of a target's image."""
        return self.folder("docker", name, "Dockerfile")

    def recipe_names(self) -> list[str]:
        """Return the files in recipes/ that are recipes, sorted."""
        found = {path.name for place in self.places for path in place.glob("recipes/*.json")}
        return sorted(found - {"recipe.schema.json"})

    def own_recipe_names(self) -> list[str]:
        """Return the files that are recipes in the workspace's own recipes/, sorted."""
        return Workspace(self.root, self.root).recipe_names()

    def display_path(self, path: Path) -> str:
        """Return a path as a user reads it: relative to the workspace or to Dockyard where it is in one."""
        for place in self.places:
            if path.is_relative_to(place):
                return str(path.relative_to(place))
        return str(path)


def find_workspace(
    given: str | None = None, environment: Mapping[str, str] = os.environ, standing: Path | None = None
) -> Workspace:
    """Return the workspace: the one named, the environment's, the one stood in, or else Dockyard's own.

    Args:
        given: the value of `--workspace`.
        environment: for DOCKYARD_WORKSPACE.
        standing: the current folder; the nearest folder from there upwards with recipes/ and models/ is one.

    Raises:
        InputProblem: the folder that was named is none, or is no workspace.
    """
    named = given or environment.get(VARIABLE)
    if named:
        return _named_workspace(named, "--workspace" if given else VARIABLE)
    here = (standing or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if _is_workspace(folder):
            return Workspace(folder)
    return Workspace(PRODUCT)


def _named_workspace(name: str, where: str) -> Workspace:
    try:
        root = Path(name).expanduser().resolve()
        there = root.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        raise InputProblem(f"no path ({error})", where) from None
    if root.exists() and not there:
        raise InputProblem(f"'{name}' is no folder", where, "name the folder that holds recipes/ and models/")
    if not there:
        raise InputProblem(f"there is no folder '{name}'", where, _nearest_folder(root))
    if not _is_workspace(root):
        raise InputProblem(f"'{name}' is no workspace", where, "make the folders recipes/ and models/ in it")
    return Workspace(root)


def _is_workspace(folder: Path) -> bool:
    return (folder / "recipes").is_dir() and (folder / "models").is_dir()


def _nearest_folder(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either"
    close = get_close_matches(path.name, [folder.name for folder in path.parent.iterdir() if folder.is_dir()])
    return f"did you mean '{close[0]}'?" if close else "make it, with the folders recipes/ and models/ in it"
