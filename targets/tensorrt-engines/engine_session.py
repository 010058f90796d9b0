"""An engine on an NVIDIA GPU: TensorRT's Python API, with memory and a stream from CUDA."""

from __future__ import annotations

from typing import Any, Dict, Mapping

import numpy as np
from engine_building import new_listener
from gpu import Cuda, Gpu, GpuError
from messages import plain

from shared.contract.model import InputSpec, Network
from shared.inference.arrays import Array
from shared.inference.session import own_name


class EngineSession:
    """An engine that is loaded on the first GPU.

    A call takes host memory and returns host memory: the image is copied to the GPU, the engine runs, the
    outputs are copied back, one after the other on one stream.

    Args:
        trt: TensorRT's package.
        gpu: what `cuda` found.
        plan: the engine as it was saved; whether it may run here was asked before.
        runtime: what TensorRT is called in the record, with its release.

    Raises:
        GpuError: TensorRT does not load it.
        ValueError: it has not the network's tensors.
    """

    def __init__(
        self, trt: Any, cuda: Cuda, gpu: Gpu, network: Network, plan: bytes, spec: InputSpec, runtime: str
    ) -> None:
        self._cuda = cuda
        self._listener = new_listener(trt)
        # An engine must not outlive what loaded it.
        self._runtime = trt.Runtime(self._listener)
        self._engine = self._made(self._runtime.deserialize_cuda_engine(plan))
        self._context = self._made(self._engine.create_execution_context())
        self._stream = cuda.new_stream()
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        feeds = [name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        self._feed = own_name(spec.name, feeds)
        self._results = {name: own_name(name, names) for name in network.tensors}
        self._host: Dict[str, Array] = {}
        self._device: Dict[str, int] = {}
        for name in names:
            self._host[name] = np.empty(
                tuple(self._context.get_tensor_shape(name)), trt.nptype(self._engine.get_tensor_dtype(name))
            )
            self._device[name] = cuda.allocate(self._host[name].nbytes)
            self._context.set_tensor_address(name, self._device[name])
        self.input = spec
        self.settings: Mapping[str, Any] = {
            "runtime": runtime,
            "gpu": gpu.name,
            "compute_capability": gpu.capability,
            "driver_cuda": gpu.driver_cuda,
            "copies_in_the_time": True,
        }

    def run(self, image: Array) -> Dict[str, Array]:
        feed = self._host[self._feed]
        if image.shape != feed.shape or image.dtype != feed.dtype:
            given, taken = f"{image.dtype} {image.shape}", f"{feed.dtype} {feed.shape}"
            raise ValueError(f"the engine's input {self._feed} takes {taken}, not {given}")
        np.copyto(feed, image)
        self._cuda.to_gpu(self._device[self._feed], feed.ctypes.data, feed.nbytes, self._stream)
        if not self._context.execute_async_v3(self._stream):
            raise GpuError(self._last_error())
        for own in self._results.values():
            result = self._host[own]
            self._cuda.from_gpu(result.ctypes.data, self._device[own], result.nbytes, self._stream)
        self._cuda.synchronize(self._stream)
        return {name: self._host[own].copy() for name, own in self._results.items()}

    def _made(self, made: Any) -> Any:
        """Return what TensorRT made. Raises GpuError with its reason where that is nothing."""
        if made is None:
            raise GpuError(self._last_error())
        return made

    def _last_error(self) -> str:
        errors = self._listener.errors
        return plain(errors[-1]) if errors else "TensorRT gives no reason"
