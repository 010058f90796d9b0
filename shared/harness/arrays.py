"""The name of a numpy array in type hints; shapes and dtypes are told in the docstrings."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
