"""The modules that load a target's artifacts: those that its serving.py reaches, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dockyard.recipe.imported import reached
from shared.contract.errors import InputProblem

FIRST = "serving"


def modules_needed(folders: Sequence[Path], target: str) -> list[Path]:
    """Return the files of a target's own modules that run an artifact.

    Args:
        folders: whose modules lie together in its jobs; the last one is the target's own.

    Raises:
        InputProblem: the target has none that does.
    """
    known: dict[str, Path] = {}
    for folder in folders:
        known.update({file.stem: file for file in folder.glob("*.py")})
    if FIRST not in known:
        what, advice = f"artifacts of {target} are not delivered", "a target that is has a serving.py"
        raise InputProblem(what, f"targets/{target}", advice)
    return sorted(reached(known[FIRST], lambda name: [known[name]] if name in known else []))
