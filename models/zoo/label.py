"""Choose the zoo's pictures and label them with each network's answers: `python label.py` writes labels.py.

It runs in the reference target's environment,
`.dockyard/venvs/tensorflow-2.21/bin/python models/zoo/label.py`, once after a change of a graph or of
`pictures.py`. Its result is a Python module, for the data is made anew when a *.py of its generator changes.
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
from shared.inference.image_files import decode
from shared.inference.preprocess import to_input

MODELS = Path(__file__).resolve().parents[1]
NETWORKS = ("alexnet", "googlenet", "inception_v2", "resnet18", "resnet50", "resnet101", "densenet121")
SIZES = {"calibration": 8, "validation": 8, "test": 16}
CANDIDATES = 120
LEAD = 0.015
"""Smallest lead of the first class over the second, over the largest score.

It is 15 times what a converted graph may differ by.
"""
HEADING = (
    '"""The numbers of the zoo\'s pictures and the class that each network names for them. '
    'Written by label.py."""\n'
)


def ask(name: str, pictures: list[bytes]) -> tuple[list[int], list[float]]:
    """Return the class that a network names for each picture, and its lead."""
    document = json.loads((MODELS / name / "model.json").read_text(encoding="utf-8"))
    network = Network.from_model_json(name, document)
    path = str(MODELS / name / network.graph)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    labels, leads = [], []
    for picture in pictures:
        image, _ = to_input(decode(picture, "picture"), network.input)
        scores = session.run(list(network.tensors), {network.input.name: image})[0].reshape(-1)
        second, first = np.sort(scores)[-2:]
        labels.append(int(scores.argmax()))
        leads.append(float((first - second) / np.abs(scores).max()))
    return labels, leads


def module_text(chosen: dict[str, list[int]], labels: dict[str, list[int]]) -> str:
    """Return the text of labels.py.

    chosen: the numbers of each split's pictures. labels: the class of each candidate by each network.
    """

    def row(indent: int, split: str, numbers: list[int]) -> str:
        return f'{" " * indent}"{split}": ({", ".join(map(str, numbers))}),'

    lines = [HEADING, "PICTURES = {"]
    lines += [row(4, split, numbers) for split, numbers in chosen.items()]
    lines += ["}\n", "LABELS = {"]
    for network, classes in labels.items():
        lines.append(f'    "{network}": {{')
        for split, numbers in chosen.items():
            lines.append(row(8, split, [classes[number] for number in numbers]))
        lines.append("    },")
    return "\n".join([*lines, "}"]) + "\n"


if __name__ == "__main__":
    encoded = [jpeg_bytes(draw(number)) for number in range(CANDIDATES)]
    labels, leads = {}, {}
    for network in NETWORKS:
        labels[network], leads[network] = ask(f"zoo_{network}", encoded)
    smallest = np.min(list(leads.values()), axis=0)
    clear = np.flatnonzero(smallest >= LEAD).tolist()
    if len(clear) < sum(SIZES.values()):
        few = f"only {len(clear)} of {CANDIDATES} pictures are clear to every network"
        sys.exit(f"{few}: draw more, or lower LEAD")
    chosen, first = {}, 0
    for split, size in SIZES.items():
        chosen[split], first = clear[first : first + size], first + size
    Path(__file__).with_name("labels.py").write_text(module_text(chosen, labels), encoding="utf-8")
    for network in NETWORKS:
        count = len({labels[network][number] for number in chosen["test"]})
        least = min(leads[network][number] for number in chosen["test"])
        print(f"{network}: {count} classes in the test split, smallest lead {least:.3f}")
