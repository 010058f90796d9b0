"""Stands in for TensorRT's package on a device that is none: an engine of the stand-in trtexec holds its
graph, and is run by ONNX Runtime. The release is STAND_IN_TENSORRT's.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

import numpy as np
import onnxruntime

from tests.stand_ins.tensorrt import HEADER_BYTES, Mode, TensorRT

TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}


class OnnxTensorRT(TensorRT):
    """A release whose engines are graphs."""

    def nptype(self, kind: Any) -> Any:
        return TYPES[kind]

    def Runtime(self, logger: Any) -> Any:
        return OnnxRuntime(self)


class OnnxRuntime:
    def __init__(self, trt: TensorRT) -> None:
        self._trt = trt

    def deserialize_cuda_engine(self, plan: bytes) -> Any:
        return OnnxEngine(plan[HEADER_BYTES:]) if plan[:HEADER_BYTES] == self._trt.header() else None


class OnnxEngine:
    def __init__(self, graph: bytes) -> None:
        self.session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        self.inputs = {one.name: one for one in self.session.get_inputs()}
        self.tensors = {**self.inputs, **{one.name: one for one in self.session.get_outputs()}}
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> Mode:
        return Mode.INPUT if name in self.inputs else Mode.OUTPUT

    def get_tensor_dtype(self, name: str) -> str:
        return str(self.tensors[name].type)

    def create_execution_context(self) -> OnnxContext:
        return OnnxContext(self)


class OnnxContext:
    def __init__(self, engine: OnnxEngine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._engine.tensors[name].shape)

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        engine = self._engine
        results = [name for name in engine.tensors if name not in engine.inputs]
        found = engine.session.run(results, {name: self._memory(name) for name in engine.inputs})
        for name, array in zip(results, found):
            self._memory(name)[...] = array
        return True

    def _memory(self, name: str) -> Any:
        kind, shape = np.dtype(TYPES[self._engine.tensors[name].type]), self.get_tensor_shape(name)
        content = (ctypes.c_char * (int(np.prod(shape)) * kind.itemsize)).from_address(self._addresses[name])
        return np.frombuffer(content, kind).reshape(shape)


def __getattr__(name: str) -> Any:
    return getattr(OnnxTensorRT(os.environ["STAND_IN_TENSORRT"]), name)
