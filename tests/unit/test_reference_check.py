"""A reference that nothing can be compared with is told, with three samples and the likely causes that fit.

The networks here look at their input: they are sound, and it is model.json or the annotations that are wrong.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.dataset import Sample
from shared.contract.errors import JobFailed
from shared.contract.measurement import SampleScore
from shared.contract.model import DataLocation, InputSpec, Network
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
    Task,
    TextOutputs,
)
from shared.harness.evaluate import evaluate
from shared.harness.floors import FEW, chance_of, shortfall
from shared.harness.reference_check import what_is_wrong
from shared.harness.scoring import quality_of
from tests.fakes import FakeSession

SIDE = 32
NAMES = tuple("zero one two three four five six seven eight nine".split())
SPEC = InputSpec("image", (1, SIDE, SIDE, 3))


def network(task: Task, outputs: Outputs, **changes: Any) -> Network:
    plain = Network("net", task, "", "g.pb", "0" * 64, SPEC, outputs, DataLocation())
    return replace(plain, **changes)


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def check(net: Network, outputs: Callable[[np.ndarray], Any], split: Path) -> list[str]:
    """What is wrong with a network on a split, line by line."""
    session = FakeSession(outputs, net.input)
    return what_is_wrong(net, session, evaluate(net, session, split)).splitlines()


def classifier(names: Sequence[str] = NAMES, **changes: Any) -> Network:
    outputs = ClassificationOutputs(NamedClasses("digit", tuple(names)))
    return network(Task.CLASSIFICATION, outputs, **changes)


def level(image: np.ndarray, right: float = 1.0) -> dict[str, np.ndarray]:
    """The class by the brightness of the first channel; a share of the images is taken for the next class."""
    seen = float(image[0, 0, 0, 0])
    index = min(max(round(seen / 20), 0), 9)
    wrong = image[0, 0, 1, 0] > right * 255
    scores = np.full((1, 10), seen * 1e-6, np.float32)
    scores[0, (index + wrong) % 10] = 1.0
    return {"digit": scores}


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Forty images, four of each class: the red channel tells the class, the next pixel's is even noise."""
    folder = tmp_path / "digits"
    for number in range(40):
        pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
        pixels[..., 2] = 20 * (number % 10)
        pixels[0, 1, 2] = number * 255 // 40
        write(folder / "images" / f"{number:02}.png", pixels)
    label(folder, lambda number: NAMES[number % 10])
    return folder


def label(folder: Path, name: Callable[[int], str], task: Task = Task.CLASSIFICATION) -> None:
    """Annotate the images of a split by their numbers."""
    file, column = ("labels.csv", "label") if task == Task.CLASSIFICATION else ("readings.csv", "reading")
    with (folder / file).open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", column])
        for image in sorted((folder / "images").iterdir()):
            rows.writerow([f"images/{image.name}", name(int(image.stem))])


def test_a_sound_reference(digits: Path) -> None:
    """A reference that works has nothing wrong, and one that is right in a third of ten classes neither."""
    assert check(classifier(), level, digits) == []
    assert check(classifier(), lambda image: level(image, 1 / 3), digits) == []


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        ((NAMES[-1], *NAMES[:-1]), "with the names shifted by one (the first to the end)"),
        ((*NAMES[1:], NAMES[0]), "with the names shifted by one (the last to the front)"),
    ],
)
def test_names_shifted_by_one(digits: Path, names: Sequence[str], cause: str) -> None:
    """Names that are shifted by one are told, with what they would score, beside three samples."""
    first, samples, last = check(classifier(names), level, digits)
    assert first.endswith("accuracy 0 on 40 sample(s): not one answer is right")
    assert samples.count("found") == 3
    assert f"images/00.png: found {names[0]}, true is zero" in samples
    assert last == f"  {cause} accuracy would be 1.00 on 20 sample(s), not 0.00"


def test_names_out_of_order(digits: Path) -> None:
    """Names that are not in the order of the alphabet, as folders of classes are, are told."""
    label(digits, lambda number: sorted(NAMES)[number % 10])
    assert (
        "with the names in the order of the alphabet accuracy would be 1.00"
        in check(classifier(), level, digits)[-1]
    )


def test_channels_the_other_way(digits: Path) -> None:
    """Channels in the wrong order are told with the order that would be right."""
    wrong = classifier(input=replace(SPEC, channels="BGR"))

    def noisy(image: np.ndarray) -> dict[str, np.ndarray]:
        return {"digit": level(image)["digit"] + np.float32(image[0, 0, 0, 2] * 1e-6)}

    assert check(wrong, noisy, digits)[-1].startswith("  with input.channels RGB accuracy would be 1.00")


def test_another_scale(digits: Path) -> None:
    """A wrong scale is told with the mean and scale that would be right."""
    wrong = classifier(input=replace(SPEC, mean=(127.5,), scale=(127.5,)))
    lines = check(wrong, level, digits)
    assert "is not above" in lines[0]
    assert "dealt out at random" in lines[0]
    assert lines[-1].startswith("  with input.mean [0.0] and scale [1.0] accuracy would be 1.00")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite(digits: Path, value: float) -> None:
    """An output with NaN or infinity is told as that, with the samples that have it."""

    def broken(image: np.ndarray) -> dict[str, np.ndarray]:
        return {"digit": np.full((1, 10), value)} if image[0, 0, 0, 0] > 150 else level(image)

    first, *rest = check(classifier(), broken, digits)
    assert first.endswith("its output 'digit' is not finite for 8 of 40 sample(s), first images/08.png")
    assert not any("found" in line for line in rest)


def test_the_same_for_every_sample(digits: Path) -> None:
    """Outputs that are the same for every sample are told as that; where the truth is too, they are right."""
    constant = level(np.zeros((1, SIDE, SIDE, 3)))
    assert (
        "its outputs are the same for each of 40 samples"
        in check(classifier(), lambda image: constant, digits)[0]
    )
    label(digits, lambda number: "zero")
    assert check(classifier(), lambda image: constant, digits) == []


@pytest.mark.parametrize(("noise", "is_told"), [(0.3, True), (1e-3, True), (1e-6, False)])
def test_not_deterministic(digits: Path, noise: float, is_told: bool) -> None:
    """Two runs on one input that differ by more than threads make are told as that, by output and amount."""
    calls = itertools.count()

    def dropped(image: np.ndarray) -> dict[str, np.ndarray]:
        return {"digit": level(image)["digit"] + np.float32(noise * (next(calls) >= 40))}

    lines = check(classifier(), dropped, digits)
    assert bool(lines) is is_told
    if is_told:
        assert lines[0].startswith(
            f"the reference is not deterministic: its output 'digit' differs by {noise}"
        )
        assert "export the graph for inference" in lines[1]


def test_what_model_json_expects(digits: Path) -> None:
    """A reference that works, but not as model.json expects, is told; on few samples it cannot be."""

    def half(image: np.ndarray) -> dict[str, np.ndarray]:
        return level(image, 0.5)

    lines = check(classifier(expect=0.9), half, digits)
    assert "accuracy 0.5250 on 40 sample(s) is below the 0.9 that model.json expects" in lines[0]
    assert check(classifier(expect=0.6), half, digits) == []
    for image in sorted((digits / "images").iterdir())[: 40 - FEW + 1]:
        image.unlink()
    label(digits, lambda number: NAMES[number % 10])
    assert check(classifier(expect=0.9), lambda image: level(image, 0.8), digits) == []


def test_another_number_of_classes(digits: Path) -> None:
    """A network with more or fewer classes than names has failed with both numbers, not with an index."""
    for names in (NAMES[:9], (*NAMES, "ten")):
        with pytest.raises(
            JobFailed, match=f"'digit' has 10 class.* outputs.classes.names is for {len(names)}"
        ):
            check(classifier(names), level, digits)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Forty images twice as large as the input, each with a bright box, two of them with none."""
    folder = tmp_path / "frames"
    images, annotations = [], []
    for number in range(40):
        pixels = np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
        images.append({"id": number, "file_name": f"{number:02}.png"})
        if number >= 2:
            x, y, w, h = 2 * (number % 10) + 20, 2 * (number % 10), 12, 8
            pixels[y : y + h, x : x + w] = 255
            annotations.append({"image_id": number, "bbox": [x, y, w, h]})
        write(folder / "images" / f"{number:02}.png", pixels)
    document = {"images": images, "annotations": annotations}
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder


DETECTOR = DetectionOutputs(BoxOutput("box"), ScoreOutput("score", minimum=0.5))


def bright_box(image: np.ndarray) -> dict[str, np.ndarray]:
    """The box around what is bright, relative, and a score of 0.8."""
    rows, columns = np.nonzero(image[0, ..., 0])
    if not len(rows):
        return {"box": np.zeros((1, 4)), "score": np.zeros((1, 1))}
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]) / SIDE
    return {"box": box, "score": np.full((1, 1), 0.8)}


@pytest.mark.parametrize(
    ("outputs", "cause"),
    [
        (DETECTOR, ""),
        (replace(DETECTOR, box=BoxOutput("box", form="yxyx")), "the form 'xyxy' and the unit 'relative'"),
        (replace(DETECTOR, box=BoxOutput("box", unit="pixels")), "the form 'xyxy' and the unit 'relative'"),
        (replace(DETECTOR, score=ScoreOutput("score", minimum=0.9)), "no outputs.score.minimum"),
    ],
    ids=["right", "axes", "unit", "minimum"],
)
def test_boxes_in_another_form(frames: Path, outputs: DetectionOutputs, cause: str) -> None:
    """Boxes that would match in another form, or above another score, are told with it.

    What is found in empty images does not hide it.
    """
    lines = check(network(Task.DETECTION, outputs), bright_box, frames)
    assert bool(lines) is bool(cause)
    if cause:
        assert "on 38 sample(s) is below 0.1, the least for detection" in lines[0]
        assert cause in lines[-1]
        assert "iou would be 1.00 on 19 sample(s), not 0.0" in lines[-1]


def test_boxes_annotated_as_corners(frames: Path) -> None:
    """Boxes annotated as two corners, where COCO has a size, still overlap: what is expected tells them."""
    path = frames / "annotations.json"
    document = json.loads(path.read_text())
    for annotation in document["annotations"]:
        x, y, w, h = annotation["bbox"]
        annotation["bbox"] = [x, y, x + w, y + h]
    path.write_text(json.dumps(document))
    assert check(network(Task.DETECTION, DETECTOR), bright_box, frames) == []
    lines = check(network(Task.DETECTION, DETECTOR, expect=0.9), bright_box, frames)
    both = "outputs.box of the form 'xywh' and the unit 'relative' or with the annotations' bbox as"
    assert f"with {both} x_min, y_min, x_max, y_max iou would be 1.00" in lines[-1]


def test_nothing_to_find(frames: Path) -> None:
    """A detector that rightly finds nothing anywhere has no floor to reach."""
    path = frames / "annotations.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "annotations": []}))

    def nothing(image: np.ndarray) -> dict[str, np.ndarray]:
        return {"box": np.full((1, 4), image.mean()), "score": np.zeros((1, 1))}

    assert check(network(Task.DETECTION, DETECTOR), nothing, frames) == []


@pytest.fixture
def surfaces(tmp_path: Path) -> Path:
    """Six images with a bright patch each, which is the true mask, and two without."""
    folder = tmp_path / "surfaces"
    for number in range(8):
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        if number >= 2:
            pixels[number : number + 6, 4:12] = 255
        write(folder / "images" / f"{number}.png", pixels)
        write(folder / "masks" / f"{number}.png", pixels[..., 0])
    return folder


def two_classes(image: np.ndarray) -> dict[str, np.ndarray]:
    bright = image[..., 0] / 255
    return {"mask": np.stack([1 - bright, bright], -1)}


def logits(image: np.ndarray) -> dict[str, np.ndarray]:
    return {"mask": image[..., :1] / 255 - 0.7}


@pytest.mark.parametrize(
    ("mask", "outputs", "cause"),
    [
        (MaskOutput("mask"), two_classes, ""),
        (MaskOutput("mask", foreground=0), two_classes, "with the foreground 1 iou would be 1.00"),
        (MaskOutput("mask", "sigmoid"), logits, "with a threshold of 0"),
    ],
    ids=["right", "foreground", "before the sigmoid"],
)
def test_masks_in_another_reading(
    surfaces: Path, mask: MaskOutput, outputs: Callable[[np.ndarray], Any], cause: str
) -> None:
    """Masks that would match with another foreground or threshold are told with it."""
    lines = check(network(Task.SEGMENTATION, SegmentationOutputs(mask)), outputs, surfaces)
    assert bool(lines) is bool(cause)
    if cause:
        assert "on 6 sample(s) is below 0.05, the least for segmentation" in lines[0]
        assert "of the pixels marked" in lines[1]
        assert cause in lines[-1]


def test_a_mask_with_two_channels_is_no_sigmoid(surfaces: Path) -> None:
    """A softmax of two channels that is called a sigmoid has failed, in place of scoring the background."""
    net = network(Task.SEGMENTATION, SegmentationOutputs(MaskOutput("mask", "sigmoid")))
    with pytest.raises(JobFailed, match=r"'mask' has 2 class\(es\), outputs.mask.kind is for 1"):
        check(net, two_classes, surfaces)


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """Twelve images of two symbols: the brightness of each half is the class of one."""
    folder = tmp_path / "plates"
    for number in range(12):
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        pixels[:, : SIDE // 2] = 40 * (number % 4)
        pixels[:, SIDE // 2 :] = 40 * (number % 3)
        write(folder / "images" / f"{number:02}.png", pixels)
    label(folder, lambda number: "ABCD"[number % 4] + "ABC"[number % 3], Task.TEXT_RECOGNITION)
    return folder


def symbols(image: np.ndarray, first: int = 0) -> dict[str, np.ndarray]:
    halves = np.array([image[0, 0, 0, 0], image[0, 0, -1, 0]])
    classes = np.rint(halves / 40).astype(int)
    return {"symbols": np.eye(5, dtype=np.float32)[(classes + first) % 5][None]}


@pytest.mark.parametrize(
    ("alphabet", "first", "cause"),
    [
        ("ABCD", 0, ""),
        ("DABC", 0, "with the alphabet shifted by one (the first to the end) exact would be 1.00"),
        ("ABCD", 1, "with the blank as the first class exact would be 1.00"),
    ],
    ids=["right", "shifted", "blank"],
)
def test_symbols_in_another_reading(plates: Path, alphabet: str, first: int, cause: str) -> None:
    """An alphabet that is shifted, or with its blank elsewhere, is told."""
    net = network(Task.TEXT_RECOGNITION, TextOutputs(SymbolsOutput(("symbols",), alphabet)))
    lines = check(net, lambda image: symbols(image, first), plates)
    assert bool(lines) is bool(cause)
    if cause:
        assert "exact 0.0000 on 12 sample(s) is below 0.01, the least for text-recognition" in lines[0]
        assert any(cause in line for line in lines[2:])


names = st.lists(st.sampled_from("abc"), min_size=2, max_size=6)


@given(names, st.randoms(use_true_random=False))
def test_chance_is_that_of_answers_dealt_out(labels: list[str], random: Any) -> None:
    """Chance is the mean over all ways to deal the answers out, its deviation theirs, but for n and n - 1."""
    answers = [random.choice("abc") for _ in labels]
    if len(set(labels)) == 1:
        return
    dealt = np.array(list(itertools.permutations(answers))) == np.array(labels)
    accuracies = dealt.mean(1)
    mean, deviation = chance_of(answers, labels, 3)
    assert mean == pytest.approx(accuracies.mean())
    corrected = accuracies.var() * (len(labels) - 1) / len(labels)
    assert deviation == pytest.approx(np.sqrt(corrected), abs=1e-6)


def told(answers: Sequence[str], labels: Sequence[str]) -> str:
    """What is wrong with a classifier's answers."""
    scored = []
    for number, (answer, true) in enumerate(zip(answers, labels, strict=True)):
        scored.append(SampleScore(str(number), {"accuracy": float(answer == true)}, answer))
    samples = [Sample(str(number), Path("x"), label=true) for number, true in enumerate(labels)]
    return shortfall(classifier("abcd"), samples, quality_of(classifier("abcd"), scored))


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=60))
def test_who_is_always_right_is_above_chance(labels: list[str]) -> None:
    """However few samples there are, and however alike, a reference that is always right is sound."""
    assert told(labels, labels) == ""


@given(st.lists(st.sampled_from("ab"), min_size=2, max_size=60), st.sampled_from("ab"))
def test_who_always_says_the_same_is_not(labels: list[str], answer: str) -> None:
    """Always the same answer is no better than chance, however common it is, unless it is the only truth."""
    if len(set(labels)) > 1:
        assert told([answer] * len(labels), labels)


def test_a_weak_network_on_rare_classes() -> None:
    """A network that finds three of ten rare samples works, though the common answer alone scores no less."""
    labels = ["b"] * 10 + ["a"] * 190
    answers = ["b"] * 3 + ["a"] * 7 + ["b"] * 4 + ["a"] * 186
    assert told(answers, labels) == ""
    assert np.mean([answer == true for answer, true in zip(answers, labels)]) < 0.95
