"""The CPU as LLVM calls it."""

from __future__ import annotations

import platform
from typing import Any, Dict, List, Mapping

from tvm.target import Target, codegen

CHECKED_FEATURES = ("avx2", "fma", "avx512f")
"""Instructions without which a library compiled for them dies; named alike by LLVM and in /proc/cpuinfo."""


def target_of(llvm: Mapping[str, Any], threads: int) -> Target:
    """Return the target to compile for.

    Args:
        llvm: a recipe's `mcpu`, `mtriple`, `mattr` and `num-cores`; what is missing is this machine's.
        threads: number of threads that will run the network, where there is no `num-cores`.
    """
    if "mtriple" in llvm and "mcpu" not in llvm:
        raise ValueError("an LLVM triple without a CPU: give mcpu beside mtriple")
    given: Dict[str, Any] = {
        "kind": "llvm",
        "mcpu": codegen.llvm_get_system_cpu(),
        "num-cores": threads,
        **llvm,
    }
    if "mattr" not in llvm and codegen.llvm_cpu_has_features("avx512f", Target(given)):
        given["mattr"] = ["-prefer-256-bit"]  # LLVM would halve the schedules' vectors on Intel's CPUs
    return Target(given)


def mcpu(target: Target) -> str:
    """Return LLVM's name of a target's CPU."""
    return str(target.attrs["mcpu"])


def architecture(target: Target) -> str:
    """Return a target's architecture as `uname -m` says it."""
    return str(target.attrs["mtriple"]).partition("-")[0] if "mtriple" in target.attrs else platform.machine()


def features(target: Target) -> List[str]:
    """Return those of CHECKED_FEATURES that a target's CPU has."""
    if architecture(target) != "x86_64":
        return []
    return [feature for feature in CHECKED_FEATURES if codegen.llvm_cpu_has_features(feature, target)]


def widest_vector(target: Target) -> int:
    """Return how many floats a vector of a target's CPU holds."""
    return 16 if "avx512f" in features(target) else 8 if "avx2" in features(target) else 4
