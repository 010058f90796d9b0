"""What lies in an artifact's folder: the compiled network, and beside it what whoever loads it must know.

Needs TVM's runtime alone, not its compiler.
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any, List, Mapping

import numpy as np
import tvm
from tvm.runtime import load_module, tensor
from tvm.runtime.vm import VirtualMachine

from shared.contract.model import InputSpec, Network
from shared.runtime.machine import cpu_info
from shared.runtime.toolchain import Tensors, Unsupported

LIBRARY_FILE = "model.so"
RUNTIME_FILE = "runtime.json"
"""The machine that the library was compiled for (`architecture`, `mcpu`, `features`), and what its input takes (`InputSpec`)."""


def describe(output: Path, architecture: str, mcpu: str, features: List[str], spec: InputSpec) -> None:
    """Write an artifact's runtime.json."""
    runtime = {"architecture": architecture, "mcpu": mcpu, "features": features, "input": spec.to_json()}
    (output / RUNTIME_FILE).write_text(json.dumps(runtime))


def unfit(folder: Path) -> str:
    """Return why this machine cannot run an artifact, or an empty text."""
    runtime = json.loads((folder / RUNTIME_FILE).read_text())
    if runtime["architecture"] != platform.machine():
        return f"compiled for {runtime['architecture']}, and this machine is {platform.machine()}"
    missing = sorted(set(runtime["features"]) - set(cpu_info().get("flags", "").split()))
    return f"compiled for {runtime['mcpu']}, and this CPU has no {', '.join(missing)}" if missing else ""


class LoadedLibrary:
    """A compiled network in Relax's virtual machine.

    Raises:
        Unsupported: this machine cannot run it.
    """

    def __init__(self, network: Network, folder: Path, threads: int) -> None:
        reason = unfit(folder)
        if reason:
            raise Unsupported(reason)
        runtime = json.loads((folder / RUNTIME_FILE).read_text())
        os.environ["TVM_NUM_THREADS"] = str(threads)  # read when the first kernel runs; without it half of the CPUs count
        self.input = InputSpec.from_json(runtime["input"])
        self.machine = VirtualMachine(load_module(str(folder / LIBRARY_FILE)), tvm.cpu())
        self._main = self.machine["main"]
        self._image = tensor(np.zeros(self.input.shape, self.input.dtype))
        self._names = network.tensors
        self.settings: Mapping[str, Any] = {"runtime": "TVM", "mcpu": runtime["mcpu"], "threads": threads, "precision": "f32"}

    def run(self, image: np.ndarray) -> Tensors:
        self._image.copyfrom(image)
        found = self._main(self._image)
        outputs = [found] if len(self._names) == 1 else found
        return {name: output.numpy() for name, output in zip(self._names, outputs)}
