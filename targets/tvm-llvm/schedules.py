"""Schedules for CPUs: a space for convolutions and matrix products, and rules for whatever else there is."""

from __future__ import annotations

from contextlib import suppress
from math import prod
from typing import Any, List, Optional, Sequence, Tuple

from tiles import ACCUMULATORS, LANES, ContractionShape, Tile, lanes
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import ScheduleError

REDUCTION = 2
"""The `iter_type` of a reduction loop: TVM's `IterVar.CommReduce`."""

SERIAL_WORK = 16384
"""Iterations of a loop nest below which waking the other threads costs more than they save."""


def blocks(sch: Schedule) -> List[Any]:
    """Return the blocks of a function in their order."""
    return list(sch.get_child_blocks(sch.get_sblock("root")))


def extents(sch: Schedule, block: Any) -> List[int]:
    """Return the extents of a block's own loops, spatial and reduction, in their order."""
    return [int(v.dom.extent) for v in sch.get(block).iter_vars]


def reduces(sch: Schedule, block: Any) -> List[bool]:
    """Tell of each of a block's own loops whether it is a reduction."""
    return [int(v.iter_type) == REDUCTION for v in sch.get(block).iter_vars]


def split_loops(loops: Sequence[Any], is_reduction: Sequence[bool]) -> Tuple[List[Any], List[Any]]:
    """Return the spatial ones of a block's loops (or of their extents), and the reductions."""
    spatial: List[Any] = []
    reductions: List[Any] = []
    for loop, reduces_here in zip(loops, is_reduction):
        (reductions if reduces_here else spatial).append(loop)
    return spatial, reductions


def split_extents(sch: Schedule, block: Any) -> Tuple[List[int], List[int]]:
    """Return the extents of a block's spatial loops, which are those of its output, and of its reductions."""
    return split_loops(extents(sch, block), reduces(sch, block))


def contraction(sch: Schedule) -> Optional[int]:
    """Return the index of the one block that is a convolution or a matrix product with vectors of channels.

    The block before it, if any, is its padding; those after it are elementwise, with the same output loops.

    Returns:
        None where there is no such block or where others reduce too, where no vector divides the channels, or
        where the work is too little for threads (SERIAL_WORK).
    """
    found = blocks(sch)
    reducing = [i for i, block in enumerate(found) if any(reduces(sch, block))]
    if len(reducing) != 1 or reducing[0] > 1:
        return None
    index = reducing[0]
    output_extents, _ = split_extents(sch, found[index])
    work = prod(extents(sch, found[index]))
    if work < SERIAL_WORK or lanes(output_extents[-1], LANES[-1]) == 1:
        return None
    if any(extents(sch, block) != output_extents for block in found[index + 1 :]):
        return None
    return index


def shape_of(function: Any, widest: int) -> Optional[ContractionShape]:
    """Return the extents of a function that is cut up by tiles, or None for any other function.

    Args:
        widest: floats that a vector of the CPU holds.
    """
    sch = Schedule(function)
    if is_winograd(sch):
        return winograd_shape(sch, widest)
    index = contraction(sch)
    if index is None:
        return None
    output_extents, reductions = split_extents(sch, blocks(sch)[index])
    *leading, channels = output_extents
    # A matrix product has no rows of pixels: [m, channels] is one row of m columns.
    rows, columns = [1, 1, *leading][-2:]
    width = lanes(channels, widest)
    # A convolution reduces over the kernel's rows, its columns and the input channels, in this order.
    *window, input_channels = reductions
    return ContractionShape(
        rows=rows,
        columns=columns,
        vectors=channels // width,
        reduction=prod(reductions),
        window=tuple(window),
        lanes=width,
        accumulators=ACCUMULATORS[widest],
        grouped=bool(window) and input_channels == 1,
        paddings=padding_choices(sch, index, window, widest),
    )


def padding_choices(sch: Schedule, index: int, window: List[int], widest: int) -> Tuple[bool, ...]:
    """Return the values of `Tile.inline` that are tried for a contraction, the one to begin with in front.

    Args:
        index: the contraction's, among the blocks.
        window: kernel extents; empty for a matrix product.
        widest: floats that a vector of the CPU holds.
    """
    if index == 0:
        return (False,)  # there is no padding
    if prod(window) == 1:
        return (True,)  # a 1x1 kernel needs no border: to store its padding would only copy the inputs
    input_channels = extents(sch, blocks(sch)[0])[-1]
    if lanes(input_channels, widest) > 1:
        return (False,)  # it is stored once, by whole vectors, and read for every position of the window
    # Channels that no vector divides, as an image's three, are stored one by one: the search tries both.
    return (False, True)


def winograd_shape(sch: Schedule, widest: int) -> ContractionShape:
    """Return the extents of a Winograd convolution's products: its rows and columns count groups of outputs.

    Args:
        widest: floats that a vector of the CPU holds.
    """
    rows, columns, size, _, filters, channels = extents(sch, sch.get_sblock("winograd_products"))
    width = lanes(filters, widest)
    return ContractionShape(
        rows=rows,
        columns=columns,
        vectors=filters // width,
        reduction=channels,
        window=(size, size),
        lanes=width,
        accumulators=ACCUMULATORS[widest],
        grouped=False,
        paddings=(False,),  # `tile_winograd` always stores it
    )


def is_winograd(sch: Schedule) -> bool:
    """Tell whether a function is a convolution that `winograd.py` made."""
    return any(sch.get(block).name_hint == "winograd_products" for block in blocks(sch))


def tiled(function: Any, tile: Tile, widest: int) -> Schedule:
    """Schedule a function that has a shape (`shape_of`) by a tile, for vectors of `widest` floats."""
    sch = Schedule(function)
    if is_winograd(sch):
        tile_winograd(sch, tile, widest)
    else:
        tile_contraction(sch, tile, widest)
    return sch


def tile_winograd(sch: Schedule, tile: Tile, widest: int) -> None:
    """Tile a Winograd convolution: each chunk's inputs are transformed, multiplied and transformed back.

    Rows and columns of the tile count groups of m x m outputs, where m is the Winograd output tile size. A
    chunk is what a thread computes at a time. The phases are scheduled from the last to the first, since each
    is placed into the loops of a later one.
    """
    found = blocks(sch)
    inputs = sch.get_sblock("winograd_inputs")
    products = sch.get_sblock("winograd_products")
    outputs = sch.get_sblock("winograd_outputs")
    index = [sch.get(block).name_hint for block in found].index("winograd_outputs")
    for name in ("b", "a"):
        sch.compute_inline(sch.get_sblock(f"winograd_{name}"))  # the transforms' matrices
    last = inline_elementwise(sch, outputs, found[index + 1 :])
    vector = lanes(extents(sch, last)[-1], widest)
    chunks, vectors = _tile_chunks(sch, last, tile, vector)
    _tile_output_transform(sch, outputs, vectors)
    _tile_products(sch, products, chunks, tile, vector)
    _tile_input_transform(sch, inputs, chunks, widest)
    _tile_padding(sch, sch.get_sblock("winograd_padded"), chunks, widest)


def _tile_chunks(sch: Schedule, last: Any, tile: Tile, vector: int) -> Tuple[Any, Any]:
    """Cut the outputs into chunks; return the loop over them and the loop over a group's vectors of channels.

    Loop order: chunks, in parallel; groups of outputs; vectors of channels; a group's m x m outputs; lanes. A
    group's outputs are innermost because they all come from the same (m + 2)^2 products.
    """
    # `last` has prod(tile.rows) groups of m rows each.
    m = extents(sch, last)[1] // prod(tile.rows)
    batch, rows, columns, channels = sch.get_loops(last)
    chunk_y, group_y, row = sch.split(rows, [tile.rows[0], prod(tile.rows[1:]), m])
    chunk_x, group_x, column = sch.split(columns, [tile.columns[0], prod(tile.columns[1:]), m])
    chunk_f, vectors, lane = sch.split(channels, [tile.channels[0], tile.channels[1] * tile.width, vector])
    chunk_loops = {"y": chunk_y, "x": chunk_x, "f": chunk_f}
    outer = [chunk_loops[axis] for axis in tile.outer]
    sch.reorder(batch, *outer, group_y, group_x, vectors, row, column, lane)
    chunks = sch.fuse(batch, *outer)
    sch.parallel(chunks)
    sch.vectorize(lane)
    unroll(sch, [row, column])
    return chunks, vectors


def _tile_output_transform(sch: Schedule, outputs: Any, vectors: Any) -> None:
    """Transform a group's products back where its outputs are used, a vector of channels at a time.

    Loop order: the (m + 2)^2 positions, which are summed over; the m x m outputs; lanes. A product is thus
    added to all outputs before the next is read. All but the lanes are unrolled, which turns the elements of
    the transform's matrix into constants.
    """
    sch.compute_at(outputs, vectors, preserve_unit_loops=True)
    *_, row, column, lane, i, j = sch.get_loops(outputs)
    sch.reorder(i, j, row, column, lane)
    unroll(sch, [i, j, row, column])
    sch.vectorize(lane)
    sch.decompose_reduction(outputs, i)


def _tile_products(sch: Schedule, products: Any, chunks: Any, tile: Tile, vector: int) -> None:
    """Multiply a chunk's transformed inputs by the weights.

    Loop order: the (m + 2)^2 positions; the tile's middle loops; input channels; the register tile, unrolled;
    lanes. The positions are outermost because each is a matrix product of its own, whose weights stay in the
    cache meanwhile.
    """
    sch.compute_at(products, chunks, preserve_unit_loops=True)
    *_, y, x, i, j, filters, channels = sch.get_loops(products)
    middle_y, register_y = sch.split(y, [tile.rows[1], tile.rows[2]])
    middle_x, register_x = sch.split(x, [tile.columns[1], tile.columns[2]])
    middle_f, register_f, lane = sch.split(filters, [tile.channels[1], tile.width, vector])
    middle_loops = {"y": middle_y, "x": middle_x, "f": middle_f}
    middle = [middle_loops[axis] for axis in tile.inner]
    sch.reorder(i, j, *middle, channels, register_y, register_x, register_f, lane)
    unroll(sch, [register_y, register_x, register_f])
    sch.vectorize(lane)
    sch.decompose_reduction(products, channels)


def _tile_input_transform(sch: Schedule, inputs: Any, chunks: Any, widest: int) -> None:
    """Transform a chunk's inputs before they are multiplied.

    Loop order: groups of outputs; vectors of input channels; a group's (m + 2)^2 inputs, which are summed
    over; the (m + 2)^2 positions; lanes. An input is thus added to all positions before the next is read.
    Inputs and positions are unrolled, which turns the elements of the transform's matrix into constants.
    """
    sch.compute_at(inputs, chunks, preserve_unit_loops=True)
    *_, y, x, i, j, channels, r, s = sch.get_loops(inputs)
    vectors, lane = sch.split(channels, [None, lanes(extents(sch, inputs)[4], widest)])
    sch.reorder(y, x, vectors, r, s, i, j, lane)
    unroll(sch, [r, s, i, j])
    sch.vectorize(lane)
    sch.decompose_reduction(inputs, r)


def _tile_padding(sch: Schedule, padding: Any, chunks: Any, widest: int) -> None:
    """Store the padded inputs of each chunk just before they are read, by vectors of channels where one fits.

    Each thread thus pads what its own chunks read.
    """
    sch.compute_at(padding, chunks, preserve_unit_loops=True)
    vectorize_last(sch, padding, widest)


def inline_elementwise(sch: Schedule, block: Any, after: List[Any]) -> Any:
    """Compute the elementwise blocks after a contraction in the last of them; return that one.

    Where there are none, the contraction gets a buffer of its own, and the block that copies the buffer to
    the output is returned: there is always a block whose loops the contraction can be placed into.
    """
    for between in after[:-1]:
        sch.compute_inline(between)
    return after[-1] if after else sch.cache_write(block, 0, "global")


def unroll(sch: Schedule, loops: List[Any]) -> None:
    """Unroll loops."""
    for loop in loops:
        sch.unroll(loop)


def tile_contraction(sch: Schedule, tile: Tile, widest: int) -> None:
    """Tile a convolution or matrix product, so that its sums go from registers into the blocks that follow.

    Loop order: chunks, in parallel; the tile's middle loops; the register tile, unrolled; lanes. The sums of
    a register tile are placed into the innermost of the middle loops.
    """
    index = contraction(sch)
    assert index is not None
    found = blocks(sch)
    block = found[index]
    last = inline_elementwise(sch, block, found[index + 1 :])
    output_extents, _ = split_extents(sch, block)
    loops = sch.get_loops(last)
    while len(loops) < 4:  # a matrix product has no batch and no rows
        sch.add_unit_loop(loops[0])
        loops = sch.get_loops(last)
    batch, (rows, columns, channels) = sch.fuse(*loops[:-3]), loops[-3:]
    vector = lanes(output_extents[-1], widest)
    chunk_y, middle_y, register_y = sch.split(rows, tile.rows)
    chunk_x, middle_x, register_x = sch.split(columns, tile.columns)
    chunk_f, middle_f, register_f, lane = sch.split(channels, [*tile.channels, tile.width, vector])
    chunk_loops = {"y": chunk_y, "x": chunk_x, "f": chunk_f}
    middle_loops = {"y": middle_y, "x": middle_x, "f": middle_f}
    outer = [chunk_loops[axis] for axis in tile.outer]
    middle = [middle_loops[axis] for axis in tile.inner]
    sch.reorder(batch, *outer, *middle, register_y, register_x, register_f, lane)
    chunks = sch.fuse(batch, *outer)
    sch.parallel(chunks)
    sch.vectorize(lane)
    unroll(sch, [register_y, register_x, register_f])
    sch.compute_at(block, middle[-1], preserve_unit_loops=True)
    for padding in found[:index]:
        if tile.inline:
            sch.compute_inline(padding)
        else:
            _tile_padding(sch, padding, chunks, widest)
    _tile_register(sch, block, tile, vector)


def _tile_register(sch: Schedule, block: Any, tile: Tile, vector: int) -> None:
    """Order the loops in which the sums of a register tile are computed.

    Loop order: the reduction; the register tile, unrolled; lanes. Each step of the reduction thus adds one
    product to every accumulator, and the accumulators stay in registers.
    """
    is_reduction = reduces(sch, block)
    own_loops = sch.get_loops(block)[-len(is_reduction) :]  # those around them are of the block after it
    spatial, reductions = split_loops(own_loops, is_reduction)
    vectors, lane = sch.split(spatial[-1], [tile.width, vector])
    sch.reorder(*reductions, *spatial[:-1], vectors, lane)
    unroll(sch, [*spatial[:-1], vectors])
    sch.vectorize(lane)
    sch.decompose_reduction(block, reductions[0])


def vectorize_last(sch: Schedule, block: Any, widest: int) -> None:
    """Vectorize the innermost loop of a block where a vector divides it."""
    loop = sch.get_loops(block)[-1]
    width = lanes(int(sch.get(loop).extent), widest)
    if width > 1:
        _, lane = sch.split(loop, [None, width])
        sch.vectorize(lane)


def schedule_by_rule(function: Any, widest: int) -> Optional[Any]:
    """Schedule a function without a tile: intermediate results inlined, vectors inside, parallel outer loops.

    Returns:
        The function; None where the rules do not fit, and it is left to run as TVM made it.
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

    An innermost loop that is too short for a vector is fused with the others first.
    """
    if extents(sch, block)[-1] < LANES[-1]:
        sch.fuse(*sch.get_loops(block))
    vectorize_last(sch, block, widest)
    run_parallel(sch, block, sch.get_loops(block)[:-1] or sch.get_loops(block))


def run_parallel(sch: Schedule, block: Any, loops: List[Any]) -> None:
    """Run a block's outermost loops in parallel where it has work enough (SERIAL_WORK)."""
    if loops and prod(extents(sch, block)) >= SERIAL_WORK:
        sch.parallel(sch.fuse(*loops))


def reduce_by_rule(sch: Schedule, block: Any, widest: int) -> None:
    """Move a reduction's loops around its innermost spatial loop, whose outputs lie side by side in memory.

    Where that loop is too short for a vector, the reduction is cut into a vector of partial results, which is
    reduced at the end.
    """
    spatial, reductions = split_loops(sch.get_loops(block), reduces(sch, block))
    is_short = int(sch.get(spatial[-1]).extent) < LANES[-1]
    width = lanes(int(sch.get(reductions[-1]).extent), widest)
    if is_short and width > 1 and not is_extremum(sch, block):
        _, lane = sch.split(reductions[-1], [None, width])
        partial = sch.rfactor(lane, len(spatial))
        sch.vectorize(sch.get_loops(partial)[-1])
        run_parallel(sch, partial, sch.get_loops(partial)[: len(spatial)])
        run_parallel(sch, block, sch.get_loops(block)[: len(spatial)])
        return
    sch.reorder(*spatial[:-1], *reductions, spatial[-1])
    run_parallel(sch, block, sch.get_loops(block)[: len(spatial) - 1])
    sch.decompose_reduction(block, reductions[0])


def is_extremum(sch: Schedule, block: Any) -> bool:
    """Tell whether a reduction carries several values at once, as argmax does, which has no vector form."""
    return len(sch.get(block).writes) > 1
