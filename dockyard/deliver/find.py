"""The bytes that were measured, found again by what a record says of them."""

from __future__ import annotations

from pathlib import Path

from dockyard.recipe.hashing import file_hash
from dockyard.recipe.workspace import Workspace
from dockyard.run import artifact_cache
from shared.contract.artifact import Artifact
from shared.contract.errors import InputProblem, nearest
from shared.contract.record import PreparedArtifact, Record, RecordedArtifact


def measured_artifact(workspace: Workspace, record: Record, network: str) -> Path:
    """Return the folder of a network's artifact, with the files that were measured and no others.

    Raises:
        InputProblem: the record does not name it, it is not kept any more, or it has changed since.
    """
    recorded = _recorded(record, network)
    return _kept(workspace, record, network, PreparedArtifact(recorded.artifact, recorded.cache_key))


def prepared_artifact(workspace: Workspace, record: Record, network: str) -> Path:
    """Return the folder of what a network's artifact was compiled of; of what would be, without a device.

    Raises:
        InputProblem: as `measured_artifact`.
    """
    recorded = _recorded(record, network)
    own = PreparedArtifact(recorded.artifact, recorded.cache_key)
    return _kept(workspace, record, network, recorded.prepared or own)


def _where(record: Record) -> str:
    return f"{record.recipe['name']}/{record.model}/{record.variant}"


def _recorded(record: Record, network: str) -> RecordedArtifact:
    if network not in record.artifacts:
        what, advice = f"there is no network '{network}' in the record", nearest(network, record.artifacts)
        raise InputProblem(what, _where(record), advice)
    return record.artifacts[network]


def _kept(workspace: Workspace, record: Record, network: str, wanted: PreparedArtifact) -> Path:
    """Return the folder of an artifact as it was recorded. Raises InputProblem."""
    where = _where(record)
    advice = f"make and measure it anew: `./inv build --recipe {record.recipe['name']}.json --force`"
    if wanted.cache_key is None:
        raise InputProblem(
            f"the record does not say where the artifact of '{network}' is kept", where, advice
        )
    folder = artifact_cache.folder_of(workspace, wanted.cache_key) / "outputs"
    if not folder.is_dir():
        place = workspace.display_path(folder)
        raise InputProblem(f"the artifact of '{network}' is not kept any more ({place})", where, advice)
    changed = _first_change(folder, wanted.artifact)
    if changed:
        raise InputProblem(f"{changed} since it was measured", workspace.display_path(folder), advice)
    return folder


def _first_change(folder: Path, measured: Artifact) -> str:
    """Return what is not as the record has it; empty where all is."""
    expected = {file.path: file.sha256 for file in measured.files}
    for path, sha256 in expected.items():
        file = folder / path
        if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
            return f"{path} is gone"
        if file_hash(file) != sha256:
            return f"{path} has changed"
    for file in sorted(folder.rglob("*")):
        if not file.is_dir() and str(file.relative_to(folder)) not in expected:
            return f"{file.relative_to(folder)} was added"
    return ""
