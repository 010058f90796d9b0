"""Engines built at a client's: does the device fit the delivery, and what is built there."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from engine_making import ENGINE_FORMAT, l4t_release, make_engine, wish_of
from jetson_engines import JetsonEngines

from shared.contract.artifact import Manifest
from shared.contract.model import Network
from shared.inference.session import Unsupported

Release = Tuple[int, ...]

UNKNOWN = "unknown"


class DeviceEngines:
    """Builds a delivery's engines on the device (`loading.DeviceBuilder`).

    Args:
        described: the target's target.json, which says what each toolchain asks of a device.
        l4t: returns the device's release of Linux for Tegra; None where it cannot be read.
    """

    def __init__(
        self, engines: JetsonEngines, described: Path, l4t: Callable[[], Optional[str]] = l4t_release
    ) -> None:
        self._engines, self._described, self._l4t = engines, described, l4t

    def identify(self, toolchain: str) -> Mapping[str, str]:
        found = self._l4t()
        # Before TensorRT is imported: on another JetPack that may end the process.
        reason = why_not_for(found, toolchain, self._wanted())
        if reason:
            raise Unsupported(reason)
        place = self._engines.place()
        return {
            "tensorrt": place.release,
            "gpu": place.gpu.name,
            "compute_capability": place.gpu.capability,
            "multiprocessors": str(place.gpu.multiprocessors),
            "l4t": found or UNKNOWN,
        }

    def build(
        self, network: Network, artifact: Path, manifest: Manifest, options: Mapping[str, Any], output: Path
    ) -> Manifest:
        place = self._engines.place()
        with TemporaryDirectory() as timings:
            wish = wish_of(artifact, manifest, options, Path(timings))
            made = make_engine(wish, output, self._engines.builder(place, options), place)
        # nvinfer's name of an engine has its precision.
        settings = {**made.settings, "precision": manifest.settings["precision"]}
        target, toolchain = manifest.target, manifest.toolchain
        return Manifest(ENGINE_FORMAT, target, toolchain, manifest.input, made.built_for, settings)

    def check(self, artifact: Path, manifest: Manifest) -> None:
        self._engines.check(artifact, manifest)

    def _wanted(self) -> Mapping[str, Mapping[str, str]]:
        """Return the releases of L4T that each toolchain is for, `from` and `before`."""
        toolchains: Dict[str, Any] = json.loads(self._described.read_text(encoding="utf-8"))["toolchains"]
        return {name: one.get("platform", {}).get("l4t", {}) for name, one in toolchains.items()}


def why_not_for(l4t: Optional[str], toolchain: str, wanted: Mapping[str, Mapping[str, str]]) -> str:
    """Return why a device's release of L4T is none that a delivery is for, and which delivery would be.

    Empty where it is, and where the release cannot be read: a container is not always given it.

    Args:
        wanted: by toolchain, the releases that it is for: `from` and, where there is an end, `before`.
    """
    own = wanted.get(toolchain, {})
    if l4t is None or not own or _is_within(l4t, own):
        return ""
    fitting = [name for name, other in wanted.items() if other and _is_within(l4t, other)]
    told = f"ask for the delivery for {fitting[0]}" if fitting else "there is no delivery for that release"
    before = f", before {own['before']}" if "before" in own else ""
    return (
        f"this delivery, for {toolchain}, needs L4T {own['from']} or later{before}, and this device has "
        f"{l4t}: {told}"
    )


def _is_within(l4t: str, wanted: Mapping[str, str]) -> bool:
    found = _numbers(l4t)
    is_late = "before" in wanted and found >= _numbers(wanted["before"])
    return found >= _numbers(wanted["from"]) and not is_late


def _numbers(release: str) -> Release:
    return tuple(int(part) for part in release.split(".") if part)
