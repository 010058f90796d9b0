"""Networks that feed one another: what each is given, what each step takes, and how the whole is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shared.contract.dataset import Sample
from shared.contract.job import END, GO
from shared.contract.measurement import Latency, Quality, Scope, TimingProtocol
from shared.contract.model import DataLocation, InputSpec, Network, PipelineNode, steps_of
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
from shared.contract.stages import PipelineBenchmark, PipelineEvaluate, PipelineFiles
from shared.harness.benchmark import benchmark_pipeline
from shared.harness.bursts import CALLS
from shared.harness.evaluate_pipeline import evaluate_pipeline, frames_of
from shared.harness.mask_scoring import masks_of_part
from shared.inference.decoding import FoundBox, FoundClass, FoundMask
from shared.inference.pipeline import LoadedNode, Passage, run_pipeline
from shared.inference.preprocess import crop, to_input
from shared.serving.image_reading import read_image
from tests.fakes import FakeSession

WriteImage = Callable[..., Path]
HEIGHT, WIDTH = 24, 32

BOX = DetectionOutputs(BoxOutput("box", unit="pixels"), ScoreOutput("score", minimum=0.5))
TEXT = TextOutputs(SymbolsOutput(("s",), "AB"))
TEXT_AND_COUNTRY = TextOutputs(SymbolsOutput(("s",), "AB"), NamedClasses("country", ("D", "GB")))
CLASSES = ClassificationOutputs(NamedClasses("c", ("a", "b")))
MASK = SegmentationOutputs(MaskOutput("m", "sigmoid"))

READ = {
    "s": np.array([[[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.0, 0.0, 0.9]]]),
    "country": np.array([[0.1, 0.9]]),
}
"""The text AB of GB."""


def found(*corners: float, score: float = 0.9) -> dict[str, Any]:
    """The outputs of a detector that finds one box, in pixels of its input."""
    return {"box": np.array([corners]), "score": np.array([score])}


MISSED = found(0, 0, 1, 1, score=0.1)


def network(outputs: Outputs, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Network:
    tasks = {
        DetectionOutputs: Task.DETECTION,
        TextOutputs: Task.TEXT_RECOGNITION,
        ClassificationOutputs: Task.CLASSIFICATION,
        SegmentationOutputs: Task.SEGMENTATION,
    }
    spec = InputSpec("i", (1, *size, 3), channels="BGR")
    return Network("net", tasks[type(outputs)], "", "g", "0" * 64, spec, outputs, DataLocation())


def node(
    name: str, outputs: Outputs, answer: Any, source: str = "image", margin: float = 0.0, **more: Any
) -> LoadedNode:
    """A node whose network gives these outputs, or what a function makes of its input."""
    made = network(outputs, **more)
    return LoadedNode(PipelineNode(name, "net", source, margin), made, FakeSession(answer, made.input))


def turns(answers: Iterable[Any]) -> Callable[[Any], Any]:
    """Answers one after the other."""
    left = iter(answers)
    return lambda image: next(left)


def image_file(pixels: Any = None) -> bytes:
    """An encoded image of HEIGHT x WIDTH pixels."""
    blank = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return bytes(cv2.imencode(".png", blank if pixels is None else pixels)[1].tobytes())


def passage(*nodes: LoadedNode, pixels: Any = None) -> Passage:
    return run_pipeline(nodes, image_file(pixels), "a.png")


def assert_times_add_up(result: Passage, nodes: Sequence[LoadedNode], run: set[str]) -> None:
    """Each step has a time, of nodes that were not run it is 0, and they add up to the total."""
    steps = steps_of(tuple(each.node for each in nodes))
    assert list(result.times_ns) == ["total", *steps]
    assert result.times_ns["total"] == sum(result.times_ns[step] for step in steps)
    for each in nodes:
        for step in each.node.steps:
            assert (result.times_ns[step] > 0) is (each.node.name in run), step


def test_one_node() -> None:
    """A pipeline of one node finds what its network finds, in the image."""
    nodes = [node("classifier", CLASSES, {"c": np.array([0.2, 0.8])})]
    result = passage(*nodes)
    assert result.predictions["classifier"] is not None
    assert result.image_size == (HEIGHT, WIDTH)
    assert_times_add_up(result, nodes, {"classifier"})


def test_two_nodes() -> None:
    """The second node is given the crop of the first one's box, with its margin, at its own input's size."""
    given: list[Any] = []

    def read(image: Any) -> Any:
        given.append(image)
        return READ

    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[9:15, 8:22] = 255
    nodes = [
        node("detector", BOX, found(10, 10, 20, 14)),
        node("reader", TEXT, read, "detector", margin=0.2, size=(6, 14)),
    ]
    result = passage(*nodes, pixels=pixels)
    assert result.areas == {"detector": (0, 0, WIDTH, HEIGHT), "reader": (8, 9, 22, 15)}
    assert given[0].shape == (1, 6, 14, 3)
    assert given[0].min() == 255
    assert_times_add_up(result, nodes, {"detector", "reader"})


def test_three_nodes() -> None:
    """A detector may look at a crop: its box, and so the next one's crop, is in the image's pixels."""
    nodes = [
        node("car", BOX, found(8, 6, 24, 18)),
        node("plate", BOX, found(4, 2, 12, 6), "car", size=(12, 16)),
        node("reader", TEXT, READ, "plate"),
    ]
    result = passage(*nodes)
    assert result.predictions["car"] == FoundBox((8, 6, 24, 18))
    assert result.predictions["plate"] == FoundBox((12, 8, 20, 12))
    assert result.areas["reader"] == (12, 8, 20, 12)
    assert_times_add_up(result, nodes, {"car", "plate", "reader"})


@pytest.mark.parametrize(
    ("car", "plate", "run"),
    [(MISSED, found(4, 2, 12, 6), {"car"}), (found(8, 6, 24, 18), MISSED, {"car", "plate"})],
    ids=["first", "second"],
)
def test_where_there_is_no_box(car: Any, plate: Any, run: set[str]) -> None:
    """Where a node finds no box, those that depend on it are not run, nor those that depend on them."""
    nodes = [
        node("car", BOX, car),
        node("plate", BOX, plate, "car"),
        node("reader", TEXT, READ, "plate"),
        node("scene", CLASSES, {"c": np.array([0.2, 0.8])}),
    ]
    result = passage(*nodes)
    assert result.predictions["reader"] is None
    assert result.predictions["scene"] is not None
    assert set(result.areas) == run | {"scene"}
    assert_times_add_up(result, nodes, run | {"scene"})


@pytest.fixture
def frames(tmp_path: Path, write_image: WriteImage) -> Path:
    """A split of three frames, annotated for every task."""
    folder = tmp_path / "frames"
    for i in range(3):
        write_image(folder / "images" / f"{i}.png", i, (HEIGHT, WIDTH))
    texts = "images/0.png,AB,GB\nimages/1.png,AB,GB\nimages/2.png,BA,D\n"
    (folder / "readings.csv").write_text(f"file,reading,country\n{texts}")
    (folder / "labels.csv").write_text("file,label\nimages/0.png,a\nimages/1.png,b\nimages/2.png,b\n")
    (folder / "masks").mkdir()
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[6:18, 8:24] = 255
    for i in range(3):
        assert cv2.imwrite(str(folder / "masks" / f"{i}.png"), mask)
    return folder


def measured(frames: Path, *nodes: LoadedNode, images: int | None = None) -> tuple[Latency, Quality]:
    """Judge a pipeline on the frames."""
    pipeline = PipelineFiles(tuple(each.node for each in nodes), ())
    parameters = PipelineEvaluate(pipeline, frames.name, images)
    quality, latency = evaluate_pipeline(nodes, frames_of(nodes, parameters, frames.parent))
    return latency, quality


def plate_pipeline(outputs: Outputs = TEXT_AND_COUNTRY) -> list[LoadedNode]:
    """A detector that misses the first frame, and a reader."""
    detector = node("detector", BOX, turns([MISSED, *[found(2, 2, 20, 10)] * 9]))
    return [detector, node("reader", outputs, READ, "detector", 0.1)]


def test_texts_are_scored(frames: Path) -> None:
    """A pipeline reads every frame; a plate that was missed counts as wrong."""
    latency, quality = measured(frames, *plate_pipeline())
    assert [sample.prediction for sample in quality.samples] == [None, "AB GB", "AB GB"]
    assert quality.metrics == {"exact": pytest.approx(1 / 3), "country": pytest.approx(1 / 3)}
    assert (latency.scope, latency.protocol, quality.main) == (
        Scope.PIPELINE,
        TimingProtocol.DATASET,
        "exact",
    )


def test_each_frame_has_the_time_of_each_step(frames: Path) -> None:
    """The times of a frame's steps add up to its total; steps that were not taken are 0."""
    latency, _ = measured(frames, *plate_pipeline())
    steps = {step: times for step, times in latency.samples_ns.items() if step != "total"}
    assert list(steps) == [
        "decode",
        "detector_input",
        "detector",
        "detector_output",
        "reader_input",
        "reader",
        "reader_output",
    ]
    assert latency.totals_ns == tuple(sum(times) for times in zip(*steps.values(), strict=True))
    assert (steps["reader"][0], steps["reader"][1] > 0) == (0, True)


def test_warm_up_is_not_measured(frames: Path) -> None:
    """Frames before the first burst are run, and leave no time."""
    nodes = plate_pipeline()
    pipeline = PipelineFiles(tuple(each.node for each in nodes), ())
    parameters = PipelineBenchmark(pipeline, frames.name, warmup=1, burst_s=1e-9)
    latency, _ = benchmark_pipeline(nodes, parameters, frames.parent, lambda done: END if done else GO)
    assert latency.bursts == (CALLS,)
    assert min(latency.samples_ns["reader"]) > 0  # the frame without a plate was the first


def test_bursts_go_on_through_the_frames(frames: Path) -> None:
    """A burst begins with the frame after the last one of the burst before, in a circle."""
    seen: list[str] = []
    looking = node("looking", CLASSES, lambda image: seen.append(str(image.mean())) or {"c": np.ones((1, 2))})
    parameters = PipelineBenchmark(PipelineFiles((looking.node,), ()), frames.name, warmup=0, burst_s=1e-9)
    benchmark_pipeline([looking], parameters, frames.parent, lambda done: GO if done < 2 else END)
    assert len(set(seen)) == 3
    assert seen == (seen[:3] * len(seen))[: len(seen)]


def test_a_pipeline_may_be_cut_short(frames: Path) -> None:
    """A recipe may have fewer images measured."""
    latency, quality = measured(frames, *plate_pipeline(), images=2)
    assert (len(latency.totals_ns), len(quality.samples)) == (2, 2)


@pytest.mark.parametrize("reads_country", [True, False])
def test_no_country_is_not_wrong(frames: Path, reads_country: bool) -> None:
    """A missed plate is not counted against a country that the data, or the reader, does not have."""
    if reads_country:
        (frames / "readings.csv").write_text("file,reading\nimages/0.png,AB\nimages/1.png,AB\n")
    _, quality = measured(frames, *plate_pipeline(TEXT_AND_COUNTRY if reads_country else TEXT))
    assert set(quality.metrics) == {"exact"}


def test_classes_are_scored(frames: Path) -> None:
    """A pipeline that ends with a classifier has its accuracy; what was not classified is wrong."""
    nodes = [plate_pipeline()[0], node("kind", CLASSES, {"c": np.array([0.2, 0.8])}, "detector")]
    _, quality = measured(frames, *nodes)
    assert [sample.prediction for sample in quality.samples] == [None, "b", "b"]
    assert quality.metrics == {"accuracy": pytest.approx(2 / 3)}


def test_boxes_are_scored(frames: Path) -> None:
    """A pipeline that ends with a detector has the IoU of its box in the image; none may be right."""
    images = (
        '[{"id": 0, "file_name": "0.png"}, {"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "2.png"}]'
    )
    boxes = '[{"image_id": 1, "bbox": [12, 8, 8, 4]}, {"image_id": 2, "bbox": [12, 8, 16, 4]}]'
    (frames / "annotations.json").write_text(f'{{"images": {images}, "annotations": {boxes}}}')
    car = node("car", BOX, turns([MISSED, found(8, 6, 24, 18), found(8, 6, 24, 18)]))
    plate = node("plate", BOX, found(4, 2, 12, 6), "car", size=(12, 16))
    _, quality = measured(frames, car, plate)
    assert [sample.prediction for sample in quality.samples] == [None, (12, 8, 20, 12), (12, 8, 20, 12)]
    assert [sample.scores["iou"] for sample in quality.samples] == [1.0, 1.0, 0.5]


def test_masks_of_crops_are_scored_on_the_image(frames: Path) -> None:
    """A mask that was found in a crop is laid over the whole image: what lay outside was missed."""
    left_half = {"m": np.pad(np.ones((6, 4)), ((0, 0), (0, 4)))[None, ..., None]}
    everything = {"m": np.ones((1, 6, 8, 1))}
    finds = turns([MISSED, found(8, 6, 24, 18), found(8, 6, 16, 18)])
    nodes = [
        node("detector", BOX, finds),
        node("segmenter", MASK, turns([left_half, everything]), "detector", size=(12, 16)),
    ]
    _, quality = measured(frames, *nodes)
    assert [sample.pixels for sample in quality.samples] == [(0, 192), (96, 192), (96, 192)]
    assert [sample.scores["iou"] for sample in quality.samples] == [0.0, 0.5, 0.5]
    assert quality.metrics == {"iou": pytest.approx(1 / 3), "iou_set": pytest.approx(1 / 3)}


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_a_mask_lies_where_its_crop_was(tmp_path: Path, resize: str) -> None:
    """A mask at the resolution of a network's output lies over the crop's pixels, whatever the resize."""
    (tmp_path / "empty.json").write_text('{"imageWidth": 32, "imageHeight": 24, "shapes": []}')
    sample = Sample("a", tmp_path / "a.png", labelme=tmp_path / "empty.json")
    segmenter = network(MASK, (16, 16))
    spec = InputSpec("i", (1, 16, 16, 3), resize=resize, interpolation="linear")
    area = (8, 6, 24, 14)
    _, placement = to_input(crop(np.zeros((HEIGHT, WIDTH, 3), np.uint8), area), spec)
    rows = slice(4, 8) if resize == "letterbox" else slice(0, 8)
    mask = np.zeros((16, 16), bool)
    mask[rows, :4] = True
    whole, truth = masks_of_part(segmenter, FoundMask(mask, placement), area, (HEIGHT, WIDTH), sample)
    wanted = np.zeros((HEIGHT, WIDTH), bool)
    wanted[6:10, 8:12] = True
    assert np.array_equal(whole, wanted)
    assert (truth.shape, truth.any()) == ((HEIGHT, WIDTH), False)


@pytest.mark.parametrize(("background", "text"), [("white", "a"), ("black", "b")])
def test_transparent_images(background: str, text: str) -> None:
    """A transparent image is laid over what the first network wants, in a pipeline and alone."""
    looks = node("net", CLASSES, lambda image: {"c": np.array([[float(image.mean()), 127.0]])})
    spec = replace(looks.network.input, background=background)
    first = replace(looks, network=replace(looks.network, input=spec))
    transparent = image_file(np.zeros((HEIGHT, WIDTH, 4), np.uint8))
    assert run_pipeline([first], transparent, "a.png").predictions == {"net": FoundClass(text)}
    (found_alone,) = read_image([first], transparent, "a.png").found
    assert found_alone["class"] == text
