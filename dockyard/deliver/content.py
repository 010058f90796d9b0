"""What goes into a delivered image: the measured bytes, the modules that ran them, golden images.

Where artifacts are compiled on the device that they are for, what they are compiled of goes in their place:
they are built anew at the first start.

<folder>/code/shared/{contract,inference,serving}/   the first two as they were measured, or it is refused
         code/targets/<target>/                      what loads the artifacts, or builds them
         delivery/delivery.json                      see shared/contract/delivery.py
                  networks/<name>/, settings/        the artifacts
                  images/                            that become golden/ when the image itself has read them
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dockyard.deliver.choose import preparation_of
from dockyard.deliver.description import describe
from dockyard.deliver.find import measured_artifact, prepared_artifact
from dockyard.deliver.modules import modules_needed
from dockyard.judge.assessment import Assessment
from dockyard.plan.plan import Plan
from dockyard.recipe.targets import code_folders
from dockyard.recipe.workspace import SHARED
from dockyard.run.artifact_cache import code_hash
from shared.contract.codec import encode
from shared.contract.dataset import Sample
from shared.contract.delivery import DELIVERY_FILE, Delivery
from shared.contract.errors import InputProblem
from shared.contract.record import Record

PARTS = ("contract", "inference", "serving")
"""Of shared/: what runs at the client's."""

IMAGES = "images"

TARGET_FILE = "target.json"
"""What a target says of itself: what it asks of a device, for one."""

GOLDEN_IMAGES = 8

SURE = 0.9
"""Of golden images that another runtime has read than the one that ships: how sure each answer is at least. A
doubtful one may be another there, and nothing is wrong.
"""

STAMP = 1_686_355_200
"""Seconds: the time of every file, Debian's own stamp of the base: the same bytes give the same layers."""


def write_content(plan: Plan, chosen: Assessment, samples: Sequence[Sample], folder: Path) -> Delivery:
    """Write what goes into the image of a variant; return what its delivery.json says.

    Args:
        samples: of the test split, of which the first are golden.

    Raises:
        InputProblem: an artifact or the code has changed since it was measured, or its target's artifacts are
            not delivered.
    """
    record, preparation = chosen.record, preparation_of(plan, chosen.record)
    _refuse_other_code(plan, record, "code_sha256", record.target)
    if preparation is not None:
        _refuse_other_code(plan, record, "preparation_code_sha256", preparation.target)
    _write_code(plan, record.target, folder / "code")
    place = folder / "delivery"
    delivery = describe(plan, chosen)
    shipped = measured_artifact if preparation is None else prepared_artifact
    for files in delivery.networks:
        shutil.copytree(shipped(plan.workspace, record, files.network.name), place / files.folder)
    if delivery.settings is not None:
        shutil.copytree(measured_artifact(plan.workspace, record, record.model), place / delivery.settings)
    (place / IMAGES).mkdir()
    for sample in samples[: GOLDEN_IMAGES if preparation is None else 2 * GOLDEN_IMAGES]:
        shutil.copyfile(sample.path, place / IMAGES / Path(sample.id).name)
    _write_delivery(delivery, place)
    stamp(folder)
    return delivery


def write_prepared_content(plan: Plan, delivery: Delivery, app: Path, folder: Path) -> Delivery:
    """Write a delivery as its preparation runs it, on any machine: what is compiled of it is not there yet.

    Args:
        app: as `write_content` left it.
    """
    preparation = plan.targets[delivery.target].toolchains[delivery.toolchain].preparation
    assert preparation is not None, "asked only of what is prepared"
    shutil.copytree(app, folder)
    shutil.rmtree(folder / "code")
    _write_code(plan, preparation.target, folder / "code")
    own = replace(delivery, target=preparation.target, toolchain=preparation.toolchain)
    _write_delivery(own, folder / "delivery")
    stamp(folder)
    return own


def _refuse_other_code(plan: Plan, record: Record, key: str, target: str) -> None:
    """Raise InputProblem where the code of a target is not what a record says that ran."""
    if record.identity.get(key) != code_hash(plan.workspace, target):
        advice = f"measure it anew: `./inv build --recipe {plan.recipe.name}.json`"
        raise InputProblem(
            f"the code of {target} has changed since it was measured", plan.recipe.file, advice
        )


def _write_code(plan: Plan, target: str, code: Path) -> None:
    """Write what ships of shared/, the target's modules that run an artifact, and what it says of itself."""
    ignore = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        shutil.copytree(SHARED / part, code / "shared" / part, ignore=ignore)
    shutil.copyfile(SHARED / "__init__.py", code / "shared" / "__init__.py")
    own = code / "targets" / target
    own.mkdir(parents=True)
    for module in modules_needed(code_folders(plan.workspace, target), target):
        shutil.copyfile(module, own / module.name)
    shutil.copyfile(plan.workspace.target(target) / TARGET_FILE, own / TARGET_FILE)


def _write_delivery(delivery: Delivery, place: Path) -> None:
    (place / DELIVERY_FILE).write_text(json.dumps(encode(delivery), indent=2) + "\n", encoding="utf-8")


def stamp(folder: Path) -> None:
    """Give everything in a folder the same time and the same rights."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (STAMP, STAMP))
