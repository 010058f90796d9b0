"""CUDA's runtime library by ctypes: the images of JetPack have no Python package for it."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p
from typing import Any, Iterable, Mapping, Sequence, Tuple

from gpu import NO_DRIVER, Gpu, GpuError, none_is_here

from shared.inference.session import Unsupported

LIBRARIES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so")
"""Its names, by CUDA release: JetPack 7, 6, 5; and that of a toolkit for compiling."""

PLACES = ("", "/usr/local/cuda/lib64/")
"""Where the loader looks, then where NVIDIA's images have it."""

DEVICE = 0

MULTIPROCESSORS, MAJOR, MINOR = 16, 75, 76
"""cudaDeviceAttr: cudaDevAttrMultiProcessorCount, cudaDevAttrComputeCapabilityMajor and -Minor."""

TO_DEVICE, TO_HOST = 1, 2
"""cudaMemcpyKind: cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost."""

NAME_BYTES, PROPERTIES_BYTES = 256, 16384
"""cudaDeviceProp begins with the device's name in every release; its size, about 1 KB, differs."""

ARGUMENTS: Mapping[str, Tuple[Any, ...]] = {
    "cudaDriverGetVersion": (POINTER(c_int),),
    "cudaRuntimeGetVersion": (POINTER(c_int),),
    "cudaGetDeviceCount": (POINTER(c_int),),
    "cudaGetDeviceProperties": (c_void_p, c_int),
    "cudaDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cudaSetDevice": (c_int,),
    "cudaMalloc": (POINTER(c_void_p), c_size_t),
    "cudaStreamCreate": (POINTER(c_void_p),),
    "cudaMemcpyAsync": (c_void_p, c_void_p, c_size_t, c_int, c_void_p),
    "cudaStreamSynchronize": (c_void_p,),
}


def open_library(names: Sequence[str] = LIBRARIES, places: Iterable[str] = PLACES) -> ctypes.CDLL:
    """Return CUDA's runtime library.

    Raises:
        Unsupported: there is none.
    """
    lacks = []
    for place in places:
        for name in names:
            try:
                return ctypes.CDLL(place + name)
            except OSError as error:
                lacks.append(str(error))
    raise Unsupported(
        none_is_here(f"CUDA's runtime cannot be loaded: {lacks[0] if lacks else 'not looked for'}")
    )


class CudaRuntime:
    """CUDA's runtime library; each call is checked.

    Args:
        library: libcudart.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.cudaGetErrorString.argtypes, library.cudaGetErrorString.restype = (c_int,), c_char_p
        for name, types in ARGUMENTS.items():
            function = getattr(library, name)
            function.argtypes, function.restype = types, c_int

    def find(self) -> Gpu:
        driver = self._number("cudaDriverGetVersion")
        if driver == 0:
            raise Unsupported(none_is_here(NO_DRIVER))
        try:
            count = self._number("cudaGetDeviceCount")
        except GpuError as error:
            raise Unsupported(none_is_here(str(error))) from None
        if count == 0:
            raise Unsupported(none_is_here("the driver has none"))
        self._call("cudaSetDevice", DEVICE)
        major, minor, multiprocessors = map(self._attribute, (MAJOR, MINOR, MULTIPROCESSORS))
        return Gpu(self._name(), f"{major}.{minor}", multiprocessors, driver)

    def release(self) -> str:
        """Return the library's own release, for example `12.6`."""
        number = self._number("cudaRuntimeGetVersion")
        return f"{number // 1000}.{number % 1000 // 10}"

    def allocate(self, size: int) -> int:
        return self._address("cudaMalloc", size)

    def new_stream(self) -> int:
        return self._address("cudaStreamCreate")

    def to_gpu(self, destination: int, origin: int, size: int, stream: int) -> None:
        self._call("cudaMemcpyAsync", destination, origin, size, TO_DEVICE, stream)

    def from_gpu(self, destination: int, origin: int, size: int, stream: int) -> None:
        self._call("cudaMemcpyAsync", destination, origin, size, TO_HOST, stream)

    def synchronize(self, stream: int) -> None:
        self._call("cudaStreamSynchronize", stream)

    def _name(self) -> str:
        properties = ctypes.create_string_buffer(PROPERTIES_BYTES)
        self._call("cudaGetDeviceProperties", ctypes.addressof(properties), DEVICE)
        return properties.raw[:NAME_BYTES].partition(b"\0")[0].decode("utf-8", "replace")

    def _attribute(self, which: int) -> int:
        value = c_int()
        self._call("cudaDeviceGetAttribute", byref(value), which, DEVICE)
        return value.value

    def _number(self, name: str) -> int:
        value = c_int()
        self._call(name, byref(value))
        return value.value

    def _address(self, name: str, *arguments: int) -> int:
        value = c_void_p()
        self._call(name, byref(value), *arguments)
        return value.value or 0

    def _call(self, name: str, *arguments: Any) -> None:
        """Call a function of the library.

        Raises:
            GpuError: its code says that it failed; CUDA's own words for that.
        """
        code = getattr(self._library, name)(*arguments)
        if code != 0:
            text = self._library.cudaGetErrorString(code) or b"an unknown error"
            raise GpuError(f"{name}: {text.decode('utf-8', 'replace')} (error {code})")
