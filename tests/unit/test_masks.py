"""Masks are read, painted and compared so that an IoU says what its name says, and kept as pictures."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.engines import JobExit
from dockyard.run.check_result import read_result
from shared.contract.codec import encode
from shared.contract.dataset import Sample
from shared.contract.measurement import Latency, Quality, SampleScore, Scope, TimingProtocol
from shared.contract.model import DataLocation, InputSpec, Network
from shared.contract.outputs import MaskOutput, SegmentationOutputs, Task
from shared.contract.result import Result, Status
from shared.contract.stages import Evaluate, NetworkFiles
from shared.harness.evaluate import evaluate
from shared.harness.mask_scoring import (
    IMAGE_SIDE,
    MASK_SIDE,
    PICTURES,
    both_masks,
    count_pixels,
    picture,
    pictured,
    true_mask,
)
from shared.harness.scoring import pixel_iou, score, set_metrics
from shared.inference.decoding import FoundMask, predict
from shared.inference.image_files import UnreadableImage
from shared.inference.mask_decoding import decode_mask, over_image
from shared.inference.preprocess import Placement, to_input
from tests.conftest import ROOT
from tests.fakes import FakeSession

HERE = Placement(1.0, 1.0, 0.0, 0.0)
SIGMOID = MaskOutput("m", "sigmoid")


def network(
    spec: MaskOutput, layout: str = "NHWC", size: tuple[int, int] = (10, 10), resize: str = "stretch"
) -> Network:
    height, width = size
    shape = (1, height, width, 3) if layout == "NHWC" else (1, 3, height, width)
    return Network(
        name="net",
        task=Task.SEGMENTATION,
        description="",
        graph="g.pb",
        sha256="0" * 64,
        input=InputSpec("image", shape, layout, resize),
        outputs=SegmentationOutputs(spec),
        data=DataLocation(folder="d"),
    )


def found(mask: Any, placement: Placement = HERE) -> FoundMask:
    """What a network whose foreground is this mask finds."""
    return FoundMask(np.asarray(mask, bool), placement)


def scored(net: Network, mask: Any, sample: Sample, placement: Placement = HERE) -> SampleScore:
    """The score of an output whose foreground is this mask."""
    return score(net, predict(net, output(mask), placement), sample)


def painted(folder: Path, mask: Any) -> Sample:
    """A sample whose true mask is this one."""
    assert cv2.imwrite(str(folder / "m.png"), np.asarray(mask, np.uint8) * 255)
    return Sample("images/a.png", folder / "a.png", mask=folder / "m.png")


def output(mask: Any) -> dict[str, Any]:
    """What a network whose foreground is this mask gives."""
    return {"m": np.asarray(mask, np.float32)[None, ..., None]}


def drawn(folder: Path, *shapes: tuple[str, str, list[list[float]]]) -> Sample:
    """A sample of 20 x 10 pixels with these shapes: label, type, corners."""
    document = {
        "imageWidth": 20,
        "imageHeight": 10,
        "shapes": [{"label": label, "shape_type": kind, "points": points} for label, kind, points in shapes],
    }
    (folder / "a.json").write_text(json.dumps(document))
    return Sample("images/a.png", folder / "a.png", labelme=folder / "a.json")


masks = st.lists(st.booleans(), min_size=36, max_size=36).map(lambda v: np.array(v).reshape(6, 6))


@given(masks, st.sampled_from(["softmax", "sigmoid"]), st.sampled_from(["NHWC", "NCHW"]), st.integers(0, 2))
def test_masks_are_decoded(mask: Any, kind: str, layout: str, foreground: int) -> None:
    """A mask is where the foreground is the best class, or its probability reaches the threshold."""
    if kind == "sigmoid":
        spec = MaskOutput("m", kind, threshold=0.7)
        raw = np.where(mask, 0.7, 0.69)[..., None]
    else:
        spec = MaskOutput("m", kind, foreground)
        raw = np.full((6, 6, 3), 0.3)
        raw[..., foreground] = np.where(mask, 0.4, 0.2)
    raw = raw.transpose(2, 0, 1) if layout == "NCHW" else raw
    assert np.array_equal(decode_mask(SegmentationOutputs(spec), layout, {"m": raw[None]}), mask)


@given(masks, masks)
def test_iou_of_masks(a: Any, b: Any) -> None:
    """The IoU of a mask with itself is 1, with its complement 0; it is symmetric, from 0 to 1."""
    assert pixel_iou(*count_pixels(a, a)) == 1.0
    assert pixel_iou(*count_pixels(a, ~a)) == 0.0
    assert count_pixels(a, b) == count_pixels(b, a)
    assert 0.0 <= pixel_iou(*count_pixels(a, b)) <= 1.0
    expected = (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0
    assert pixel_iou(*count_pixels(a, b)) == pytest.approx(expected)


@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=5))
def test_iou_of_a_set(tmp_path: Path, pairs: list[tuple[Any, Any]]) -> None:
    """The mean IoU is over the images; the set's, of its pixels, is between its least and its greatest."""
    net = network(SIGMOID)
    rows = [scored(net, mask, painted(tmp_path, truth)) for mask, truth in pairs]
    images = [row.scores["iou"] for row in rows]
    metrics = set_metrics(rows)
    assert metrics["iou"] == pytest.approx(np.mean(images))
    # An image with nothing to find has no pixels, and no weight in the set.
    weighty = [iou for iou, row in zip(images, rows, strict=True) if row.pixels and row.pixels[1]] or [1.0]
    assert min(weighty) - 1e-12 <= metrics["iou_set"] <= max(weighty) + 1e-12
    joined = [np.concatenate(side) for side in zip(*pairs, strict=True)]
    assert metrics["iou_set"] == pytest.approx(pixel_iou(*count_pixels(joined[0], joined[1])))


@pytest.mark.parametrize(
    ("truth", "pixels"),
    [((0, 6), (18, 36)), ((0, 3), (18, 18)), ((3, 6), (0, 36)), ((0, 0), (0, 18))],
)
def test_segmentation_is_scored(tmp_path: Path, truth: tuple[int, int], pixels: tuple[int, int]) -> None:
    """A mask scores its IoU with the painted one, which may be of another size, and has its pixels."""
    true, mask = np.zeros((12, 12)), np.zeros((6, 6))
    true[truth[0] * 2 : truth[1] * 2] = 1
    mask[:3] = 1
    row = scored(network(SIGMOID), mask, painted(tmp_path, true))
    assert row == SampleScore("images/a.png", {"iou": pixels[0] / pixels[1]}, "0.5000", pixels)


@pytest.mark.parametrize(("rows", "pixels", "iou"), [(6, (0, 72), 0.0), (0, (0, 0), 1.0)])
def test_no_mask_at_all(tmp_path: Path, rows: int, pixels: tuple[int, int], iou: float) -> None:
    """A network that was not run has missed all there was to find, and is right where there was nothing."""
    true = np.zeros((12, 12))
    true[:rows] = 1
    row = score(network(SIGMOID), None, painted(tmp_path, true))
    assert row == SampleScore("images/a.png", {"iou": iou}, None, pixels)


def test_nothing_painted_and_nothing_found(tmp_path: Path) -> None:
    """Where nothing is painted finding nothing is right."""
    row = scored(network(SIGMOID), np.zeros((6, 6)), drawn(tmp_path))
    assert (row.scores, row.pixels) == ({"iou": 1.0}, (0, 0))


def test_unreadable_mask_is_named(tmp_path: Path) -> None:
    """A mask that cannot be decoded is named."""
    (tmp_path / "m.png").write_bytes(b"text")
    with pytest.raises(UnreadableImage, match=r"m\.png"):
        true_mask(network(SIGMOID), Sample("a", Path("a"), mask=tmp_path / "m.png"))


RECTANGLE = [[2.0, 1.0], [6.0, 4.0]]


def test_polygons_are_filled(tmp_path: Path) -> None:
    """A rectangle and the polygon of its corners cover the same pixels, those of its edge included."""
    wanted = np.zeros((10, 20), bool)
    wanted[1:5, 2:7] = True
    around = [[2, 1], [6, 1], [6, 4], [2, 4]]
    for sample in (
        drawn(tmp_path, ("dent", "rectangle", RECTANGLE)),
        drawn(tmp_path, ("dent", "polygon", around)),
    ):
        assert np.array_equal(true_mask(network(SIGMOID), sample), wanted)


def test_polygons_that_overlap(tmp_path: Path) -> None:
    """Where two polygons overlap is foreground too."""
    sample = drawn(tmp_path, ("dent", "rectangle", RECTANGLE), ("scratch", "rectangle", [[4, 2], [9, 8]]))
    assert true_mask(network(SIGMOID), sample)[2:5, 4:7].all()


@pytest.mark.parametrize(
    ("labels", "count"), [(None, 22), (("dent",), 20), (("scratch",), 2), (("rust",), 0)]
)
def test_labels(tmp_path: Path, labels: tuple[str, ...] | None, count: int) -> None:
    """All labels count, or those that the model names."""
    sample = drawn(
        tmp_path, ("dent", "rectangle", RECTANGLE), ("scratch", "polygon", [[10, 8], [11, 8], [10, 8]])
    )
    net = network(MaskOutput("m", "sigmoid", labels=labels))
    assert true_mask(net, sample).sum() == count


def test_polygons_beyond_the_image(tmp_path: Path) -> None:
    """What a polygon covers outside the image is cut off."""
    sample = drawn(
        tmp_path, ("dent", "polygon", [[-9000, -9000], [9000, -9000], [9000, 9000], [-9000, 9000]])
    )
    assert true_mask(network(SIGMOID), sample).all()


@given(masks)
def test_mask_and_polygons_score_alike(tmp_path: Path, mask: Any) -> None:
    """The same damage scores the same, painted or drawn."""
    shape = drawn(tmp_path, ("dent", "rectangle", RECTANGLE))
    same = painted(tmp_path, true_mask(network(SIGMOID), shape))
    assert scored(network(SIGMOID), mask, shape) == scored(network(SIGMOID), mask, same)


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([(16, 16), (16, 24), (24, 16)]),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 9),
)
def test_letterbox(
    tmp_path: Path, height: int, width: int, size: tuple[int, int], coarser: int, seed: int
) -> None:
    """Of a letterbox only the image is compared: to find its bright part is right."""
    net = network(SIGMOID, size=size, resize="letterbox")
    truth = np.zeros((height, width), bool)
    if seed % 3:
        truth[:] = True
    pixels, placement = to_input(np.full((height, width, 3), 255, np.uint8), net.input)
    bright = pixels[0, ::coarser, ::coarser, 0] > 0
    if not bright.any():
        return
    padding = np.random.default_rng(seed).integers(0, 2, bright.shape).astype(bool)
    answer = np.where(bright, truth.all(), padding)
    mask, true = both_masks(net, found(answer, placement), painted(tmp_path, truth))
    assert mask.shape == true.shape
    assert true.all() == truth.all()
    if coarser == 1:
        assert mask.shape == (bright.any(1).sum(), bright.any(0).sum())
        assert pixel_iou(*count_pixels(mask, true)) == 1.0


def test_letterbox_keeps_the_place(tmp_path: Path) -> None:
    """Damage in a corner of a wide image is compared with the same corner of its letterbox."""
    net = network(SIGMOID, size=(16, 16), resize="letterbox")
    truth = np.zeros((8, 16))
    truth[:2, :4] = 1
    _, placement = to_input(np.zeros((8, 16, 3), np.uint8), net.input)
    answer = np.zeros((16, 16))
    answer[4:6, :4] = 1
    answer[:4] = answer[12:] = 1
    row = scored(net, answer, painted(tmp_path, truth), placement)
    assert row == SampleScore("images/a.png", {"iou": 1.0}, "0.0625", (8, 8))


def test_letterbox_with_a_mask_of_another_size(tmp_path: Path) -> None:
    """A mask of another shape than its image's lies nobody knows where in a letterbox: it is refused."""
    net = network(SIGMOID, size=(16, 16), resize="letterbox")
    _, placement = to_input(np.zeros((8, 16, 3), np.uint8), net.input)
    with pytest.raises(UnreadableImage, match=r"m\.png is not of its image's size"):
        both_masks(net, found(np.zeros((16, 16)), placement), painted(tmp_path, np.zeros((16, 16))))


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["stretch", "letterbox"]),
    st.sampled_from([1, 2, 4]),
)
def test_a_mask_over_its_image(height: int, width: int, resize: str, coarser: int) -> None:
    """Laid over its image a mask has the image's size, and marks it all where it marks all of its input."""
    net = network(SIGMOID, size=(16, 24), resize=resize)
    _, placement = to_input(np.zeros((height, width, 3), np.uint8), net.input)
    everything = np.ones((16 // coarser, 24 // coarser), bool)
    assert over_image(everything, (16, 24), placement, (height, width)).all()
    halves = everything.copy()
    halves[:, : 12 // coarser] = False
    over = over_image(halves, (16, 24), placement, (height, width))
    assert over.shape == (height, width)
    inner = (np.arange(width) + 0.5) * placement.scale_x + placement.left
    assert np.array_equal(over, np.broadcast_to(inner >= 12, (height, width)))


@given(st.integers(1, 1000))
def test_pictures_are_of_the_whole_split(samples: int) -> None:
    """Six samples at most have pictures, no two alike, in order, evenly over the split."""
    chosen = pictured(samples)
    assert len(chosen) == min(samples, PICTURES)
    assert chosen == sorted(set(chosen))
    assert 0 <= chosen[0] <= chosen[-1] < samples
    gaps = [b - a for a, b in zip(chosen, [*chosen[1:], samples], strict=True)]
    assert max(gaps) - min(gaps) <= 1


def decoded(text: str | None) -> Any:
    assert text is not None
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_UNCHANGED)


def test_picture(tmp_path: Path) -> None:
    """A variant keeps the mask as it was compared; the reference also the true one and the image."""
    truth = np.zeros((300, 900))
    truth[:100] = 1
    sample = painted(tmp_path, truth)
    cv2.imwrite(str(sample.path), np.full((300, 900, 3), (10, 200, 30), np.uint8))
    mask = np.eye(6)
    kept = picture(network(SIGMOID), found(mask), sample, with_truth=False)
    assert (kept.id, kept.truth, kept.image) == ("images/a.png", None, None)
    assert np.array_equal(decoded(kept.mask), mask * 255)
    kept = picture(network(SIGMOID), found(mask), sample, with_truth=True)
    assert decoded(kept.truth).tolist() == [[255] * 6] * 2 + [[0] * 6] * 4
    assert decoded(kept.image).shape == (133, IMAGE_SIDE, 3)
    assert np.abs(decoded(kept.image).astype(int) - (10, 200, 30)).max() <= 4


def test_pictures_are_small(tmp_path: Path) -> None:
    """The largest pictures that there can be, of pure noise, stay within the schema's bounds."""
    noise = np.random.default_rng(0)
    sample = painted(tmp_path, noise.integers(0, 2, (1500, 1500)))
    cv2.imwrite(str(sample.path), noise.integers(0, 256, (IMAGE_SIDE, IMAGE_SIDE, 3), np.uint8))
    mask = noise.integers(0, 2, (1024, 1024))
    kept = picture(network(SIGMOID), found(mask), sample, with_truth=True)
    assert decoded(kept.mask).shape == (MASK_SIDE, MASK_SIDE)
    schema = json.loads((ROOT / "shared" / "contract" / "result.schema.json").read_text())
    bounds = schema["$defs"]["picture"]["properties"]
    for name in ("mask", "truth", "image"):
        assert len(getattr(kept, name)) <= bounds[name]["maxLength"]


@pytest.mark.parametrize("with_truth", [False, True])
def test_evaluation_keeps_pictures(tmp_path: Path, with_truth: bool) -> None:
    """An evaluation keeps the masks of six samples spread over the split, and the pixels of every sample."""
    for i in range(9):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{i}.png"), np.full((12, 12, 3), 255, np.uint8))
    net = network(SIGMOID)
    session = FakeSession(output(np.eye(6)), net.input)
    quality = evaluate(net, session, tmp_path, with_truth=with_truth).quality
    kept = quality.pictures
    chosen = [f"images/{i}.png" for i in (0, 1, 3, 4, 6, 7)]
    assert [each.id for each in kept] == chosen
    assert {(each.truth is not None, each.image is not None) for each in kept} == {(with_truth, with_truth)}
    assert [sample.pixels for sample in quality.samples] == [(6, 36)] * 9
    assert quality.metrics == {"iou": pytest.approx(1 / 6), "iou_set": pytest.approx(1 / 6)}


EVALUATE = Evaluate(NetworkFiles(network(SIGMOID), "inputs/net"), "inputs/data/test")


def refusal(rows: list[SampleScore], folder: Path, **metrics: float) -> str:
    """What the host says of an evaluation with these samples; nothing where it believes it."""
    quality = Quality("iou", {**set_metrics(rows), **metrics}, tuple(rows))
    latency = Latency(Scope.NETWORK, TimingProtocol.DATASET, {"total": (1,) * len(rows)})
    result = Result(Status.DONE, quality=quality, measurement=latency)
    (folder / "result.json").write_text(json.dumps(encode(result)))
    return read_result(folder, JobExit(0, 1.0), EVALUATE).reason.rpartition(": ")[2]


def sample_of(pixels: tuple[int, int] | None, iou: float, name: str = "a") -> SampleScore:
    return SampleScore(f"images/{name}.png", {"iou": iou}, "0.1", pixels)


counts = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(sorted)


@given(st.lists(counts, min_size=1, max_size=5), st.sampled_from([1e-3, -1e-3, 0.5]))
def test_host_checks_the_iou_of_the_set(tmp_path: Path, pixels: list[list[int]], off: float) -> None:
    """The host believes an IoU of the set that follows from the samples' pixels, and no other."""
    rows = []
    for number, (inter, union) in enumerate(pixels):
        rows.append(sample_of((inter, union), pixel_iou(inter, union), str(number)))
    assert refusal(rows, tmp_path) == ""
    reason = refusal(rows, tmp_path, iou_set=set_metrics(rows)["iou_set"] + off)
    assert reason == "the metric iou_set is not the one of its samples' pixels"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (
            [sample_of((1, 2), 0.5), sample_of(None, 0.5, "b")],
            "the metric iou_set without the pixels of each sample",
        ),
        (
            [sample_of((1, 2), 0.5), sample_of((3, 2), 0.5, "b")],
            "the metric iou_set without the pixels of each sample",
        ),
        ([sample_of((1, 4), 0.5)], "the iou of images/a.png is not the one of its pixels"),
    ],
    ids=["no pixels", "more than all", "another iou"],
)
def test_pixels_that_cannot_be(tmp_path: Path, rows: list[SampleScore], why: str) -> None:
    """Pixels that are missing, that cannot be, or that are not those of the sample's own IoU are refused."""
    assert refusal(rows, tmp_path) == why
