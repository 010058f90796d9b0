"""What host and containers exchange comes back from JSON as it went in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dockyard.plan.plan import make_plan
from dockyard.recipe.catalog import load_recipe, recipe_names
from shared.contract.errors import DockyardError, EnvironmentProblem, InputProblem, JobFailed, nearest
from shared.contract.job import JOB_VERSION, Artifact, ArtifactFile, Job
from shared.contract.model import InputSpec, Network, output_tensors
from shared.contract.recipe import Measure, Optimization, Recipe, Requirements
from shared.contract.record import Record
from tests.conftest import ROOT

names = st.text(st.characters(codec="utf-8"), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(names, values, max_size=3)
texts = st.dictionaries(names, names, max_size=3)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
counts = st.integers(0, 2**40)


def through_json(document: Any) -> Any:
    """What a document is after having been a file."""
    return json.loads(json.dumps(document, allow_nan=False))


def schema(name: str) -> Draft202012Validator:
    folder = {"recipe": "recipes", "model": "models"}.get(name, "shared/contract")
    return Draft202012Validator(json.loads((ROOT / folder / f"{name}.schema.json").read_text()))


jobs = st.builds(
    Job,
    id=names,
    stage=st.sampled_from(["convert", "optimize", "evaluate", "benchmark", "stream"]),
    model=names,
    target=names,
    toolchain=names,
    method=names,
    options=objects,
    networks=st.dictionaries(names, objects, max_size=2),
    artifacts=texts,
    data=texts,
    reference=names,
    crop_margin=st.floats(0, 1),
    agreement=st.floats(0, 1),
    measure=st.dictionaries(names, counts, max_size=3),
    tuning=names,
    tracker=names,
    tracker_key=names,
)


@given(jobs)
def test_job(job: Job) -> None:
    """A job comes back from job.json as it was."""
    assert Job.from_json(through_json(job.to_json())) == job


@pytest.mark.parametrize("version", [None, 0, JOB_VERSION + 1, str(JOB_VERSION)])
def test_job_of_another_version(version: Any) -> None:
    """A job of another version is refused with both versions."""
    with pytest.raises(ValueError, match=f"version {version}, this harness reads {JOB_VERSION}"):
        Job.from_json({"version": version})


files = st.builds(ArtifactFile, names, digests, counts)


@given(st.lists(files, max_size=5))
def test_artifact(listing: list[ArtifactFile]) -> None:
    """An artifact comes back as it was, and its hash does not depend on the order of its files."""
    artifact = Artifact(tuple(listing))
    assert Artifact.from_json(through_json(artifact.to_json())) == artifact
    assert Artifact(tuple(reversed(listing))).sha256 == artifact.sha256
    assert artifact.megabytes == pytest.approx(sum(f.bytes for f in listing) / 1e6)


@given(st.lists(files, min_size=1, max_size=3, unique_by=lambda f: f.path), digests)
def test_artifact_hash_follows_each_file(listing: list[ArtifactFile], digest: str) -> None:
    """An artifact with another content of any file has another hash."""
    for i, file in enumerate(listing):
        if file.sha256 != digest:
            changed = [*listing[:i], ArtifactFile(file.path, digest, file.bytes), *listing[i + 1 :]]
            assert Artifact(tuple(changed)).sha256 != Artifact(tuple(listing)).sha256


optional = st.none() | st.floats(0.1, 1000)
options = st.dictionaries(names.filter(lambda n: n not in ("method", "toolchain", "target")), values, max_size=2)
recipes = st.builds(
    Recipe,
    name=st.just("own"),
    model=names,
    target=names,
    optimizations=st.lists(st.builds(Optimization, names, options, names, names), min_size=1, max_size=3).map(tuple),
    conversion=objects,
    toolchain=names,
    description=names,
    requirements=st.builds(Requirements, st.floats(0, 1), optional, optional),
    measure=st.builds(
        Measure,
        threads=st.integers(0, 1024),
        rounds=st.integers(3, 100),
        max_rounds=st.integers(3, 100),
        runs=st.integers(1, 1000),
        warmup=st.integers(0, 1000),
        images=st.integers(0, 1000),
        samples=st.integers(0, 1000),
        time_limit_s=st.integers(1, 604800),
        memory_mb=st.integers(64, 10**6),
    ),
    data=st.none() | names,
    tuning=st.just({}) | st.fixed_dictionaries({"tracker": st.sampled_from(["10.0.0.2:9190", "[::1]:1"]), "key": st.just("box")}),
)


@given(recipes)
def test_recipe(recipe: Recipe) -> None:
    """A recipe comes back as it was, every default written out, and is valid in its schema."""
    document = through_json(recipe.to_json())
    assert list(schema("recipe").iter_errors(document)) == []
    assert Recipe.from_json("own", document) == recipe


@pytest.mark.parametrize("name", recipe_names())
def test_committed_recipes(name: str) -> None:
    """Each recipe of the repository loads, and says the same when written out and read again."""
    recipe = load_recipe(name)
    assert Recipe.from_json(recipe.name, through_json(recipe.to_json()), recipe.file) == recipe


rounds = st.lists(st.dictionaries(names, st.lists(counts, max_size=3), max_size=2).map(lambda r: {**r, "total": [1]}), max_size=3)
qualities = st.fixed_dictionaries(
    {
        "main": names,
        "metrics": st.dictionaries(names, st.floats(0, 1), max_size=2),
        "samples": st.lists(
            st.fixed_dictionaries(
                {"id": names, "scores": st.dictionaries(names, st.floats(0, 1), max_size=2), "prediction": names | st.none()}
            ),
            max_size=2,
        ),
    }
)
records = st.builds(
    Record,
    run=names,
    recipe=objects.map(lambda o: {**o, "name": "r", "model": "m", "target": "t", "optimizations": [], "requirements": {}, "measure": {}}),
    model=names,
    variant=names,
    method=names,
    options=objects,
    target=names,
    toolchain=names,
    engine=names,
    status=st.sampled_from(["measured", "failed", "not measured"]),
    measured_at=names,
    reason=names,
    stage=st.sampled_from(["", "convert", "optimize", "evaluate", "benchmark", "stream"]),
    log=st.lists(names, max_size=3).map(tuple),
    warnings=st.lists(names, max_size=3).map(tuple),
    device=objects,
    versions=texts,
    identity=texts,
    settings=objects,
    graphs=st.dictionaries(names, digests, max_size=2),
    artifacts=st.dictionaries(names, st.lists(files.map(lambda f: dict(vars(f))), max_size=2), max_size=2),
    data=texts,
    conversion=st.lists(
        st.fixed_dictionaries(
            {"output": names, "difference": st.none() | st.floats(0, 1), "limit": st.floats(0, 1), "agrees": st.booleans()}
        ),
        max_size=2,
    ),
    notes=st.dictionaries(names, objects, max_size=2),
    quality=st.none() | qualities,
    scope=st.sampled_from(["network", "pipeline"]),
    rounds_ns=rounds,
    dataset_ns=st.lists(counts, max_size=3),
    optimize_s=st.floats(0, 1e6),
)


@given(records)
def test_record(record: Record) -> None:
    """A record fits its schema and comes back from its file as it was."""
    document = through_json(record.to_json())
    assert list(schema("record").iter_errors(document)) == []
    assert Record.from_json(document) == record


SYMBOLS = {"symbols": {"tensors": ["s"], "alphabet": "AB"}}
networks = st.builds(
    lambda shape, layout, mean, pad, task: Network(
        "net",
        task[0],
        "",
        "g.pb",
        "0" * 64,
        InputSpec("image", shape, layout, "letterbox", "BGR", mean, (1.0,), pad),
        task[1],
        {"folder": "d"},
    ),
    st.tuples(st.just(1), *[st.integers(1, 2000)] * 3),
    st.sampled_from(["NHWC", "NCHW"]),
    st.lists(st.floats(-300, 300), min_size=1, max_size=3).map(tuple),
    st.integers(0, 255),
    st.sampled_from(
        [
            ("detection", {"box": {"tensor": "b"}}),
            ("reading", SYMBOLS),
            ("classification", {"classes": {"tensor": "c", "names": ["x"]}}),
            ("segmentation", {"mask": {"tensor": "m"}}),
        ]
    ),
)


@given(networks)
def test_network(network: Network) -> None:
    """A network fits model.json's schema and comes back as it was, sizes read in its layout."""
    document = through_json(network.to_json())
    assert list(schema("model").iter_errors(document)) == []
    assert Network.from_json("net", document) == network
    height, width = network.input.size
    assert sorted([1, height, width, network.input.channel_count]) == sorted(network.input.shape)


@pytest.mark.parametrize(
    ("task", "outputs", "tensors"),
    [
        ("detection", {"box": {"tensor": "b"}}, ["b"]),
        ("detection", {"box": {"tensor": "b"}, "score": {"tensor": "s"}}, ["b", "s"]),
        ("detection", {"box": {"tensor": "b"}, "score": {"tensor": "b"}}, ["b"]),
        ("detection", {"box": {"tensor": "b"}, "score": {"column": 4}}, ["b"]),
        ("reading", {"symbols": {"tensors": ["s1", "s2"]}, "country": {"tensor": "c"}}, ["s1", "s2", "c"]),
        ("classification", {"classes": {"tensor": "c"}}, ["c"]),
        ("segmentation", {"mask": {"tensor": "m"}}, ["m"]),
    ],
)
def test_tensors(task: str, outputs: dict[str, Any], tensors: list[str]) -> None:
    """A network's tensors are those that its outputs name, each once, in their order."""
    assert output_tensors(task, outputs) == tensors


def test_planned_jobs_are_json() -> None:
    """Every job of a real plan can be written and says the same when read."""
    for planned in make_plan(load_recipe("digits.json")).jobs:
        document = through_json(planned.job.to_json())
        assert through_json(Job.from_json(document).to_json()) == document


@pytest.mark.parametrize(("kind", "code"), [(DockyardError, 1), (JobFailed, 1), (InputProblem, 2), (EnvironmentProblem, 3)])
def test_errors_have_their_exit_codes(kind: type[DockyardError], code: int) -> None:
    """Each kind of error has its designed exit code, and is told as where, what and advice in two lines."""
    assert kind.exit_code == code
    assert str(kind("what", "where", "advice")) == "where: what\n  advice"
    assert str(kind("what")) == "what"


@given(names, st.lists(names, max_size=5))
def test_nearest_lists_all(name: str, valid: list[str]) -> None:
    """Advice names every valid name, and guesses only one of them."""
    told = nearest(name, valid)
    assert told.endswith("valid: " + (", ".join(sorted(valid)) if valid else "none"))
    assert ("did you mean" in told) <= bool(valid)
    if name in valid:
        assert f"did you mean '{name}'?" in told
