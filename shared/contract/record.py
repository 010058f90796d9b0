"""A record: one variant of one model, measured on one device, with what is needed to trust and repeat it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, List, Mapping, Optional, Tuple

from .artifact import Artifact
from .measurement import Latency, Measurement, Quality, Scope
from .result import Notes, OutputDifference

RECORD_VERSION = 3


class RecordStatus(str, Enum):
    """What became of a variant."""

    MEASURED = "measured"
    FAILED = "failed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class PreparedArtifact:
    """What an artifact was compiled of: its files, and the key under which they are kept."""

    artifact: Artifact
    cache_key: Optional[str] = None


@dataclass(frozen=True)
class RecordedArtifact:
    """What was measured of one network.

    Attributes:
        artifact: its files; of the reference, its graph.
        cache_key: under which the artifact is kept, for delivery; None for the reference, or without one.
        prepared: what it was compiled of, on the device that it is for; None where it was not, or where no
            device was at hand: then the artifact is what would be compiled.
    """

    artifact: Artifact
    cache_key: Optional[str] = None
    prepared: Optional[PreparedArtifact] = None


@dataclass(frozen=True)
class Round:
    """What was measured of a variant in one round.

    Attributes:
        number: of the round, from 1.
        group: which variants of a model waited together where memory did not hold them all, from 1; the
            reference is in each. Bursts of one number and group were taken in turn, and pair.
        peak_mb: the most memory that a stream's process held, in MB; None of what is no stream.
    """

    number: int
    measured: Measurement
    group: int = 1
    peak_mb: Optional[float] = None


@dataclass(frozen=True)
class Record:
    """One measurement; written as JSON, its schema is `record.schema.json` beside this file.

    Attributes:
        run: identifies the run, the same for all records that were measured side by side.
        recipe: the recipe as it was run, defaults filled in, with its `name`.
        variant: the method, numbered where a recipe has it twice; `reference` for the reference.
        options: the method's options, as the recipe gives them.
        engine: the executor that measured it: the engine, with the Docker context where one was named.
        reason: why it is not measured.
        stage: the stage that failed; None where none did.
        log: the last lines of that stage.
        warnings: what is to be known before the figures are trusted.
        device: what was read from it in the first measuring round.
        identity: `lock` and `image_digest` of the toolchain; `code_sha256` of the code that ran;
            `model_sha256` of what model.json says.
        graphs: SHA-256 of each network's graph.
        artifacts: what was measured, by network.
        data: digest of each split.
        differences: how far outputs are from the reference's, of the converted graphs, then of the artifact.
        notes: what the toolchain says of its work, by network.
        predicted: the quality that it is likely to have, by another runtime than the device's. It decides
            nothing, and stays beside the quality that was measured.
        scope: what a time covers.
        rounds: raw measurements.
        dataset_ns: one call (of a pipeline: one pass) for each test sample, in nanoseconds, in no round.
        optimize_s: seconds that the optimization took (when it was made, also where it was reused).
    """

    run: str
    recipe: Mapping[str, Any]
    model: str
    variant: str
    method: str
    options: Mapping[str, Any]
    target: str
    toolchain: str
    engine: str
    status: RecordStatus
    measured_at: str
    reason: str = ""
    stage: Optional[str] = None
    log: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()
    device: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    graphs: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, RecordedArtifact] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    differences: Tuple[OutputDifference, ...] = ()
    notes: Mapping[str, Notes] = field(default_factory=dict)
    quality: Optional[Quality] = None
    predicted: Optional[Quality] = None
    scope: Scope = Scope.NETWORK
    rounds: Tuple[Round, ...] = ()
    dataset_ns: Tuple[int, ...] = ()
    optimize_s: float = 0.0
    version: int = RECORD_VERSION

    @property
    def latencies(self) -> List[Latency]:
        """What was measured as latencies, round by round."""
        return [one.measured for one in self.rounds if isinstance(one.measured, Latency)]
