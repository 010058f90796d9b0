"""Clocks: one network alone, and the pipeline from encoded files to readings."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns
from typing import Any, Dict, List, Mapping, Tuple

from shared.contract.dataset import read_split
from shared.contract.model import Network
from shared.contract.steps import STEPS
from shared.runtime import tasks
from shared.runtime.arrays import Array
from shared.runtime.evaluate import load_reference
from shared.runtime.preprocess import crop, decode, to_array, to_input
from shared.runtime.progress import report, track
from shared.runtime.toolchain import Session


def benchmark_network(session: Session, reference: Path, warmup: int, runs: int, seconds: float) -> Dict[str, Any]:
    """Time one call of the network many times on one real input (`repeat` protocol).

    A time covers one call: input ready in host memory to outputs in host memory.

    Args:
        warmup, runs: calls before the clock counts, and timed calls; at least so many.
        seconds: that the timed calls take at least, and the calls before them half as long.

    Returns:
        Timing as in result.json: scope `network`, raw samples in nanoseconds.
    """
    image = to_array(load_reference(reference)[0][0], session.input)
    report("warm up", 0, 0)
    _repeat(session, image, warmup, seconds / 2)
    report("measure", 0, 0)
    return {"scope": "network", "protocol": "repeat", "samples_ns": {"total": _repeat(session, image, runs, seconds)}}


def _repeat(session: Session, image: Array, runs: int, seconds: float) -> List[int]:
    samples: List[int] = []
    end = perf_counter_ns() + int(seconds * 1e9)
    while len(samples) < runs or perf_counter_ns() < end:
        start = perf_counter_ns()
        session.run(image)
        samples.append(perf_counter_ns() - start)
    return samples


def benchmark_pipeline(
    networks: Tuple[Network, Network], sessions: Tuple[Session, Session], split: Path, margin: float, warmup: int, images: int
) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Time and score the pipeline on whole frames, each once, from the encoded bytes to the reading.

    Args:
        networks, sessions: detector, reader.
        split: a split folder with readings.csv.
        margin: share of the box added on each side before the crop.
        warmup: images run before the clock counts.
        images: images measured; 0 takes all.

    Returns:
        Timing (scope `pipeline`, nanoseconds for each of STEPS and image) and quality. Where the detector finds
        no plate the reading is None and counts as wrong, and the reader's steps are 0.
    """
    samples = read_split(split, "reading")
    samples = samples[:images] if images else samples
    encoded = [s.path.read_bytes() for s in samples]
    for sample, data in zip(samples[:warmup], encoded):
        _run_once(networks, sessions, data, sample.id, margin)
    times: Dict[str, List[int]] = {name: [] for name in STEPS}
    rows: List[Dict[str, Any]] = []
    for sample, data in track(zip(samples, encoded), "frames to readings", len(samples)):
        prediction, clock = _run_once(networks, sessions, data, sample.id, margin)
        for name in STEPS:
            times[name].append(clock.get(name, 0))
        missed = ("", "" if "country" in networks[1].outputs else None)
        scores = tasks.reading_scores(prediction or missed, sample)
        text = None if prediction is None else f"{prediction[0]} {prediction[1] or ''}".strip()
        rows.append({"id": sample.id, "scores": scores, "prediction": text})
    quality = {"main": "exact", "metrics": tasks.means([r["scores"] for r in rows]), "samples": rows}
    return {"scope": "pipeline", "protocol": "dataset", "samples_ns": times}, quality


def _run_once(
    networks: Tuple[Network, Network], sessions: Tuple[Session, Session], data: bytes, name: str, margin: float
) -> Tuple[Any, Mapping[str, int]]:
    detector, reader = networks
    marks: List[Tuple[str, int]] = [("", perf_counter_ns())]

    def lap(step: str) -> None:
        marks.append((step, perf_counter_ns()))

    image = decode(data, name)
    lap("decode")
    tensor, placement = to_input(image, sessions[0].input)
    lap("detector_input")
    outputs = sessions[0].run(tensor)
    lap("detector")
    box = tasks.decode_box(detector, outputs, placement)
    lap("detector_output")
    prediction = None
    if box is not None:
        plate, _ = to_input(crop(image, box, margin), sessions[1].input)
        lap("reader_input")
        outputs = sessions[1].run(plate)
        lap("reader")
        prediction = tasks.decode_reading(reader, outputs)
        lap("reader_output")
    clock = {step: end - start for (_, start), (step, end) in zip(marks, marks[1:])}
    clock["total"] = marks[-1][1] - marks[0][1]
    return prediction, clock
