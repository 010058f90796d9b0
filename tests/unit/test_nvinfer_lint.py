"""What is wrong with a configuration of nvinfer is told, and of what is right nothing."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import InputProblem
from shared.contract.model import Network
from shared.contract.outputs import ClassificationOutputs, NamedClasses, Task
from shared.contract.streaming import Tracking

sys.path.insert(0, str(PRODUCT / "targets" / "nvinfer-configs"))
from nvinfer_config import Element, detector_config, label_lines, reader_config
from nvinfer_entries import Config, Entry
from nvinfer_files import leaves
from nvinfer_keys import table
from nvinfer_lint import lint, lint_files, lint_text, lint_together
from nvinfer_text import write

OURS = Workspace(PRODUCT)
RELEASES = tuple(table().releases)
DETECTOR = Element("detector", 1, "7.1", "detector.onnx", "libparsers.so", precision="fp16")
READER = Element("reader", 2, "7.1", "reader.onnx", "libparsers.so", batch=16, precision="fp16")


def network(name: str) -> Network:
    found = load_model(OURS, name, "test")
    assert isinstance(found, Network)
    return found


def detector(release: str = "7.1", **more: Any) -> Config:
    element = replace(DETECTOR, release=release, **more)
    return detector_config(network("lp_detector"), element, Tracking(interval=2))


def reader(release: str = "7.1", **more: Any) -> Config:
    element = replace(READER, release=release, **more)
    return reader_config(network("lp_reader"), element, Tracking(), detector_gie_id=1)


def changed(config: Config, group: str = "property", **values: str | None) -> Config:
    """A configuration with other values, `_` in the place of `-`; None leaves a key out."""
    own = {key.replace("_", "-"): value for key, value in values.items()}
    kept = [entry for entry in config.entries if entry.key not in own or entry.group != group]
    added = [Entry(key, value, group=group) for key, value in own.items() if value is not None]
    return Config((*kept, *added))


def told(config: Config, name: str = "a.txt", release: str = "7.1", folder: Path | None = None) -> list[str]:
    return [str(problem) for problem in lint(config, name, release, folder)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the configurations name, engines left out."""
    for name in ("detector.onnx", "reader.onnx", "libparsers.so"):
        (tmp_path / name).touch()
    (tmp_path / "detector_labels.txt").write_text("\n".join(label_lines(network("lp_detector"))) + "\n")
    return tmp_path


@pytest.mark.parametrize("syntax", ["ini", "yaml"])
@pytest.mark.parametrize("release", RELEASES)
def test_generated_files_are_clean(folder: Path, release: str, syntax: str) -> None:
    """Of the files of a detector and its reader there is nothing to tell, in any release and either syntax,
    typed or not, in any precision.
    """
    for typed, precision in ((False, "fp32"), (False, "fp16"), (True, "int8")):
        paths = [folder / f"{name}.{'txt' if syntax == 'ini' else 'yaml'}" for name in ("one", "two")]
        own = {"precision": precision, "is_typed": typed, "batch": 4}
        for path, config in zip(paths, (detector(release, **own), reader(release, **own))):
            path.write_text(write(config, syntax))
        assert lint_files(paths, release) == []


@pytest.mark.parametrize("release", RELEASES)
def test_a_classifier_beside_a_reader_is_clean(folder: Path, release: str) -> None:
    """A classifier of the same objects has a number of its own, and its labels in one line."""
    outputs = ClassificationOutputs(NamedClasses("kind", ("car", "van")))
    kind = replace(network("lp_reader"), task=Task.CLASSIFICATION, outputs=outputs)
    element = replace(READER, name="kind", gie_id=3, release=release)
    (folder / element.label_file).write_text("\n".join(label_lines(kind)))
    config = reader_config(kind, element, Tracking(), 1)
    assert told(config, release=release, folder=folder) == []
    three = {"a.txt": detector(release), "b.txt": reader(release), "c.txt": config}
    assert lint_together(three) == []


def test_an_unknown_key_is_told_with_the_nearest() -> None:
    """A key that nvinfer does not have is told with the release and the nearest name."""
    (problem,) = told(changed(detector(), net_scale_facto="1"), release="6.3")
    assert problem == (
        "a.txt, property: 'net-scale-facto' is no known key of nvinfer in release 6.3; "
        "did you mean 'net-scale-factor'?"
    )


@pytest.mark.parametrize(("release", "is_there"), [("7.0", True), ("7.1", False), ("9.2", False)])
def test_a_key_that_left_is_told_with_its_release(release: str, is_there: bool) -> None:
    """A key that TensorRT 10 ended is told with the release that it left, and let be before it."""
    config = changed(detector(release), force_implicit_batch_dim="1")
    told_here = [problem for problem in told(config, release=release) if "force-implicit" in problem]
    sentence = f"'force-implicit-batch-dim' left with release 7.1 and is not in {release}"
    assert told_here == ([] if is_there else [f"a.txt, property: {sentence}; {ADVICE}"])


ADVICE = "remove it, or choose another release"


def test_a_key_that_is_not_there_yet_is_told() -> None:
    """A key of a later release is told with the release that brings it."""
    (problem,) = told(changed(detector(), strongly_typed="1"), release="8.0")
    assert "'strongly-typed' is there from release 9.0 on, not in 8.0" in problem
    assert told(changed(detector(), strongly_typed="1"), release="9.1") == []


def test_a_key_of_the_other_syntax_is_told() -> None:
    """A legacy name that only the ini reader knows is told in a YAML file."""
    config = changed(reader(), is_classifier="1")
    assert told(config) == []
    (problem,) = told(config, "a.yml")
    assert "'is-classifier' is not read of yaml" in problem


WRONG = [
    ("detector", {"offsets": "1;2"}, "offsets has 2 numbers for 3 channels"),
    ("detector", {"model_color_format": "2"}, "infer-dims begins with 3, and model-color-format has 1"),
    ("detector", {"infer_dims": "384;512"}, "infer-dims has 2 numbers"),
    ("detector", {"infer_dims": "384;512;3"}, "infer-dims begins with 384"),
    (
        "detector",
        {"network_input_order": "1", "infer_dims": None},
        "network-input-order is 1 without infer-dims",
    ),
    ("detector", {"mean_file": "mean.ppm"}, "mean-file and offsets are both there"),
    ("detector", {"net_scale_factor": "0"}, "not above 0, so that offsets do not count"),
    ("detector", {"batch_size": "1025"}, "batch-size is 1025, above 1024"),
    ("detector", {"maintain_aspect_ratio": "true"}, "maintain-aspect-ratio is 'true', not 0 or 1"),
    ("detector", {"gie_unique_id": "0"}, "gie-unique-id is 0, below 1"),
    ("detector", {"batch_size": "2"}, "the engine is for a batch of 1, batch-size is 2"),
    ("detector", {"network_mode": "1"}, "the engine is fp16, network-mode 1 is int8"),
    (
        "detector",
        {"onnx_file": "other.onnx"},
        "keeps what it builds of other.onnx as other.onnx_b1_gpu0_fp16",
    ),
    ("detector", {"enable_dla": "1", "use_dla_core": "1"}, "as detector.onnx_b1_dla1_fp16.engine"),
    ("detector", {"gpu_id": "1"}, "as detector.onnx_b1_gpu1_fp16.engine"),
    ("detector", {"onnx_file": None, "model_engine_file": None}, "neither onnx-file nor model-engine-file"),
    (
        "detector",
        {"onnx_file": "../detector.onnx"},
        "../detector.onnx leads out of the configuration's folder",
    ),
    ("detector", {"custom_lib_path": "/opt/lib.so"}, "/opt/lib.so leads out of the configuration's folder"),
    ("detector", {"num_detected_classes": None}, "num-detected-classes is missing"),
    ("detector", {"parse_bbox_func_name": None}, "cluster-mode is 4 without parse-bbox-func-name"),
    ("detector", {"custom_lib_path": None}, "parse-bbox-func-name is there without custom-lib-path"),
    ("detector", {"classifier_async_mode": "1"}, "classifier-async-mode is 1 on whole frames"),
    ("detector", {"topk": "3"}, "'topk' belongs into a group 'class-attrs-all'"),
    ("detector", {"output_blob_names": "box;;score"}, "empty name"),
    ("reader", {"process_mode": "1"}, "process-mode is 1, whole frames, beside operate-on-gie-id"),
    ("reader", {"process_mode": None}, "process-mode is 1, whole frames, beside operate-on-gie-id"),
    ("reader", {"scaling_compute_hw": None}, "scaling-compute-hw is not 1"),
    ("reader", {"scaling_compute_hw": "2"}, "scaling-compute-hw is not 1"),
    ("reader", {"interval": "1"}, "interval does not count with process-mode 2"),
    ("reader", {"classifier_async_mode": "1", "output_tensor_meta": "1"}, "are both 1"),
]


@pytest.mark.parametrize(("kind", "values", "sentence"), WRONG, ids=[case[2] for case in WRONG])
def test_what_is_wrong_is_told(kind: str, values: dict[str, str | None], sentence: str) -> None:
    """Each mistake is told in one sentence that names the file, what is wrong and what to do."""
    problems = told(changed(detector() if kind == "detector" else reader(), **values))
    assert [problem for problem in problems if sentence in problem], problems
    for problem in problems:
        assert re.fullmatch(r"a\.txt(, [\w-]+)?: .+; .+", problem), problem
    assert len(problems) <= 2


def test_groups_are_told() -> None:
    """A file without `property`, a group of no class that there is, and one that is none are told."""
    config = changed(changed(detector(), "class-attrs-1", topk="3"), "tests", topk="3")
    problems = told(config)
    assert [problem for problem in problems if "'class-attrs-1' is of a class that" in problem]
    assert [problem for problem in problems if "'tests' is no group of nvinfer" in problem]
    assert (
        "the group 'property' is missing" in told(Config((Entry("topk", "3", group="class-attrs-all"),)))[0]
    )
    (problem,) = told(changed(detector(), "class-attrs-0", interval="3"))
    assert "'interval' belongs into the group 'property'" in problem


def test_elements_are_told_apart() -> None:
    """Two elements with one number, and one that works on objects of nobody, are told."""
    twice = {"a.txt": detector(), "b.txt": changed(reader(), gie_unique_id="1")}
    (problem,) = lint_together(twice)
    assert str(problem) == "b.txt: gie-unique-id 1 is that of a.txt, too; give each nvinfer its own"
    (problem,) = lint_together({"a.txt": detector(), "b.txt": changed(reader(), operate_on_gie_id="7")})
    assert "operate-on-gie-id is 7, and no nvinfer before it has that number; take one of: 1" in str(problem)
    problems = lint_together({"b.txt": reader(), "a.txt": detector()})
    assert ["none is there" in str(problem) for problem in problems] == [True]


def test_missing_files_are_looked_for_beside_the_file(folder: Path) -> None:
    """A path starts at the configuration's folder; an engine may be missing where nvinfer builds it."""
    assert told(detector(), folder=folder) == []
    (folder / "libparsers.so").unlink()
    (problem,) = told(detector(), folder=folder)
    assert problem.startswith("a.txt, custom-lib-path: there is no file libparsers.so; ")
    odd = changed(detector(), model_engine_file="own.engine", custom_lib_path="x" * 5000)
    problems = told(odd, folder=folder)
    assert [problem.split(":")[0] for problem in problems] == [
        "a.txt, model-engine-file",
        "a.txt, custom-lib-path",
    ]
    (folder / "own.engine").touch()
    (folder / "libparsers.so").touch()
    assert told(changed(detector(), model_engine_file="own.engine"), folder=folder) == []
    without = changed(detector(), onnx_file=None)
    assert "there is no file detector.onnx_b1_gpu0_fp16.engine" in told(without, folder=folder)[0]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"plate\n", ""),
        (b"plate", ""),
        (b"", "0 labels, and num-detected-classes is 1"),
        (b"plate\ncar\n", "2 labels, and num-detected-classes is 1"),
        (b"\xff\xfe", "is no text of labels"),
        (b"a" * (1 << 20) + b"bc", "is no text of labels"),
    ],
)
def test_a_detectors_labels_are_counted(folder: Path, content: bytes, sentence: str) -> None:
    """A detector has a line for each of its classes."""
    (folder / "detector_labels.txt").write_bytes(content)
    problems = told(detector(), folder=folder)
    assert [sentence in problem for problem in problems] == ([True] if sentence else [])


@pytest.mark.parametrize(("content", "is_right"), [("a;b\n", True), ("a;b\nc;d\n", True), ("a\nb\n", False)])
def test_a_classifiers_labels_are_in_one_line(folder: Path, content: str, is_right: bool) -> None:
    """Labels of a classifier that stand below one another are told: each would be an attribute by itself."""
    (folder / "kinds.txt").write_text(content)
    problems = told(changed(reader(), labelfile_path="kinds.txt"), folder=folder)
    assert ["each would be an attribute" in problem for problem in problems] == ([] if is_right else [True])


@pytest.mark.parametrize(
    ("path", "does"),
    [
        ("a", False),
        ("a/../b", False),
        ("./a", False),
        ("..", True),
        ("a/../../b", True),
        ("/a", True),
        ("~/a", True),
    ],
)
def test_paths_that_lead_out_are_seen(path: str, does: bool) -> None:
    """A path that leaves its folder is seen however it is written."""
    assert leaves(path) == does


def test_a_text_that_is_none_is_one_problem() -> None:
    """What cannot be read is one problem with its line, not an exception."""
    (problem,) = lint_text("[property]\nx", "a.txt", "7.1")
    assert str(problem).startswith("a.txt, line 2: neither a group")
    with pytest.raises(InputProblem, match=r"DeepStream 5\.0 is not known"):
        lint_text("", "a.txt", "5.0")


def test_files_that_cannot_be_read_do_not_hide_the_others(folder: Path) -> None:
    """Of several files each is told of, and the readable ones are compared."""
    broken, other = folder / "a.txt", folder / "b.txt"
    broken.write_text("what")
    other.write_text(write(reader(), "ini"))
    problems = [str(problem) for problem in lint_files([broken, other], "7.1")]
    assert problems[0].startswith("a.txt, line 1: ")
    assert "operate-on-gie-id is 1, and no nvinfer before it has that number" in problems[1]


KEYS = st.sampled_from(sorted(table().keys)) | st.from_regex(r"[a-zA-Z0-9-]{1,12}", fullmatch=True)
VALUES = (
    st.sampled_from(["0", "1", "-1", "3;4;5", "1e999", ";", "..", "x.onnx_b1_gpu0_fp16.engine"]) | st.text()
)
LINES = st.tuples(KEYS, st.sampled_from(["=", ": "]), VALUES).map("".join)
GROUPS = st.sampled_from(["[property]", "property:", "[class-attrs-all]", "[class-attrs-99999999999]"])


@given(st.text() | st.lists(GROUPS | LINES, max_size=20).map("\n".join), st.sampled_from(RELEASES))
def test_the_lint_never_raises(tmp_path: Path, text: str, release: str) -> None:
    """Of any text there are problems or none, with files looked for or not, in either syntax."""
    for name in ("a.txt", "a.yaml"):
        for folder in (None, tmp_path):
            assert all(str(problem) for problem in lint_text(text, name, release, folder))


@given(
    st.lists(
        st.tuples(st.sampled_from(["property", "class-attrs-all", "class-attrs-3"]), KEYS, VALUES),
        max_size=20,
    )
)
def test_the_lint_of_any_entries_never_raises(tmp_path: Path, entries: list[tuple[str, str, str]]) -> None:
    """Of any entries there are problems or none, and so between two files."""
    config = Config(tuple(Entry(key, value, group=group) for group, key, value in entries))
    told = [*lint(config, "a.txt", "7.1", tmp_path), *lint_together({"a.txt": config, "b.txt": config})]
    assert all(str(problem) for problem in told)
