"""A record: one variant of one model, measured on one device, with what is needed to trust and repeat it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

RECORD_VERSION = 1


@dataclass(frozen=True)
class Record:
    """One measurement; written as JSON, its schema is `record.schema.json` beside this file.

    Attributes:
        run: identifies the run, the same for all records that were measured side by side.
        recipe: the recipe as it was run, defaults filled in, with its `name`.
        variant: the method, numbered where a recipe has it twice; `reference` for the reference.
        status: `measured`, `failed` or `not measured`.
        reason: why it is not measured.
        stage: the stage that failed.
        log: the last lines of that stage.
        warnings: what is to be known before the figures are trusted.
        device: what was read from it in the first measuring round.
        identity: `lock` and `image_digest` of the toolchain; `code_sha256` of the code that ran.
        graphs: SHA-256 of each network's graph.
        artifacts: files, SHA-256 and size for each network.
        data: digest of each split.
        conversion: the check of the converted graph against the reference.
        notes: what the toolchain said of its work.
        quality: main metric, metrics, scores and prediction of each sample; None where there is none.
        scope: `network` or `pipeline`: what a time covers.
        rounds_ns: raw samples of each round in nanoseconds, by step (`total` and, for a pipeline, its steps).
        dataset_ns: one call for each test sample, in nanoseconds (the `dataset` protocol, in no round).
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
    status: str
    measured_at: str
    reason: str = ""
    stage: str = ""
    log: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()
    device: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    graphs: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, List[Mapping[str, Any]]] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    conversion: List[Mapping[str, Any]] = field(default_factory=list)
    notes: Mapping[str, Any] = field(default_factory=dict)
    quality: Optional[Mapping[str, Any]] = None
    scope: str = "network"
    rounds_ns: List[Mapping[str, List[int]]] = field(default_factory=list)
    dataset_ns: List[int] = field(default_factory=list)
    optimize_s: float = 0.0
    version: int = RECORD_VERSION

    @property
    def totals_ns(self) -> List[List[int]]:
        """The total of each call, by round."""
        return [list(r["total"]) for r in self.rounds_ns]

    def scores(self, metric: str) -> Dict[str, float]:
        """Return the score of each sample that has the metric, by sample id."""
        samples = self.quality["samples"] if self.quality else []
        return {s["id"]: s["scores"][metric] for s in samples if metric in s["scores"]}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Record":
        """Build a record from a document that the schema has accepted."""
        lists = {key: tuple(document.get(key, ())) for key in ("log", "warnings")}
        return Record(**{**document, **lists})

    def to_json(self) -> Dict[str, Any]:
        return dict(vars(self))
