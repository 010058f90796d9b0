"""An engine of TensorRT for RTX on an NVIDIA GPU, which NVIDIA's package cuda-bindings speaks to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import tensorrt_rtx_bindings as trt
from cuda.bindings import runtime as cuda
from engine_building import new_listener
from engine_session import EngineSession
from gpu import NO_DRIVER, Gpu, GpuError, none_is_here
from plan_header import read_header

from shared.contract.model import InputSpec, Network
from shared.inference.session import Unsupported

DEVICE = 0


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


class CudaBindings:
    """CUDA's runtime as the package cuda-bindings has it."""

    def find(self) -> Gpu:
        lack = _what_is_lacking()
        if lack:
            raise Unsupported(none_is_here(lack))
        found = call(cuda.cudaGetDeviceProperties, DEVICE)
        call(cuda.cudaSetDevice, DEVICE)
        capability, driver = f"{found.major}.{found.minor}", call(cuda.cudaDriverGetVersion)
        return Gpu(found.name.decode(), capability, found.multiProcessorCount, driver)

    def allocate(self, size: int) -> int:
        return int(call(cuda.cudaMalloc, size))

    def new_stream(self) -> int:
        return int(call(cuda.cudaStreamCreate))

    def to_gpu(self, destination: int, origin: int, size: int, stream: int) -> None:
        call(
            cuda.cudaMemcpyAsync,
            destination,
            origin,
            size,
            cuda.cudaMemcpyKind.cudaMemcpyHostToDevice,
            stream,
        )

    def from_gpu(self, destination: int, origin: int, size: int, stream: int) -> None:
        call(
            cuda.cudaMemcpyAsync,
            destination,
            origin,
            size,
            cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost,
            stream,
        )

    def synchronize(self, stream: int) -> None:
        call(cuda.cudaStreamSynchronize, stream)


def _what_is_lacking() -> str:
    """Return why there is no GPU that can be used; empty where there is one."""
    if call(cuda.cudaDriverGetVersion) == 0:
        return NO_DRIVER
    try:
        return "" if call(cuda.cudaGetDeviceCount) else "the driver has none"
    except GpuError as error:
        return str(error)


def load_engine(network: Network, path: Path, spec: InputSpec) -> EngineSession:
    """Load an engine's file.

    Raises:
        Unsupported: there is no GPU, or the engine is of another release or for another one.
        UnreadablePlan: the file is no engine.
    """
    plan = path.read_bytes()
    header = read_header(plan)
    gpu = CudaBindings().find()
    refusal = header.refusal(trt.__version__, gpu.capability) or _refusal(plan)
    if refusal:
        raise Unsupported(refusal)
    runtime = f"TensorRT for RTX {trt.__version__}"
    return EngineSession(trt, CudaBindings(), gpu, network, plan, spec, runtime)


def _refusal(plan: bytes) -> str:
    """Return why TensorRT says that an engine cannot run here; empty where it may."""
    validity, reasons = trt.Runtime(new_listener(trt)).get_engine_validity(plan)
    if validity != trt.EngineValidity.INVALID:
        return ""
    told = ", ".join(_reasons(int(reasons))) or "no reason given"
    return f"TensorRT for RTX cannot run this engine here: {told}"


def _reasons(bits: int) -> List[str]:
    """Return TensorRT's names of the reasons why an engine is not valid."""
    members = trt.EngineInvalidityDiagnostics.__members__.items()
    return [name.lower().replace("_", " ") for name, value in members if bits & int(value)]
