"""What a network's inputs beside the image are fed, the `constants` of model.json: their sizes."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Tuple

Sizes = Tuple[int, ...]


def sizes_of(value: Any) -> Sizes:
    """Return the sizes of a number or a list of lists of them. Raises ValueError: lists of unequal length."""
    if not isinstance(value, (list, tuple)):
        return ()
    inner = {sizes_of(item) for item in value}
    if len(inner) > 1:
        raise ValueError("its lists are not of one length")
    return (len(value), *(inner.pop() if inner else ()))


def fed_sizes(value: Any, shape: Optional[Sequence[Optional[int]]]) -> Sizes:
    """Return the sizes of what an input is fed: the graph's; where it leaves one open the value's, or 1.

    A number stands for as many as the input has.

    Args:
        shape: of the input, None or a negative number where a size is open; None where it is not known.

    Raises:
        ValueError: the value has other sizes.
    """
    own = sizes_of(value)
    if shape is None:
        return own
    if len(own) > len(shape):
        raise ValueError(f"it has {len(own)} axes, the input {len(shape)}")
    aligned = (*(1,) * (len(shape) - len(own)), *own)
    sizes = tuple(found if not size or size < 0 else size for found, size in zip(aligned, shape))
    if any(found not in (1, size) for found, size in zip(aligned, sizes)):
        raise ValueError(f"it has the shape {list(own)}, the input {list(sizes)}")
    return sizes
