"""What host and containers exchange comes back from JSON as it went in."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dockyard.plan.make import make_plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.artifact import Artifact, ArtifactFile
from shared.contract.codec import KIND, DecodeError, decode, encode
from shared.contract.errors import (
    DockyardError,
    EnvironmentProblem,
    InputProblem,
    JobFailed,
    nearest,
)
from shared.contract.job import JOB_VERSION, Job
from shared.contract.measurement import (
    Burst,
    Latency,
    MaskPicture,
    Quality,
    SampleScore,
    Scope,
    Throughput,
    TimingProtocol,
)
from shared.contract.model import InputSpec, Network, PipelineNode, steps_of
from shared.contract.outputs import (
    BoxOutput,
    ClassificationOutputs,
    DetectionOutputs,
    MaskOutput,
    NamedClasses,
    Outputs,
    ScoreOutput,
    SegmentationOutputs,
    SymbolsOutput,
    TextOutputs,
    renamed,
    tensors_of,
)
from shared.contract.recipe import Measure, Optimization, Recipe, Requirements
from shared.contract.result import Notes, OutputDifference, Result, Status, Table
from shared.contract.stages import STAGES, NetworkBenchmark, NetworkFiles, Tracker, artifacts_of
from shared.harness.run_job import read_job

OURS = Workspace(PRODUCT)
MODULES = (
    "artifact",
    "delivery",
    "job",
    "measurement",
    "model",
    "outputs",
    "recipe",
    "record",
    "result",
    "stages",
)

names = st.text(st.characters(codec="utf-8"), max_size=12)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(names, values, max_size=3)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
counts = st.integers(0, 2**40)
PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    Any: values,
    str: names,
    int: st.integers(-(2**60), 2**60),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
}


def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that a field of the contract may have."""
    if hint in PLAIN:
        return PLAIN[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Union:
        return st.one_of([of_type(each) for each in arguments])
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(of_type(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*[of_type(each) for each in arguments])
    if origin is not None:
        return st.dictionaries(names, of_type(arguments[1]), max_size=3)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    return st.deferred(lambda: any_of(hint))


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a dataclass, every field given."""
    hints = get_type_hints(kind)
    parts = {field.name: of_type(hints[field.name]) for field in dataclasses.fields(kind)}
    return st.builds(kind, **parts)


def contract_types() -> Iterator[Any]:
    """Every dataclass of the contract that is written by itself, not as one of several of a field."""
    for module in MODULES:
        name = f"shared.contract.{module}"
        for kind in vars(importlib.import_module(name)).values():
            is_own = isinstance(kind, type) and kind.__module__ == name and dataclasses.is_dataclass(kind)
            if is_own and not is_one_of_several(kind):
                yield kind


def is_one_of_several(kind: Any) -> bool:
    """Tell whether a dataclass names itself in a class attribute (a mask's `kind` is a field of its own)."""
    fields = [field.name for field in dataclasses.fields(kind)]
    return hasattr(kind, KIND) and KIND not in fields


def through_json(document: Any) -> Any:
    """What a document is after having been a file."""
    return json.loads(json.dumps(document, allow_nan=False))


def schema(name: str) -> Draft202012Validator:
    folder = {"recipe": "recipes", "model": "models"}.get(name, "shared/contract")
    return Draft202012Validator(json.loads((PRODUCT / folder / f"{name}.schema.json").read_text()))


@pytest.mark.parametrize("kind", list(contract_types()), ids=lambda kind: kind.__name__)
def test_every_type_of_the_contract(kind: Any) -> None:
    """A value of any type comes back from JSON as it was, whatever is in its fields."""

    @given(any_of(kind))
    def comes_back(value: Any) -> None:
        assert decode(kind, through_json(encode(value))) == value

    comes_back()


def test_no_type_is_left_out() -> None:
    """The types above are those that travel, those that a field names by their kind being inside of them."""
    found = {kind.__name__ for kind in contract_types()}
    assert {"Job", "Result", "Record", "Manifest", "Network", "Pipeline", "Notes", "Quality"} <= found
    assert not {"Latency", "Throughput", "Convert", "DetectionOutputs"} & found


@given(st.data(), st.sampled_from(list(STAGES)))
def test_a_job_of_each_stage(data: st.DataObject, parameters: Any) -> None:
    """A job of any stage comes back with its own parameters, and knows its stage."""
    job = Job("net/x/y", "net", "t", "1", "x", 2, data.draw(any_of(parameters)))
    assert decode(Job, through_json(encode(job))) == job
    assert job.stage == STAGES[parameters]


@given(st.data(), st.sampled_from([Latency, Throughput]))
def test_a_result_with_each_measurement(data: st.DataObject, measurement: Any) -> None:
    """A result comes back with its own kind of measurement."""
    result = Result(Status.DONE, measurement=data.draw(any_of(measurement)))
    document = through_json(encode(result))
    assert document["measurement"]["kind"] == measurement.kind
    assert decode(Result, document) == result


@pytest.mark.parametrize("version", [None, 0, JOB_VERSION + 1, str(JOB_VERSION)])
def test_job_of_another_version(tmp_path: Path, version: Any) -> None:
    """A job of another version is refused with both versions."""
    (tmp_path / "job.json").write_text(json.dumps({"version": version}))
    with pytest.raises(ValueError, match=f"version {version}, this harness reads {JOB_VERSION}"):
        read_job(tmp_path)


@pytest.mark.parametrize(
    ("kind", "document", "message"),
    [
        (Tracker, {"address": "a"}, "$: the key 'key' is missing"),
        (Tracker, {"address": "a", "key": 3}, "$.key: expected str, found int"),
        (Tracker, {"address": "a", "key": "b", "more": 1}, "$: unknown key 'more'"),
        (Tracker, [], "$: expected dict, found list"),
        (Result, {"status": "fine"}, "$.status: expected one of done, failed, not measured, found 'fine'"),
        (Result, {"status": "done", "measurement": {}}, "$.measurement.kind: expected one of latency"),
        (PipelineNode, {"name": "a", "network": "b", "crop_margin": True}, "$.crop_margin: expected float"),
        (InputSpec, {"name": "a", "shape": [1, 2, 3]}, "$.shape: expected 4 items, found 3"),
        (Notes, {"tables": [{"title": "a"}]}, "$.tables[0]: the key 'columns' is missing"),
    ],
)
def test_what_is_not_of_its_type_has_its_place(kind: Any, document: Any, message: str) -> None:
    """A document that is not of the type it should be is refused, with the JSON path of what is wrong."""
    with pytest.raises(DecodeError) as caught:
        decode(kind, document)
    assert str(caught.value).startswith(message)


files = st.builds(ArtifactFile, names, digests, counts)


@given(st.lists(files, max_size=5))
def test_artifact(listing: list[ArtifactFile]) -> None:
    """An artifact's hash does not depend on the order of its files; its size is theirs."""
    artifact = Artifact(tuple(listing))
    assert Artifact(tuple(reversed(listing))).sha256 == artifact.sha256
    assert artifact.megabytes == pytest.approx(sum(file.bytes for file in listing) / 1e6)


@given(st.lists(files, min_size=1, max_size=3, unique_by=lambda file: file.path), digests)
def test_artifact_hash_follows_each_file(listing: list[ArtifactFile], digest: str) -> None:
    """An artifact with another content of any file has another hash."""
    for i, file in enumerate(listing):
        if file.sha256 != digest:
            changed = [*listing[:i], ArtifactFile(file.path, digest, file.bytes), *listing[i + 1 :]]
            assert Artifact(tuple(changed)).sha256 != Artifact(tuple(listing)).sha256


fractions = st.floats(0, 1)
metrics = st.dictionaries(names, fractions, max_size=2)
times = st.lists(st.integers(1, 10**15), min_size=1, max_size=3).map(tuple)
samples = st.builds(
    SampleScore,
    id=names,
    scores=metrics,
    prediction=names | st.none() | st.tuples(*[st.floats(-1e6, 1e6)] * 4),
    pixels=st.none() | st.tuples(counts, counts),
)
pictures = st.builds(MaskPicture, names, names, st.none() | names, st.none() | names)
tables = st.builds(
    Table,
    title=names,
    columns=st.just(("a", "b")),
    rows=st.lists(st.tuples(names, names), max_size=3).map(tuple),
    folded=st.booleans(),
)
results = st.builds(
    Result,
    status=st.sampled_from(Status),
    reason=names,
    device=objects,
    versions=st.dictionaries(names, names, max_size=2),
    settings=objects,
    duration_s=st.floats(0, 1e6),
    artifact=st.builds(Artifact, st.lists(files, max_size=2).map(tuple)),
    measured=st.dictionaries(names, digests, max_size=2),
    differences=st.lists(
        st.builds(OutputDifference, names, st.none() | fractions, fractions, st.booleans()), max_size=2
    ).map(tuple),
    notes=st.builds(
        Notes,
        remarks=st.lists(names, max_size=2).map(tuple),
        tables=st.lists(tables, max_size=2).map(tuple),
        calibration_images=st.none() | counts,
        details=objects,
    ),
    quality=st.none()
    | st.builds(
        Quality,
        main=names,
        metrics=metrics,
        samples=st.lists(samples, min_size=1, max_size=2).map(tuple),
        pictures=st.lists(pictures, max_size=2).map(tuple),
    ),
    measurement=st.none()
    | st.builds(
        Latency,
        st.sampled_from([Scope.NETWORK, Scope.PIPELINE]),
        st.sampled_from(TimingProtocol),
        st.dictionaries(names, times, max_size=2),
    )
    | st.builds(
        Throughput,
        times,
        st.lists(st.builds(Burst, st.integers(1, 10**6), st.floats(1e-3, 1e6)), max_size=2).map(tuple),
        counts,
        st.dictionaries(names, counts, max_size=2),
        st.floats(0, 1e6),
    ),
)


@given(results)
def test_result_fits_its_schema(result: Result) -> None:
    """Whatever a harness may find fits the result's schema, and comes back from it."""
    document = through_json(encode(result))
    assert list(schema("result").iter_errors(document)) == []
    assert decode(Result, document) == result


DOCUMENT = encode(
    Result(
        Status.DONE,
        artifact=Artifact((ArtifactFile("model.bin", "0" * 64, 3),)),
        differences=(OutputDifference("digit", 0.0, 1e-3, True),),
        notes=Notes(("a remark",), (Table("a table", ("a",), (("b",),)),), 300),
        quality=Quality("iou", {"iou": 1.0}, (SampleScore("a", {"iou": 1.0}, "x", (1, 1)),)),
        measurement=Latency(Scope.NETWORK, TimingProtocol.REPEAT, {"total": (1,)}),
    )
)
SAMPLE = DOCUMENT["quality"]["samples"][0]
THROUGHPUT = encode(Throughput((1,), (Burst(1, 1.0),), 0, {"decode": 1}, 0.5))


def without(document: Mapping[str, Any], left_out: str) -> Any:
    """A document that lacks a key."""
    return {key: value for key, value in document.items() if key != left_out}


def replaced(place: str, value: Any) -> Any:
    """The result above with another value at a place, as `quality.samples.0.id`."""
    document = through_json(DOCUMENT)
    *way, last = place.split(".")
    inner = document
    for step in way:
        inner = inner[int(step) if step.isdigit() else step]
    inner[int(last) if last.isdigit() else last] = value
    return document


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("version", 1),
        ("status", "fine"),
        ("reason", "x" * 20_001),
        ("duration_s", -1),
        ("device", []),
        ("versions", {"tool": 3}),
        ("settings", None),
        ("extra", 1),
        ("artifact", []),
        ("artifact.files.0.sha256", "0" * 63),
        ("artifact.files.0.bytes", -1),
        ("artifact.files.0.path", "x" * 1001),
        ("artifact.files.0.mode", 0o777),
        ("artifact.files", [{"path": "a"}]),
        ("measured", {"net": "no digest"}),
        ("differences.0.agrees", "yes"),
        ("differences.0.more", 1),
        ("notes.remarks", "one"),
        ("notes.remarks", ["x" * 2001]),
        ("notes.remarks", ["x"] * 101),
        ("notes.calibration_images", -1),
        ("notes.kernels", []),
        ("notes.tables.0.rows", [["x" * 1001]]),
        ("notes.tables.0.rows", [[1]]),
        ("notes.tables.0.columns", []),
        ("notes.tables.0.title", None),
        ("quality.samples", []),
        ("quality.metrics", {"iou": "1"}),
        ("quality.samples.0.id", "x" * 501),
        ("quality.samples.0.pixels", [1]),
        ("quality.samples.0.pixels", [1, -1]),
        ("quality.samples.0.prediction", [1, 2, 3]),
        ("quality.samples.0.prediction", {"x": 1}),
        ("quality.samples.0", without(SAMPLE, "scores")),
        ("quality.pictures", [{"id": "a", "mask": "x"}] * 7),
        ("quality.pictures", [{"id": "a", "mask": "x" * 100_001}]),
        ("quality.pictures", [{"id": "a", "mask": "x", "image": "x" * 300_001}]),
        ("measurement.kind", "speed"),
        ("measurement.scope", "house"),
        ("measurement.protocol", "once"),
        ("measurement.samples_ns", {"total": [-1]}),
        ("measurement.samples_ns", {"total": [10**15 + 1]}),
        ("measurement.samples_ns", {"total": [1.5]}),
        ("measurement.frames", 1),
        ("measurement", {**THROUGHPUT, "bursts": [{"frames": 1, "seconds": 0}]}),
        ("measurement", {**THROUGHPUT, "bursts": [{"frames": 0, "seconds": 1}]}),
        ("measurement", {**THROUGHPUT, "bursts": [{"frames": 1, "seconds": 1, "fps": 1}]}),
        ("measurement", {**THROUGHPUT, "dropped": -1}),
        ("measurement", {**THROUGHPUT, "steps_ns": {"decode": -1}}),
        ("measurement", {**THROUGHPUT, "cpu_s": -1}),
        ("measurement", without(THROUGHPUT, "bursts")),
        ("measurement", {**THROUGHPUT, "samples_ns": {}}),
        ("measurement", without(THROUGHPUT, "kind")),
        ("measurement", []),
    ],
)
def test_result_that_is_refused(place: str, value: Any) -> None:
    """A result that is too large, has another type, an unknown key or lacks one, is refused by the schema."""
    assert list(schema("result").iter_errors(DOCUMENT)) == []
    assert list(schema("result").iter_errors(replaced("measurement", THROUGHPUT))) == []
    assert list(schema("result").iter_errors(replaced(place, value))) != []


optional = st.none() | st.floats(0.1, 1000)
own_keys = ("method", "toolchain", "target")
options = st.dictionaries(names.filter(lambda name: name not in own_keys), values, max_size=2)
recipes = st.builds(
    Recipe,
    name=st.just("own"),
    model=names,
    target=names,
    optimizations=st.lists(st.builds(Optimization, names, options, names, names), min_size=1, max_size=3).map(
        tuple
    ),
    conversion=objects,
    toolchain=names,
    description=names,
    requirements=st.builds(Requirements, fractions, optional, optional, optional),
    measure=st.builds(
        Measure,
        threads=st.integers(0, 1024),
        rounds=st.integers(3, 100),
        max_rounds=st.integers(3, 100),
        cycles=st.integers(1, 1000),
        burst_s=st.floats(0.01, 60),
        warmup=st.integers(0, 1000),
        images=st.integers(0, 1000),
        samples=st.integers(0, 1000),
        time_limit_s=st.integers(1, 604800),
        memory_mb=st.integers(64, 10**6),
    ),
    data=st.none() | names,
    tracker=st.none() | st.builds(Tracker, st.sampled_from(["10.0.0.2:9190", "[::1]:1"]), st.just("box")),
    device=st.none() | names.filter(bool),
)


@given(recipes)
def test_recipe(recipe: Recipe) -> None:
    """A recipe comes back as it was, every default written out, and is valid in its schema."""
    document = through_json(recipe.to_json())
    assert list(schema("recipe").iter_errors(document)) == []
    assert Recipe.from_json("own", document) == recipe


@pytest.mark.parametrize("name", OURS.recipe_names())
def test_committed_recipes(name: str) -> None:
    """Each recipe of the repository loads, and says the same when written out and read again."""
    recipe = load_recipe(OURS, name)
    assert Recipe.from_json(recipe.name, through_json(recipe.to_json()), recipe.file) == recipe


@given(st.tuples(st.just(1), *[st.integers(1, 2000)] * 3), st.sampled_from(["NHWC", "NCHW"]))
def test_sizes_are_read_in_the_layout(shape: Any, layout: str) -> None:
    """Height, width and channels are the sizes of the shape, wherever the layout has them."""
    spec = InputSpec("image", shape, layout)
    height, width = spec.size
    assert sorted([1, height, width, spec.channel_count]) == sorted(shape)
    assert spec.channel_count == shape[3 if layout == "NHWC" else 1]


BOX, SYMBOLS = BoxOutput("b"), SymbolsOutput(("s1", "s2"), "AB")


@pytest.mark.parametrize(
    ("outputs", "tensors"),
    [
        (DetectionOutputs(BOX), ("b",)),
        (DetectionOutputs(BOX, ScoreOutput("s")), ("b", "s")),
        (DetectionOutputs(BOX, ScoreOutput("b")), ("b",)),
        (DetectionOutputs(BOX, ScoreOutput(column=4)), ("b",)),
        (TextOutputs(SYMBOLS, NamedClasses("c", ("x",))), ("s1", "s2", "c")),
        (TextOutputs(SYMBOLS), ("s1", "s2")),
        (ClassificationOutputs(NamedClasses("c", ("x",))), ("c",)),
        (SegmentationOutputs(MaskOutput("m")), ("m",)),
    ],
)
def test_tensors(outputs: Outputs, tensors: tuple[str, ...]) -> None:
    """A network's tensors are those that its outputs name, each once, in their order, renamed too."""
    assert tensors_of(outputs) == tensors
    other = renamed(outputs, {name: f"{name}/cut" for name in tensors})
    assert tensors_of(other) == tuple(f"{name}/cut" for name in tensors)
    assert renamed(outputs, {"no such": "x"}) == outputs


def test_steps_of_a_pipeline() -> None:
    """A pipeline's steps are decoding, then three for each node, with the node's name."""
    nodes = (PipelineNode("detector", "a"), PipelineNode("reader", "b", "detector"))
    wanted = ["decode", "detector_input", "detector", "detector_output", "reader_input", "reader"]
    assert list(steps_of(nodes)) == [*wanted, "reader_output"]


@pytest.mark.parametrize("recipe", ["digits.json", "lp_tvm.json"])
def test_planned_jobs_are_json(recipe: str) -> None:
    """Every job of a real plan can be written and is the same when read, its networks too."""
    plan = make_plan(OURS, load_recipe(OURS, recipe))
    for planned in plan.jobs:
        document = through_json(encode(planned.job))
        assert decode(Job, document) == planned.job
        assert all(isinstance(each.network, Network) for each in artifacts_of(planned.job.parameters))


def test_a_jobs_kind_is_its_parameters() -> None:
    """A job says in one key what its parameters are."""
    network = make_plan(OURS, load_recipe(OURS, "digits.json")).networks["digits"]
    parameters = NetworkBenchmark(NetworkFiles(network, "inputs/digits"), "inputs/reference.npz", 1, 0.4)
    job = Job("digits/int8/benchmark/1", "digits", "t", "1", "int8", 0, parameters)
    assert encode(job)["parameters"]["kind"] == "benchmark"


@pytest.mark.parametrize(
    ("kind", "code"), [(DockyardError, 1), (JobFailed, 1), (InputProblem, 2), (EnvironmentProblem, 3)]
)
def test_errors_have_their_exit_codes(kind: type[DockyardError], code: int) -> None:
    """Each kind of error has its designed exit code, and says where, what and advice in two lines."""
    assert kind.exit_code == code
    assert str(kind("what", "where", "advice")) == "where: what\n  advice"
    assert str(kind("what")) == "what"


@given(names, st.lists(names, max_size=5))
def test_nearest_lists_all(name: str, valid: list[str]) -> None:
    """Advice names every valid name, and guesses only one of them."""
    advice = nearest(name, valid)
    assert advice.endswith("valid: " + (", ".join(sorted(valid)) if valid else "none"))
    assert ("did you mean" in advice) <= bool(valid)
    if name in valid:
        assert f"did you mean '{name}'?" in advice
