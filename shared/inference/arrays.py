"""The name of a numpy array in type hints; docstrings say shapes and dtypes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
