"""Another machine's results put beside this one's: looked into, and kept apart by recipe, run and device."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dockyard.judge.assessment import ADDED, RECORDS
from dockyard.judge.devices import BOOT, device_name
from dockyard.judge.record_files import read_records
from dockyard.judge.results_folder import group_folders
from dockyard.judge.verdicts import judge
from dockyard.recipe.hashing import json_hash
from dockyard.recipe.locks import locked
from dockyard.recipe.workspace import Workspace
from dockyard.run.turns import results_lock
from shared.contract.errors import InputProblem
from shared.contract.record import Record

PLAIN_NAME = re.compile(r"\w[\w@+.-]*")
"""Of a recipe, a run, a model or a variant: also the name of a file."""


@dataclass(frozen=True)
class _Group:
    """The records of one recipe and run."""

    folder: Path
    records: Sequence[Record]

    @property
    def recipe(self) -> str:
        return str(self.records[0].recipe["name"])

    @property
    def run(self) -> str:
        return self.records[0].run

    @property
    def measured(self) -> list[Record]:
        return [one for one in self.records if one.rounds]

    @property
    def devices(self) -> list[tuple[str, str, str]]:
        """What tells the devices that it was measured on from others, as far as the records say."""
        found = {(one.engine, device_name(one), str(one.device.get(BOOT, ""))) for one in self.measured}
        return sorted(found)

    @property
    def files(self) -> dict[str, bytes]:
        """Its records' bytes, by their paths in its folder."""
        paths = sorted(self.folder.rglob("*.json"))
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}

    @property
    def title(self) -> str:
        names = ", ".join(dict.fromkeys(name for _, name, _ in self.devices))
        return f"{self.recipe}, run {self.run} on {names}"


def add_results(workspace: Workspace, other: Path) -> list[str]:
    """Copy what another machine has measured to results/added/<recipe>/<run>-<device>/.

    Nothing is copied unless all can be.

    Args:
        other: that machine's results folder.

    Returns:
        What became of each recipe, a line each.

    Raises:
        InputProblem: no results folder, or this one; a file that is no record, or not the one that its path
            says; a recipe's records of several runs; other records of a run and device that are here.
    """
    where = workspace.display_path(other)
    if not (other / RECORDS).is_dir():
        advice = "name the results folder of another workspace"
        raise InputProblem(f"there is no folder '{RECORDS}' in it", where, advice)
    results = workspace.results
    if results.resolve() == other.resolve():
        raise InputProblem("these are the results of this workspace", where)
    with locked(results_lock(workspace)):
        known = list(_groups(workspace, results))
        lines: list[str] = []
        fresh: dict[Path, _Group] = {}
        for group in _groups(workspace, other):
            if not group.measured:
                lines.append(f"left out: {group.recipe}, of which nothing was measured")
            elif _is_known(workspace, group, known):
                lines.append(f"here already: {group.title}")
            else:
                device = json_hash(group.devices)[:8]
                fresh[results / ADDED / group.recipe / f"{group.run}-{device}"] = group
                lines.append(f"added: {group.title} ({len(group.records)} records)")
                known.append(group)
        for destination, group in fresh.items():
            _copy(group, destination)
    return lines


def _groups(workspace: Workspace, results: Path) -> Iterator[_Group]:
    for folder in group_folders(results):
        records = read_records(folder, workspace.display_path)
        if records:
            _check(records, folder, workspace)
            yield _Group(folder, records)


def _check(records: Sequence[Record], folder: Path, workspace: Workspace) -> None:
    """Refuse records that are not what their paths say, or of no single run. Raises InputProblem."""
    where = workspace.display_path(folder)
    if len({(one.run, str(one.recipe["name"])) for one in records}) > 1:
        raise InputProblem("it has records of several runs or recipes", where, "restore the folder")
    for one in records:
        names = (str(one.recipe["name"]), one.run, one.model, one.variant)
        odd = next((name for name in names if not PLAIN_NAME.fullmatch(name)), None)
        if odd is not None:
            raise InputProblem(f"a record has the name '{odd}', which no file can have", where)
        path = folder / one.model / f"{one.variant}.json"
        if not path.is_file():
            raise InputProblem(
                f"it has a record of {one.model}/{one.variant}, and not under that name",
                where,
                "restore the folder",
            )
    try:
        judge(records)
    except (ValueError, LookupError, TypeError) as error:
        raise InputProblem(f"its figures cannot be judged ({error})", where) from None


def _is_known(workspace: Workspace, group: _Group, known: Sequence[_Group]) -> bool:
    """Tell whether the records are here. Raises InputProblem where there are others of its run and device."""
    for own in known:
        if (own.recipe, own.run, own.devices) == (group.recipe, group.run, group.devices):
            if own.files == group.files:
                return True
            here, there = workspace.display_path(own.folder), workspace.display_path(group.folder)
            raise InputProblem(
                f"its records of {group.title} differ from those in {here}",
                there,
                "find out which of the two was changed, and remove it",
            )
    return False


def _copy(group: _Group, destination: Path) -> None:
    """Put a group's records in place at once."""
    staged = destination.with_name(f".{destination.name}.new")
    shutil.rmtree(staged, ignore_errors=True)
    try:
        for name, content in group.files.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    staged.rename(destination)
