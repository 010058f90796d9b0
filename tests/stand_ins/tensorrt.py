"""Stands in for TensorRT's Python package: what it is asked is kept in the engine's bytes; an engine doubles
the first ten pixels of the image.

`TensorRT(release)` has what `import tensorrt` gives of that release; imported as `tensorrt` this module is
the release STAND_IN_TENSORRT, 8.5.2.2 by default. The engine is one for the example model: `image` in,
`digit` out. Runs on Python 3.8.
"""

from __future__ import annotations

import ctypes
import json
import os
from enum import Enum, IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np

MAGIC, VERSION_AT, HEADER_BYTES = b"ftrt", 24, 28
IR_VERSION_FIELD, NO_KERNEL = b"\x08", b"no kernel"
TENSORS = {"image": (1, 1, 32, 32), "digit": (1, 10)}

Severity = IntEnum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"], start=0)
Mode = Enum("Mode", ["INPUT", "OUTPUT"])
DataType = Enum("DataType", ["FLOAT", "HALF", "INT32"])
Flags = Enum("Flags", ["FP16", "INT8", "TF32", "OBEY_PRECISION_CONSTRAINTS"])


class ILogger:
    Severity = Severity

    def __init__(self) -> None:
        pass


class TensorRT:
    """A release of TensorRT's package."""

    ILogger, TensorIOMode, DataType, BuilderFlag = ILogger, Mode, DataType, Flags
    MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
    ProfilingVerbosity = SimpleNamespace(DETAILED="detailed")
    LayerInformationFormat = SimpleNamespace(JSON="JSON")

    def __init__(self, release: str) -> None:
        self.__version__, self._numbers = release, [int(number) for number in release.split(".")]
        kinds = ["EXPLICIT_BATCH"] + (["STRONGLY_TYPED"] if self.major >= 10 else [])
        self.NetworkDefinitionCreationFlag = IntEnum("Kinds", kinds, start=0)

    @property
    def major(self) -> int:
        return self._numbers[0]

    def header(self) -> bytes:
        return MAGIC.ljust(VERSION_AT, b"\0") + bytes([*self._numbers, 0][:4])

    def nptype(self, kind: Any) -> Any:
        return {DataType.FLOAT: np.float32, DataType.INT32: np.int32}[kind]

    def Builder(self, logger: Any) -> _Builder:
        return _Builder(self, logger)

    def OnnxParser(self, network: Network, logger: Any) -> Parser:
        return Parser(self, network)

    def Runtime(self, logger: Any) -> _Runtime:
        return _Runtime(self, logger)


class Layer:
    def __init__(self, name: str, *outputs: DataType) -> None:
        self.name, self.precision, self._outputs = name, DataType.HALF, outputs
        self.num_outputs = len(outputs)

    def get_output(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(dtype=self._outputs[index])


class Network:
    def __init__(self, strongly_typed: bool) -> None:
        self.strongly_typed, self.graph = strongly_typed, b""
        self.layers = [
            Layer("conv", DataType.HALF),
            Layer("decode", DataType.FLOAT, DataType.INT32),
            Layer("indices", DataType.INT32),
        ]
        self.num_layers = len(self.layers)

    def get_layer(self, index: int) -> Layer:
        return self.layers[index]


class Parser:
    def __init__(self, trt: TensorRT, network: Network) -> None:
        self._trt, self._network, self.num_errors = trt, network, 0

    def parse_from_file(self, path: str) -> bool:
        with open(path, "rb") as file:
            self._network.graph = file.read()
        self.num_errors = int(not self._network.graph.startswith(IR_VERSION_FIELD))
        return not self.num_errors

    def get_error(self, index: int) -> SimpleNamespace:
        told: dict[str, Any] = {"node": lambda: 3, "desc": lambda: "In parseGraph at x.cpp:5 no plugin"}
        if self._trt.major >= 10:
            told = {**told, "node_operator": lambda: "Mystery", "node_name": lambda: "middle"}
        return SimpleNamespace(**told)


class Timings:
    def __init__(self, earlier: bytes) -> None:
        self.content = earlier

    def serialize(self) -> bytes:
        return self.content


class Config:
    def __init__(self) -> None:
        self.flags = {Flags.TF32}
        self.workspace = 0
        self.timings: Any = None

    def set_flag(self, flag: Flags) -> None:
        self.flags.add(flag)

    def clear_flag(self, flag: Flags) -> None:
        self.flags.discard(flag)

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        self.workspace = size

    def create_timing_cache(self, earlier: bytes) -> Timings:
        return Timings(earlier)

    def set_timing_cache(self, cache: Timings, ignore_mismatch: bool) -> bool:
        if b"foreign" in cache.content:
            return False
        self.timings = cache
        return True

    def get_timing_cache(self) -> Timings:
        return self.timings


class _Builder:
    def __init__(self, trt: TensorRT, logger: Any) -> None:
        self._trt, self._logger = trt, logger

    def create_network(self, flags: int) -> Network:
        return Network(bool(flags & 2))

    def create_builder_config(self) -> Config:
        return Config()

    def build_serialized_network(self, network: Network, config: Config) -> Any:
        if NO_KERNEL in network.graph:
            line = "10: [optimizer.cpp::computeCosts::3728] Error Code 10: Internal Error (No kernel.)"
            self._logger.log(Severity.ERROR, line)
            return None
        self._logger.log(Severity.INFO, "built")
        if config.timings is not None:
            config.timings.content += b"timings\n"
        precisions = {layer.name: layer.precision.name for layer in network.layers}
        asked = {
            "strongly_typed": network.strongly_typed,
            "flags": sorted(flag.name for flag in config.flags),
            "workspace": config.workspace,
            "precisions": precisions,
        }
        return memoryview(self._trt.header() + json.dumps(asked).encode())


class _Runtime:
    def __init__(self, trt: TensorRT, logger: Any) -> None:
        self._trt, self._logger = trt, logger

    def deserialize_cuda_engine(self, plan: bytes) -> Any:
        if plan[:HEADER_BYTES] != self._trt.header():
            line = "1: [stdArchiveReader.cpp::StdArchiveReader::40] Error Code 1: Serialization (Version tag)"
            self._logger.log(Severity.ERROR, line)
            return None
        return Engine(plan)


class Engine:
    num_io_tensors = len(TENSORS)

    def __init__(self, plan: bytes) -> None:
        self._plan = plan

    def get_tensor_name(self, index: int) -> str:
        return list(TENSORS)[index]

    def get_tensor_mode(self, name: str) -> Mode:
        return Mode.INPUT if name == "image" else Mode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return DataType.FLOAT

    def create_execution_context(self) -> Context:
        return Context()

    def create_engine_inspector(self) -> SimpleNamespace:
        asked = json.loads(self._plan[HEADER_BYTES:])
        kind = "Half" if asked["strongly_typed"] or "FP16" in asked["flags"] else "Float"
        tensors = [{"Name": "x", "Format/Datatype": kind}]
        layer = {"Name": "conv", "LayerType": "CaskConvolution", "Inputs": tensors, "Outputs": tensors}
        return SimpleNamespace(get_engine_information=lambda form: json.dumps({"Layers": [layer]}))


class Context:
    def __init__(self) -> None:
        self._addresses: dict[str, int] = {}

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return TENSORS[name]

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        image, digit = (self._floats(name) for name in TENSORS)
        digit[:] = 2 * image[: len(digit)]
        return True

    def _floats(self, name: str) -> Any:
        size = int(np.prod(TENSORS[name]))
        return np.ctypeslib.as_array((ctypes.c_float * size).from_address(self._addresses[name]))


def __getattr__(name: str) -> Any:
    return getattr(TensorRT(os.environ.get("STAND_IN_TENSORRT", "8.5.2.2")), name)
