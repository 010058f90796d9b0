"""Every recipe in one go: what is up to date is left; no failure and no missing device stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from dockyard.judge.assessment import Assessment
from dockyard.judge.verdicts import requirement_met
from dockyard.placing import NoDevice
from dockyard.recipe.fleet import THIS_MACHINE
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.report.headline import headline
from shared.contract.errors import DockyardError, InputProblem, nearest

REQUIREMENT_MISSED = "what the recipe requires was not reached"


class State(str, Enum):
    """What became of a recipe.

    UP_TO_DATE was not built: its results are of what a build would measure. SKIPPED was to be, and its device
    is not there.
    """

    BUILT = "built"
    UP_TO_DATE = "up to date"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class RecipeOutcome:
    """What became of a recipe, in one line; an error may have a second one.

    Attributes:
        device: that had it, where a matrix has several; up to date, it may be another that has measured it.
    """

    recipe: str
    state: State
    text: str
    device: str = ""


def line_of(outcome: RecipeOutcome) -> str:
    """Return the line that tells what became of a recipe."""
    (first, *_) = outcome.text.splitlines() or [""]
    is_elsewhere = outcome.device not in ("", THIS_MACHINE) and outcome.state == State.BUILT
    on = f" on {outcome.device}" if is_elsewhere else ""
    return f"{outcome.state.value:10}  {outcome.recipe}{on}: {first}"


def recipes_of(workspace: Workspace, targets: Sequence[str], only: Sequence[str] = ()) -> list[str]:
    """Return the workspace's own recipes of these targets (of all where there is none), sorted.

    A recipe that cannot be read is among them, so that its error is told in its turn.

    Args:
        only: names of recipes, with or without their ending; no others are returned.

    Raises:
        InputProblem: no recipe is of a target, or has a name.
    """
    names = workspace.own_recipe_names()
    wanted = {name if name in names else f"{name}.json" for name in only}
    for name in sorted(wanted - set(names)):
        what = f"there is no recipe '{name.removesuffix('.json')}' in the workspace"
        raise InputProblem(what, "--recipe", nearest(name, names))
    names = [name for name in names if name in wanted or not only]
    known = {name: _target_of(workspace, name) for name in names}
    for target in targets:
        if target not in known.values():
            valid = [target for target in known.values() if target]
            raise InputProblem(
                f"no recipe of the workspace is for '{target}'", "--target", nearest(target, valid)
            )
    return [name for name, target in known.items() if not targets or target in (*targets, None)]


def _target_of(workspace: Workspace, name: str) -> str | None:
    try:
        return load_recipe(workspace, name).target
    except InputProblem:
        return None


def build_each(
    names: Iterable[str],
    up_to_date: Callable[[str], Sequence[Assessment]],
    build: Callable[[str], Sequence[Assessment]],
) -> Iterator[RecipeOutcome]:
    """Build recipes one after the other.

    Args:
        up_to_date: returns what is published of a recipe; empty where it is to be built.
        build: builds a recipe. Each may raise a DockyardError, or an OSError: then the recipe has failed,
            or is skipped where that is NoDevice.
    """
    for name in names:
        try:
            published = up_to_date(name)
            assessments = published or build(name)
        except NoDevice as problem:
            yield RecipeOutcome(name, State.SKIPPED, str(problem))
            continue
        except (DockyardError, OSError) as error:
            yield RecipeOutcome(name, State.FAILED, str(error))
            continue
        if requirement_met(assessments):
            state = State.UP_TO_DATE if published else State.BUILT
            yield RecipeOutcome(name, state, headline(assessments))
        else:
            yield RecipeOutcome(name, State.FAILED, f"{REQUIREMENT_MISSED}. {headline(assessments)}")
