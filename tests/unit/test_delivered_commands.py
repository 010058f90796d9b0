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
from shared.serving.image_reading import read_image, read_pixels
from shared.serving.read_command import read_all
from shared.serving.self_test import self_test
from shared.serving.speed import why_slow
from tests.deliveries import (
    ANSWERS,
    DETECTOR,
    FINDS,
    HEIGHT,
    MARKS,
    NAMES,
    READER,
    READS,
    WIDTH,
    container_of,
    delivery_of,
    image_of,
    pipeline_of,
    reads,
)
from tests.videos import frame_of, write_video

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


def test_read_takes_videos(tmp_path: Path) -> None:
    """Each frame is read as an image and told with its number and time; what is none is counted."""
    whole = tmp_path / "whole.mkv"
    frames = [frame_of(np.full((HEIGHT, WIDTH, 3), value, np.uint8)) for value in (0, 200, 200)]
    write_video(whole, frames)
    (tmp_path / "folder").mkdir()
    write_video(tmp_path / "folder" / "a.mp4", frames[:1])
    (tmp_path / "folder" / "b.mp4").write_bytes(b"no video")
    lines: list[str] = []
    complaints: list[str] = []
    nodes = pipeline_of(tmp_path).load()[0]
    inputs = [str(whole), str(tmp_path / "folder"), str(tmp_path / "missing.mp4")]
    assert read_all(nodes, inputs, lines.append, complaints.append) == 2
    told = [json.loads(line) for line in lines]
    assert [(one["frame"], one["time_s"]) for one in told] == [(0, 0.0), (1, 0.04), (2, 0.08), (0, 0.0)]
    assert [one.get("text") for one in told] == [None, "AB", "AB", None]
    assert {Path(one["image"]).name for one in told} == {"whole.mkv", "a.mp4"}
    assert ["b.mp4" in complaints[0], "no such file" in complaints[1]] == [True, True]


def test_read_without_a_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyAV was left out a video is refused in a line, and images are read."""
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "shared.inference.video", raising=False)
    (tmp_path / "a.mp4").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(image_of(200))
    lines: list[str] = []
    complaints: list[str] = []
    inputs = [str(tmp_path / "a.mp4"), str(tmp_path / "b.png")]
    assert read_all(pipeline_of(tmp_path).load()[0], inputs, lines.append, complaints.append) == 1
    assert (len(lines), "this delivery reads images alone" in complaints[0]) == (1, True)


def test_any_pipeline_reads_videos(tmp_path: Path) -> None:
    """A frame of a video without loss gives what its image gives, also where no stream could be measured."""
    marks = PipelineNode("marks", "marks", "detector")
    nodes = delivery_of(tmp_path, FINDS, MARKS, nodes=(DETECTOR, marks)).load()[0]
    pixels = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    assert read_pixels(nodes, pixels, "a frame") == read_image(nodes, image_of(200), "an image")


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


def detecting(factor: float) -> dict[str, Any]:
    """Stand-ins whose detector's outputs are so many times what they were."""
    return {**ANSWERS, "finds": lambda image: {k: v * factor for k, v in ANSWERS["finds"](image).items()}}


def test_other_outputs_fail(tmp_path: Path) -> None:
    """An output beyond the tolerance, or another reading, fails; within the tolerance none does."""
    golden_of(pipeline_of(tmp_path), tmp_path)
    assert self_test(pipeline_of(tmp_path, answers=detecting(1.0005))).is_passed
    failed = self_test(pipeline_of(tmp_path, answers=detecting(1.01)))
    assert (failed.is_passed, failed.sentence) == (
        False,
        "self-test failed: 1 of 1 golden images are not read as recorded",
    )
    assert "the output 'box' differs by 0.01 of its largest value" in failed.details[0]
    dark = {**ANSWERS, "reads": lambda image: reads(image * 0)}
    assert "text 'AB' is now 'A'" in self_test(pipeline_of(tmp_path, answers=dark)).details[0]


def test_low_precision_on_another_family(tmp_path: Path) -> None:
    """On a CPU with other instructions what is found is compared alone, and the CPU is named that the quality
    is of; a reading that differs fails all the same.
    """
    golden_of(pipeline_of(tmp_path), tmp_path)
    path = tmp_path / "golden" / "expected.json"
    other = [*low_precision_flags(), "amx_made_up"]
    path.write_text(json.dumps({**json.loads(path.read_text()), "flags": other}))
    speed = RecordedSpeed(1000.0, Scope.PIPELINE, "a CPU", tuple(other))
    found = self_test(pipeline_of(tmp_path, answers=detecting(1.03), tolerance=None, speed=speed))
    assert found.is_passed
    assert "low precision may round in another way here" in found.details[0]
    assert "accuracy 0.9000 was measured on another kind of CPU, a CPU, which has" in found.details[1]
    assert "amx_made_up" in found.details[1]
    blind = {**ANSWERS, "finds": lambda image: ANSWERS["finds"](image * 0)}
    failed = self_test(pipeline_of(tmp_path, answers=blind, tolerance=None, speed=speed))
    assert (failed.is_passed, failed.details[0]) == (False, "1.png: 0 found in place of 1")


def test_low_precision_on_the_same_family(tmp_path: Path) -> None:
    """On a CPU with the same instructions outputs of low precision are compared, too: two steps of int8."""
    golden_of(pipeline_of(tmp_path), tmp_path)
    speed = RecordedSpeed(1000.0, Scope.PIPELINE, "a CPU", low_precision_flags())
    same = self_test(pipeline_of(tmp_path, answers=detecting(1.01), tolerance=None, speed=speed))
    assert (same.is_passed, same.details) == (True, ())
    other = self_test(pipeline_of(tmp_path, answers=detecting(1.02), tolerance=None, speed=speed))
    assert not other.is_passed
    assert "the output 'box' differs by 0.02 of its largest value, not 0.016" in other.details[0]


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
