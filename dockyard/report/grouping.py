"""Assessments by what is read together: the models of a recipe on a machine, and what each is called."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dockyard.judge.assessment import Assessment
from dockyard.judge.devices import same_device

ModelKey = tuple[str, str]
"""A group (`Assessment.group`) and a model."""


def by_group(assessments: Sequence[Assessment]) -> dict[str, list[Assessment]]:
    """Return the assessments of each recipe on each machine, in their order."""
    found: dict[str, list[Assessment]] = {}
    for one in assessments:
        found.setdefault(one.group, []).append(one)
    return found


def by_model(assessments: Sequence[Assessment]) -> dict[ModelKey, list[Assessment]]:
    """Return the assessments by their group and model, in their order."""
    found: dict[ModelKey, list[Assessment]] = {}
    for one in assessments:
        found.setdefault((one.group, one.record.model), []).append(one)
    return found


def by_device(rows: Sequence[Assessment]) -> list[list[Assessment]]:
    """Return the assessments of each device, the first's first: their times have no place in one picture."""
    found: list[list[Assessment]] = []
    for one in rows:
        same = next((own for own in found if same_device(own[0].record, one.record)), None)
        if same is None:
            found.append([one])
        else:
            same.append(one)
    return found


def stem_of(one: Assessment) -> str:
    """Return what the names of a model's pictures begin with, fit for a file whatever a record says."""
    run = f"-{one.group.rpartition('/')[2]}" if one.is_added else ""
    return re.sub(r"[^\w.-]", "_", f"{one.recipe_name}{run}-{one.record.model}").lstrip(".")
