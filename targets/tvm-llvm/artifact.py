"""An artifact's file, the compiled network, and how it is loaded.

Needs TVM's runtime alone, not its compiler.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Mapping

import numpy as np
import tvm
from tvm.runtime import load_module, tensor
from tvm.runtime.vm import VirtualMachine

from shared.contract.artifact import BuiltFor
from shared.contract.model import InputSpec, Network
from shared.inference.arrays import Array
from shared.inference.cpu import unfit
from shared.inference.session import Unsupported

FORMAT = "tvm-relax-library"
LIBRARY_FILE = "model.so"
SPINS = 1000
"""Times that a thread looks for more work before it sleeps: about a millisecond."""


class LoadedLibrary:
    """A compiled network in Relax's virtual machine.

    Args:
        network: the network that was compiled; its tensors name the outputs.
        folder: the artifact's folder.
        spec: how an image becomes the network's input.
        built_for: the CPU that it was compiled for.
        threads: number of threads that it runs with.

    Raises:
        Unsupported: this machine cannot run it.
    """

    def __init__(
        self, network: Network, folder: Path, spec: InputSpec, built_for: BuiltFor, threads: int
    ) -> None:
        reason = unfit(built_for)
        if reason:
            raise Unsupported(reason)
        # Both are read when the first kernel runs. Without the first, half of the CPUs count; without the
        # second, threads spin for 0.3 s after a call, on the CPUs that the rest of a pipeline needs.
        os.environ["TVM_NUM_THREADS"] = str(threads)
        os.environ["TVM_THREAD_POOL_SPIN_COUNT"] = str(SPINS)
        self.input = spec
        self.machine = VirtualMachine(load_module(str(folder / LIBRARY_FILE)), tvm.cpu())
        self._main = self.machine["main"]
        self._image = tensor(np.zeros(spec.shape, spec.dtype))
        self._names = network.tensors
        self.settings: Mapping[str, Any] = {
            "runtime": "TVM",
            "mcpu": built_for.processor,
            "threads": threads,
            "spins": SPINS,
            "precision": "f32",
        }

    def run(self, image: Array) -> Dict[str, Array]:
        self._image.copyfrom(image)
        found = self._main(self._image)
        outputs = [found] if len(self._names) == 1 else found
        return {name: output.numpy() for name, output in zip(self._names, outputs)}
