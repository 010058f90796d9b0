"""An engine on an NVIDIA GPU: TensorRT's Python API, with memory and a stream from CUDA's runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np
import tensorrt_rtx_bindings as trt
from cuda.bindings import runtime as cuda
from engine import Listener
from messages import plain
from plan_header import read_header

from shared.contract.model import InputSpec, Network
from shared.inference.arrays import Array
from shared.inference.session import Unsupported, own_name

DEVICE = 0


class GpuError(RuntimeError):
    """CUDA or TensorRT could not do what was asked on the GPU."""


def call(function: Any, *arguments: Any) -> Any:
    """Call a function of CUDA's runtime and return what it returns beside its error code.

    Raises:
        GpuError: the code says that it failed.
    """
    code, *values = function(*arguments)
    if code != cuda.cudaError_t.cudaSuccess:
        _, text = cuda.cudaGetErrorString(code)
        raise GpuError(f"{function.__name__}: {text.decode()}")
    return values[0] if len(values) == 1 else values


def find_gpu() -> Tuple[str, str]:
    """Return the name and the compute capability of the first GPU.

    Raises:
        Unsupported: there is none, or no driver that can be talked to.
    """
    lack = _what_is_lacking()
    if lack:
        raise Unsupported(f"no NVIDIA GPU is here, and an engine needs one ({lack})")
    properties = call(cuda.cudaGetDeviceProperties, DEVICE)
    return properties.name.decode(), f"{properties.major}.{properties.minor}"


def _what_is_lacking() -> str:
    """Return why there is no GPU that can be used; empty where there is one."""
    if call(cuda.cudaDriverGetVersion) == 0:
        return "there is no driver, or it was not given to the container"
    try:
        return "" if call(cuda.cudaGetDeviceCount) else "the driver has none"
    except GpuError as error:
        return str(error)


class EngineSession:
    """An engine that is loaded on the first GPU.

    A call takes host memory and returns host memory: the image is copied to the GPU, the engine runs, the
    outputs are copied back, one after the other on one stream.

    Raises:
        Unsupported: there is no GPU, or the engine is of another release or for another one.
        UnreadablePlan: the file is no engine.
    """

    def __init__(self, network: Network, path: Path, spec: InputSpec) -> None:
        plan = path.read_bytes()
        header = read_header(plan)
        gpu, capability = find_gpu()
        refusal = header.refusal(trt.__version__, capability)
        if refusal:
            raise Unsupported(refusal)
        call(cuda.cudaSetDevice, DEVICE)
        self._listener = Listener()
        self._engine = _load(plan, self._listener)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise GpuError(_last(self._listener))
        self._stream = call(cuda.cudaStreamCreate)
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        feeds = [name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        self._feed = own_name(spec.name, feeds)
        self._results = {name: own_name(name, names) for name in network.tensors}
        self._host: Dict[str, Array] = {}
        self._device: Dict[str, int] = {}
        for name in names:
            self._host[name] = np.empty(
                tuple(self._engine.get_tensor_shape(name)), trt.nptype(self._engine.get_tensor_dtype(name))
            )
            self._device[name] = call(cuda.cudaMalloc, self._host[name].nbytes)
            self._context.set_tensor_address(name, self._device[name])
        self.input = spec
        self.settings: Mapping[str, Any] = {
            "runtime": f"TensorRT for RTX {trt.__version__}",
            "gpu": gpu,
            "compute_capability": capability,
            "driver_cuda": call(cuda.cudaDriverGetVersion),
            "copies_in_the_time": True,
        }

    def run(self, image: Array) -> Dict[str, Array]:
        feed = self._host[self._feed]
        np.copyto(feed, image)
        self._copy(self._device[self._feed], feed.ctypes.data, feed.nbytes, to_device=True)
        if not self._context.execute_async_v3(int(self._stream)):
            raise GpuError(_last(self._listener))
        for own in self._results.values():
            result = self._host[own]
            self._copy(result.ctypes.data, self._device[own], result.nbytes, to_device=False)
        call(cuda.cudaStreamSynchronize, self._stream)
        return {name: self._host[own].copy() for name, own in self._results.items()}

    def _copy(self, destination: int, origin: int, size: int, to_device: bool) -> None:
        kinds = cuda.cudaMemcpyKind
        kind = kinds.cudaMemcpyHostToDevice if to_device else kinds.cudaMemcpyDeviceToHost
        call(cuda.cudaMemcpyAsync, destination, origin, size, kind, self._stream)


def _load(plan: bytes, listener: Listener) -> Any:
    """Return a loaded engine. Raises Unsupported where TensorRT says that it cannot run here."""
    runtime = trt.Runtime(listener)
    validity, reasons = runtime.get_engine_validity(plan)
    if validity == trt.EngineValidity.INVALID:
        told = ", ".join(_reasons(int(reasons))) or "no reason given"
        raise Unsupported(f"TensorRT for RTX cannot run this engine here: {told}")
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise GpuError(_last(listener))
    return engine


def _reasons(bits: int) -> List[str]:
    """Return TensorRT's names of the reasons why an engine is not valid."""
    members = trt.EngineInvalidityDiagnostics.__members__.items()
    return [name.lower().replace("_", " ") for name, value in members if bits & int(value)]


def _last(listener: Listener) -> str:
    return plain(listener.errors[-1]) if listener.errors else "TensorRT gives no reason"
