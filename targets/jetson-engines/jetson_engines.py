"""Engines on a Jetson: what builds them there of ONNX that was prepared elsewhere, and what runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Mapping

from cudart import CudaRuntime, open_library
from engine_making import ENGINE_FILE, EngineBuilder, Place, l4t_release
from engine_session import EngineSession
from gpu import Cuda, Gpu
from plan_release import refusal
from python_builder import PythonBuilder
from trtexec_program import TrtexecBuilder, find_program, no_program

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.inference.session import Session, Unsupported


def tensorrt() -> Any:
    """Return TensorRT's package, which the image has for its own Python.

    Raises:
        Unsupported: it cannot be loaded here: it needs libraries that the device's container runtime brings.
    """
    try:
        import tensorrt as trt
    except ImportError as error:
        advice = "run it on a Jetson, with the container runtime nvidia and nvidia-l4t-dla-compiler installed"
        raise Unsupported(f"TensorRT cannot be loaded here ({error}): {advice}") from None
    return trt


def cuda_runtime() -> CudaRuntime:
    """Return CUDA's runtime. Raises Unsupported where there is none."""
    return CudaRuntime(open_library())


def versions() -> Dict[str, str]:
    """Return the releases of what decides an engine."""
    trt, cuda = tensorrt(), cuda_runtime()
    # Without a driver CUDA 11 does not even tell its release; and no job here does without the GPU.
    cuda.find()
    return {"tensorrt": str(trt.__version__), "cuda": cuda.release()}


class JetsonEngines:
    """Loads the engines of a target for Jetsons, and knows what builds them.

    Args:
        vendor: returns TensorRT's package.
        cuda: returns CUDA's runtime.
    """

    def __init__(self, vendor: Callable[[], Any] = tensorrt, cuda: Callable[[], Cuda] = cuda_runtime) -> None:
        self._vendor, self._cuda = vendor, cuda

    def place(self) -> Place:
        """Return what an engine is built with here, and for. Raises Unsupported where there is no GPU."""
        return Place(str(self._vendor().__version__), self._cuda().find(), find_program(), l4t_release())

    def builder(self, place: Place, options: Mapping[str, Any]) -> EngineBuilder:
        """Return what the option `builder` names. Raises EnvironmentProblem where there is no trtexec."""
        if options["builder"] != "trtexec":
            return PythonBuilder(self._vendor())
        if place.trtexec is None:
            raise no_program()
        return TrtexecBuilder(place.trtexec, place.release)

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        trt, cuda = self._vendor(), self._cuda()
        gpu = cuda.find()
        plan = self._plan_for(artifact, manifest, trt, gpu)
        return EngineSession(trt, cuda, gpu, network, plan, manifest.input, f"TensorRT {trt.__version__}")

    def check(self, artifact: Path, manifest: Manifest) -> None:
        """Check that an engine is for this device and this TensorRT; it is not loaded. Raises Unsupported."""
        self._plan_for(artifact, manifest, self._vendor(), self._cuda().find())

    def _plan_for(self, artifact: Path, manifest: Manifest, trt: Any, gpu: Gpu) -> bytes:
        plan = (artifact / ENGINE_FILE).read_bytes()
        reason = refusal(plan, manifest.settings, trt.__version__, gpu)
        if reason:
            raise Unsupported(reason)
        return plan
