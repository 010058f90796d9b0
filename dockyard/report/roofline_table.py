"""How much of its CPU's best each variant of a network reaches, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dockyard.judge.assessment import Assessment
from dockyard.judge.roofline import Reached, roofline
from dockyard.report.content import Table
from shared.contract.measurement import Precision

TITLE = "How much of the CPU's best each variant reaches"
COLUMNS = ("variant", "computes in", "billion operations/s", "the CPU's best", "share [95 %]", "left")

NOTE = (
    "The CPU's best are the quickest products of matrices that any toolchain did in that precision, timed "
    "after each burst. A share above 100 % is that of an algorithm with fewer multiplications (Winograd's)"
)


def roofline_table(rows: Sequence[Assessment]) -> Iterator[Table]:
    """Yield the table of a network whose work was counted and whose variants ran beside a yardstick."""
    found = roofline(rows)
    if found is None:
        return
    work = found.work
    intensity = found.operations_per_byte(Precision.FLOAT32)
    lead = (
        f"A call takes {work.operations / 1e6:.1f} million operations (multiplications and additions) with "
        f"{work.weights / 1e6:.2f} million weights on {work.activations / 1e6:.2f} million activations: "
        f"{intensity:.0f} operations for each byte in float32"
    )
    cells = tuple(_row(one) for one in found.reached)
    yield Table(COLUMNS, cells, TITLE, folded=True, lead=lead, footnotes=(NOTE,))


def _row(one: Reached) -> tuple[str, ...]:
    share = f"{one.share.estimate:.0%} [{one.share.low:.0%}, {one.share.high:.0%}]"
    left = f"{1 / one.share.estimate:.1f}x" if one.share.estimate < 1 else "-"
    return one.variant, one.precision.value, f"{one.gops:.0f}", f"{one.peak_gops:.0f}", share, left
