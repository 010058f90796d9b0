"""What a site's files and its installer say beside, where what is delivered is built on the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dockyard.deliver.choose import builds_on_device
from dockyard.recipe.targets import Platform, Toolchain

CACHE = "/var/cache/dockyard"
"""Where a container keeps what it has built (shared/serving/first_start.py)."""

START_S, PLAIN_START_S = 1800, 120
"""Seconds that a first start may take, and one that builds nothing. Five networks took 12 minutes on an Orin
Nano.
"""

PROBE_S = 2
"""Seconds from one look at a container's health to the next, as the files have it."""

MEMORY_MB = 4096
"""That a container may take which builds: a Jetson's GPU has the host's memory."""

GPU_GROUP = 44
"""`video`, which the GPU's device files are of on a Jetson; the installer asks the files themselves."""

README = """
At the first start the networks are built for this very device, which takes minutes; they are kept in the
volume `{volume}`, tried with the golden images, and taken from there by every later start, within 20 s. A
newer delivery builds its own beside them; `uninstall` removes all.

| for | {releases}; the container runtime `{runtime}` |
| --- | --- |
| it says `needs L4T` | this device has another JetPack: ask for the delivery that the line names |
| it says `no NVIDIA GPU is here` | `--runtime {runtime}` is missing, or the toolkit that brings it |
| it says `golden images in another way` | it is not used: ask whoever made the delivery for another variant |
"""

COMPOSE = """
    {runtime}group_add: ["{group}"]
    volumes: ["{volume}:{cache}"]
volumes:
  {volume}: {{}}"""

POD = """
      {runtime}securityContext: {{supplementalGroups: [{group}], fsGroup: 10001}}"""

CLAIM = """
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {volume}
spec:
  accessModes: ["ReadWriteOnce"]
  resources: {{requests: {{storage: 2Gi}}}}"""

MOUNT = ", {{name: built, mountPath: {cache}}}"
VOLUME = ", {{name: built, persistentVolumeClaim: {{claimName: {volume}}}}}"


@dataclass(frozen=True)
class DeviceSite:
    """What is put into the files for a site, and into the installer's settings."""

    values: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)


def site_of(toolchain: Toolchain, name: str) -> DeviceSite:
    """Return what a delivery of a toolchain needs at a site.

    Args:
        name: the service's.
    """
    texts = {
        "DEVICE": README,
        "COMPOSE": COMPOSE,
        "POD": POD,
        "CLAIM": CLAIM,
        "MOUNT": MOUNT,
        "VOLUME": VOLUME,
    }
    if not builds_on_device(toolchain):
        plain = {**dict.fromkeys(texts, ""), "OPTIONS": "", "REPLICAS": "2"}
        return DeviceSite({**plain, "PROBES": str(PLAIN_START_S // PROBE_S)})
    platform, volume = toolchain.platform, f"{name}-built"
    runtime = platform.runtime or ""
    filled = {
        "volume": volume,
        "cache": CACHE,
        "group": GPU_GROUP,
        "releases": _releases(platform),
    }
    own_runtime = {
        "DEVICE": runtime or "of the engine",
        "COMPOSE": f"runtime: {runtime}\n    " if runtime else "",
        "POD": f"runtimeClassName: {runtime}\n      " if runtime else "",
    }
    values = {key: text.format(**filled, runtime=own_runtime.get(key)) for key, text in texts.items()}
    options = f" --runtime {runtime}" if runtime else ""
    options += f" --group-add {GPU_GROUP} --volume {volume}:{CACHE}"
    values.update(OPTIONS=options, REPLICAS="1", PROBES=str(START_S // PROBE_S), MEMORY_MB=str(MEMORY_MB))
    settings = {
        "RUNTIME": runtime,
        "CACHE": CACHE,
        "START_S": str(START_S),
        "L4T_FROM": platform.l4t_from or "",
        "L4T_BEFORE": platform.l4t_before or "",
    }
    return DeviceSite(values, settings)


def _releases(platform: Platform) -> str:
    """Return the releases of L4T that a toolchain is for, in words."""
    if platform.l4t_from is None:
        return "any release"
    before = f", before {platform.l4t_before}" if platform.l4t_before else ""
    return f"L4T {platform.l4t_from} or later{before}"
