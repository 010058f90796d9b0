"""Records of version 1, which runs wrote until records named their artifacts' cache keys, as version 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dockyard.judge import record_v2
from dockyard.plan.plan import REFERENCE_VARIANT
from shared.contract.measurement import Latency, Scope, TimingProtocol

VERSION = 1
SCHEMA = Path(__file__).with_name("record_v1.schema.json")

IMAGES = "calibration_images"

LISTED_OPERATIONS, LISTED_KERNELS = 20, 10
"""Rows of the tables that are made of notes."""

DATABASES = {
    "own": "the database kept for this CPU",
    "portable": "the portable database, for want of one of this CPU's own",
    "new": "a new database",
}
"""Where a tuning came from, by `tuning.database` of the notes."""

STOPPED = {
    "trials": "all trials were made",
    "early": "nothing got faster any more",
    "time budget": "the time for it was spent",
    "done": "there was nothing left to try",
    "no machine": "no machine was there to try on",
    "crash": "the search died",
}
"""Why a tuning ended, by `tuning.stopped` of the notes."""

RUNTIMES = {".onnx": "ONNX Runtime", ".tflite": "TensorFlow Lite"}
"""What a reference ran in, by the suffix of its graph; TensorFlow where it has another."""

Document = Mapping[str, Any]


def to_version_2(document: Document) -> dict[str, Any]:
    """Return a document of version 1, which its schema has accepted, as one of version 2."""
    changed = {key: value for key, value in document.items() if key not in ("rounds_ns", "conversion")}
    scope = Scope(document.get("scope", Scope.NETWORK.value))
    changed["version"] = record_v2.VERSION
    changed["stage"] = document.get("stage") or None
    changed["differences"] = document.get("conversion", [])
    changed["rounds"] = [_latency(samples, scope) for samples in document.get("rounds_ns", [])]
    changed["artifacts"] = _artifacts(document.get("artifacts", {}))
    if document["variant"] == REFERENCE_VARIANT:
        changed["settings"] = {**document.get("settings", {}), "runtime": _runtime(document)}
    is_accuracy_aware = document["method"].endswith("accuracy-aware")
    changed["notes"] = {}
    for network, noted in document.get("notes", {}).items():
        changed["notes"][network] = _notes(network, noted, is_accuracy_aware)
    return changed


def _runtime(document: Document) -> str:
    """Return what a reference ran in, by the suffix of its graph."""
    for files in document.get("artifacts", {}).values():
        for file in files:
            suffix = Path(file["path"]).suffix
            if suffix in RUNTIMES:
                return RUNTIMES[suffix]
    return "TensorFlow"


def _latency(samples: Mapping[str, Sequence[int]], scope: Scope) -> dict[str, Any]:
    """Return a round: a network was timed on one input many times, a pipeline once on each sample."""
    protocol = TimingProtocol.REPEAT if scope == Scope.NETWORK else TimingProtocol.DATASET
    kept = dict(samples)
    return {"kind": Latency.kind, "scope": scope.value, "protocol": protocol.value, "samples_ns": kept}


def _artifacts(artifacts: Mapping[str, Sequence[Document]]) -> dict[str, Any]:
    """Return each network's files; the keys that they were kept under are not known any more."""
    return {
        network: {"artifact": {"files": files}, "cache_key": None} for network, files in artifacts.items()
    }


def _notes(network: str, noted: Document, is_accuracy_aware: bool) -> dict[str, Any]:
    """Return what a toolchain noted of a network: sentences, tables, and the rest as details."""
    remarks, tables = [], []
    if "tuning" in noted:
        remarks.append(_tuned(network, noted["tuning"]))
    if "reverted" in noted:
        whole = f" of {noted['quantized_operations']} quantized" if "quantized_operations" in noted else ""
        images = f" (calibrated with {noted[IMAGES]} images)" if IMAGES in noted else ""
        count = len(noted["reverted"])
        remarks.append(f"{count}{whole} operations of {network} went back to floating point{images}")
    elif is_accuracy_aware:
        remarks += _claim(network, noted.get("log", ()))
    if noted.get("reverted"):
        tables.append(_reverted_table(network, noted["reverted"]))
    if noted.get("kernels"):
        tables.append(_kernel_table(network, noted["kernels"]))
    details = {key: value for key, value in noted.items() if key not in ("kernels", "reverted", IMAGES)}
    return {"remarks": remarks, "tables": tables, IMAGES: noted.get(IMAGES), "details": details}


def _tuned(network: str, tuning: Document) -> str:
    found = "none of them new"
    if tuning["new_trials"]:
        ended = STOPPED[tuning["stopped"]]
        found = f"{tuning['new_trials']} of them new, in {tuning['seconds']:.0f} s, until {ended}"
    return (
        f"{network} was tuned for {tuning['cpu']} with {DATABASES[tuning['database']]}: "
        f"{tuning['trials']} trials of {tuning['tasks']} tasks, {found}"
    )


def _claim(network: str, log: Sequence[str]) -> list[str]:
    """Return what a tool said last of the accuracy."""
    lines = [" ".join(line.split()) for line in log if not line.startswith("Elapsed")]
    return [f"what the tool said of {network}, not believed but measured: {lines[-1]}"] if lines else []


def _reverted_table(network: str, reverted: Sequence[Document]) -> dict[str, Any]:
    """Return what each operation that went back to floating point had cost, the costliest first."""
    costliest = sorted(reverted, key=lambda one: (one["cost"] is not None, one["cost"]), reverse=True)
    rows = []
    for one in costliest[:LISTED_OPERATIONS]:
        cost = "-" if one["cost"] is None else f"{one['cost']:+.4f}"
        rows.append([one["operation"], one["type"], cost])
    columns = ["operation", "type", "cost, as the tool has it"]
    return _table(f"Operations of {network} put back to floating point", columns, rows, folded=False)


def _kernel_table(network: str, kernels: Sequence[Document]) -> dict[str, Any]:
    """Return the slowest kernels and their part of the network's time."""
    listed = kernels[:LISTED_KERNELS]
    part = sum(one["share"] for one in listed)
    which = "its kernels"
    if len(kernels) > len(listed):
        which = f"the {len(listed)} slowest of {len(kernels)} kernels take {part:.0%}"
    rows = []
    for one in listed:
        rows.append([one["name"], f"{one['ms']:.3f}", f"{one['share']:.1%}", str(one["calls"])])
    columns = ["kernel", "ms", "part of the time", "calls"]
    return _table(f"Where the time of {network} goes: {which}", columns, rows, folded=True)


def _table(title: str, columns: list[str], rows: list[list[str]], folded: bool) -> dict[str, Any]:
    return {"title": title, "columns": columns, "rows": rows, "folded": folded}
