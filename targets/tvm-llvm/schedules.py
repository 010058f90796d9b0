"""Schedules for CPUs: a space for convolutions and matrix products, and rules for whatever else there is."""

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


def split_extents(sch: Schedule, block: Any) -> Tuple[List[int], List[int]]:
    """Return the extents of a block's spatial loops and those of its reductions."""
    spatial: List[int] = []
    sums: List[int] = []
    for extent, is_reduction in zip(extents(sch, block), reduces(sch, block)):
        (sums if is_reduction else spatial).append(extent)
    return spatial, sums


def split_loops(loops: List[Any], reduction: List[bool]) -> Tuple[List[Any], List[Any]]:
    """Return the spatial ones of a block's loops and the reductions, given which they are."""
    spatial: List[Any] = []
    sums: List[Any] = []
    for loop, is_reduction in zip(loops, reduction):
        (sums if is_reduction else spatial).append(loop)
    return spatial, sums


def contraction(sch: Schedule) -> Optional[int]:
    """Return the index of the one block that is a convolution or a matrix product with vectors of channels.

    None where there is no such block, or more than one sum.

    What follows it is elementwise, with the same loops; what comes before is its padding.
    """
    found = blocks(sch)
    sums = [i for i, b in enumerate(found) if any(reduces(sch, b))]
    if len(sums) != 1 or sums[0] > 1:
        return None
    own, _ = split_extents(sch, found[sums[0]])
    work = prod(extents(sch, found[sums[0]]))
    if work < SERIAL_WORK or lanes(own[-1], LANES[-1]) == 1:
        return None
    if any(extents(sch, block) != own for block in found[sums[0] + 1 :]):
        return None
    return sums[0]


def shape_of(function: Any, widest: int) -> Optional[Shape]:
    """Return the extents of a function that is cut up by tiles, for vectors of `widest` floats, or None."""
    sch = Schedule(function)
    if is_winograd(sch):
        rows, columns, size, _, filters, channels = extents(sch, sch.get_sblock("winograd_products"))
        width = lanes(filters, widest)
        return Shape(rows, columns, filters // width, channels, (size, size), width, False, (False,))
    index = contraction(sch)
    if index is None:
        return None
    found = blocks(sch)
    own, sums = split_extents(sch, found[index])
    rows, columns = ([1, 1, *own[:-1]])[-2:]
    width, window = lanes(own[-1], widest), tuple(sums[:-1])
    if index == 0:
        paddings: Tuple[bool, ...] = (False,)
    elif prod(window) == 1:
        paddings = (True,)
    else:
        paddings = (False, True) if lanes(extents(sch, found[0])[-1], widest) == 1 else (False,)
    grouped = sums[-1] == 1 and len(sums) > 1
    return Shape(rows, columns, own[-1] // width, prod(sums), window, width, grouped, paddings)


def is_winograd(sch: Schedule) -> bool:
    """Tell whether a function is a convolution by `winograd.py`."""
    return any(sch.get(block).name_hint == "winograd_products" for block in blocks(sch))


def tiled(function: Any, tile: Tile, widest: int) -> Schedule:
    """Return the schedule of a function that is cut up by tiles, for vectors of `widest` floats."""
    sch = Schedule(function)
    if is_winograd(sch):
        tile_winograd(sch, tile, widest)
    else:
        tile_contraction(sch, tile, widest)
    return sch


def tile_winograd(sch: Schedule, tile: Tile, widest: int) -> None:
    """Tile a convolution by Winograd: the inputs of each chunk are transformed, multiplied, transformed back.

    Rows and columns of the tile count groups of m x m outputs. Each chunk's products for one of the (m + 2)^2
    positions are a matrix product of their own, whose weights stay in the cache meanwhile.
    """
    found = blocks(sch)
    inputs, products, outputs = (
        sch.get_sblock(f"winograd_{name}") for name in ("inputs", "products", "outputs")
    )
    last = found[-1]
    after = [sch.get(block).name_hint for block in found].index("winograd_outputs")
    for name in ("b", "a"):
        sch.compute_inline(sch.get_sblock(f"winograd_{name}"))
    for between in found[after + 1 : -1]:
        sch.compute_inline(between)
    if after == len(found) - 1:
        last = sch.cache_write(outputs, 0, "global")
    rows, m = prod(tile.rows), extents(sch, last)[1] // prod(tile.rows)
    lead, h, w, k = sch.get_loops(last)
    y0, y1, h1 = sch.split(h, [tile.rows[0], rows // tile.rows[0], m])
    x0, x1, w1 = sch.split(w, [tile.columns[0], prod(tile.columns[1:]), m])
    vector = lanes(extents(sch, last)[-1], widest)
    f0, f1, lane = sch.split(k, [tile.channels[0], tile.channels[1] * tile.width, vector])
    first = {"y": y0, "x": x0, "f": f0}
    sch.reorder(lead, *(first[c] for c in tile.outer), y1, x1, f1, h1, w1, lane)
    chunks = sch.fuse(lead, *(first[c] for c in tile.outer))
    sch.parallel(chunks)
    sch.vectorize(lane)
    unroll(sch, [h1, w1])
    sch.compute_at(outputs, f1, preserve_unit_loops=True)
    *_, oh, ow, ok, i, j = sch.get_loops(outputs)
    sch.reorder(i, j, oh, ow, ok)
    unroll(sch, [i, j, oh, ow])
    sch.vectorize(ok)
    sch.decompose_reduction(outputs, i)
    sch.compute_at(products, chunks, preserve_unit_loops=True)
    *_, y, x, i, j, k, c = sch.get_loops(products)
    ya, yb = sch.split(y, [tile.rows[1], tile.rows[2]])
    xa, xb = sch.split(x, [tile.columns[1], tile.columns[2]])
    fa, fb, lane = sch.split(k, [tile.channels[1], tile.width, vector])
    middle = {"y": ya, "x": xa, "f": fa}
    sch.reorder(i, j, *(middle[axis] for axis in tile.inner), c, yb, xb, fb, lane)
    unroll(sch, [yb, xb, fb])
    sch.vectorize(lane)
    sch.decompose_reduction(products, c)
    sch.compute_at(inputs, chunks, preserve_unit_loops=True)
    *_, y, x, i, j, c, r, s = sch.get_loops(inputs)
    group, lane = sch.split(c, [None, lanes(extents(sch, inputs)[4], widest)])
    sch.reorder(y, x, group, r, s, i, j, lane)
    unroll(sch, [r, s, i, j])
    sch.vectorize(lane)
    sch.decompose_reduction(inputs, r)
    padding = sch.get_sblock("winograd_padded")
    sch.compute_at(padding, chunks, preserve_unit_loops=True)
    vectorize_last(sch, padding, widest)


def unroll(sch: Schedule, loops: List[Any]) -> None:
    """Unroll loops."""
    for loop in loops:
        sch.unroll(loop)


def tile_contraction(sch: Schedule, tile: Tile, widest: int) -> None:
    """Tile a convolution or matrix product: nothing is left in memory between it and what follows."""
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
    outer = [first[axis] for axis in tile.outer]
    sch.reorder(lead, *outer, *(middle[axis] for axis in tile.inner), y2, x2, f2, f3)
    chunks = sch.fuse(lead, *outer)
    sch.parallel(chunks)
    sch.vectorize(f3)
    unroll(sch, [y2, x2, f2])
    sch.compute_at(block, middle[tile.inner[-1]], preserve_unit_loops=True)
    for padding in found[:index]:
        if tile.inline:
            sch.compute_inline(padding)
        else:
            sch.compute_at(padding, chunks, preserve_unit_loops=True)
            vectorize_last(sch, padding, widest)
    spatial, sums = split_loops(sch.get_loops(block)[-len(red) :], red)
    vectors, lane = sch.split(spatial[-1], [tile.width, vector])
    sch.reorder(*sums, *spatial[:-1], vectors, lane)
    unroll(sch, [*spatial[:-1], vectors])
    sch.vectorize(lane)
    sch.decompose_reduction(block, sums[0])


def vectorize_last(sch: Schedule, block: Any, widest: int) -> None:
    """Vectorize the innermost loop of a block where a vector divides it."""
    loop = sch.get_loops(block)[-1]
    width = lanes(int(sch.get(loop).extent), widest)
    if width > 1:
        _, lane = sch.split(loop, [None, width])
        sch.vectorize(lane)


def schedule_by_rule(function: Any, widest: int) -> Optional[Any]:
    """Schedule a function that needs no tuning: intermediate results inlined, vectors inside, parallel rows.

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
                run_elementwise(sch, block, widest)
    except ScheduleError:
        return None
    return sch.mod["main"]


def inline(sch: Schedule, block: Any) -> None:
    """Compute a block where its result is read, unless TVM says that it cannot be."""
    with suppress(ScheduleError):
        sch.compute_inline(block)


def run_elementwise(sch: Schedule, block: Any, widest: int) -> None:
    """Vectorize a block's innermost loop and run those around it in parallel.

    An innermost loop that is too short becomes one with the others.
    """
    if extents(sch, block)[-1] < LANES[-1]:
        sch.fuse(*sch.get_loops(block))
    vectorize_last(sch, block, widest)
    run_parallel(sch, block, sch.get_loops(block)[:-1] or sch.get_loops(block))


def run_parallel(sch: Schedule, block: Any, loops: List[Any]) -> None:
    """Run loops, all outermost, in parallel where the whole is worth it."""
    if loops and prod(extents(sch, block)) >= SERIAL_WORK:
        sch.parallel(sch.fuse(*loops))


def reduce_by_rule(sch: Schedule, block: Any, widest: int) -> None:
    """Move a sum's loops around its innermost spatial one.

    Where that is too short for a vector, the sum is split into vectors of partial sums.
    """
    spatial, sums = split_loops(sch.get_loops(block), reduces(sch, block))
    short = int(sch.get(spatial[-1]).extent) < LANES[-1]
    width = lanes(int(sch.get(sums[-1]).extent), widest)
    if short and width > 1 and not is_extremum(sch, block):
        _, lane = sch.split(sums[-1], [None, width])
        partial = sch.rfactor(lane, len(spatial))
        sch.vectorize(sch.get_loops(partial)[-1])
        run_parallel(sch, partial, sch.get_loops(partial)[: len(spatial)])
        run_parallel(sch, block, sch.get_loops(block)[: len(spatial)])
        return
    sch.reorder(*spatial[:-1], *sums, spatial[-1])
    run_parallel(sch, block, sch.get_loops(block)[: len(spatial) - 1])
    sch.decompose_reduction(block, sums[0])


def is_extremum(sch: Schedule, block: Any) -> bool:
    """Tell whether a reduction carries more than one value (argmax), which has no vector form."""
    return len(sch.get(block).writes) > 1
