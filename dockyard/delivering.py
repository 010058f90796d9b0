"""A verdict made into a delivery: chosen, filled, built, tried, bound by a receipt, packed."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dockyard.deliver import bundle, contents
from dockyard.deliver.choose import chosen, preparation_of
from dockyard.deliver.content import IMAGES, SURE, stamp, write_content, write_prepared_content
from dockyard.deliver.description import GOLDEN
from dockyard.deliver.device_site import site_of
from dockyard.deliver.receipt import public_pem, write_receipt
from dockyard.deliver.verify import verify
from dockyard.delivered_image import (
    SERVED,
    SMALL,
    Content,
    build_delivered,
    can_be_small,
    golden_of,
    packages_of,
    remove,
    save,
)
from dockyard.judge.assessment import Assessment
from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.report.cells import factor
from dockyard.report.write import recipe_page
from dockyard.run.datasets import folder_of
from dockyard.run.display import Display
from shared.contract.codec import encode
from shared.contract.dataset import read_split
from shared.contract.delivery import Delivery
from shared.contract.errors import InputProblem, JobFailed
from shared.contract.measurement import Scope
from shared.contract.record import PreparedArtifact, RecordedArtifact

KEY = "key.pub"

NOT_MEASURED = "NOT MEASURED"
"""In what ops read, of a delivery without figures."""

EXPECTED = "expected.json"
"""Of golden images: what came of them."""

MEMORY_MB = 2048
"""That a container of the service may take."""


@dataclass(frozen=True)
class Delivered:
    """A delivery that was made.

    Attributes:
        size: of the archive, in bytes.
    """

    folder: Path
    image: bundle.Image
    variant: str
    size: int


@dataclass(frozen=True)
class Before:
    """An older delivery that is there where a new one is brought; nothing, where that is whole."""

    id: str = ""
    layers: tuple[str, ...] = ()

    @staticmethod
    def of(folder: Path | None) -> Before:
        """Read it, and check it. Raises InputProblem or JobFailed, as `verify` does."""
        if folder is None:
            return Before()
        receipt = verify(folder, None)
        return Before(str(receipt.predicate.get("image", "")), tuple(bundle.read_layers(folder)))


def deliver(
    workspace: Workspace,
    recipe_name: str,
    output: Path,
    variant: str | None,
    key: Path | None,
    display: Display,
    base: Path | None = None,
    unmeasured: bool = False,
    decodes_videos: bool = True,
) -> Delivered:
    """Make the delivery of a recipe's recommended variant, or of one that is named, into a new folder.

    Args:
        key: a private ed25519 key that signs the receipt; None leaves it unsigned.
        base: the folder of an older delivery that is installed where this one goes: what it has is left out.
        unmeasured: a variant that its device compiles will do, too, that was prepared without one. Everything
            that is told of it says so.
        decodes_videos: it brings PyAV.

    Raises:
        InputProblem: nothing fit is published, its bytes are gone or have changed, the folder is there, the
            key is none, or the older delivery has nothing in common with it.
        EnvironmentProblem: no engine answers, or a disk is full.
        JobFailed: the image does not run what was measured.
    """
    plan = make_plan(workspace, load_recipe(workspace, recipe_name))
    found = chosen(plan, variant, unmeasured)
    if key is not None:
        public_pem(key)  # one that cannot be used is told before the work
    if found.record.scope == Scope.STREAM and not decodes_videos:
        raise InputProblem("a stream was measured, which is of videos", "--images-only", "leave it out")
    before = Before.of(base)
    with bundle.new_folder(output) as folder, tempfile.TemporaryDirectory() as scratch:
        app = Path(scratch) / "app"
        delivery = _fill(plan, found, app, display)
        image = _build(plan, found, delivery, app, decodes_videos, display)
        packages = packages_of(image.tag)
        _write_evidence(plan, found, folder / bundle.EVIDENCE, packages, image)
        device = site_of(
            plan.targets[delivery.target].toolchains[delivery.toolchain], _name(plan.recipe.name)
        )
        values = {**_values(plan, found, delivery, image), **device.values}
        bundle.write_site(folder, values, image, before.id, device.settings)
        shutil.copyfile(app / "delivery" / "delivery.json", folder / "delivery.json")
        if key is not None:
            (folder / KEY).write_bytes(public_pem(key))
        _save(image, before, folder / bundle.ARCHIVE, display)
        size = bundle.split_archive(folder)
        subjects = {bundle.SUMS: bundle.write_sums(folder), image.tag: image.id.removeprefix("sha256:")}
        receipt = write_receipt(subjects, _predicate(found, delivery, image), key)
        (folder / bundle.RECEIPT).write_text(receipt, encoding="utf-8")
    return Delivered(output, image, found.record.variant, size)


def _fill(plan: Plan, found: Assessment, app: Path, display: Display) -> Delivery:
    """Write what goes into the image."""
    first = next(iter(plan.networks))
    display.progress("golden images", 0, 0)
    data, answering = folder_of(plan, first, display.progress), plan.answering_network(first)
    samples = read_split(data / "test", answering.task, answering.outputs)
    return write_content(plan, found, samples, app)


def _build(
    plan: Plan, found: Assessment, delivery: Delivery, app: Path, decodes_videos: bool, display: Display
) -> bundle.Image:
    """Build the image: with all that was measured first, which reads the golden images; then with what came
    of them, and with no more than it needs, which has to read them to the same bits. What is built on its
    device is read by what it was prepared with, and is not small.
    """
    tag = f"dockyard-delivery/{_name(plan.recipe.name)}:{_version(found)}"
    labels = _labels(plan, found, delivery)
    content = Content(delivery.target, delivery.toolchain, app, tag, labels, decodes_videos)

    def on_line(line: str) -> None:
        display.progress(line[:80], 0, 0)

    is_prepared = preparation_of(plan, found.record) is not None
    is_small = not is_prepared and can_be_small(plan.workspace, content)
    if not is_small and not decodes_videos:
        what, advice = "the image is made on a vendor's, of which nothing is left out", "leave it out"
        raise InputProblem(what, "--images-only", advice)
    reader, least = content, 0.0
    if is_prepared:
        other, least = app.with_name("prepared"), SURE
        own = write_prepared_content(plan, delivery, app, other)
        reader = replace(content, target=own.target, toolchain=own.toolchain, app=other)
    first = build_delivered(plan.workspace, reader, SERVED, on_line)
    display.progress("read the golden images", 0, 0)
    place = app / "delivery"
    golden_of(tag, IMAGES, place / GOLDEN, least)
    shutil.rmtree(place / IMAGES)
    stamp(app)
    image = build_delivered(plan.workspace, content, SMALL if is_small else SERVED, on_line)
    if first.id != image.id:
        remove(first)
    if is_small:
        display.progress("read them with what is left", 0, 0)
        _check_what_is_left(content, place / GOLDEN)
    return image


def _check_what_is_left(content: Content, golden: Path) -> None:
    """Have a small image read the golden images, too. Raises JobFailed where a bit differs."""
    again = content.app.with_name("again")
    golden_of(content.tag, GOLDEN, again)
    if (again / EXPECTED).read_bytes() != (golden / EXPECTED).read_bytes():
        what = "without what it leaves out, the image computes something else"
        raise JobFailed(what, content.tag, f"shorten docker/{content.target}/not-delivered.txt")


def _name(recipe: str) -> str:
    """Return a recipe's name as a part of an image's and of a service's."""
    return re.sub(r"[^a-z0-9]+", "-", recipe.lower()).strip("-") or "delivery"


def _version(found: Assessment) -> str:
    """Return what tells deliveries of a recipe apart, as a part of an image's name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{found.record.variant}-{found.record.run}")[-120:].lstrip("-.")


def _labels(plan: Plan, found: Assessment, delivery: Delivery) -> Mapping[str, str]:
    """Return what the image says of itself (the OCI's names, and our own)."""
    record = found.record
    own = {name: one.artifact.sha256 for name, one in sorted(record.artifacts.items())}
    quality = delivery.quality
    return {
        "org.opencontainers.image.title": plan.recipe.name,
        "org.opencontainers.image.description": plan.recipe.description,
        "org.opencontainers.image.version": _version(found),
        "dockyard.delivery.artifacts": json.dumps(own, sort_keys=True),
        "dockyard.delivery.quality": f"{quality.metric} {quality.value:.4f}" if quality else NOT_MEASURED,
        "dockyard.delivery.speedup": factor(found.speedup.estimate) if found.speedup else "",
        "dockyard.delivery.target": f"{record.target} {record.toolchain}",
    }


def _write_evidence(
    plan: Plan, found: Assessment, folder: Path, packages: list[contents.Package], image: bundle.Image
) -> None:
    """Write what the figures come from, and what is inside."""
    folder.mkdir()
    record = found.record
    _write_json(folder / "recipe.json", record.recipe)
    _write_json(folder / "record.json", encode(record))
    page = recipe_page(plan.workspace, plan.recipe.name)
    (folder / "report.md").write_text(page, encoding="utf-8")
    name, version = image.tag.split(":", 1)
    bill = contents.bill_of_materials(packages, name, version)
    (folder / contents.BILL).write_text(bill, encoding="utf-8")
    lines = [f"{one.kind} {one.name} {one.version}: {one.licence or 'see its package'}\n" for one in packages]
    (folder / "licences.txt").write_text("".join(lines), encoding="utf-8")


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _predicate(found: Assessment, delivery: Delivery, image: bundle.Image) -> dict[str, Any]:
    """Return what the receipt says of what is shipped."""
    record = found.record
    compiled = {name: one.prepared for name, one in record.artifacts.items() if one.prepared is not None}
    return {
        "recipe": record.recipe["name"],
        "run": record.run,
        "measured_at": record.measured_at,
        "model": record.model,
        "variant": record.variant,
        "graphs": dict(record.graphs),
        "artifacts": dict(_digests(record.artifacts)),
        "data": dict(record.data),
        "versions": dict(record.versions),
        "image": image.id,
        "verdict": found.verdict.value,
        "quality": {found.metric: found.quality} if delivery.quality is not None else None,
        "not_measured": delivery.not_measured or None,
        "predicted": encode(delivery.predicted) or None,
        "prepared": dict(_digests(compiled)),
        "drop": encode(found.drop) if found.drop else None,
        "speedup": encode(found.speedup) if found.speedup else None,
        "ms": encode(found.pace_ms) if found.pace_ms else None,
        "cpu": record.device.get("cpu"),
    }


def _digests(kept: Mapping[str, RecordedArtifact | PreparedArtifact]) -> Iterator[tuple[str, str]]:
    return ((name, one.artifact.sha256) for name, one in kept.items())


def _values(plan: Plan, found: Assessment, delivery: Delivery, image: bundle.Image) -> dict[str, str]:
    """Return what is put into the files that go along."""
    return {
        "NAME": _name(plan.recipe.name),
        "VERSION": _version(found),
        "IMAGE": image.tag,
        "IMAGE_ID": image.id,
        "ARCHITECTURE": image.architecture,
        "DESCRIPTION": plan.recipe.description,
        "FIGURES": _figures(found, delivery),
        "THREADS": str(delivery.threads),
        "MEMORY_MB": str(MEMORY_MB),
        "DISK_MB": str(round(2 * image.size / 1e6)),
    }


def _figures(found: Assessment, delivery: Delivery) -> str:
    """Return what was measured, in a sentence; or that nothing was, why, and what was predicted."""
    if delivery.speed is None or delivery.quality is None:
        each = [f"{name} {one.metric} {one.value:.4f}" for name, one in sorted(delivery.predicted.items())]
        predicted = f" Predicted without the device: {', '.join(each)}." if each else ""
        return f"**{NOT_MEASURED}: {delivery.not_measured}.**{predicted}"
    pace = f"{found.pace_ms.estimate:.2f} ms" if found.pace_ms else ""
    speed = (
        f", {factor(found.speedup.estimate)} times as fast as the model as it came" if found.speedup else ""
    )
    return (
        f"Measured on {delivery.speed.cpu or 'a CPU that does not say its name'}: {pace}{speed}; "
        f"{found.metric} {delivery.quality.value:.4f}."
    )


def _save(image: bundle.Image, before: Before, file: Path, display: Display) -> None:
    def tell(done: int) -> None:
        display.progress("MB of the image", done // 1_000_000, image.size // 1_000_000)

    known = save(image, file, before.layers, tell)
    if before.id and not known:
        what, advice = "it has no layer in common with the older delivery", "make it whole, without --base"
        raise InputProblem(what, "--base", advice)
