"""Choose the zoo's pictures and label them with what each network says of them: `python label.py` writes labels.py.

It runs in the reference target's environment, `.dockyard/venvs/tensorflow-2.21/bin/python models/zoo/label.py`, once after a change
of a graph or of `pictures.py`. Its result is a Python module, for the data is made anew when a *.py of its generator changes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import onnxruntime
from pictures import draw, jpeg_bytes

from shared.contract.model import Network
from shared.runtime.preprocess import decode, to_input

MODELS = Path(__file__).resolve().parents[1]
NETWORKS = ("alexnet", "googlenet", "inception_v2", "resnet18", "resnet50", "resnet101", "densenet121")
SIZES = {"calibration": 8, "validation": 8, "test": 16}
CANDIDATES = 120
LEAD = 0.015
"""Smallest lead of the first class over the second, over the largest score: 15 times what a converted graph may differ by."""


def ask(name: str, pictures: list[bytes]) -> tuple[list[int], list[float]]:
    """Return the class that a network names for each picture, and its lead."""
    network = Network.from_json(name, json.loads((MODELS / name / "model.json").read_text(encoding="utf-8")))
    session = onnxruntime.InferenceSession(
        str(MODELS / name / network.graph), providers=["CPUExecutionProvider"]
    )
    labels, leads = [], []
    for picture in pictures:
        image, _ = to_input(decode(picture, "picture"), network.input)
        scores = session.run(network.tensors, {network.input.name: image})[0].reshape(-1)
        second, first = np.sort(scores)[-2:]
        labels.append(int(scores.argmax()))
        leads.append(float((first - second) / np.abs(scores).max()))
    return labels, leads


def rows(numbers: list[int]) -> str:
    return f"({', '.join(map(str, numbers))})"


if __name__ == "__main__":
    encoded = [jpeg_bytes(draw(number)) for number in range(CANDIDATES)]
    answers = {network: ask(f"zoo_{network}", encoded) for network in NETWORKS}
    clear = [
        number for number in range(CANDIDATES) if min(leads[number] for _, leads in answers.values()) >= LEAD
    ]
    if len(clear) < sum(SIZES.values()):
        sys.exit(
            f"only {len(clear)} of {CANDIDATES} pictures are clear to every network: draw more, or lower LEAD"
        )
    chosen, first = {}, 0
    for split, size in SIZES.items():
        chosen[split], first = clear[first : first + size], first + size
    lines = [
        '"""The numbers of the zoo\'s pictures and the class that each network names for them. Written by label.py."""\n'
    ]
    lines += [
        "PICTURES = {",
        *(f'    "{split}": {rows(numbers)},' for split, numbers in chosen.items()),
        "}\n",
        "LABELS = {",
    ]
    for network, (labels, _) in answers.items():
        lines += [f'    "{network}": {{']
        lines += [
            f'        "{split}": {rows([labels[n] for n in numbers])},' for split, numbers in chosen.items()
        ]
        lines += ["    },"]
    Path(__file__).with_name("labels.py").write_text("\n".join([*lines, "}"]) + "\n", encoding="utf-8")
    for network, (labels, leads) in answers.items():
        classes = {labels[n] for n in chosen["test"]}
        print(
            f"{network}: {len(classes)} classes in the test split, smallest lead {min(leads[n] for n in chosen['test']):.3f}"
        )
