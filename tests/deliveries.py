"""Deliveries whose networks are stand-ins: a folder as a container has it, and what loads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from shared.contract.artifact import Manifest
from shared.contract.codec import encode
from shared.contract.delivery import Delivery, RecordedQuality, RecordedSpeed
from shared.contract.measurement import Scope
from shared.contract.model import DataLocation, InputSpec, Network, PipelineNode
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
from shared.contract.stages import NetworkFiles
from shared.inference.arrays import Array
from shared.inference.loading import Loaders
from shared.inference.session import Session
from shared.serving.delivered import Delivered
from tests.fakes import FakeSession

HEIGHT, WIDTH = 24, 32
SPEC = InputSpec("image", (1, HEIGHT, WIDTH, 3))

BOXES = DetectionOutputs(BoxOutput("box", unit="pixels"), ScoreOutput("score", minimum=0.5))
TEXT = TextOutputs(SymbolsOutput(("s",), "AB"), NamedClasses("c", ("I", "F")))
CLASSES = ClassificationOutputs(NamedClasses("c", ("dark", "bright")))
MASK = SegmentationOutputs(MaskOutput("m", kind="sigmoid"))

DETECTOR, READER = PipelineNode("detector", "finds"), PipelineNode("reader", "reads", "detector")

Answering = Callable[[Array], Mapping[str, Array]]


def network(name: str, task: Task, outputs: Outputs) -> Network:
    return Network(name, task, "", "graph.onnx", "0" * 64, SPEC, outputs, DataLocation(folder="data"))


FINDS = network("finds", Task.DETECTION, BOXES)
READS = network("reads", Task.TEXT_RECOGNITION, TEXT)
NAMES = network("names", Task.CLASSIFICATION, CLASSES)
MARKS = network("marks", Task.SEGMENTATION, MASK)


def brightness(image: Array) -> float:
    """The mean of an input, 0 to 1."""
    return float(np.clip(np.nan_to_num(image), 0, 255).mean() / 255)


def finds(image: Array) -> Mapping[str, Array]:
    """A box in every image that is not black."""
    score = 0.9 if brightness(image) > 0.01 else 0.1
    return {"box": np.array([[4, 4, 20, 16]], np.float32), "score": np.array([score], np.float32)}


def reads(image: Array) -> Mapping[str, Array]:
    """`AB` of what is bright, `A` of what is not."""
    second = [0.1, 0.8, 0.1] if brightness(image) > 0.5 else [0.1, 0.1, 0.8]
    symbols = np.array([[[0.9, 0.05, 0.05], second]], np.float32)
    return {"s": symbols, "c": np.array([[0.3, 0.7]], np.float32)}


def names(image: Array) -> Mapping[str, Array]:
    bright = brightness(image)
    return {"c": np.array([[1 - bright, bright]], np.float32)}


def marks(image: Array) -> Mapping[str, Array]:
    """What is brighter than half."""
    return {"m": np.asarray(image[..., :1] / 255, np.float32)}


ANSWERS: Mapping[str, Answering] = {"finds": finds, "reads": reads, "names": names, "marks": marks}


@dataclass
class FakeLoader:
    """Loads stand-ins that answer by their networks' names."""

    answers: Mapping[str, Answering]
    loaded: int = 0

    def load(self, network: Network, artifact: Path, manifest: Manifest, threads: int) -> Session:
        self.loaded += 1
        return FakeSession(self.answers[network.name], manifest.input)


def delivery_of(
    folder: Path,
    *networks: Network,
    nodes: tuple[PipelineNode, ...] = (),
    answers: Mapping[str, Answering] = ANSWERS,
    **changes: Any,
) -> Delivered:
    """Write a delivery's folder, and return it with stand-ins for its networks."""
    files = []
    for one in networks:
        place = folder / "artifacts" / one.name
        place.mkdir(parents=True, exist_ok=True)
        manifest = Manifest("fake", "fake", "1", one.input)
        (place / "manifest.json").write_text(json.dumps(encode(manifest)))
        files.append(NetworkFiles(one, f"artifacts/{one.name}"))
    scope = Scope.PIPELINE if nodes else Scope.NETWORK
    delivery = Delivery(
        recipe="made-up",
        run="run",
        model=networks[-1].name,
        variant="baseline",
        target="fake",
        toolchain="1",
        networks=tuple(files),
        nodes=nodes,
        threads=1,
        golden="golden",
        quality=RecordedQuality("accuracy", 0.9),
        speed=RecordedSpeed(1000.0, scope, "a CPU"),
        tolerance=1e-3,
    )
    delivery = replace(delivery, **changes)
    (folder / "delivery.json").write_text(json.dumps(encode(delivery)))
    return Delivered(delivery, folder, Loaders(FakeLoader(answers)))


def pipeline_of(folder: Path, **changes: Any) -> Delivered:
    """A detector and a reader."""
    return delivery_of(folder, FINDS, READS, nodes=(DETECTOR, READER), **changes)


def image_of(brightness: int, size: tuple[int, int] = (HEIGHT, WIDTH), ending: str = ".png") -> bytes:
    """An image file of one colour; size is height and width in pixels."""
    is_written, encoded = cv2.imencode(ending, np.full((*size, 3), brightness, np.uint8))
    assert is_written
    return encoded.tobytes()


SERVING = """
from shared.inference.loading import Loaders
from tests.deliveries import ANSWERS, FakeLoader

LOADERS = Loaders(FakeLoader(ANSWERS))
"""


def container_of(folder: Path, code: str = SERVING) -> tuple[Path, Path]:
    """Make the folders of a container; return that of targets, with the stand-in's, and the delivery's."""
    targets, delivery = folder / "targets", folder / "delivery"
    (targets / "fake").mkdir(parents=True)
    delivery.mkdir()
    (targets / "fake" / "serving.py").write_text(code)
    return targets, delivery
