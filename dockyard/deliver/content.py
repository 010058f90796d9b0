"""What goes into a delivered image: the measured bytes, the modules that ran them, golden images.

<folder>/code/shared/{contract,inference,serving}/   the first two as they were measured, or it is refused
         code/targets/<target>/                      what loads the artifacts
         delivery/delivery.json                      see shared/contract/delivery.py
                  networks/<name>/, settings/        the artifacts
                  images/                            that become golden/ when the image itself has read them
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from dockyard.deliver.find import measured_artifact
from dockyard.deliver.modules import modules_needed
from dockyard.judge.assessment import Assessment
from dockyard.plan.plan import Plan
from dockyard.recipe.targets import code_folders
from dockyard.recipe.workspace import SHARED
from dockyard.run.artifact_cache import code_hash
from shared.contract.codec import encode
from shared.contract.dataset import Sample
from shared.contract.delivery import DELIVERY_FILE, Delivery, RecordedQuality, RecordedSpeed
from shared.contract.device import LOW_PRECISION
from shared.contract.errors import InputProblem
from shared.contract.measurement import Scope
from shared.contract.recipe import Stream
from shared.contract.stages import NetworkFiles
from shared.contract.streaming import Tracking

PARTS = ("contract", "inference", "serving")
"""Of shared/: what runs at the client's."""

SETTINGS, IMAGES, GOLDEN = "settings", "images", "golden"

GOLDEN_IMAGES = 8

TOLERANCE = 1e-3
"""Of float32 outputs, beside those of another CPU that has the same type."""

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
    target = chosen.record.target
    if chosen.record.identity.get("code_sha256") != code_hash(plan.workspace, target):
        advice = f"measure it anew: `./inv build --recipe {plan.recipe.name}.json`"
        raise InputProblem(
            f"the code of {target} has changed since it was measured", plan.recipe.file, advice
        )
    code = folder / "code"
    ignore = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        shutil.copytree(SHARED / part, code / "shared" / part, ignore=ignore)
    shutil.copyfile(SHARED / "__init__.py", code / "shared" / "__init__.py")
    own = code / "targets" / target
    own.mkdir(parents=True)
    for module in modules_needed(code_folders(plan.workspace, target), target):
        shutil.copyfile(module, own / module.name)
    place = folder / "delivery"
    delivery = _delivery(plan, chosen)
    for files in delivery.networks:
        shutil.copytree(
            measured_artifact(plan.workspace, chosen.record, files.network.name), place / files.folder
        )
    if delivery.settings is not None:
        model = chosen.record.model
        shutil.copytree(measured_artifact(plan.workspace, chosen.record, model), place / delivery.settings)
    (place / IMAGES).mkdir()
    for sample in samples[:GOLDEN_IMAGES]:
        shutil.copyfile(sample.path, place / IMAGES / Path(sample.id).name)
    (place / DELIVERY_FILE).write_text(json.dumps(encode(delivery), indent=2) + "\n", encoding="utf-8")
    stamp(folder)
    return delivery


def stamp(folder: Path) -> None:
    """Give everything in a folder the same time and the same rights."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (STAMP, STAMP))


def _delivery(plan: Plan, chosen: Assessment) -> Delivery:
    record = chosen.record
    if chosen.pace_ms is None or chosen.quality is None:
        raise InputProblem(f"{record.variant} has no figures", plan.recipe.file, "measure it first")
    device = record.device
    is_stream = record.scope == Scope.STREAM
    speed = RecordedSpeed(
        chosen.pace_ms.estimate,
        record.scope,
        str(device.get("cpu", "")),
        tuple(flag for flag in LOW_PRECISION if flag in device.get("flags", ())),
    )
    stream = Stream(**record.recipe["stream"]) if is_stream else None
    return Delivery(
        recipe=plan.recipe.name,
        run=record.run,
        model=record.model,
        variant=record.variant,
        target=record.target,
        toolchain=record.toolchain,
        networks=tuple(NetworkFiles(one, f"networks/{name}") for name, one in plan.networks.items()),
        nodes=plan.pipeline.nodes if plan.pipeline is not None else (),
        threads=int(record.recipe["measure"]["threads"]),
        golden=GOLDEN,
        quality=RecordedQuality(chosen.metric, chosen.quality),
        speed=speed,
        tolerance=TOLERANCE if record.method == "baseline" else None,
        settings=SETTINGS if is_stream else None,
        tracking=stream.tracking if stream is not None else Tracking(),
    )
