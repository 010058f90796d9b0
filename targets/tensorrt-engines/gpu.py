"""What an engine's session asks of CUDA, whatever speaks to it. Needs no vendor package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class GpuError(RuntimeError):
    """CUDA or TensorRT could not do what was asked on the GPU."""


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes:
        name: as CUDA has it, for example `Orin`.
        capability: its compute capability, for example `8.7`.
        multiprocessors: how many it has, by which boards of one family differ.
        driver_cuda: the CUDA release that the driver has, as 12060 for 12.6.
    """

    name: str
    capability: str
    multiprocessors: int
    driver_cuda: int


class Cuda(Protocol):
    """CUDA's runtime on the first GPU. Each call raises GpuError where CUDA says that it failed."""

    def find(self) -> Gpu:
        """Return the first GPU, and have all calls be for it.

        Raises:
            Unsupported: there is none, or no driver that can be talked to.
        """

    def allocate(self, size: int) -> int:
        """Return the address of so many bytes of the GPU's memory."""

    def new_stream(self) -> int:
        """Return the handle of a new stream."""

    def to_gpu(self, destination: int, origin: int, size: int, stream: int) -> None:
        """Copy bytes from an address of the host to one of the GPU, in a stream's turn."""

    def from_gpu(self, destination: int, origin: int, size: int, stream: int) -> None:
        """Copy bytes from an address of the GPU to one of the host, in a stream's turn."""

    def synchronize(self, stream: int) -> None:
        """Wait until a stream has done what it was given."""


NO_DRIVER = "there is no driver, or it was not given to the container"


def none_is_here(lack: str) -> str:
    """Return the sentence that there is no GPU, with what is lacking."""
    return f"no NVIDIA GPU is here, and an engine needs one ({lack})"
