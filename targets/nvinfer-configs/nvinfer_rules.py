"""What keys of a configuration of nvinfer have to do with one another.

A value that is none by itself is told elsewhere, and left out here.
"""

from __future__ import annotations

from typing import Iterator, Tuple

from nvinfer_entries import Config
from nvinfer_keys import CLASS_ATTRS, items
from nvinfer_problems import Problem

WHOLE_FRAMES, OBJECTS = 1, 2
DETECTOR, CLASSIFIER = 0, 1

CHANNELS = {0: 3, 1: 3, 2: 1}
"""Of a `model-color-format`."""

FROM_OBJECTS = ("operate-on-gie-id", "operate-on-class-ids", "secondary-reinfer-interval")
"""Keys that say that an element runs on objects."""

Told = Tuple[str, str]
"""What is wrong, and what to do."""


def rule_problems(config: Config, name: str) -> Iterator[Problem]:
    """Yield what is wrong between the keys of one configuration."""
    for rule in (_input, _normalization, _stage, _detector, _classes, _parsers, _classifier):
        for what, advice in rule(config):
            yield Problem(name, what, advice)


def _count(config: Config, key: str) -> int:
    """Return how many items a list has; 0 where it is not there."""
    text = config.value(key)
    return 0 if text is None else len(items(text))


def _input(config: Config) -> Iterator[Told]:
    dims, colour = config.value("infer-dims"), config.number("model-color-format")
    count = _count(config, "infer-dims")
    channels = CHANNELS.get(int(colour)) if colour is not None else None
    if dims is not None and count != 3:
        yield f"infer-dims has {count} numbers", "give channels, height and width, in this order"
    elif dims is not None and channels is not None and items(dims)[0] != str(channels):
        what = f"infer-dims begins with {items(dims)[0]}, and model-color-format has {channels} channels"
        yield what, "begin with the channels, even for NHWC"
    if config.number("network-input-order") == 1 and dims is None:
        yield "network-input-order is 1 without infer-dims", "say the input's size in infer-dims"


def _normalization(config: Config) -> Iterator[Told]:
    offsets, colour = _count(config, "offsets"), config.number("model-color-format")
    factor = config.number("net-scale-factor")
    channels = CHANNELS.get(int(colour)) if colour is not None else None
    if offsets and channels is not None and offsets != channels:
        what = f"offsets has {offsets} numbers for {channels} channels"
        yield what, "give one for each channel of model-color-format"
    if offsets and config.value("mean-file") is not None:
        yield "mean-file and offsets are both there", "keep one of them"
    if factor is not None and factor <= 0:
        what = f"net-scale-factor is {factor:g}, not above 0, so that offsets do not count"
        yield what, "put the normalization into the graph and say 1"


def _stage(config: Config) -> Iterator[Told]:
    mode = config.number("process-mode")
    given = [key for key in FROM_OBJECTS if config.value(key) is not None]
    if mode == WHOLE_FRAMES and given and config.number("operate-on-gie-id") != -1:
        yield f"process-mode is 1, whole frames, beside {given[0]}", "a secondary has process-mode 2"
    if mode == OBJECTS and config.number("scaling-compute-hw") != 1:
        what = (
            "scaling-compute-hw is not 1, so that objects below 16 pixels are skipped and small ones may end"
        )
        yield f"{what} the stream", "say scaling-compute-hw 1: the GPU scales"
    if mode == OBJECTS and config.number("interval"):
        yield "interval does not count with process-mode 2", "say it of the detector"


def _detector(config: Config) -> Iterator[Told]:
    if config.number("network-type") != DETECTOR or config.value("is-classifier") == "1":
        return
    if config.value("num-detected-classes") is None:
        yield "num-detected-classes is missing", "a detector needs it: say how many lines its labels have"
    own = config.value("parse-bbox-func-name")
    merging = config.value("cluster-mode")
    if merging is not None and own is None:
        what = f"cluster-mode is {merging} without parse-bbox-func-name"
        yield what, "name the function that reads the boxes; nvinfer's own reads a DetectNet's alone"


def _classes(config: Config) -> Iterator[Told]:
    classes = config.number("num-detected-classes")
    for group in config.groups:
        number = group[len(CLASS_ATTRS) + 1 :]
        is_one = group.startswith(f"{CLASS_ATTRS}-") and number.isdecimal() and len(number) < 10
        if is_one and classes is not None and int(number) >= classes:
            yield f"'{group}' is of a class that num-detected-classes, {classes:g}, leaves out", "remove it"


def _parsers(config: Config) -> Iterator[Told]:
    for key in ("parse-bbox-func-name", "parse-classifier-func-name"):
        if config.value(key) is not None and config.value("custom-lib-path") is None:
            yield f"{key} is there without custom-lib-path", "name the library that has the function"


def _classifier(config: Config) -> Iterator[Told]:
    waits = config.value("classifier-async-mode") == "1"
    if waits and config.value("output-tensor-meta") == "1":
        yield "classifier-async-mode and output-tensor-meta are both 1", "keep one of them"
    if waits and config.number("process-mode") == WHOLE_FRAMES:
        yield "classifier-async-mode is 1 on whole frames", "it is for secondaries behind a tracker: say 0"
