"""The parsers for DeepStream, built here: they equal the Python decoding and read no byte too many."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.model import Network
from shared.contract.outputs import (
    BoxOutput,
    ClassificationOutputs,
    DetectionOutputs,
    NamedClasses,
    ObjectsOutput,
    Outputs,
    ScoreOutput,
    SymbolsOutput,
    Task,
    TextOutputs,
)
from shared.contract.streaming import Answer
from shared.inference.decoding import confidence_of, decode_boxes, decode_class, decode_text
from shared.inference.image_files import read_image
from shared.inference.preprocess import Placement, to_input
from tests.conftest import ROOT

sys.path.insert(0, str(PRODUCT / "targets" / "deepstream-parsers"))
from label_text import TOO_LONG, read_label
from outputs_text import outputs_text
from parser_library import ParsedBox, ParserError, ParserLibrary

SOURCE = PRODUCT / "targets" / "deepstream-parsers"

LACKING = [tool for tool in ("cmake", "g++") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"there is no {' and no '.join(LACKING)}")

OURS = Workspace(PRODUCT)
AS_IT_IS = Placement(1.0, 1.0, 0.0, 0.0)
FUZZ_SECONDS = 30
SUMMED_UP = 2e-6
"""Of a label's confidence: six decimals, and sums whose order is another one."""

ALPHABET = "AB1-|% \n\u00c4\U0001f600"
COUNTRIES = ("D", "", "-", "\u00c4|%")


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skips a test where tools are missing."""
    lacking = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(lacking), reason=f"there is no {' and no '.join(lacking)}")


def run(*command: str | Path, **changes: Any) -> subprocess.CompletedProcess[str]:
    """Run a program; a failure shows what it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **changes)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-6000:]}{done.stderr[-6000:]}"
    return done


def configured(folder: Path, *settings: str, compiler: str = "g++") -> Path:
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    settings = (*settings, f"CMAKE_CXX_COMPILER={compiler}")
    run("cmake", "-S", SOURCE, "-B", folder, *generator, *(f"-D{setting}" for setting in settings))
    return folder


def built(folder: Path, *settings: str, compiler: str = "g++") -> Path:
    """Build the parsers with CMake's settings; return the folder."""
    run("cmake", "--build", configured(folder, *settings, compiler=compiler), "--parallel", "2")
    return folder


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bridge, as a product has it."""
    folder = built(tmp_path_factory.mktemp("parsers"), "DEEPSTREAM_RELEASE=7.1")
    return folder / "libdockyard_parser_bridge.so"


def network_of(outputs: Outputs) -> Network:
    """A network with these outputs."""
    found = load_model(OURS, "digits", "test")
    assert isinstance(found, Network)
    return replace(found, outputs=outputs, task=Task(outputs.kind))


def library_of(bridge: Path, outputs: Outputs) -> ParserLibrary:
    return ParserLibrary(bridge, outputs_text([("n", network_of(outputs))]))


Tensors = dict[str, np.ndarray]
Rng = np.random.Generator


def numbers(rng: Rng, shape: Sequence[int], spread: float) -> np.ndarray:
    """Random numbers, now and then some that are none, in one of the types that the parsers read."""
    found = rng.normal(0, spread, shape)
    if rng.random() < 0.2:
        wild = rng.choice([np.nan, np.inf, -np.inf, 1e30, 6e-8, 0.0], found.shape)
        found = np.where(rng.random(found.shape) < 0.05, wild, found)
    with np.errstate(over="ignore"):
        return found.astype(rng.choice([np.float32, np.float16]))


# ---- boxes


@dataclass(frozen=True)
class BoxCase:
    """A detector's outputs, the input's height and width, and nvinfer's threshold."""

    outputs: DetectionOutputs
    tensors: Tensors
    size: tuple[int, int]
    threshold: float


def box_cases(form: str, count: int) -> Iterator[BoxCase]:
    """Yield random detectors of a form, with their outputs."""
    rng = np.random.default_rng(sum(form.encode()))
    for _ in range(count):
        rows = int(rng.choice([0, 1, 1, 3, 12, 40, 300], p=[0.03, 0.2, 0.17, 0.2, 0.2, 0.18, 0.02]))
        columns, first = int(rng.integers(6, 10)), int(rng.integers(0, 3))
        unit = str(rng.choice(["relative", "pixels"]))
        size = int(rng.integers(1, 700)), int(rng.integers(1, 700))
        boxes = numbers(rng, (rows, columns), 0.3)
        known = boxes_of(rng, form, rows) * (1 if unit == "relative" else 300)
        at = slice(first, first + 4)
        boxes[:, at] = np.where(np.isfinite(boxes[:, at]), known, boxes[:, at])
        score, tensors = score_of(rng, boxes)
        lead = [(), (1,), (1, 1)][int(rng.integers(3))]
        tensors["box"] = boxes.reshape(*lead, rows, columns)
        finds_many = score is not None and rng.random() < 0.5
        objects = ObjectsOutput(rng.choice([None, 0.0, 0.3, 0.5, 1.0])) if finds_many else None
        outputs = DetectionOutputs(BoxOutput("box", form, unit, first), score, objects)
        yield BoxCase(outputs, tensors, size, float(rng.choice([0.0, 0.0, 0.3, -np.inf])))


def boxes_of(rng: Rng, form: str, rows: int) -> np.ndarray:
    """Boxes of about the input's size, some beyond it, a few inside out."""
    centres, sizes = rng.normal(0.5, 0.3, (rows, 2)), rng.normal(0.3, 0.15, (rows, 2))
    low, high = centres - sizes / 2, centres + sizes / 2
    if form == "yxyx":
        low, high = low[:, ::-1], high[:, ::-1]
    pairs = {"xywh": (low, sizes), "cxcywh": (centres, sizes)}.get(form, (low, high))
    return np.concatenate(pairs, axis=1)


def score_of(rng: Rng, boxes: np.ndarray) -> tuple[ScoreOutput | None, Tensors]:
    """A score in a tensor, in a column or none; many are equal, so that the order of equals matters."""
    minimum = float(np.round(rng.random(), 2))
    place = rng.random()
    with np.errstate(invalid="ignore"):
        scores = (np.round(numbers(rng, (len(boxes),), 0.5) * 16) / 16).astype(np.float32)
    if place < 0.45:
        shape = [(-1,), (-1, 1), (1, -1)][int(rng.integers(3))]
        shape = (0,) if len(boxes) == 0 else shape
        return ScoreOutput("score", None, minimum), {"score": scores.reshape(shape)}
    if place < 0.9:
        column = int(rng.integers(boxes.shape[1]))
        with np.errstate(over="ignore"):
            boxes[:, column] = scores
        return ScoreOutput(None, column, minimum), {}
    return None, {}


def wanted_boxes(case: BoxCase) -> list[ParsedBox]:
    """What the Python decoding finds, clipped as nvinfer needs it."""
    outputs, threshold = case.outputs, case.threshold
    if outputs.score is not None:
        minimum = max(outputs.score.minimum, float(np.float32(threshold)))
        outputs = replace(outputs, score=replace(outputs.score, minimum=minimum))
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        decoded = decode_boxes(outputs, case.size, case.tensors, AS_IT_IS)
    for scored in decoded:
        sides = [
            side(scored.box[axis], scored.box[axis + 2], limit) for axis, limit in enumerate(case.size[::-1])
        ]
        (left, width), (top, height) = sides
        if width > 0 and height > 0:
            found.append(ParsedBox(left, top, width, height, 1.0 if scored.score is None else scored.score))
    return found


def side(low: float, high: float, limit: int) -> tuple[float, float]:
    """Where a side of a box starts within the input, and its length, in float32."""
    start, end = (np.float32(min(max(value, 0.0), float(limit))) for value in (low, high))
    length = end - start
    while length > 0 and start + length > np.float32(limit):
        length = np.nextafter(length, np.float32(0))
    return float(start), float(length)


@pytest.mark.parametrize("form", ["xyxy", "yxyx", "xywh", "cxcywh"])
def test_boxes_are_those_of_the_python_decoding(bridge: Path, form: str) -> None:
    """Of 1,500 random detectors of each form the parser finds exactly the boxes that the Python decoding
    does, in its order, clipped to the input.
    """
    seen = 0
    for case in box_cases(form, 1500):
        with library_of(bridge, case.outputs) as library:
            found = library.detect(case.tensors, case.size, case.threshold)
        assert found == wanted_boxes(case), case
        seen += len(found)
        for box in found:
            assert box.left >= 0 <= box.top
            assert np.float32(box.left) + np.float32(box.width) <= case.size[1]
            assert np.float32(box.top) + np.float32(box.height) <= case.size[0]
    assert seen > 1500


def test_many_boxes(bridge: Path) -> None:
    """Of thousands of rows the hundred surest are looked at, of equal ones the first."""
    rng = np.random.default_rng(3)
    rows = rng.random((8400, 5)).astype(np.float32)
    rows[:, 2:4] = 0.003
    rows[:, 4] = np.round(rows[:, 4], 1)
    outputs = DetectionOutputs(BoxOutput("box", "cxcywh"), ScoreOutput(None, 4, 0.25))
    case = BoxCase(outputs, {"box": rows[None]}, (640, 640), 0.0)
    with library_of(bridge, outputs) as library:
        found = library.detect(case.tensors, case.size)
    assert found == wanted_boxes(case)
    assert 50 < len(found) <= 100


# ---- texts and classes


def probabilities(rng: Rng, shape: Sequence[int]) -> np.ndarray:
    """Rows that are probabilities, nearly so, or no probabilities at all."""
    found = numbers(rng, shape, float(rng.choice([1, 4])))
    if rng.random() < 0.6:
        with np.errstate(invalid="ignore", over="ignore"):
            grown = np.exp(np.clip(found.astype(np.float64), -50, 50))
            found = (grown / grown.sum(-1, keepdims=True)).astype(found.dtype)
    return found


def text_cases(count: int) -> Iterator[tuple[TextOutputs, Tensors]]:
    """Yield random text recognizers with their outputs."""
    rng = np.random.default_rng(11)
    for _ in range(count):
        alphabet = ALPHABET[: int(rng.integers(1, len(ALPHABET) + 1))]
        decoder = str(rng.choice(["heads", "ctc"]))
        blank = None if rng.random() < 0.4 else int(rng.integers(len(alphabet) + 1))
        has_blank = decoder == "ctc" or blank is not None or rng.random() < 0.5
        shape = int(rng.integers(1, 25)), len(alphabet) + has_blank
        rows = probabilities(rng, shape)
        if rng.random() < 0.5:
            names = tuple(f"s{i}" for i in range(len(rows)))
            tensors = dict(zip(names, rows[:, None], strict=True))
        else:
            names, tensors = ("s",), {"s": rows[None] if rng.random() < 0.5 else rows}
        country = None
        if rng.random() < 0.6:
            names_of_countries = COUNTRIES[: int(rng.integers(1, len(COUNTRIES) + 1))]
            country = NamedClasses("country", names_of_countries)
            tensors["country"] = numbers(rng, (1, len(names_of_countries)), 1)
        yield TextOutputs(SymbolsOutput(names, alphabet, decoder, blank), country), tensors


def encoded_bytes(text: str) -> int:
    return sum(3 if symbol in "|%\n" else len(symbol.encode()) for symbol in text)


def label_bytes(text: str, country: str | None) -> int:
    """How long a label is, of which 14 bytes are the same in all."""
    special = {None: 1, "-": 3}
    return 14 + encoded_bytes(text) + special.get(country, encoded_bytes(country or ""))


def same(found: Answer, wanted: Answer) -> bool:
    assert found.confidence is not None
    assert wanted.confidence is not None
    near = abs(found.confidence - wanted.confidence) <= SUMMED_UP
    return (found.text, found.country) == (wanted.text, wanted.country) and near


def test_texts_are_those_of_the_python_decoding(bridge: Path) -> None:
    """Of 4,000 random text recognizers the label says the text, the country and the confidence of the Python
    decoding; only what nvinfer would cut off says that it is too long.
    """
    kept = 0
    for outputs, tensors in text_cases(4000):
        with np.errstate(invalid="ignore", over="ignore"):
            wanted = decode_text(outputs, tensors)
            sure = confidence_of(outputs, tensors)
        with library_of(bridge, outputs) as library:
            found = library.read(tensors)
        assert found is not None
        is_long = label_bytes(wanted.text, wanted.country) > 127
        assert (found.label == TOO_LONG) == is_long, (found.label, wanted)
        assert abs(found.confidence - sure) <= SUMMED_UP
        if not is_long:
            assert same(read_label(found.label), Answer(wanted.text, wanted.country, sure)), (
                outputs,
                tensors,
            )
            kept += 1
    assert kept > 3500


def test_classes_are_those_of_the_python_decoding(bridge: Path) -> None:
    """Of 1,000 random classifiers the label says the class and the confidence of the Python decoding."""
    rng = np.random.default_rng(5)
    for _ in range(1000):
        count = int(rng.integers(1, 40))
        outputs = ClassificationOutputs(NamedClasses("c", tuple(f"class {i}" for i in range(count))))
        tensors = {"c": probabilities(rng, [(count,), (1, count), (1, count, 1, 1)][int(rng.integers(3))])}
        with np.errstate(invalid="ignore", over="ignore"):
            wanted = Answer(decode_class(outputs, tensors), None, confidence_of(outputs, tensors))
        with library_of(bridge, outputs) as library:
            found = library.read(tensors)
        assert found is not None
        assert same(read_label(found.label), wanted)


def test_every_half_is_read(bridge: Path) -> None:
    """All 65,536 numbers of float16 are read as numpy reads them: as the score of a box."""
    halves = np.arange(65536, dtype=np.uint32).astype(np.uint16).view(np.float16)
    outputs = DetectionOutputs(BoxOutput("b", "xyxy", "pixels"), ScoreOutput("s", minimum=-1e6))
    box = np.array([1, 1, 2, 2], np.float16)
    with library_of(bridge, outputs) as library:
        for half in halves:
            found = library.detect({"b": box, "s": half.reshape(1)}, (9, 9))
            wanted = [] if np.isnan(half) or float(half) < -1e6 else [float(half)]
            assert [one.confidence for one in found] == wanted


def test_real_outputs_of_a_classifier(bridge: Path) -> None:
    """What the example model, run by OpenCV, makes of its test images is read as in Python."""
    network = load_model(OURS, "digits", "test")
    assert isinstance(network, Network)
    assert isinstance(network.outputs, ClassificationOutputs)
    runner = cv2.dnn.readNetFromONNX(str(ROOT / "tests" / "fixtures" / "digits.onnx"))
    images = sorted((ROOT / "models" / "digits" / "data" / "test" / "images").glob("*.png"))[:100]
    with library_of(bridge, network.outputs) as library:
        for path in images:
            runner.setInput(to_input(read_image(path), network.input)[0])
            tensors = {"digit": runner.forward("digit")}
            found = library.read(tensors)
            assert found is not None
            sure = confidence_of(network.outputs, tensors)
            assert same(read_label(found.label), Answer(decode_class(network.outputs, tensors), None, sure))
    assert len(images) == 100


# ---- the bridge


CLASSES = ClassificationOutputs(NamedClasses("c", ("x", "y")))
SURE = np.array([0.25, 0.75], np.float32)


def test_below_the_threshold_nothing_is_attached(bridge: Path) -> None:
    """A reading that is less sure than classifier-threshold is none; just as sure is one."""
    with library_of(bridge, CLASSES) as library:
        assert library.read({"c": SURE}, 0.75) is not None
        assert library.read({"c": SURE}, 0.7501) is None


def test_any_strides_and_other_outputs(bridge: Path) -> None:
    """An array that is not contiguous is read by its values; outputs that no network has do not matter."""
    wide = np.repeat(SURE, 3)
    with library_of(bridge, CLASSES) as library:
        found = library.read({"others": np.zeros(3, np.int64), "c": wide[::3]})
    assert found is not None
    assert found.label == "dy1|y|-|0.750000"


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (SURE[:1], "the output 'c' has 1 numbers for 2 names"),
        (np.zeros((2, 2), np.float32), "the output 'c' has 4 numbers for 2 names"),
        (SURE.astype(np.int32), "the output 'c' is neither float32 nor float16"),
        (SURE.astype(np.float64), "the output 'c' is float64, none of float32"),
        (SURE.astype(">f4"), "the output 'c' is >f4, none of float32"),
        (SURE.reshape((1,) * 8 + (2,)), "is none that nvinfer has"),
    ],
)
def test_what_the_parser_refuses_is_an_error(bridge: Path, array: np.ndarray, told: str) -> None:
    """Outputs that are not as outputs.txt says are an error that says why."""
    with library_of(bridge, CLASSES) as library, pytest.raises(ParserError, match=told):
        library.read({"c": array})


def test_errors_of_the_library(bridge: Path, tmp_path: Path) -> None:
    """Bad outputs, another library and parsers that were closed are errors of one kind."""
    with pytest.raises(
        ParserError, match=r"outputs\.txt: line 1: the first line is not 'dockyard-outputs 1'"
    ):
        ParserLibrary(bridge, "nothing 1\n")
    for path in (tmp_path / "none.so", bridge.with_name("libdockyard_parsers.so")):
        with pytest.raises(ParserError, match="is no library of the parsers"):
            ParserLibrary(path, "")
    library = library_of(bridge, CLASSES)
    with pytest.raises(ParserError, match=r"no detector has all its tensors among the outputs \(c\)"):
        library.detect({"c": SURE}, (9, 9))
    library.close()
    library.close()
    with pytest.raises(ParserError, match="have been closed"):
        library.read({"c": SURE})


def test_threads_share_the_parsers(bridge: Path) -> None:
    """Several threads read with the same parsers at once."""
    with library_of(bridge, CLASSES) as library, ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: library.read({"c": SURE}), range(2000)))
    assert {one.label for one in found if one} == {"dy1|y|-|0.750000"}


# ---- how they are built


def check(folder: Path) -> str:
    """Run the checks with hand-made layers; return their last line."""
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    env.pop("DOCKYARD_OUTPUTS", None)
    return run(folder / "check_parsers", env=env).stdout.splitlines()[-1]


def test_hand_made_layers_under_sanitizers(tmp_path: Path) -> None:
    """Mis-shaped layers, bad texts and first calls from many threads: every answer is right, no byte too many
    is read, no memory is left behind.
    """
    folder = built(tmp_path, "DEEPSTREAM_RELEASE=7.1", "DOCKYARD_SANITIZE=ON", "DOCKYARD_CHECKS=ON")
    assert check(folder).startswith("0 of 1")


def said(folder: Path, **env: str) -> tuple[list[str], list[str]]:
    """What the library says of one detector's outputs, asked twice, and its lines on standard error."""
    known = {key: value for key, value in os.environ.items() if key != "DOCKYARD_OUTPUTS"}
    done = run(folder / "check_parsers", "say", env={**known, **env})
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_deepstream_9(tmp_path: Path) -> None:
    """The library for the larger object of DeepStream 9 gives the same answers. It finds outputs.txt beside
    it, or where DOCKYARD_OUTPUTS says; without, every call is refused and the reason is told once.
    """
    folder = built(tmp_path / "build", "DEEPSTREAM_RELEASE=9.1", "DOCKYARD_CHECKS=ON")
    assert check(folder).startswith("0 of 1")
    reason = f"NvDsInferParseCustomDetector: {folder / 'outputs.txt'}: cannot be read"
    assert said(folder) == (["refused 0"] * 2, [f"dockyard parsers: {reason}"])
    detector = load_model(OURS, "lp_detector", "test")
    assert isinstance(detector, Network)
    (folder / "outputs.txt").write_text(outputs_text([("lp_detector", detector)]))
    assert said(folder) == (["read 1"] * 2, [])
    bad = tmp_path / "bad.txt"
    bad.write_text("dockyard-outputs 1\nnetwork a\n")
    answers, (line,) = said(folder, DOCKYARD_OUTPUTS=str(bad))
    assert answers == ["refused 0"] * 2
    assert line.endswith(f"{bad}: line 2: the network 'a' lacks 'task'")


def test_against_the_headers_of_an_sdk(tmp_path: Path) -> None:
    """DEEPSTREAM_INCLUDES takes the SDK's own headers; those of another release do not compile."""
    headers = tmp_path / "includes"
    shutil.copytree(SOURCE / "include", headers)
    text = (headers / "nvdsinfer.h").read_text()
    (headers / "nvdsinfer.h").write_text(text.replace("DOCKYARD_DEEPSTREAM_MAJOR >= 9", "1"))
    sdk = f"DEEPSTREAM_INCLUDES={headers}"
    right = configured(tmp_path / "right", "DEEPSTREAM_RELEASE=9.1", sdk)
    run("cmake", "--build", right, "--target", "dockyard_parsers", "--parallel", "2")
    wrong = configured(tmp_path / "wrong", "DEEPSTREAM_RELEASE=7.1", sdk)
    with pytest.raises(AssertionError, match=r"is DEEPSTREAM_RELEASE right\?"):
        run("cmake", "--build", wrong, "--target", "dockyard_parsers", "--parallel", "2")
    with pytest.raises(AssertionError, match=r"not a release like 7\.1"):
        configured(tmp_path / "none", "DEEPSTREAM_RELEASE=nine")


@needs("nm")
def test_nothing_else_is_exported(bridge: Path) -> None:
    """The library that nvinfer loads has the two functions for a program to see, and the bridge its five."""
    wanted = {
        "libdockyard_parsers.so": {"NvDsInferParseCustomDetector", "NvDsInferParseCustomReader"},
        bridge.name: {
            f"dockyard_{name}" for name in ("bridge_version", "open", "close", "detect", "read")
        },
    }  # fmt: skip
    for name, functions in wanted.items():
        lines = run("nm", "-D", "--defined-only", bridge.with_name(name)).stdout.splitlines()
        found = {line.split()[-1] for line in lines if line.split()[-2] == "T"}
        assert found == functions


# ---- what looks at the code


@pytest.fixture(scope="module")
def fuzzers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build by clang with the fuzzers and the checks."""
    folder = tmp_path_factory.mktemp("fuzz")
    settings = ("DEEPSTREAM_RELEASE=7.1", "DOCKYARD_FUZZ=ON", "DOCKYARD_CHECKS=ON")
    probe = subprocess.run(
        ["clang++", "-fsanitize=fuzzer,address", "-x", "c++", "-", "-o", os.devnull],
        input='extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }',
        capture_output=True,
        text=True,
    )
    if probe.returncode:
        pytest.skip("this clang has no libFuzzer (Debian: libclang-rt-14-dev)")
    return built(folder, *settings, compiler="clang++")


@needs("clang++")
def test_fuzzers_find_nothing(fuzzers: Path, tmp_path: Path) -> None:
    """Half a minute of any bytes as texts, and as layers, ends without a crash, a leak or a wrong answer."""
    seeds = tmp_path / "fuzz_texts"
    seeds.mkdir()
    (tmp_path / "fuzz_layers").mkdir()
    names = ("lp_detector", "lp_reader", "digits")
    text = outputs_text([(name, load_model(OURS, name, "test")) for name in names])  # type: ignore[misc]
    (seeds / "models").write_text(text)
    running = []
    for name in ("fuzz_texts", "fuzz_layers"):
        options = [f"-max_total_time={FUZZ_SECONDS}", f"-artifact_prefix={tmp_path}/", "-print_final_stats=1"]
        if name == "fuzz_texts":
            options.append(f"-dict={SOURCE / 'fuzz' / 'outputs.dict'}")
        command = [fuzzers / name, *options, tmp_path / name]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    for process in running:
        _, lines = process.communicate(timeout=FUZZ_SECONDS * 5)
        assert process.returncode == 0, lines[-6000:]
        executions = next(line for line in lines.splitlines() if "number_of_executed_units" in line)
        assert int(executions.split()[-1]) > 10_000


def sources(*endings: str) -> list[Path]:
    return sorted(path for ending in endings for path in SOURCE.rglob(f"*{ending}"))


@needs("clang-format")
def test_formatted() -> None:
    """The code is as clang-format would have it."""
    run("clang-format", "--dry-run", "--Werror", *sources(".cpp", ".h"))


@needs("clang-tidy", "clang++")
def test_clang_tidy(tmp_path: Path) -> None:
    """clang-tidy finds nothing."""
    settings = ("DEEPSTREAM_RELEASE=9.1", "DOCKYARD_FUZZ=ON", "DOCKYARD_CHECKS=ON")
    folder = configured(tmp_path, *settings, compiler="clang++")
    halves = [sources(".cpp")[start::2] for start in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda half: run("clang-tidy", "--quiet", "-p", folder, *half), halves))
