"""The steps of a pipeline that are timed, in their order."""

from __future__ import annotations

STEPS = ("total", "decode", "detector_input", "detector", "detector_output", "reader_input", "reader", "reader_output")
