"""Apache TVM: ONNX to Relax, MetaSchedule, a shared library that its runtime runs on the CPU."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

# ONNX Runtime imports graphs here: it would write an id of this machine and send what it is used for.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import tvm
from artifact import FORMAT, LIBRARY_FILE, LoadedLibrary
from errors import error_summary
from kernel import ProductOfMatrices
from notes import Kernel, compiled_notes
from serving import LOADERS

from shared.contract.artifact import BuiltFor, Manifest
from shared.contract.model import InputSpec, Network
from shared.contract.result import Notes
from shared.harness.run_job import main
from shared.harness.toolchain import Calibration, Capabilities, Options, Product, Tuning
from shared.inference.cpu import unfit

RELAX_FILE = "relax.json"
"""The fused Relax module with Winograd's convolutions, which "scheduled" and "tuned" start from."""

PLAIN_FILE = "plain.json"
"""The fused Relax module as TVM makes it, without Winograd's convolutions, which "baseline" starts from."""


def versions() -> Dict[str, str]:
    """Return the releases of the packages that decide what comes out."""
    return {"tvm": tvm.__version__, "numpy": np.__version__}


# What compiles is imported where it is needed: an artifact is loaded where only TVM's runtime is installed.
class TvmLlvm:
    """What the target `tvm-llvm` can do beside running its artifacts."""

    def convert(self, network: Network, graph: Path, output: Path, options: Options) -> Product:
        import cpu
        import onnx_models
        import onnx_work
        import relax_import
        import winograd

        imported = relax_import.import_onnx(network, graph)
        module = relax_import.fused(winograd.rewritten(imported))
        (output / RELAX_FILE).write_text(tvm.ir.save_json(module))
        (output / PLAIN_FILE).write_text(tvm.ir.save_json(relax_import.fused(imported)))
        built_for = build(module, cpu.target_of({}, own_threads()), output, by_hand=True)
        details = {"functions": len(module.functions) - 1}
        notes = Notes(work=onnx_work.work_of(onnx_models.read(network, graph)), details=details)
        return Product(FORMAT, network.input, built_for=built_for, notes=notes)

    def optimize(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Options,
        data: Calibration,
        start: Optional[Path],
    ) -> Product:
        import cpu

        by_hand = method == "scheduled"
        module = tvm.ir.load_json((source / (RELAX_FILE if by_hand else PLAIN_FILE)).read_text())
        target = cpu.target_of(options.get("llvm", {}), own_threads())
        built_for = build(module, target, output, by_hand)
        notes = compiled_notes(network.name, profile(network, output, manifest.input, built_for))
        return Product(FORMAT, manifest.input, built_for=built_for, notes=notes)

    def tune(
        self,
        network: Network,
        source: Path,
        manifest: Manifest,
        output: Path,
        method: str,
        options: Options,
        tuning: Tuning,
        threads: int,
    ) -> Product:
        import cpu
        import tuning as tuner

        target = cpu.target_of(options.get("llvm", {}), threads)
        database, summary = tuner.tune(source / RELAX_FILE, target, options, tuning, threads)
        module = tvm.ir.load_json((source / RELAX_FILE).read_text())
        built_for = build(module, target, output, by_hand=True, records=database.memory())
        notes = compiled_notes(network.name, profile(network, output, manifest.input, built_for), summary)
        return Product(FORMAT, manifest.input, built_for=built_for, notes=notes)


def own_threads() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def build(module: Any, target: Any, output: Path, by_hand: bool, records: Optional[Any] = None) -> BuiltFor:
    """Compile a module into an artifact; return the CPU that it is for.

    Args:
        by_hand: whether functions without a tuned schedule get the project's own.
        records: a MetaSchedule database of tuned schedules, or None.
    """
    import compilation
    import cpu

    if by_hand:
        module = compilation.scheduled(module, target, records)
    compilation.export(module, target, output / LIBRARY_FILE)
    return BuiltFor(cpu.architecture(target), cpu.mcpu(target), tuple(cpu.features(target)))


def profile(network: Network, output: Path, spec: InputSpec, built_for: BuiltFor) -> List[Kernel]:
    """Return the kernels of an artifact, the slowest first; none where this machine cannot run it."""
    import kernels

    if unfit(built_for):
        return []
    return kernels.slowest(LoadedLibrary(network, output, spec, built_for, own_threads()))


TVM = TvmLlvm()
CAPABILITIES = Capabilities(
    versions,
    loader=LOADERS.loader,
    kernel_maker=ProductOfMatrices(),
    converter=TVM,
    optimizer=TVM,
    tuner=TVM,
    error_summary=error_summary,
)

if __name__ == "__main__":
    sys.exit(main(CAPABILITIES))
