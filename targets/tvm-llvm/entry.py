"""Apache TVM: ONNX to Relax, MetaSchedule, a shared library that its runtime runs on the CPU."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import numpy as np
import tvm
from artifact import LIBRARY_FILE, LoadedLibrary, describe, unfit

from shared.contract.model import InputSpec, Network
from shared.runtime.run_job import main
from shared.runtime.toolchain import Calibration, Session, Tuning

RELAX_FILE = "relax.json"
"""What the methods start from: the fused Relax module."""

PLAIN_FILE = "plain.json"
"""The same as TVM makes it, without Winograd's convolutions."""

TUNING_DEFAULTS: Mapping[str, Any] = {
    "trials": 1500,
    "trials_per_task": 64,
    "early_stopping": 32,
    "time_budget_s": 900,
    "portable": True,
    "space": "dockyard",
    "cost_model": "xgb",
}
RUNNER_DEFAULTS: Mapping[str, Any] = {"number": 3, "repeat": 3, "timeout_s": 10}
"""As target.json tells them."""


class TvmLlvm:
    """The `tvm-llvm` target."""

    def versions(self) -> Dict[str, str]:
        return {"tvm": tvm.__version__, "numpy": np.__version__}

    def convert(self, network: Network, graph: Path, output: Path, options: Mapping[str, Any]) -> Dict[str, Any]:
        import cpu
        import relax_import
        import winograd

        imported = relax_import.import_onnx(network, graph)
        module = relax_import.fused(winograd.rewritten(imported))
        (output / RELAX_FILE).write_text(tvm.ir.save_json(module))
        (output / PLAIN_FILE).write_text(tvm.ir.save_json(relax_import.fused(imported)))
        build(module, cpu.target_of({}, own_threads()), output, network.input, by_hand=True)
        return {"functions": len(module.functions) - 1}

    def optimize(
        self, network: Network, source: Path, output: Path, method: str, options: Mapping[str, Any], data: Calibration
    ) -> Dict[str, Any]:
        import cpu

        by_hand = method == "scheduled"
        module = tvm.ir.load_json((source / (RELAX_FILE if by_hand else PLAIN_FILE)).read_text())
        build(module, cpu.target_of(options.get("llvm", {}), own_threads()), output, network.input, by_hand)
        return profile(network, output)

    def tune(
        self, network: Network, source: Path, output: Path, method: str, options: Mapping[str, Any], tuning: Tuning, threads: int
    ) -> Dict[str, Any]:
        import cpu
        import tuning as tuner

        target = cpu.target_of(options.get("llvm", {}), threads)
        settings = {**TUNING_DEFAULTS, **options, "runner": {**RUNNER_DEFAULTS, **options.get("runner", {})}}
        database, notes = tuner.tune(source / RELAX_FILE, target, settings, tuning, threads)
        build(tvm.ir.load_json((source / RELAX_FILE).read_text()), target, output, network.input, by_hand=True, records=database.memory())
        return {"tuning": notes, **profile(network, output)}

    def load(self, network: Network, artifact: Path, threads: int) -> Session:
        return LoadedLibrary(network, artifact, threads)


def own_threads() -> int:
    """Return the CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def build(module: Any, target: Any, output: Path, spec: InputSpec, by_hand: bool, records: Optional[Any] = None) -> None:
    """Compile a module into an artifact.

    Args:
        by_hand: give the project's schedules to functions that have no tuned one.
        records: a MetaSchedule database, or None.
    """
    import compilation
    import cpu

    if by_hand:
        module = compilation.scheduled(module, target, records)
    compilation.export(module, target, output / LIBRARY_FILE)
    describe(output, cpu.architecture(target), cpu.mcpu(target), cpu.features(target), spec)


def profile(network: Network, output: Path) -> Dict[str, Any]:
    """Return the slowest kernels of an artifact that this machine can run."""
    import kernels

    return {} if unfit(output) else {"kernels": kernels.slowest(LoadedLibrary(network, output, own_threads()))}


if __name__ == "__main__":
    sys.exit(main(TvmLlvm))
