"""Schedules for CPUs: a space for convolutions and matrix products, and rules for whatever else is in a network."""

from __future__ import annotations

from contextlib import suppress
from math import prod
from typing import Any, List, Optional, Tuple

from tiles import LANES, Shape, Tile, lanes
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import ScheduleError

REDUCTION = 2
"""`IterVar.CommReduce`."""

SERIAL_WORK = 16384
"""Below so many steps of a loop nest, waking the other threads costs more than they save."""


def blocks(sch: Schedule) -> List[Any]:
    """Return the blocks of a function in their order."""
    return list(sch.get_child_blocks(sch.get_sblock("root")))


def extents(sch: Schedule, block: Any) -> List[int]:
    """Return the extents of a block's own loops, spatial and reduction."""
    return [int(v.dom.extent) for v in sch.get(block).iter_vars]


def reduces(sch: Schedule, block: Any) -> List[bool]:
    """Tell of each of a block's own loops whether it is a reduction."""
    return [int(v.iter_type) == REDUCTION for v in sch.get(block).iter_vars]


def contraction(sch: Schedule) -> Optional[int]:
    """Return the index of the one block that is a convolution or a matrix product with vectors of channels, or None.

    What follows it is elementwise, with the same loops; what comes before is its padding.
    """
    found = blocks(sch)
    sums = [i for i, b in enumerate(found) if any(reduces(sch, b))]
    if len(sums) != 1 or sums[0] > 1:
        return None
    own = [e for e, r in zip(extents(sch, found[sums[0]]), reduces(sch, found[sums[0]])) if not r]
    work = prod(extents(sch, found[sums[0]]))
    if work < SERIAL_WORK or lanes(own[-1], LANES[-1]) == 1 or any(extents(sch, b) != own for b in found[sums[0] + 1 :]):
        return None
    return sums[0]


def shape_of(sch: Schedule, index: int, widest: int) -> Shape:
    """Return the extents of the contraction that is a function's block number `index`; vectors hold `widest` floats."""
    found = blocks(sch)
    every, red = extents(sch, found[index]), reduces(sch, found[index])
    own, sums = [e for e, r in zip(every, red) if not r], [e for e, r in zip(every, red) if r]
    rows, columns = ([1, 1, *own[:-1]])[-2:]
    width = lanes(own[-1], widest)
    window = tuple(sums[:-1])
    if index == 0:
        paddings: Tuple[bool, ...] = (False,)
    elif prod(window) == 1:
        paddings = (True,)
    else:
        paddings = (False, True) if lanes(extents(sch, found[0])[-1], widest) == 1 else (False,)
    grouped = sums[-1] == 1 and len(sums) > 1
    return Shape(rows, columns, own[-1] // width, prod(sums), window, width, grouped, paddings)


def tiled(function: Any, tile: Tile, widest: int) -> Schedule:
    """Return a contraction's schedule with a tile: nothing is left in memory between it and what follows.

    Args:
        widest: floats of the CPU's vectors.
    """
    sch = Schedule(function)
    index = contraction(sch)
    assert index is not None
    found = blocks(sch)
    block, last = found[index], found[-1]
    for between in found[index + 1 : -1]:
        sch.compute_inline(between)
    if index == len(found) - 1:
        last = sch.cache_write(block, 0, "global")
    red = reduces(sch, block)
    loops = sch.get_loops(last)
    while len(loops) < 4:
        sch.add_unit_loop(loops[0])
        loops = sch.get_loops(last)
    lead, (y, x, f) = sch.fuse(*loops[:-3]), loops[-3:]
    vector = lanes(extents(sch, block)[len(red) - sum(red) - 1], widest)
    y0, y1, y2 = sch.split(y, tile.rows)
    x0, x1, x2 = sch.split(x, tile.columns)
    f0, f1, f2, f3 = sch.split(f, [*tile.channels, tile.width, vector])
    first, middle = {"y": y0, "x": x0, "f": f0}, {"y": y1, "x": x1, "f": f1}
    sch.reorder(lead, *(first[c] for c in tile.outer), *(middle[c] for c in tile.inner), y2, x2, f2, f3)
    chunks = sch.fuse(lead, *(first[c] for c in tile.outer))
    sch.parallel(chunks)
    sch.vectorize(f3)
    for loop in (y2, x2, f2):
        sch.unroll(loop)
    sch.compute_at(block, middle[tile.inner[-1]], preserve_unit_loops=True)
    for padding in found[:index]:
        if tile.inline:
            sch.compute_inline(padding)
        else:
            sch.compute_at(padding, chunks, preserve_unit_loops=True)
            vectorize_last(sch, padding, widest)
    own = sch.get_loops(block)[-len(red) :]
    spatial, sums = [loop for loop, r in zip(own, red) if not r], [loop for loop, r in zip(own, red) if r]
    vectors, lane = sch.split(spatial[-1], [tile.width, vector])
    sch.reorder(*sums, *spatial[:-1], vectors, lane)
    for loop in (*spatial[:-1], vectors):
        sch.unroll(loop)
    sch.vectorize(lane)
    sch.decompose_reduction(block, sums[0])
    return sch


def vectorize_last(sch: Schedule, block: Any, widest: int) -> None:
    """Vectorize the innermost loop of a block where a vector divides it."""
    loop = sch.get_loops(block)[-1]
    width = lanes(int(sch.get(loop).extent), widest)
    if width > 1:
        _, lane = sch.split(loop, [None, width])
        sch.vectorize(lane)


def schedule_by_rule(function: Any, widest: int) -> Optional[Any]:
    """Schedule a function that needs no tuning: intermediate results inlined, vectors inside, rows in parallel.

    Returns:
        None where the rules do not fit; it then runs as TVM leaves it.
    """
    sch = Schedule(function)
    try:
        for block in blocks(sch)[:-1]:
            if not any(reduces(sch, block)):
                inline(sch, block)
        for block in blocks(sch):
            if any(reduces(sch, block)):
                reduce_by_rule(sch, block, widest)
            else:
                spread(sch, block, widest)
    except ScheduleError:
        return None
    return sch.mod["main"].with_attr("tirx.is_scheduled", True)


def inline(sch: Schedule, block: Any) -> None:
    """Compute a block where its result is read, unless TVM says that it cannot be."""
    with suppress(ScheduleError):
        sch.compute_inline(block)


def spread(sch: Schedule, block: Any, widest: int) -> None:
    """Vectorize a block's innermost loop, run those around it in parallel."""
    vectorize_last(sch, block, widest)
    run_parallel(sch, block, sch.get_loops(block)[:-1])


def run_parallel(sch: Schedule, block: Any, loops: List[Any]) -> None:
    """Run loops, all outermost, in parallel where the whole is worth it."""
    if loops and prod(extents(sch, block)) >= SERIAL_WORK:
        sch.parallel(sch.fuse(*loops))


def reduce_by_rule(sch: Schedule, block: Any, widest: int) -> None:
    """Move a sum's loops around its innermost spatial one, or split it into vectors of partial sums where that is too short."""
    red = reduces(sch, block)
    loops = sch.get_loops(block)
    spatial, sums = [loop for loop, r in zip(loops, red) if not r], [loop for loop, r in zip(loops, red) if r]
    short = int(sch.get(spatial[-1]).extent) < LANES[-1]
    width = lanes(int(sch.get(sums[-1]).extent), widest)
    if short and width > 1 and not is_extremum(sch, block):
        _, lane = sch.split(sums[-1], [None, width])
        partial = sch.rfactor(lane, len(spatial))
        own = sch.get_loops(partial)
        sch.reorder(*own[: len(spatial)], *own[len(spatial) : -1], own[-1])
        return run_parallel(sch, partial, sch.get_loops(partial)[: len(spatial)])
    sch.reorder(*spatial[:-1], *sums, spatial[-1])
    run_parallel(sch, block, sch.get_loops(block)[: len(spatial) - 1])
    sch.decompose_reduction(block, sums[0])
    return None


def is_extremum(sch: Schedule, block: Any) -> bool:
    """Tell whether a reduction carries more than one value (argmax), which has no vector form."""
    return len(sch.get(block).writes) > 1
