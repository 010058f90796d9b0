"""An artifact: the files that `convert` or `optimize` leaves, and the manifest beside them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

from .model import InputSpec

MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True)
class ArtifactFile:
    """One file of an artifact: path relative to the artifact's folder, SHA-256, size in bytes."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Artifact:
    """The files of an artifact, its manifest among them."""

    files: Tuple[ArtifactFile, ...] = ()

    @property
    def megabytes(self) -> float:
        """Size in MB (10^6 bytes)."""
        return sum(f.bytes for f in self.files) / 1e6

    @property
    def sha256(self) -> str:
        """SHA-256 over the sorted lines `<sha256>  <path>` of the files, as sha256sum prints them."""
        lines = sorted(f"{f.sha256}  {f.path}\n" for f in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class BuiltFor:
    """The device that an artifact was built for, where it runs on no other kind.

    Attributes:
        architecture: as `uname -m` says it.
        processor: the CPU or GPU, as the toolchain calls it.
        features: instructions that it needs, as the toolchain calls them.
    """

    architecture: str
    processor: str
    features: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """What whoever loads an artifact must know; `manifest.json` beside its files, and one of them.

    Attributes:
        format: what the files are, for example `openvino-ir`.
        target, toolchain: what made it.
        input: how an image becomes the network's input, less what was folded into the network.
        built_for: the device it was built for; None where it runs on any device of its target.
        settings: what the target's own loader must know beside.
    """

    format: str
    target: str
    toolchain: str
    input: InputSpec
    built_for: Optional[BuiltFor] = None
    settings: Mapping[str, Any] = field(default_factory=dict)
