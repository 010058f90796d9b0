"""Other readings of a model.json, or of its annotations: the mistakes that leave a sound network at nothing.

Each is tried on some samples; what is much better is likely what was meant.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Iterator, List, Sequence, Tuple

import numpy as np

from shared.contract.dataset import Sample
from shared.contract.model import InputSpec, Network
from shared.contract.outputs import (
    ClassificationOutputs,
    DetectionOutputs,
    Outputs,
    SegmentationOutputs,
    SymbolsOutput,
    Task,
    TextOutputs,
)
from shared.harness.progress import report
from shared.harness.scoring import main_metric, score
from shared.inference.arrays import Array
from shared.inference.boxes import Box
from shared.inference.decoding import predict
from shared.inference.image_files import read_image
from shared.inference.preprocess import Placement, to_input
from shared.inference.session import Session, Tensors

TRIED_SAMPLES = 20

TRIED_S = 30
"""Seconds after which no other reading is begun."""

MUCH_BETTER = 0.2
"""Of the main metric: what chance does not do on so few samples."""

MEANS_AND_SCALES: Tuple[Tuple[Tuple[float, ...], Tuple[float, ...]], ...] = (
    ((0.0,), (1.0,)),
    ((0.0,), (255.0,)),
    ((127.5,), (127.5,)),
    ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    ((103.939, 116.779, 123.68), (1.0,)),
)
"""As networks are commonly trained; the last two are ImageNet's, of RGB and of BGR."""

Run = Tuple[Tensors, Placement]


@dataclass(frozen=True)
class Reading:
    """Another reading.

    Attributes:
        change: what is other in it.
        network: with the change.
        corners: the annotated boxes are taken as x_min, y_min, x_max, y_max in place of COCO's sizes.
    """

    change: str
    network: Network
    corners: bool = False


def better_reading(network: Network, session: Session, samples: Sequence[Sample]) -> str:
    """Return how much better the best of the other readings is, a sentence; or how many were tried in vain.

    Args:
        samples: few, in which there is something to find; at least one.
    """
    deadline = time.monotonic() + TRIED_S
    metric = main_metric(network)
    report(f"look for the cause in {network.name}", 0, 0)
    runs = _run(session, network.input, samples)
    own = _mean_score(network, runs, samples)
    tried: List[Tuple[float, str]] = []
    for reading in (*_of_outputs(network, runs[0][0]), *_of_input(network)):
        if time.monotonic() > deadline:
            break
        is_rerun = reading.network.input != network.input
        its_runs = _run(session, reading.network.input, samples) if is_rerun else runs
        truths = [_cornered(sample) for sample in samples] if reading.corners else samples
        tried.append((_mean_score(reading.network, its_runs, truths), reading.change))
    best = max(tried, default=(own, ""))[0]
    if best < own + MUCH_BETTER:
        return f"none of {len(tried)} other readings of model.json that were tried is much better"
    changes = " or with ".join(change for value, change in tried if value == best)
    return f"with {changes} {metric} would be {best:.2f} on {len(samples)} sample(s), not {own:.2f}"


def _run(session: Session, spec: InputSpec, samples: Sequence[Sample]) -> List[Run]:
    """Return the outputs for each sample, its image made an input as `spec` has it."""
    runs = []
    for sample in samples:
        image, placement = to_input(read_image(sample.path, spec.background), spec)
        runs.append((session.run(image), placement))
    return runs


def _mean_score(network: Network, runs: Sequence[Run], samples: Sequence[Sample]) -> float:
    metric = main_metric(network)
    predictions = [predict(network, *run) for run in runs]
    scored = zip(predictions, samples)
    return float(np.mean([score(network, found, sample).scores[metric] for found, sample in scored]))


def _cornered(sample: Sample) -> Sample:
    """Return a sample whose annotated width and height are taken for its box's other corner."""
    if sample.objects is not None:
        objects = tuple(replace(one, box=_other_corner(one.box)) for one in sample.objects)
        return replace(sample, objects=objects)
    return sample if sample.box is None else replace(sample, box=_other_corner(sample.box))


def _other_corner(box: Box) -> Box:
    x, y, right, bottom = box
    return x, y, right - x, bottom - y


def _of_outputs(network: Network, tensors: Tensors) -> Iterator[Reading]:
    """Yield readings of the same outputs; `tensors` are those of one sample."""
    outputs = network.outputs
    if isinstance(outputs, DetectionOutputs):
        yield from _of_boxes(network, outputs)
        return
    others: Iterator[Tuple[str, Outputs]]
    if isinstance(outputs, ClassificationOutputs):
        others = _of_names(outputs)
    elif isinstance(outputs, TextOutputs):
        others = _of_symbols(outputs)
    else:
        others = _of_mask(outputs, tensors[outputs.mask.tensor], network.input.layout)
    for change, changed in others:
        yield Reading(change, replace(network, outputs=changed))


def _of_boxes(network: Network, outputs: DetectionOutputs) -> Iterator[Reading]:
    is_plain = outputs.box.strides is None and outputs.box.anchors is None
    for form in ("xyxy", "yxyx", "xywh", "cxcywh") if is_plain else ():
        for unit in ("relative", "pixels"):
            box = replace(outputs.box, form=form, unit=unit)
            if box != outputs.box:
                change = f"outputs.box of the form '{form}' and the unit '{unit}'"
                yield Reading(change, replace(network, outputs=replace(outputs, box=box)))
    if outputs.score is not None:
        every = replace(outputs, score=replace(outputs.score, minimum=-np.inf))
        yield Reading("no outputs.score.minimum", replace(network, outputs=every))
    yield from _of_numbers(network, outputs)
    yield Reading("the annotations' bbox as x_min, y_min, x_max, y_max", network, corners=True)


def _of_numbers(network: Network, outputs: DetectionOutputs) -> Iterator[Reading]:
    """Yield the reading of classes that are numbered from the other of 0 and 1."""
    objects = outputs.objects
    if objects is None or objects.classes is None or objects.classes.kind != "number":
        return
    other = 1 - min(1, objects.classes.numbered_from)
    classes = replace(objects.classes, numbered_from=other)
    changed = replace(outputs, objects=replace(objects, classes=classes))
    yield Reading(f"classes numbered from {other}", replace(network, outputs=changed))


def _of_names(outputs: ClassificationOutputs) -> Iterator[Tuple[str, Outputs]]:
    names = outputs.classes.names
    orders = {
        "the names shifted by one (the first to the end)": (*names[1:], names[0]),
        "the names shifted by one (the last to the front)": (names[-1], *names[:-1]),
        "the names in the order of the alphabet": tuple(sorted(names)),
    }
    for change, order in orders.items():
        if order != names:
            yield change, replace(outputs, classes=replace(outputs.classes, names=order))


def _of_symbols(outputs: TextOutputs) -> Iterator[Tuple[str, Outputs]]:
    symbols = outputs.symbols
    decoder = "ctc" if symbols.decoder == "heads" else "heads"
    alphabet = symbols.alphabet
    others = {
        f"the decoder '{decoder}'": replace(symbols, decoder=decoder),
        "the blank as the first class": replace(symbols, blank=0),
        "the blank as the last class": replace(symbols, blank=None),
        "the alphabet shifted by one (the first to the end)": replace(
            symbols, alphabet=alphabet[1:] + alphabet[:1]
        ),
        "the alphabet shifted by one (the last to the front)": replace(
            symbols, alphabet=alphabet[-1:] + alphabet[:-1]
        ),
    }
    for change, other in others.items():
        if _decoding(other) != _decoding(symbols):
            yield change, replace(outputs, symbols=other)


def _decoding(symbols: SymbolsOutput) -> Tuple[str, str, int]:
    """Return what decides how symbols are read; the last class is the blank with or without its number."""
    return symbols.decoder, symbols.alphabet, symbols.blank_class


def _of_mask(outputs: SegmentationOutputs, tensor: Array, layout: str) -> Iterator[Tuple[str, Outputs]]:
    mask = outputs.mask
    if mask.kind == "sigmoid" and tensor.min() >= 0:
        return
    if mask.kind == "sigmoid":
        yield (
            "a threshold of 0 (outputs before the sigmoid)",
            replace(outputs, mask=replace(mask, threshold=0.0)),
        )
        return
    for foreground in range(tensor.shape[1 if layout == "NCHW" else -1]):
        if foreground != mask.foreground:
            yield f"the foreground {foreground}", replace(outputs, mask=replace(mask, foreground=foreground))


def _of_input(network: Network) -> Iterator[Reading]:
    """Yield readings of the same images: another resizing, channel orders, means and scales."""
    spec = network.input
    if network.task != Task.SEGMENTATION:  # whose masks need not have their image's proportions
        resize = "letterbox" if spec.resize == "stretch" else "stretch"
        yield Reading(f"input.resize '{resize}'", replace(network, input=replace(spec, resize=resize)))
    for channels in ("RGB", "BGR") if spec.channels != "GRAY" else ("GRAY",):
        for mean, scale in ((spec.mean, spec.scale), *_other_scales(spec)):
            changes = {"channels": channels} if channels != spec.channels else {}
            text = [f"input.channels {channels}"] if changes else []
            if (mean, scale) != (spec.mean, spec.scale):
                text.append(f"input.mean {list(mean)} and scale {list(scale)}")
            if text:
                changed = replace(spec, channels=channels, mean=mean, scale=scale)
                yield Reading(", ".join(text), replace(network, input=changed))


def _other_scales(spec: InputSpec) -> Iterator[Tuple[Tuple[float, ...], Tuple[float, ...]]]:
    """Yield the common means and scales that are not an input's own and fit its channels."""
    if spec.dtype != "float32":
        return
    for mean, scale in MEANS_AND_SCALES:
        is_own = set(zip(spec.mean, spec.scale)) == set(zip(mean, scale))
        if len(mean) in (1, spec.channel_count) and not is_own:
            yield mean, scale
