"""The records of a results folder, judged: this machine's own, and those added from other machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from dockyard.judge.assessment import ADDED, RECORDS, Assessment
from dockyard.judge.record_files import read_records
from dockyard.judge.verdicts import judge


def judge_results(results: Path, display_path: Callable[[Path], str] = str) -> list[Assessment]:
    """Return the assessments of all records in a results folder.

    Each recipe of each machine is judged by itself: nothing is held against another machine's reference.

    Raises:
        InputProblem: a file among the records that is none.
    """
    found = []
    for folder in group_folders(results):
        origin = folder.relative_to(results).as_posix()
        found += [replace(one, origin=origin) for one in judge(read_records(folder, display_path))]
    return found


def group_folders(results: Path) -> Iterator[Path]:
    """Yield the folders that each hold one recipe's records of one run."""
    yield from _folders(results / RECORDS)
    for recipe in _folders(results / ADDED):
        yield from _folders(recipe)


def _folders(folder: Path) -> list[Path]:
    """Return the folders in one, less those that are being written."""
    return sorted(path for path in folder.glob("*") if path.is_dir() and not path.name.startswith("."))
