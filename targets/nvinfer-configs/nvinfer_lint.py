"""What is wrong with configurations of nvinfer, told before a device is asked.

nvinfer warns of an unknown key and goes on, and stops for some wrong values without naming the line: each
problem here is a sentence with what, where and what to do.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence

from nvinfer_entries import Config, Entry
from nvinfer_files import file_problems
from nvinfer_keys import CLASS_ATTRS, PROPERTY, absence, release_facts, table, value_problem
from nvinfer_problems import Problem
from nvinfer_rules import rule_problems
from nvinfer_text import MOST_CHARACTERS, read, syntax_of

from shared.contract.errors import InputProblem


def lint_text(text: str, name: str, release: str, folder: Optional[Path] = None) -> List[Problem]:
    """Return what is wrong with a file's text; empty where nothing is.

    Args:
        name: of the file; its ending tells the syntax.
        release: of DeepStream, as `7.1`.
        folder: of the file, against which its paths are; None: files are not looked for.

    Raises:
        InputProblem: the release is not known. Of the text nothing is raised.
    """
    release_facts(release)
    try:
        config = read(text, syntax_of(name), name)
    except InputProblem as problem:
        return [Problem(problem.where, problem.what, problem.advice)]
    return lint(config, name, release, folder)


def lint(config: Config, name: str, release: str, folder: Optional[Path] = None) -> List[Problem]:
    """Return what is wrong with a configuration; the arguments are those of `lint_text`."""
    release_facts(release)
    found = [*_group_problems(config, name)]
    for entry in config.entries:
        found += _entry_problems(entry, name, release)
    found += rule_problems(config, name)
    found += file_problems(config, name, folder)
    return found


def lint_together(configs: Mapping[str, Config]) -> List[Problem]:
    """Return what is wrong between the configurations of one pipeline.

    Args:
        configs: by file name, in the order of the pipeline.
    """
    found: List[Problem] = []
    owners: Dict[float, str] = {}
    for name, config in configs.items():
        own, wanted = config.number("gie-unique-id"), config.number("operate-on-gie-id")
        if wanted is not None and wanted != -1 and wanted not in owners:
            what = f"operate-on-gie-id is {wanted:g}, and no nvinfer before it has that number"
            advice = f"take one of: {', '.join(f'{owner:g}' for owner in owners) or 'none is there'}"
            found.append(Problem(name, what, advice))
        if own in owners:
            what = f"gie-unique-id {own:g} is that of {owners[own]}, too"
            found.append(Problem(name, what, "give each nvinfer its own"))
        elif own is not None:
            owners[own] = name
    return found


def lint_files(paths: Sequence[Path], release: str) -> List[Problem]:
    """Return what is wrong with the files of one pipeline, each by itself and all together.

    Args:
        paths: in the order of the pipeline.

    Raises:
        OSError: a file cannot be read.
        InputProblem: the release is not known.
    """
    found: List[Problem] = []
    configs: Dict[str, Config] = {}
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MOST_CHARACTERS + 1)
        found += lint_text(text, path.name, release, path.parent)
        try:
            configs[path.name] = read(text, syntax_of(path.name), path.name)
        except InputProblem:
            continue  # told by lint_text
    return found + lint_together(configs)


def _group_problems(config: Config, name: str) -> Iterator[Problem]:
    """Yield the groups that are not there, or are none."""
    if PROPERTY not in config.groups:
        yield Problem(name, f"the group '{PROPERTY}' is missing", "nvinfer asks for it: add it")
    for group in config.groups:
        number = group[len(CLASS_ATTRS) + 1 :]
        is_one = group.startswith(f"{CLASS_ATTRS}-") and (number == "all" or number.isdecimal())
        if group != PROPERTY and not is_one:
            advice = f"valid: {PROPERTY}, {CLASS_ATTRS}-all, {CLASS_ATTRS}-<class>"
            yield Problem(name, f"'{group}' is no group of nvinfer", advice)


def _entry_problems(entry: Entry, name: str, release: str) -> Iterator[Problem]:
    """Yield what is wrong with one entry by itself."""
    keys = table().keys
    where = f"{name}, {entry.group}"
    key = keys.get(entry.key)
    if key is None:
        close = difflib.get_close_matches(entry.key, list(keys), n=1, cutoff=0.5)
        advice = f"did you mean '{close[0]}'?" if close else "remove it"
        yield Problem(where, f"'{entry.key}' is no known key of nvinfer in release {release}", advice)
        return
    lack = absence(key, release)
    if lack:
        yield Problem(where, f"'{entry.key}' {lack}", "remove it, or choose another release")
    syntax = syntax_of(name)
    if syntax not in key.forms:
        yield Problem(where, f"'{entry.key}' is not read of {syntax}", f"{key.meaning} Write that instead")
    if key.group == PROPERTY and entry.group != PROPERTY:
        yield Problem(where, f"'{entry.key}' belongs into the group '{PROPERTY}'", "move it there")
    if key.group == CLASS_ATTRS and entry.group == PROPERTY:
        yield Problem(where, f"'{entry.key}' belongs into a group '{CLASS_ATTRS}-all'", "move it there")
    wrong = value_problem(key, entry.value)
    if wrong:
        yield Problem(where, f"{entry.key} {wrong}", key.meaning)
