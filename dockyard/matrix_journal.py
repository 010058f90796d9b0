"""What a matrix on several devices has begun and ended, so that the next goes on where it was killed.

Each matrix has a file in `.dockyard/matrix/`, which it holds while it lives, and which is gone at its end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dockyard.judge.records import new_run
from dockyard.recipe import documents
from dockyard.recipe.locks import lock_file, locked, locked_if_free
from dockyard.recipe.workspace import Workspace
from shared.contract.errors import InputProblem


@dataclass(frozen=True)
class Begun:
    """A recipe that a killed matrix was at.

    Attributes:
        device: where, by its name; `context` leads to it, None to this machine.
        run: the name that a run which began then would have.
    """

    device: str
    context: str | None
    run: str


class Journal:
    """What a matrix has begun and ended, and at first what those before it had which were killed.

    Attributes:
        measured: recipes whose published run is a matrix's own.
        begun: what has not ended, by recipe.
    """

    def __init__(self, workspace: Workspace, path: Path) -> None:
        self._workspace, self._path = workspace, path
        self.measured: set[str] = set()
        self.begun: dict[str, Begun] = {}

    def begin(self, recipe: str, device: str, context: str | None) -> None:
        """Note that a recipe is begun on a device, to which a context leads."""
        self._note({"recipe": recipe, "device": device, "context": context, "run": new_run()})

    def end(self, recipe: str) -> None:
        """Note that a recipe has come to its end; it is measured if a run was published since."""
        begun = self.begun[recipe]
        self._note({"recipe": recipe, "is_measured": self._published_run(recipe) >= begun.run})

    def take_over(self, path: Path) -> None:
        """Add what another journal has, and remove it."""
        for line in path.read_text(errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):  # one that was cut off is as if never written
                self._note(json.loads(line))
        path.unlink()

    def end_what_is_published(self) -> None:
        """End the recipes whose run was published, but whose matrix was killed before it could say so."""
        for recipe, begun in list(self.begun.items()):
            if self._published_run(recipe) >= begun.run:
                self.end(recipe)

    def _note(self, entry: Mapping[str, Any]) -> None:
        recipe = str(entry["recipe"])
        if "device" in entry:
            self.begun[recipe] = Begun(str(entry["device"]), entry["context"], str(entry["run"]))
        else:
            self.begun.pop(recipe, None)
            self.measured |= {recipe} if entry["is_measured"] else set()
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def _published_run(self, recipe: str) -> str:
        """Return the name of a recipe's published run, its time; empty where there is none."""
        folder = self._workspace.results / "records" / Path(recipe).stem
        for path in sorted(folder.rglob("*.json"))[:1]:
            with suppress(InputProblem, KeyError, TypeError):  # what is no record is told where it is read
                return str(documents.read_json(path, str(path))["run"])
        return ""


@contextmanager
def journal(workspace: Workspace) -> Iterator[Journal]:
    """Keep a journal, which takes over those of matrices that were killed."""
    folder = workspace.state / "matrix"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{new_run()}-{os.getpid()}.jsonl"
    with locked_if_free(path):
        own = Journal(workspace, path)
        with locked(lock_file(workspace, "matrix")):  # two that begin at once do not both take one over
            for other in sorted(folder.glob("*.jsonl")):
                with locked_if_free(other) as (_, is_killed):
                    if is_killed:
                        own.take_over(other)
        own.end_what_is_published()
        try:
            yield own
        finally:
            path.unlink(missing_ok=True)
