"""What a graph's inputs beside the image are fed, as arrays."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np

from shared.contract.constants import fed_sizes
from shared.inference.arrays import Array


def constant_array(value: Any, dtype: Any, shape: Optional[Sequence[Optional[int]]]) -> Array:
    """Return a constant of model.json as an input takes it.

    Args:
        value: a number, a bool, or lists of them.
        shape: of the input, None or negative where a size is open; None where it is not known.

    Raises:
        ValueError: the value has other sizes.
    """
    return np.array(np.broadcast_to(np.asarray(value, dtype), fed_sizes(value, shape)))
