"""The masks of a split, before anything is scored by them: which values count, and whether any does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dockyard.recipe.workspace import Workspace
from dockyard.run.image_files import Header, MaskValues, read_mask
from shared.contract.dataset import Sample, read_labelme
from shared.contract.errors import InputProblem
from shared.contract.mask_values import counting
from shared.contract.outputs import MaskOutput


def check_masks(
    spec: MaskOutput,
    samples: Sequence[Sample],
    headers: Mapping[str, Header],
    workspace: Workspace,
    place: str,
) -> list[str]:
    """Return warnings of masks that tell nothing.

    Args:
        spec: of model.json.
        samples: of one split.
        headers: of the images, by sample.
        workspace: messages name paths below it.
        place: the split's folder, for messages.

    Raises:
        InputProblem: a mask that cannot be read, of which nobody can tell what counts, or that lies on its
            image as it is stored and not as it is shown.
    """
    masks: dict[Path, MaskValues] = {}
    for sample in samples:
        path = sample.mask or sample.labelme
        assert path is not None, f"{sample.id} has neither a mask nor polygons"
        where = workspace.display_path(path)
        if sample.mask is not None:
            masks[path] = read_mask(path, where, prefers_indices=spec.values is not None)
        if headers[sample.id].is_turned:
            size = masks[path].size if path in masks else _drawn_size(path)
            _refuse_stored(size, headers[sample.id], where)
    marks = {}
    for path, mask in masks.items():
        marks[path] = counting(mask.values, spec.values, workspace.display_path(path))
    if spec.values is None:
        _refuse_two_paints(marks, workspace)
    if len(masks) < len(samples):
        return []  # polygons mark what they cover, and leave the rest
    if not any(mask.values & marks[path] for path, mask in masks.items()):
        return [f"{place}: nothing is marked in any of {len(masks)} masks: is that what they are to say?"]
    if all(mask.values <= marks[path] for path, mask in masks.items()):
        return [f"{place}: every pixel is marked in all of {len(masks)} masks: is that what they are to say?"]
    return []


def _drawn_size(path: Path) -> tuple[int, int]:
    drawn = read_labelme(path)
    return drawn.width, drawn.height


def _refuse_stored(size: tuple[int, int], header: Header, where: str) -> None:
    """Refuse an annotation of an image's pixels as they are stored, where that differs from what is shown."""
    if size == header.stored_size != header.size:
        shown, stored = (f"{width} x {height}" for width, height in (header.size, size))
        what = f"drawn on the image as it is stored ({stored}), which its EXIF data turns to {shown}"
        raise InputProblem(
            what, where, "turn it as the image is shown, or take the EXIF data out of the image"
        )


def _refuse_two_paints(marks: Mapping[Path, frozenset[int]], workspace: Workspace) -> None:
    """Refuse masks of which some count 1 and others 255: a number of a class, or what is left out."""
    firsts: dict[int, Path] = {}
    for path, values in marks.items():
        for value in values:
            firsts.setdefault(value, path)
    if len(firsts) > 1:
        (one, first), (other, second) = sorted(firsts.items())[:2]
        what = f"{first.name} is painted with {one}, {second.name} with {other}"
        advice = "paint all with 255, or list what counts in outputs.mask.values"
        raise InputProblem(what, workspace.display_path(first.parent), advice)
