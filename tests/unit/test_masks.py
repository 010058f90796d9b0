"""Masks are read, painted and compared so that an IoU says what its name says, and kept as pictures that can be shown."""

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

from dockyard.engines import Ended
from dockyard.run.runner import read_result
from shared.contract.dataset import Sample
from shared.contract.model import InputSpec, Network
from shared.runtime.evaluate import evaluate
from shared.runtime.masks import IMAGE_SIDE, MASK_SIDE, PICTURES, both_masks, count_pixels, decode_mask, picture, share, spread, true_mask
from shared.runtime.preprocess import Placement, UnreadableImage, to_input
from shared.runtime.tasks import predict_and_score, set_metrics
from tests.fakes import FakeSession

HERE = Placement(1.0, 1.0, 0.0, 0.0)
SIGMOID = {"tensor": "m", "kind": "sigmoid"}


def network(spec: dict[str, Any], layout: str = "NHWC", size: tuple[int, int] = (10, 10), resize: str = "stretch") -> Network:
    shape = (1, *size, 3) if layout == "NHWC" else (1, 3, *size)
    return Network("net", "segmentation", "", "g.pb", "0" * 64, InputSpec("image", shape, layout, resize), {"mask": spec}, {})


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
    """A mask is where the foreground is the best class, or its probability reaches the threshold, in either layout."""
    if kind == "sigmoid":
        spec: dict[str, Any] = {"tensor": "m", "kind": kind, "threshold": 0.7}
        raw = np.where(mask, 0.7, 0.69)[..., None]
    else:
        spec = {"tensor": "m", "kind": kind, "foreground": foreground}
        raw = np.full((6, 6, 3), 0.3)
        raw[..., foreground] = np.where(mask, 0.4, 0.2)
    raw = raw.transpose(2, 0, 1) if layout == "NCHW" else raw
    assert np.array_equal(decode_mask(network(spec, layout), {"m": raw[None]}), mask)


@given(masks, masks)
def test_iou_of_masks(a: Any, b: Any) -> None:
    """The IoU of a mask with itself is 1, with its complement 0 unless it is all or nothing; it is symmetric and a share."""
    assert share(*count_pixels(a, a)) == 1.0
    assert share(*count_pixels(a, ~a)) == 0.0
    assert count_pixels(a, b) == count_pixels(b, a)
    assert 0.0 <= share(*count_pixels(a, b)) <= 1.0
    assert share(*count_pixels(a, b)) == pytest.approx((a & b).sum() / (a | b).sum() if (a | b).any() else 1.0)


@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=5))
def test_iou_of_a_set(tmp_path: Path, pairs: list[tuple[Any, Any]]) -> None:
    """The mean IoU is over the images; the set's is of its pixels, between the least and the greatest of its images."""
    net = network(SIGMOID)
    rows = [predict_and_score(net, output(found), HERE, painted(tmp_path, truth)) for found, truth in pairs]
    images = [row["scores"]["iou"] for row in rows]
    metrics = set_metrics(rows)
    assert metrics["iou"] == pytest.approx(np.mean(images))
    # An image with nothing to find has no pixels, and no weight in the set.
    weighty = [i for i, row in zip(images, rows) if row["pixels"][1]] or [1.0]
    assert min(weighty) - 1e-12 <= metrics["iou_set"] <= max(weighty) + 1e-12
    joined = [np.concatenate(side) for side in zip(*pairs)]
    assert metrics["iou_set"] == pytest.approx(share(*count_pixels(joined[0], joined[1])))


@pytest.mark.parametrize(("truth", "pixels"), [((0, 6), (18, 36)), ((0, 3), (18, 18)), ((3, 6), (0, 36)), ((0, 0), (0, 18))])
def test_segmentation_is_scored(tmp_path: Path, truth: tuple[int, int], pixels: tuple[int, int]) -> None:
    """A mask scores its IoU with the painted one, which may be of another size, and tells its pixels."""
    mask, found = np.zeros((12, 12)), np.zeros((6, 6))
    mask[truth[0] * 2 : truth[1] * 2] = 1
    found[:3] = 1
    row = predict_and_score(network(SIGMOID), output(found), HERE, painted(tmp_path, mask))
    assert row == {"prediction": "0.5000", "scores": {"iou": pixels[0] / pixels[1]}, "pixels": list(pixels)}


def test_nothing_painted_and_nothing_found(tmp_path: Path) -> None:
    """Where nothing is painted finding nothing is right."""
    row = predict_and_score(network(SIGMOID), output(np.zeros((6, 6))), HERE, drawn(tmp_path))
    assert (row["scores"], row["pixels"]) == ({"iou": 1.0}, [0, 0])


def test_unreadable_mask_is_named(tmp_path: Path) -> None:
    """A mask that cannot be decoded is told by its name."""
    (tmp_path / "m.png").write_bytes(b"text")
    with pytest.raises(UnreadableImage, match=r"m\.png"):
        true_mask(network(SIGMOID), Sample("a", Path("a"), mask=tmp_path / "m.png"))


RECTANGLE = [[2.0, 1.0], [6.0, 4.0]]


def test_polygons_are_filled(tmp_path: Path) -> None:
    """A rectangle and the polygon of its corners cover the same pixels, those of its edge included."""
    wanted = np.zeros((10, 20), bool)
    wanted[1:5, 2:7] = True
    around = [[2, 1], [6, 1], [6, 4], [2, 4]]
    for sample in (drawn(tmp_path, ("dent", "rectangle", RECTANGLE)), drawn(tmp_path, ("dent", "polygon", around))):
        assert np.array_equal(true_mask(network(SIGMOID), sample), wanted)


def test_polygons_that_overlap(tmp_path: Path) -> None:
    """Where two polygons overlap is foreground too."""
    sample = drawn(tmp_path, ("dent", "rectangle", RECTANGLE), ("scratch", "rectangle", [[4, 2], [9, 8]]))
    assert true_mask(network(SIGMOID), sample)[2:5, 4:7].all()


@pytest.mark.parametrize(("labels", "count"), [(None, 22), (["dent"], 20), (["scratch"], 2), (["rust"], 0)])
def test_labels(tmp_path: Path, labels: list[str] | None, count: int) -> None:
    """All labels count, or those that the model names."""
    sample = drawn(tmp_path, ("dent", "rectangle", RECTANGLE), ("scratch", "polygon", [[10, 8], [11, 8], [10, 8]]))
    net = network({**SIGMOID, **({"labels": labels} if labels else {})})
    assert true_mask(net, sample).sum() == count


def test_polygons_beyond_the_image(tmp_path: Path) -> None:
    """What a polygon covers outside the image is cut off."""
    sample = drawn(tmp_path, ("dent", "polygon", [[-9000, -9000], [9000, -9000], [9000, 9000], [-9000, 9000]]))
    assert true_mask(network(SIGMOID), sample).all()


@given(masks)
def test_mask_and_polygons_score_alike(tmp_path: Path, found: Any) -> None:
    """The same damage scores the same, painted or drawn."""
    shape = drawn(tmp_path, ("dent", "rectangle", RECTANGLE))
    mask = painted(tmp_path, true_mask(network(SIGMOID), shape))
    rows = [predict_and_score(network(SIGMOID), output(found), HERE, sample) for sample in (shape, mask)]
    assert rows[0] == rows[1]


@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from([(16, 16), (16, 24), (24, 16)]), st.sampled_from([1, 2, 4]), st.integers(0, 9)
)
def test_letterbox(tmp_path: Path, height: int, width: int, size: tuple[int, int], coarser: int, seed: int) -> None:
    """Of a letterbox only the image is compared: a network that finds its input's bright part scores 1, whatever the padding."""
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
    found, true = both_masks(net, output(answer), placement, painted(tmp_path, truth))
    assert found.shape == true.shape
    assert true.all() == truth.all()
    if coarser == 1:
        assert found.shape == (bright.any(1).sum(), bright.any(0).sum())
        assert share(*count_pixels(found, true)) == 1.0


def test_letterbox_keeps_the_place(tmp_path: Path) -> None:
    """Damage in a corner of a wide image is compared with the same corner of its letterbox."""
    net = network(SIGMOID, size=(16, 16), resize="letterbox")
    truth = np.zeros((8, 16))
    truth[:2, :4] = 1
    _, placement = to_input(np.zeros((8, 16, 3), np.uint8), net.input)
    answer = np.zeros((16, 16))
    answer[4:6, :4] = 1
    answer[:4] = answer[12:] = 1
    row = predict_and_score(net, output(answer), placement, painted(tmp_path, truth))
    assert row == {"prediction": "0.0625", "scores": {"iou": 1.0}, "pixels": [8, 8]}


def test_letterbox_with_a_mask_of_another_size(tmp_path: Path) -> None:
    """Nobody knows where a mask of another shape than its image's lies in a letterbox: it is refused by name."""
    net = network(SIGMOID, size=(16, 16), resize="letterbox")
    _, placement = to_input(np.zeros((8, 16, 3), np.uint8), net.input)
    with pytest.raises(UnreadableImage, match=r"m\.png is not of its image's size"):
        both_masks(net, output(np.zeros((16, 16))), placement, painted(tmp_path, np.zeros((16, 16))))


@given(st.integers(1, 1000))
def test_pictures_are_spread(samples: int) -> None:
    """Six samples at most are shown, no two alike, in order, evenly over the split."""
    shown = spread(samples)
    assert len(shown) == min(samples, PICTURES)
    assert shown == sorted(set(shown))
    assert 0 <= shown[0] <= shown[-1] < samples
    gaps = [b - a for a, b in zip(shown, [*shown[1:], samples])]
    assert max(gaps) - min(gaps) <= 1


def decoded(text: str) -> Any:
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_UNCHANGED)


def test_picture(tmp_path: Path) -> None:
    """A variant keeps the mask as it was compared; the reference also the true one and the image, made smaller."""
    truth = np.zeros((300, 900))
    truth[:100] = 1
    sample = painted(tmp_path, truth)
    cv2.imwrite(str(sample.path), np.full((300, 900, 3), (10, 200, 30), np.uint8))
    found = np.eye(6)
    kept = picture(network(SIGMOID), output(found), HERE, sample, with_truth=False)
    assert set(kept) == {"id", "mask"}
    assert np.array_equal(decoded(kept["mask"]), found * 255)
    kept = picture(network(SIGMOID), output(found), HERE, sample, with_truth=True)
    assert set(kept) == {"id", "mask", "truth", "image"}
    assert decoded(kept["truth"]).tolist() == [[255] * 6] * 2 + [[0] * 6] * 4
    assert decoded(kept["image"]).shape == (133, IMAGE_SIDE, 3)
    assert np.abs(decoded(kept["image"]).astype(int) - (10, 200, 30)).max() <= 4


def test_pictures_are_small(tmp_path: Path) -> None:
    """Pictures of a large output and of an image of pure noise, the largest there can be, stay within the schema's bounds."""
    noise = np.random.default_rng(0)
    sample = painted(tmp_path, noise.integers(0, 2, (1500, 1500)))
    cv2.imwrite(str(sample.path), noise.integers(0, 256, (IMAGE_SIDE, IMAGE_SIDE, 3), np.uint8))
    kept = picture(network(SIGMOID), output(noise.integers(0, 2, (1024, 1024))), HERE, sample, with_truth=True)
    assert decoded(kept["mask"]).shape == (MASK_SIDE, MASK_SIDE)
    schema = json.loads((Path(__file__).parents[2] / "shared" / "contract" / "result.schema.json").read_text())
    bounds = schema["properties"]["quality"]["properties"]["pictures"]["items"]["properties"]
    assert all(len(kept[name]) <= bounds[name]["maxLength"] for name in kept)


@pytest.mark.parametrize("with_truth", [False, True])
def test_evaluation_keeps_pictures(tmp_path: Path, with_truth: bool) -> None:
    """An evaluation keeps the masks of six samples spread over the split, and the pixels of every sample."""
    for i in range(9):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{i}.png"), np.full((12, 12, 3), 255, np.uint8))
    net = network(SIGMOID)
    session = FakeSession(output(np.eye(6)), net.input)
    found, _, _ = evaluate(net, session, tmp_path, with_truth)
    assert [p["id"] for p in found["pictures"]] == [f"images/{i}.png" for i in (0, 1, 3, 4, 6, 7)]
    assert all(("truth" in p, "image" in p) == (with_truth, with_truth) for p in found["pictures"])
    assert [s["pixels"] for s in found["samples"]] == [[6, 36]] * 9
    assert found["metrics"] == {"iou": pytest.approx(1 / 6), "iou_set": pytest.approx(1 / 6)}
    assert told(found["samples"], tmp_path) == ""


def told(rows: list[dict[str, Any]], tmp_path: Path, **metrics: float) -> str:
    """What the host says of a result with these samples, less what is always said."""
    quality = {"main": "iou", "metrics": {**set_metrics(rows), **metrics}, "samples": rows}
    (tmp_path / "result.json").write_text(json.dumps({"version": 1, "status": "done", "quality": quality}))
    return str(read_result(tmp_path, Ended(0, 1.0), "stream").get("reason", "")).rpartition(": ")[2]


def sample(inter: int, union: int, **changes: Any) -> dict[str, Any]:
    iou = inter / union if union else 1.0
    return {"id": "images/a.png", "prediction": "0.1", "scores": {"iou": iou}, "pixels": [inter, union], **changes}


counts = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(sorted)


@given(st.lists(counts, min_size=1, max_size=5), st.sampled_from([1e-3, -1e-3, 0.5]))
def test_host_checks_the_iou_of_the_set(tmp_path: Path, pixels: list[list[int]], off: float) -> None:
    """The host believes an IoU of the set that follows from the samples' pixels, and no other."""
    rows = [sample(*one) for one in pixels]
    assert told(rows, tmp_path) == ""
    assert told(rows, tmp_path, iou_set=set_metrics(rows)["iou_set"] + off) == "the metric iou_set is not the one of its samples' pixels"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([sample(1, 2), {"id": "b", "prediction": None, "scores": {"iou": 0.5}}], "the metric iou_set without the pixels of each sample"),
        ([sample(1, 2), sample(3, 2, scores={"iou": 0.5})], "the metric iou_set without the pixels of each sample"),
        ([sample(1, 4, scores={"iou": 0.5})], "the iou of images/a.png is not the one of its pixels"),
    ],
    ids=["no pixels", "more than all", "another iou"],
)
def test_pixels_that_cannot_be(tmp_path: Path, rows: list[dict[str, Any]], why: str) -> None:
    """Pixels that are missing, that cannot be, or that are not those of the sample's own IoU are refused."""
    assert told(rows, tmp_path) == why
