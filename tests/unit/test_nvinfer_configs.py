"""nvinfer's configurations: what model.json says is in them, and both syntaxes hold them."""

from __future__ import annotations

import struct
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import InputProblem
from shared.contract.model import InputSpec, Network
from shared.contract.outputs import ClassificationOutputs, NamedClasses, ScoreOutput, Task
from shared.contract.streaming import Tracking
from tests.fakes import attempt

sys.path.insert(0, str(PRODUCT / "targets" / "nvinfer-configs"))
from nvinfer_config import Element, detector_config, engine_name, label_lines, reader_config
from nvinfer_entries import Config, Entry
from nvinfer_input import folded_into_graph, input_entries, normalization_of
from nvinfer_keys import LARGEST_INT, is_before, items, release_facts, table, value_problem
from nvinfer_text import MOST_CHARACTERS, read, syntax_of, write

OURS = Workspace(PRODUCT)
RELEASES = ("6.2", "6.3", "6.4", "7.0", "7.1", "8.0", "9.0", "9.1", "9.2")
DETECTOR = Element("detector", 1, "7.1", "detector.onnx", "libparsers.so", precision="fp16")
READER = Element("reader", 2, "7.1", "reader.onnx", "libparsers.so", batch=16, precision="int8")
OFF = Tracking()


def network(name: str, **more: Any) -> Network:
    """A network of Dockyard's own, its input changed."""
    found = load_model(OURS, name, "test")
    assert isinstance(found, Network)
    return replace(found, input=replace(found.input, **more))


def values(config: Config) -> dict[str, str]:
    """What a configuration says, by key."""
    return {entry.key: entry.value for entry in config.entries}


def test_a_detector_is_configured_from_model_json() -> None:
    """Every key of a detector's file follows from model.json or the element, in an order that is kept."""
    assert values(detector_config(network("lp_detector"), DETECTOR, Tracking(interval=3))) == {
        "process-mode": "1",
        "network-type": "0",
        "gie-unique-id": "1",
        "gpu-id": "0",
        "batch-size": "1",
        "network-mode": "2",
        "onnx-file": "detector.onnx",
        "model-engine-file": "detector.onnx_b1_gpu0_fp16.engine",
        "interval": "2",
        "infer-dims": "3;384;512",
        "model-color-format": "0",
        "net-scale-factor": "0.00784313725490196",
        "offsets": "127.5;127.5;127.5",
        "maintain-aspect-ratio": "0",
        "scaling-filter": "1",
        "output-blob-names": "box;score",
        "custom-lib-path": "libparsers.so",
        "parse-bbox-func-name": "NvDsInferParseCustomDetector",
        "num-detected-classes": "1",
        "labelfile-path": "detector_labels.txt",
        "cluster-mode": "4",
        "pre-cluster-threshold": "0.4",
    }


def test_a_reader_is_configured_from_model_json() -> None:
    """A reader runs on the detector's objects, is scaled by the GPU, answers for the object's own frame."""
    found = values(reader_config(network("lp_reader"), READER, Tracking(interval=3), detector_gie_id=1))
    assert found["infer-dims"] == "3;64;256"
    assert found["model-engine-file"] == "reader.onnx_b16_gpu0_int8.engine"
    wanted = {
        "process-mode": "2",
        "network-type": "1",
        "network-mode": "1",
        "operate-on-gie-id": "1",
        "operate-on-class-ids": "0",
        "input-object-min-width": "2",
        "input-object-min-height": "2",
        "secondary-reinfer-interval": "3",
        "scaling-compute-hw": "1",
        "output-blob-names": "symbols;country",
        "parse-classifier-func-name": "NvDsInferParseCustomReader",
        "classifier-async-mode": "0",
        "classifier-threshold": "0",
    }
    assert {key: found.get(key) for key in wanted} == wanted
    assert "labelfile-path" not in found


@pytest.mark.parametrize(("release", "least"), [("6.2", "16"), ("6.3", "16"), ("7.0", "2"), ("9.1", "2")])
def test_the_least_object_is_what_a_release_reads(release: str, least: str) -> None:
    """Where a release skips objects below 16 pixels whatever scales, the file says so; others read all."""
    found = values(reader_config(network("lp_reader"), replace(READER, release=release), OFF, 1))
    assert found["input-object-min-width"] == found["input-object-min-height"] == least


def test_every_value_says_where_it_came_from() -> None:
    """No entry is without a source, and the sources are comments in both syntaxes."""
    config = detector_config(network("lp_detector"), DETECTOR, OFF)
    assert all(entry.source for entry in config.entries)
    for syntax in ("ini", "yaml"):
        assert "# model.json input.scale: 1 / scale\n" in write(config, syntax)


def test_a_classifier_is_a_secondary_with_labels_in_one_line() -> None:
    """A classifier's labels are one line with semicolons; a name with one is refused."""
    reader = network("lp_reader")

    def named(*names: str) -> Network:
        return replace(
            reader, task=Task.CLASSIFICATION, outputs=ClassificationOutputs(NamedClasses("kind", names))
        )

    assert label_lines(named("car", "van")) == ("car;van",)
    found = values(reader_config(named("car", "van"), READER, OFF, 1))
    assert (found["labelfile-path"], found["network-type"]) == ("reader_labels.txt", "1")
    with pytest.raises(InputProblem, match="cannot hold 'a;b'"):
        label_lines(named("a;b"))
    assert (label_lines(reader), label_lines(network("lp_detector"))) == ((), ("lp_detector",))


@pytest.mark.parametrize("release", RELEASES)
def test_types_are_said_where_the_release_can_hear_it(release: str) -> None:
    """A typed ONNX is said to be one from release 9.0 on, and never of one that is not."""
    typed = replace(DETECTOR, release=release, is_typed=True)
    said = values(detector_config(network("lp_detector"), typed, OFF)).get("strongly-typed")
    assert said == (None if is_before(release, "9.0") else "1")
    untyped = replace(typed, is_typed=False)
    assert "strongly-typed" not in values(detector_config(network("lp_detector"), untyped, OFF))


def test_wrong_tasks_are_refused() -> None:
    """A reader is no detector, a detector no reader, a segmenter neither, an unknown precision or release an
    error that offers the valid ones.
    """
    detector, reader = network("lp_detector"), network("lp_reader")
    with pytest.raises(InputProblem, match=r"lp_reader is text-recognition\n.* for a detector"):
        detector_config(reader, DETECTOR, OFF)
    for other in (detector, network("damage_detector")):
        with pytest.raises(InputProblem, match="for a text recognizer or classifier"):
            reader_config(other, READER, OFF, 1)
    with pytest.raises(InputProblem, match="did you mean 'fp16'"):
        detector_config(detector, replace(DETECTOR, precision="fp-16"), OFF)
    with pytest.raises(InputProblem, match=r"DeepStream 7\.2 is not known\n.*valid: 6\.2, 6\.3"):
        detector_config(detector, replace(DETECTOR, release="7.2"), OFF)


@given(st.floats(0, 1), st.floats(0, 1, width=32))
def test_what_the_parser_keeps_nvinfer_keeps(minimum: float, score: float) -> None:
    """No score that is at least the minimum is below the threshold, which nvinfer has as float32."""
    detector = network("lp_detector")
    scored = replace(detector.outputs, score=ScoreOutput("score", minimum=minimum))
    config = detector_config(replace(detector, outputs=scored), DETECTOR, OFF)
    text = config.value("pre-cluster-threshold", "class-attrs-all")
    assert text is not None
    (threshold,) = struct.unpack("f", struct.pack("f", float(text)))
    assert float(text) == minimum
    assert not (score >= minimum and score < threshold)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scale": (58.395, 57.12, 57.375)}, "differs by channel"),
        ({"scale": (-1.0,)}, "above 0"),
        ({"scale": (1e300,)}, "above 0"),
        ({"mean": (-1.0,)}, "between 0 and 255"),
        ({"dtype": "uint8"}, "8-bit"),
    ],
)
def test_what_nvinfer_cannot_say_is_for_the_graph(changes: dict[str, Any], told: str) -> None:
    """Where nvinfer has no words for a normalization the build is told to put it into the graph, and nvinfer
    hands on the pixels as they are.
    """
    changed = network("lp_detector", **changes)
    assert folded_into_graph(changed)
    assert told in str(normalization_of(changed.input).reason)
    found = values(detector_config(changed, DETECTOR, OFF))
    assert (found["net-scale-factor"], found.get("offsets")) == ("1", None)
    assert not folded_into_graph(network("lp_detector"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"resize": "letterbox", "pad": 114}, r"letterbox filled with 114.*\n.*pad 0"),
        ({"scale": (1.0, 0.0, 1.0)}, "a scale is 0"),
        ({"scale": (float("nan"),)}, "no finite number"),
        ({"mean": (1.0, 2.0)}, r"2 values for 3 channels\n.*give one value, or 3"),
        ({"channels": "GRAY"}, "3 channels are no GRAY picture"),
    ],
)
def test_what_cannot_be_done_at_all_is_an_error(changes: dict[str, Any], told: str) -> None:
    """An input that neither nvinfer nor the graph can make is refused with what, where and what to do."""
    with pytest.raises(InputProblem, match=told):
        detector_config(network("lp_detector", **changes), DETECTOR, OFF)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize(("channels", "code"), [("RGB", "0"), ("BGR", "1"), ("GRAY", "2")])
def test_dims_are_channels_first_and_colours_are_named(layout: str, channels: str, code: str) -> None:
    """infer-dims is channels, height, width whatever the layout; each colour order has its number."""
    count = 1 if channels == "GRAY" else 3
    spec = InputSpec("image", (1, 48, 96, count), channels=channels, resize="letterbox").in_layout(layout)
    found = {entry.key: entry.value for entry in input_entries(spec)}
    assert (found["infer-dims"], found["model-color-format"]) == (f"{count};48;96", code)
    assert (found["maintain-aspect-ratio"], found["symmetric-padding"]) == ("1", "1")
    assert "offsets" not in found


@given(
    st.lists(st.floats(0, 255), min_size=1, max_size=1) | st.lists(st.floats(0, 255), min_size=3, max_size=3),
    st.floats(1e-3, 1e3),
)
def test_the_formula_is_that_of_model_json(mean: list[float], scale: float) -> None:
    """factor * (pixel - offset) of the file is (pixel - mean) / scale of model.json for every pixel."""
    spec = InputSpec("image", (1, 8, 8, 3), mean=tuple(mean), scale=(scale,))
    found = {entry.key: entry.value for entry in input_entries(spec)}
    offsets = np.array([float(item) for item in found.get("offsets", "0;0;0").split(";")])
    pixels = np.arange(256.0)[:, None]
    got = float(found["net-scale-factor"]) * (pixels - offsets)
    assert np.allclose(got, (pixels - np.asarray(mean)) / scale, rtol=1e-12, atol=1e-12 / scale)


def test_the_engine_has_the_name_that_nvinfer_gives() -> None:
    """`<onnx>_b<batch>_gpu<id>_<precision>.engine`, as nvinfer saves what it builds."""
    assert engine_name("a/b.onnx", 4, "best") == "a/b.onnx_b4_gpu0_best.engine"
    assert engine_name("b.onnx", 1, "int8", "dla1") == "b.onnx_b1_dla1_int8.engine"


# The table.


def test_the_table_knows_the_releases_in_order() -> None:
    """Nine releases, and what a parser, a reader of metadata and a small plate have to know of each."""
    known = table().releases
    assert tuple(known) == RELEASES
    assert all(is_before(one, other) for one, other in zip(RELEASES, RELEASES[1:]))
    assert is_before("9.2", "10.0")
    assert {name: facts.object_bytes for name, facts in known.items() if facts.object_bytes == 28} == {
        "9.0": 28,
        "9.1": 28,
        "9.2": 28,
    }
    assert [name for name, facts in known.items() if not facts.pyds] == ["9.0", "9.1", "9.2"]
    assert [name for name, facts in known.items() if facts.floor_on_gpu] == ["6.2", "6.3"]
    assert release_facts("7.1").tensorrt == "10.3"


def test_the_table_is_of_one_piece() -> None:
    """Each key has a group, a type and a sentence, a default that it takes itself, and known releases."""
    known = table()
    for name, key in known.keys.items():
        assert key.group in ("property", "class-attrs"), name
        assert key.type in ("int", "float", "bool", "string", "path", "ints", "floats", "names"), name
        assert key.meaning.endswith("."), name
        assert key.default is None or value_problem(key, key.default) == "", name
        assert {key.first, key.left} - {None} <= set(known.releases), name
        assert set(key.forms) <= {"ini", "yaml"}, name


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("batch-size", "1025", "above 1024"),
        ("batch-size", "0", "below 1"),
        ("batch-size", "4.0", "not a whole number"),
        ("batch-size", str(LARGEST_INT + 1), "not a whole number"),
        ("network-mode", "7", "not one of 0, 1, 2, 3"),
        ("maintain-aspect-ratio", "true", "not 0 or 1"),
        ("offsets", "1;x;3", "is 'x', not a number"),
        ("net-scale-factor", "1e999", "not a number"),
        ("net-scale-factor", "nan", "not a number"),
        ("output-blob-names", "a;;b", "empty name"),
        ("batch-size", "1024", ""),
        ("offsets", "1;2.5;3e1;", ""),
        ("operate-on-gie-id", "-1", ""),
    ],
)
def test_values_are_checked(name: str, text: str, told: str) -> None:
    """A value that a key does not take is told with what it is; one that it takes is not."""
    problem = value_problem(table().keys[name], text)
    assert told in problem
    assert bool(problem) == bool(told)


def test_a_list_may_end_with_its_semicolon() -> None:
    """GLib writes one behind the last item of a list."""
    assert items("0; 1;2;") == ("0", "1", "2") == items("0;1;2")


# Text.

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,20}", fullmatch=True)
words = st.from_regex(r"[A-Za-z0-9_./+-][A-Za-z0-9_./+:;=,@~-]{0,30}", fullmatch=True)
plain = st.lists(words, min_size=1, max_size=3).map(" ".join)


def holds(text: str) -> bool:
    return not text.endswith(":") and ": " not in text and not text.startswith("- ")


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A configuration of any names and values that both syntaxes hold."""
    entries: list[Entry] = []
    for group in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        for key in draw(st.lists(names, min_size=1, max_size=5, unique=True)):
            source = draw(st.sampled_from(["", "model.json input", "two\nlines # and a mark"]))
            entries.append(Entry(key, draw(plain.filter(holds)), source, group))
    return Config(tuple(entries))


@given(configs(), st.sampled_from(["ini", "yaml"]))
def test_what_is_written_is_read_back(config: Config, syntax: str) -> None:
    """A configuration written and read is the same, its comments left out, in both syntaxes."""
    assert read(write(config, syntax), syntax) == config.without_sources()


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("syntax", ["ini", "yaml"])
def test_generated_files_are_read_back(release: str, syntax: str) -> None:
    """The files of Dockyard's own pipeline are read back as they were made."""
    detector = detector_config(network("lp_detector"), replace(DETECTOR, release=release), OFF)
    reader = reader_config(network("lp_reader"), replace(READER, release=release), OFF, 1)
    for config in (detector, reader):
        assert read(write(config, syntax), syntax) == config.without_sources()


def test_both_syntaxes_as_nvinfer_has_them() -> None:
    """A group in brackets with `key=value`, or a group with indented `key: value`; lists are one scalar."""
    config = Config((Entry("offsets", "0;0;0", "means"), Entry("topk", "5", group="class-attrs-all")))
    assert write(config, "ini") == "[property]\n# means\noffsets=0;0;0\n[class-attrs-all]\ntopk=5\n"
    assert write(config, "yaml") == "property:\n  # means\n  offsets: 0;0;0\nclass-attrs-all:\n  topk: 5\n"
    assert [syntax_of(name) for name in ("a.txt", "a.yml", "a.yaml", "yaml")] == [
        "ini",
        "yaml",
        "yaml",
        "ini",
    ]


def test_files_of_others_are_read() -> None:
    """Margins, comments and empty lines are left out, in each syntax as its own reader does."""
    ini = "# mine\n\n[property]\n gie-unique-id = 1 \r\nonnx-file=a # b.onnx\n"
    assert values(read(ini, "ini")) == {"gie-unique-id": "1", "onnx-file": "a # b.onnx"}
    yaml = "# mine\n\nproperty:   # the group\n    gie-unique-id:   1  # one\n\n    offsets: 0;0;0\n"
    assert values(read(yaml, "yaml")) == {"gie-unique-id": "1", "offsets": "0;0;0"}


@pytest.mark.parametrize(
    ("text", "syntax", "told"),
    [
        ("a=1", "ini", "line 1: 'a' stands before any group"),
        ("[property]\na=1\na=2", "ini", "line 3: 'a' is there twice in 'property'"),
        ("[property]\na=1\n[property]", "ini", "line 3: the group 'property' is there twice"),
        ("[property]\na=", "ini", "line 2: 'a' has no value"),
        ("[property]\nwhatever", "ini", "line 2: neither a group"),
        ("[property]\na=\x07b", "ini", "control character"),
        ("property:\n  a: 1\n a2: 2", "yaml", "line 3: 'a2' is not indented"),
        ("property:\na: 1", "yaml", "'a' is not indented"),
        ("property:\n  a: [1, 2]", "yaml", "more than a plain value"),
        ("property:\n  a: 'x'", "yaml", "more than a plain value"),
        ("property:\n  a: b: c", "yaml", "more than a plain value"),
        ("property:\n\ta: 1", "yaml", "neither a group"),
        ("property:\n  - a", "yaml", "neither a group"),
        ("property:\n  a: 1\nproperty:", "yaml", "there twice"),
        ("#" * (MOST_CHARACTERS + 1), "ini", "characters"),
    ],
)
def test_what_is_no_configuration_is_refused(text: str, syntax: str, told: str) -> None:
    """A text that nvinfer would read otherwise than it looks is refused with its line."""
    with pytest.raises(InputProblem, match=told):
        read(text, syntax, "x")


@pytest.mark.parametrize("value", ["", "a\nb", "a: b", "'a'", "[a]", "a\\b", "a ", "- a", "ü", "a:", "#a"])
def test_what_a_file_cannot_hold_is_not_written(value: str) -> None:
    """A value that one of the syntaxes would change is refused before it is written."""
    for syntax in ("ini", "yaml"):
        with pytest.raises(InputProblem, match="cannot hold"):
            write(Config((Entry("onnx-file", value),)), syntax)


pieces = st.sampled_from(
    ["property", "[property]", "  ", "\t", "\n", "key", "=", ": ", "1;2", "#", "'", "\0"]
)


@given(st.text() | st.lists(pieces, max_size=30).map("".join), st.sampled_from(["ini", "yaml"]))
def test_any_text_is_a_configuration_or_refused(text: str, syntax: str) -> None:
    """Of arbitrary text nothing comes but a configuration or an InputProblem."""
    config, problem = attempt(InputProblem, lambda: read(text, syntax))
    assert config is not None or (problem is not None and problem.advice)
