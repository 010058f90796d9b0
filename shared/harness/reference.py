"""Real inputs and the reference's outputs for them, which what is made of its graph is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from shared.contract.result import OutputDifference
from shared.contract.stages import Tolerance
from shared.inference.arrays import Array
from shared.inference.preprocess import to_array
from shared.inference.session import Session, Tensors

REFERENCE_FILE = "reference.npz"
"""What the reference's evaluation leaves."""

PIXELS, OUTPUT = "pixels", "output/"


@dataclass(frozen=True)
class Kept:
    """A real input and the outputs for it.

    Attributes:
        pixels: uint8 BGR [height, width, 3] of the input's size.
        outputs: by tensor name.
    """

    pixels: Array
    outputs: Tensors


def save_reference(path: Path, kept: Sequence[Kept]) -> None:
    """Write real inputs and the reference's outputs to an .npz file.

    Keys: `pixels`, uint8 BGR [n, height, width, 3]; `output/<tensor>`, [n, ...].
    """
    stacked: Dict[str, Array] = {PIXELS: np.stack([each.pixels for each in kept])}
    for name in kept[0].outputs:
        stacked[OUTPUT + name] = np.stack([each.outputs[name] for each in kept])
    np.savez(path, **stacked)  # type: ignore[arg-type]


def load_reference(path: Path) -> Tuple[Array, Tensors]:
    """Return what `save_reference` wrote: pixels [n, ...] and outputs by tensor name [n, ...].

    No pickle is read.
    """
    with np.load(path, allow_pickle=False) as archive:
        names = [key for key in archive.files if key.startswith(OUTPUT)]
        outputs = {name[len(OUTPUT) :]: archive[name] for name in names}
        return archive[PIXELS], outputs


def compare(session: Session, tolerance: Tolerance, folder: Path) -> Tuple[OutputDifference, ...]:
    """Run a network of full precision on the reference's inputs and compare every output.

    Args:
        folder: the job's folder, which holds the tolerance's file.
    """
    images, expected = load_reference(folder / tolerance.reference)
    produced = [session.run(to_array(pixels, session.input)) for pixels in images]
    rows = []
    for name, wanted in expected.items():
        difference = largest_difference([outputs.get(name) for outputs in produced], wanted)
        agrees = difference is not None and difference <= tolerance.limit
        rows.append(OutputDifference(name, difference, tolerance.limit, agrees))
    return tuple(rows)


def largest_difference(produced: Sequence[Optional[Array]], wanted: Array) -> Optional[float]:
    """Return the largest absolute difference over the largest absolute value of `wanted`, [n, ...].

    None where an output is missing, has another shape or is not finite.
    """
    got = [each for each in produced if each is not None and each.shape == wanted.shape[1:]]
    if len(got) < len(wanted):
        return None
    largest = float(np.abs(wanted).max()) or 1.0
    difference = float(np.abs(np.stack(got).astype(np.float64) - wanted).max()) / largest
    return difference if np.isfinite(difference) else None


def disagreement(rows: Sequence[OutputDifference]) -> str:
    """Return which outputs disagree and by how much, or an empty text."""
    phrases = [_phrase(row) for row in rows if not row.agrees]
    return "output " + "; ".join(phrases) if phrases else ""


def _phrase(row: OutputDifference) -> str:
    if row.difference is None:
        return f"'{row.output}' is missing, has another shape or is not finite"
    return f"'{row.output}' differs by {row.difference:.2g} of its largest value (limit {row.limit:g})"
