"""May an engine's file run here? Asked before TensorRT sees it, which would answer with assertions.

A file (a plan) begins with `ftrt`, and has TensorRT's release in four bytes from the 24th on: so trtexec's
`--getPlanVersionOnly` reads it (samples/common/sampleEngines.cpp of NVIDIA/TensorRT, 10.x). Where it says
what device it was built on is not known; the manifest says that. Needs no vendor package.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from gpu import Gpu

MAGIC = b"ftrt"
RELEASE_AT, HEADER_BYTES = 24, 28


def release_of(plan: bytes) -> Optional[str]:
    """Return the release that an engine's bytes name, as `8.5.2.2`; None where they are no engine."""
    if len(plan) < HEADER_BYTES or not plan.startswith(MAGIC):
        return None
    return ".".join(map(str, plan[RELEASE_AT:HEADER_BYTES]))


def is_same(release: str, other: str) -> bool:
    """Tell whether two releases are one, as far as both of them tell: `10.3.0` is `10.3.0.26`."""
    return all(one == two for one, two in zip(release.split("."), other.split(".")))


def settings_of(plan: bytes, release: str, gpu: Gpu, l4t: Optional[str]) -> Dict[str, Any]:
    """Return what the manifest of an engine that was just built says of it.

    Args:
        release: of the TensorRT that built it.
        l4t: the device's release of Linux for Tegra; None where it could not be read.
    """
    settings: Dict[str, Any] = {
        "release": release,
        "header": release_of(plan),
        "engine_bytes": len(plan),
        "gpu": gpu.name,
        "compute_capability": gpu.capability,
        "multiprocessors": gpu.multiprocessors,
    }
    return settings if l4t is None else {**settings, "l4t": l4t}


def refusal(plan: bytes, settings: Mapping[str, Any], release: str, gpu: Gpu) -> str:
    """Return why an engine does not run here, and what to do; empty where it may.

    Args:
        settings: its manifest's, from `settings_of`.
        release: of the TensorRT that is here.
    """
    header, size = release_of(plan), settings.get("engine_bytes", len(plan))
    if header is None:
        return "the file is no engine of TensorRT: build it anew"
    if len(plan) != size:
        return f"the engine's file has {len(plan)} bytes, its manifest says {size}: it was cut off"
    # A header that named another release than the one that just wrote it tells nothing.
    built_with = settings["release"] if header == settings.get("header") else header
    if not is_same(str(built_with), release):
        return (
            f"the engine was built with TensorRT {built_with} and runs with no other release; here is "
            f"{release}: build it anew"
        )
    built_on, here = _device(settings), _device(settings_of(plan, release, gpu, None))
    if built_on != here:
        return f"the engine was built for {built_on}; this GPU is {here}: build it anew"
    return ""


def _device(settings: Mapping[str, Any]) -> str:
    return (
        f"{settings.get('gpu')} of compute capability {settings.get('compute_capability')} with "
        f"{settings.get('multiprocessors')} multiprocessors"
    )
