"""A job and its result: the two files, `job.json` and `result.json`, in which host and containers meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Tuple

JOB_VERSION = 1
PROGRESS_KEY = "dockyard_progress"


@dataclass(frozen=True)
class Job:
    """One stage of one model with one method, as it is written to `job.json`.

    Attributes:
        id: `<model>/<method>/<stage>`, with `/<round>` for measuring rounds.
        stage: `convert`, `optimize`, `evaluate`, `benchmark` or `stream`.
        networks: model.json of each network, by name; one, or the two of a pipeline in their order.
        artifacts: for each network the folder under `inputs/` that holds its graph or artifact.
        data: split name -> folder under `inputs/`.
        reference: file under `inputs/` with real inputs and the reference's outputs, or empty.
        crop_margin: of a pipeline.
        agreement: largest difference from the reference's outputs that the method may have, over their largest value; 0 for any.
        measure: `threads`, `runs`, `warmup`, `seconds`, `images`, `samples`.
        source: what a conversion reads (`tensorflow` or `onnx`).
        tuning: folder under `inputs/` with the tuning databases so far, where the method tunes; or empty.
        tracker: `host:port` of the RPC tracker whose devices it tunes on, or empty; `tracker_key` is what they are known by there.
    """

    id: str
    stage: str
    model: str
    target: str
    toolchain: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    crop_margin: float = 0.0
    agreement: float = 0.0
    measure: Mapping[str, int] = field(default_factory=dict)
    tuning: str = ""
    tracker: str = ""
    tracker_key: str = ""
    version: int = JOB_VERSION

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Job":
        """Build a job from job.json; a version of another release is an error (ValueError)."""
        if document.get("version") != JOB_VERSION:
            raise ValueError(f"job.json has version {document.get('version')}, this harness reads {JOB_VERSION}")
        return Job(**document)

    def to_json(self) -> Dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class ArtifactFile:
    """One file of an artifact: path relative to the artifact's folder, SHA-256, size in bytes."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Artifact:
    """What `convert` or `optimize` leaves."""

    files: Tuple[ArtifactFile, ...]

    @property
    def megabytes(self) -> float:
        """Size in MB (10^6 bytes)."""
        return sum(f.bytes for f in self.files) / 1e6

    @property
    def sha256(self) -> str:
        """SHA-256 over the sorted lines `<sha256>  <path>` of the files, as sha256sum prints them."""
        import hashlib

        lines = sorted(f"{f.sha256}  {f.path}\n" for f in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @staticmethod
    def from_json(items: List[Mapping[str, Any]]) -> "Artifact":
        return Artifact(tuple(ArtifactFile(i["path"], i["sha256"], i["bytes"]) for i in items))

    def to_json(self) -> List[Dict[str, Any]]:
        return [dict(vars(f)) for f in self.files]
