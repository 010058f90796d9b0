"""An artifact is reused exactly when everything that went into it is the same and it is whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.plan.plan import Plan, PlannedJob
from dockyard.recipe.hashing import file_hash, json_hash, tree_hash
from dockyard.recipe.workspace import Workspace
from dockyard.run import artifact_cache
from shared.contract.artifact import Artifact
from shared.contract.codec import decode, encode
from shared.contract.result import Result, Status
from shared.contract.stages import Optimize
from tests.builders import share
from tests.fakes import artifact_of


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """What a job left: two files."""
    folder = tmp_path / "outputs"
    (folder / "sub").mkdir(parents=True)
    (folder / "model.xml").write_text("graph")
    (folder / "sub" / "model.bin").write_bytes(b"\0\1")
    return folder


@pytest.fixture
def kept(workspace: Workspace, outputs: Path) -> Path:
    """The outputs kept under the key `key`."""
    return artifact_cache.keep(workspace, "key", outputs, Result(Status.DONE, artifact=artifact_of(outputs)))


def test_kept_is_found(workspace: Workspace, kept: Path) -> None:
    """What was kept is found with its result and its files."""
    found = artifact_cache.find(workspace, "key")
    assert found is not None
    assert (found[0], found[1].status) == (kept, Status.DONE)
    assert (kept / "sub" / "model.bin").read_bytes() == b"\0\1"


def test_unknown_key(workspace: Workspace) -> None:
    """Nothing is found under a key that nothing was kept under."""
    assert artifact_cache.find(workspace, "key") is None


@pytest.mark.parametrize(
    "damage", ["changed", "missing", "result missing", "result cut", "result without artifact"]
)
def test_damaged_counts_as_none(workspace: Workspace, kept: Path, damage: str) -> None:
    """An artifact of which anything is changed or missing is not taken."""
    result = kept.parent / "result.json"
    if damage == "changed":
        (kept / "model.xml").write_text("graph!")
    elif damage == "missing":
        (kept / "sub" / "model.bin").unlink()
    elif damage == "result missing":
        result.unlink()
    elif damage == "result cut":
        result.write_text(result.read_text()[:-5])
    else:
        result.write_text("{}")
    assert artifact_cache.find(workspace, "key") is None


@given(
    st.sampled_from(
        ["null", "[]", "3", '"x"', '{"artifact": null}', '{"artifact": [3]}', '{"artifact": {"a": 1}}']
    )
    | st.text(max_size=20)
)
def test_any_result_counts_as_none(workspace: Workspace, text: str) -> None:
    """Whatever stands in the place of a kept result, it is at worst not taken."""
    folder = workspace.state / "artifacts" / "odd"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(text, errors="replace")
    assert artifact_cache.find(workspace, "odd") is None


def test_keeping_again_replaces(workspace: Workspace, kept: Path, tmp_path: Path) -> None:
    """A key holds what was kept last, nothing of what was kept before."""
    again = tmp_path / "again"
    again.mkdir()
    (again / "other.bin").write_bytes(b"2")
    folder = artifact_cache.keep(workspace, "key", again, Result(Status.DONE, artifact=artifact_of(again)))
    assert [p.name for p in folder.iterdir()] == ["other.bin"]
    assert [p.name for p in (workspace.state / "artifacts").iterdir()] == ["key"]


def optimize_job(plan: Plan) -> PlannedJob:
    return next(p for p in plan.jobs if p.job.id == "digits/int8/optimize")


BASE: dict[str, Any] = {
    "identity": {"lock": "1"},
    "executor": "venv",
    "inputs": {"digits": "a", "data/calibration": "b"},
    "code": "c",
}


@pytest.mark.parametrize(
    "change",
    [
        {"identity": {"lock": "2"}},
        {"identity": {"lock": "1", "image_digest": "sha256:1"}},
        {"executor": "docker"},
        {"inputs": {"digits": "A", "data/calibration": "b"}},
        {"inputs": {"digits": "a", "data/calibration": "B"}},
        {"inputs": {"digits": "a"}},
        {"code": "C"},
    ],
)
def test_key_follows_surroundings(digits_plan: Plan, change: dict[str, Any]) -> None:
    """Another lock, image, executor, graph, data or code gives another key."""
    planned = optimize_job(digits_plan)
    key = artifact_cache.cache_key(planned, **BASE)
    assert artifact_cache.cache_key(planned, **{**BASE, **change}) != key
    assert artifact_cache.cache_key(planned, **BASE) == key


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"method": "int8-accuracy-aware"}, False),
        ({"toolchain": "2023.3"}, False),
        ({"id": "digits/int8-2/optimize"}, True),
        ({"threads": 1}, False),
    ],
)
def test_key_follows_the_job(digits_plan: Plan, change: dict[str, Any], same: bool) -> None:
    """Whatever of a job decides its output changes the key, the threads too; its id does not."""
    planned = optimize_job(digits_plan)
    changed = replace(planned, job=replace(planned.job, **change))
    key = artifact_cache.cache_key(planned, **BASE)
    assert (artifact_cache.cache_key(changed, **BASE) == key) is same


@pytest.mark.parametrize(
    "change",
    [
        {"options": {"subset_size": 5}},
        {"data": {"validation": "inputs/data/validation"}},
    ],
)
def test_key_follows_the_parameters(digits_plan: Plan, change: dict[str, Any]) -> None:
    """Other options and other data change the key, and so does another input specification of the network."""
    planned = optimize_job(digits_plan)
    parameters = planned.job.parameters
    assert isinstance(parameters, Optimize)
    network = parameters.source.network
    other = replace(network, input=replace(network.input, mean=(9.0,)))
    for changed in (
        replace(parameters, **change),
        replace(parameters, source=replace(parameters.source, network=other)),
    ):
        job = replace(planned.job, parameters=changed)
        key = artifact_cache.cache_key(replace(planned, job=job), **BASE)
        assert key != artifact_cache.cache_key(planned, **BASE)


def test_code_is_of_target_and_harness(workspace: Workspace, tmp_path: Path, second_target: str) -> None:
    """Another entry script, another harness or another module that the target shares gives the code another
    hash; what serves at a client's does not.
    """
    shared, target = tmp_path / "shared", workspace.target(second_target)
    common = share(workspace, second_target, "shelf-graphs")
    for folder in (shared / "harness", shared / "serving", target):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "code.py").write_text("1")
    hashes = [artifact_cache.code_hash(workspace, second_target, shared)]
    for path in (shared / "harness" / "code.py", target / "code.py", common / "graphs.py"):
        path.write_text("2")
        hashes.append(artifact_cache.code_hash(workspace, second_target, shared))
    assert len(set(hashes)) == 4
    (shared / "serving" / "code.py").write_text("2")
    assert artifact_cache.code_hash(workspace, second_target, shared) == hashes[-1]


def test_tree_hash_follows_names_and_contents(tmp_path: Path) -> None:
    """A folder's hash changes with a name, a place or a content, and not with compiled files."""
    (tmp_path / "a.py").write_text("1")
    hashes = [tree_hash(tmp_path)]
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert tree_hash(tmp_path) == hashes[0]
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    hashes.append(tree_hash(tmp_path))
    (tmp_path / "b.py").write_text("2")
    hashes.append(tree_hash(tmp_path))
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.py").rename(tmp_path / "sub" / "b.py")
    hashes.append(tree_hash(tmp_path))
    assert len(set(hashes)) == 4


def test_file_hash_is_sha256(tmp_path: Path) -> None:
    """A file's hash is its SHA-256, as sha256sum prints it."""
    (tmp_path / "a").write_bytes(b"abc")
    assert file_hash(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=5))
def test_json_hash_ignores_order(document: dict[str, Any]) -> None:
    """A document's hash does not depend on the order of its keys, and follows its values."""
    assert json_hash(dict(reversed(document.items()))) == json_hash(document)
    assert json_hash({**document, "new": 1}) != json_hash({**document, "new": 2})


def test_artifact_hash_is_of_its_listing(outputs: Path) -> None:
    """An artifact's hash is that of its files' listing, and follows every one of them."""
    artifact = artifact_of(outputs)
    assert decode(Artifact, json.loads(json.dumps(encode(artifact)))) == artifact
    assert [f.path for f in artifact.files] == ["model.xml", "sub/model.bin"]
    assert artifact.megabytes == pytest.approx(7e-6)
    (outputs / "sub" / "model.bin").write_bytes(b"\0\2")
    assert artifact_of(outputs).sha256 != artifact.sha256
