"""What came of a job, as it is written to `result.json`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Mapping, Optional, Tuple

from .artifact import Artifact
from .measurement import Measurement, Quality

RESULT_VERSION = 3


class Status(str, Enum):
    """What became of a job."""

    DONE = "done"
    FAILED = "failed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Table:
    """A titled table for the report.

    Attributes:
        rows: the most telling first; every row as long as `columns`.
        folded: shown only when a reader asks for it.
    """

    title: str
    columns: Tuple[str, ...]
    rows: Tuple[Tuple[str, ...], ...]
    folded: bool = False


@dataclass(frozen=True)
class NetworkWork:
    """What one call of a network has to do, of the operations that multiply by weights or one another.

    Attributes:
        operations: multiplications and additions.
        weights: numbers that are multiplied by.
        activations: numbers that are read and written, between operations and at the ends.
    """

    operations: int
    weights: int
    activations: int


@dataclass(frozen=True)
class Notes:
    """What a toolchain says of its own work: a claim, not a measurement.

    Attributes:
        remarks: sentences for the report.
        tables: for the report.
        calibration_images: how many were used, where the method calibrates.
        details: kept in the record, not shown.
        work: of a conversion, what the converted network has to do.
        quantized_operations: how many a method that quantizes found, those that it put back to floating point
            later too; with none it made no 8-bit network.
    """

    remarks: Tuple[str, ...] = ()
    tables: Tuple[Table, ...] = ()
    calibration_images: Optional[int] = None
    details: Mapping[str, Any] = field(default_factory=dict)
    work: Optional[NetworkWork] = None
    quantized_operations: Optional[int] = None


@dataclass(frozen=True)
class OutputDifference:
    """One output tensor beside the reference's.

    Attributes:
        difference: the largest absolute one over the reference's largest absolute value; None where the
            output is missing, has another shape or is not finite.
        limit: the largest that is allowed.
    """

    output: str
    difference: Optional[float]
    limit: float
    agrees: bool


@dataclass(frozen=True)
class Result:
    """What came of a job.

    Attributes:
        reason: why it is not done.
        device: what was read from the machine it ran on.
        versions: the versions of the vendor's packages.
        settings: what the network ran with; of a pipeline by network.
        duration_s: seconds that the stage took.
        peak_mb: the most memory that its process held, in MB.
        artifact: the files it left.
        measured: SHA-256 of the artifact of each network that was loaded.
        differences: how far each output is from the reference's.
    """

    status: Status
    reason: str = ""
    device: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    duration_s: float = 0.0
    peak_mb: float = 0.0
    artifact: Artifact = field(default_factory=Artifact)
    measured: Mapping[str, str] = field(default_factory=dict)
    differences: Tuple[OutputDifference, ...] = ()
    notes: Notes = field(default_factory=Notes)
    quality: Optional[Quality] = None
    measurement: Optional[Measurement] = None
    version: int = RESULT_VERSION
