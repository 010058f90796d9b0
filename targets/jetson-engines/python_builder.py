"""Engines built by TensorRT's Python API on the device, and their layers as its inspector tells them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine_building import build_plan, new_listener
from engine_wish import Wish


class PythonBuilder:
    """Builds engines by TensorRT's Python API.

    Args:
        trt: TensorRT's package.
    """

    name = "python"

    def __init__(self, trt: Any) -> None:
        self._trt = trt

    def build(self, wish: Wish, engine: Path) -> str:
        plan = build_plan(self._trt, wish)
        engine.write_bytes(plan)
        runtime = self._trt.Runtime(new_listener(self._trt))
        loaded = runtime.deserialize_cuda_engine(plan)
        if loaded is None:
            return ""
        inspector = loaded.create_engine_inspector()
        return str(inspector.get_engine_information(self._trt.LayerInformationFormat.JSON))
