"""The delivered command line over stand-ins: what it writes, and with which code it ends."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shared.contract.delivery import RecordedSpeed
from shared.contract.errors import InputProblem
from shared.contract.measurement import Scope
from shared.contract.model import PipelineNode
from shared.inference.cpu import low_precision_flags
from shared.inference.image_files import UnreadableImage
from shared.serving.command_line import main
from shared.serving.delivered import Delivered, own_cpus, read_delivery
from shared.serving.golden import read_golden, write_golden
from shared.serving.image_reading import read_image
from shared.serving.read_command import read_all
from shared.serving.self_test import self_test
from shared.serving.speed import why_slow
from tests.deliveries import (
    ANSWERS,
    DETECTOR,
    FINDS,
    MARKS,
    NAMES,
    READER,
    READS,
    container_of,
    delivery_of,
    image_of,
    pipeline_of,
    reads,
)

ONE_OBJECT = {"box": [4.0, 4.0, 20.0, 16.0], "score": 0.9, "text": "AB", "country": "F", "confidence": 0.72}


def found(delivered: Delivered, encoded: bytes) -> list[dict[str, Any]]:
    return list(read_image(delivered.load()[0], encoded, "an image").found)


def test_objects_of_a_pipeline(tmp_path: Path) -> None:
    """An object has its box, its score and what the reader says; of nothing there is none."""
    delivered = pipeline_of(tmp_path)
    assert found(delivered, image_of(200)) == [ONE_OBJECT]
    assert found(delivered, image_of(0)) == []


def test_a_second_reader(tmp_path: Path) -> None:
    """Where two read an object, each one's answer is told, and the last one's beside the box."""
    second = PipelineNode("names", "names", "detector")
    delivered = delivery_of(tmp_path, FINDS, READS, NAMES, nodes=(DETECTOR, READER, second))
    (one,) = found(delivered, image_of(200))
    assert (one["text"], one["answers"]["reader"]["text"], one["answers"]["names"]["text"]) == (
        "bright",
        "AB",
        "bright",
    )


def test_single_networks(tmp_path: Path) -> None:
    """A detector tells boxes, a reader its text, a classifier its class."""
    (box,) = found(delivery_of(tmp_path, FINDS), image_of(200))
    assert box == {"box": [4.0, 4.0, 20.0, 16.0], "score": 0.9}
    (text,) = found(delivery_of(tmp_path, READS), image_of(20))
    assert text == {"text": "A", "country": "F", "confidence": 0.72}
    assert found(delivery_of(tmp_path, NAMES), image_of(204)) == [{"class": "bright", "confidence": 0.8}]


def test_a_mask(tmp_path: Path) -> None:
    """A mask is a PNG of the image's size, 255 where the network has marked something."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, 32:] = 255
    (one,) = found(delivery_of(tmp_path, MARKS), cv2.imencode(".png", image)[1].tobytes())
    mask = one["mask"]
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(mask["png"]), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    assert (mask["height"], mask["width"]) == pixels.shape == (48, 64)
    assert (np.asarray(pixels) == image[..., 0]).mean() > 0.95


def test_a_pipeline_that_marks(tmp_path: Path) -> None:
    """What is no stream's pipeline tells what its last network found, in its part of the image."""
    node = PipelineNode("marks", "marks", "detector")
    delivered = delivery_of(tmp_path, FINDS, MARKS, nodes=(DETECTOR, node))
    (one,) = found(delivered, image_of(200))
    assert (one["box"], one["mask"]["width"], one["mask"]["height"]) == ([4, 4, 20, 16], 16, 12)
    assert found(delivered, image_of(0)) == []


def test_read_leaves_out_what_it_cannot(tmp_path: Path) -> None:
    """Files and folders are read in order; what is unreadable is complained of, and counted."""
    images = tmp_path / "images"
    images.mkdir()
    (images / "b.png").write_bytes(image_of(200))
    (images / "a.png").write_bytes(image_of(0))
    (images / "c.png").write_bytes(b"no image")
    (images / "d.txt").write_text("left alone")
    lines: list[str] = []
    complaints: list[str] = []
    nodes = pipeline_of(tmp_path).load()[0]
    inputs = [str(images), str(tmp_path / "missing.png"), str(images / "b.png")]
    assert read_all(nodes, inputs, lines.append, complaints.append) == 2
    told = [json.loads(line) for line in lines]
    assert [Path(one["image"]).name for one in told] == ["a.png", "b.png", "b.png"]
    assert [one["box"] for one in told] == [None, ONE_OBJECT["box"], ONE_OBJECT["box"]]
    assert ["c.png" in complaints[0], "missing.png" in complaints[1]] == [True, True]


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command of a delivery whose target's modules are in a folder of their own; returns its exit
    code, standard output and standard error.
    """
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "serving", raising=False)
    targets, folder = container_of(tmp_path)
    pipeline_of(folder)

    def call(*command: str) -> tuple[int, str, str]:
        code = main(["--delivery", str(folder), *command], targets)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def test_read_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is an image on standard input."""
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(image_of(200))))
    code, out, _ = run("read", "-")
    assert (code, json.loads(out)) == (0, {"image": "-", **ONE_OBJECT})


def test_exit_codes_of_read(run: Run, tmp_path: Path) -> None:
    """1 where an image was not read, with the reason on standard error."""
    (tmp_path / "bad.png").write_bytes(b"x")
    code, out, err = run("read", str(tmp_path / "bad.png"))
    assert (code, out) == (1, "")
    assert "cannot decode" in err


def test_a_wrong_call(run: Run) -> None:
    """2 where the command line is wrong, and where a stream is asked for that was never measured."""
    with pytest.raises(SystemExit) as ended:
        run("reed")
    assert ended.value.code == 2
    code, _, err = run("stream", "video.mp4")
    assert code == 2
    assert "no stream was measured" in err


def test_golden_then_self_test(run: Run, tmp_path: Path) -> None:
    """What golden writes, self-test passes by, and says so in one sentence."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "x.png").write_bytes(image_of(200))
    (tmp_path / "images" / "y.jpg").write_bytes(image_of(50, ending=".jpg"))
    assert run("golden", "--images", str(tmp_path / "images"))[0] == 0
    code, out, err = run("self-test")
    assert (code, err, out.count("\n")) == (0, "", 1)
    (tmp_path / "delivery" / "golden" / "1.png").unlink()
    assert run("self-test")[0] == 1
    assert out.startswith("self-test passed: 2 golden images are read as recorded; ")


def golden_of(delivered: Delivered, tmp_path: Path) -> Delivered:
    """The same delivery, with a golden image."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "x.png").write_bytes(image_of(200))
    write_golden(delivered.load()[0], tmp_path / "images", delivered.folder / "golden")
    return delivered


def test_other_outputs_fail(tmp_path: Path) -> None:
    """An output beyond the tolerance, or another reading, fails; within the tolerance none does."""
    golden_of(pipeline_of(tmp_path), tmp_path)

    def detecting(factor: float) -> dict[str, Any]:
        return {**ANSWERS, "finds": lambda image: {k: v * factor for k, v in ANSWERS["finds"](image).items()}}

    assert self_test(pipeline_of(tmp_path, answers=detecting(1.0005))).is_passed
    failed = self_test(pipeline_of(tmp_path, answers=detecting(1.01)))
    assert (failed.is_passed, failed.sentence) == (
        False,
        "self-test failed: 1 of 1 golden images are not read as recorded",
    )
    assert "the output 'box' differs by 0.01 of its largest value" in failed.details[0]
    assert self_test(pipeline_of(tmp_path, answers=detecting(1.01), tolerance=None)).is_passed
    dark = {**ANSWERS, "reads": lambda image: reads(image * 0)}
    assert "text 'AB' is now 'A'" in self_test(pipeline_of(tmp_path, answers=dark)).details[0]


def test_low_precision_on_another_family(tmp_path: Path) -> None:
    """Where low precision reads otherwise on a CPU with other instructions, that is said beside."""
    golden_of(pipeline_of(tmp_path), tmp_path)
    path = tmp_path / "golden" / "expected.json"
    other = [*low_precision_flags(), "amx_made_up"]
    path.write_text(json.dumps({**json.loads(path.read_text()), "flags": other}))
    blind = {**ANSWERS, "finds": lambda image: ANSWERS["finds"](image * 0)}
    found = self_test(pipeline_of(tmp_path, answers=blind, tolerance=None))
    assert found.details[0] == "1.png: 0 found in place of 1"
    assert "low precision may round in another way here" in found.details[1]
    assert "amx_made_up" in found.details[1]


def test_slow_is_said_and_no_failure(tmp_path: Path) -> None:
    """Twice as slow as recorded is said with the likely reason; the test is passed all the same."""
    speed = RecordedSpeed(1e-6, Scope.PIPELINE, "a CPU", ("avx_of_tomorrow",))
    found = self_test(golden_of(pipeline_of(tmp_path, speed=speed), tmp_path))
    assert found.is_passed
    assert "times as slow" in found.sentence
    assert "this CPU has no avx_of_tomorrow" in found.sentence


def test_reasons_for_being_slow(tmp_path: Path) -> None:
    """Fewer CPUs than threads, other load, another CPU: what is so is named."""
    delivery = replace(pipeline_of(tmp_path).delivery, threads=8)
    assert "measured with 8 threads and may use 2 CPUs" in why_slow(delivery, 2, None)
    assert "busy with other work (load 9999.0)" in why_slow(delivery, 8, 9999.0)
    assert "another CPU, a CPU" in why_slow(delivery, 8, 0.0)


def test_golden_images_that_tell_nothing(tmp_path: Path) -> None:
    """No image, images in which nothing is found, and what is no image are refused."""
    nodes, images = pipeline_of(tmp_path).load()[0], tmp_path / "images"
    with pytest.raises(InputProblem, match="no such folder"):
        write_golden(nodes, images, tmp_path / "golden")
    images.mkdir()
    with pytest.raises(InputProblem, match="there is no image"):
        write_golden(nodes, images, tmp_path / "golden")
    (images / "x.png").write_bytes(image_of(0))
    with pytest.raises(InputProblem, match="nothing is found in any"):
        write_golden(nodes, images, tmp_path / "golden")
    (images / "x.png").write_bytes(b"x")
    with pytest.raises(UnreadableImage):
        write_golden(nodes, images, tmp_path / "golden")
    with pytest.raises(InputProblem, match="make it with"):
        read_golden(tmp_path / "elsewhere")


def test_a_folder_that_is_no_delivery(tmp_path: Path) -> None:
    """Nothing there, and another version, are said with the file."""
    with pytest.raises(InputProblem, match=r"delivery\.json"):
        read_delivery(tmp_path)
    (tmp_path / "delivery.json").write_text('{"version": 2}')
    with pytest.raises(InputProblem, match="a delivery of version 2, this reads 1"):
        read_delivery(tmp_path)


def test_threads_are_those_that_there_are(tmp_path: Path) -> None:
    """A delivery that was measured with more threads than there are CPUs takes those that there are."""
    assert pipeline_of(tmp_path, threads=10_000).threads == own_cpus()
    assert len(pipeline_of(tmp_path).load(3)) == 3
