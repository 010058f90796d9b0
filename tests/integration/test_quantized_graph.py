"""NNCF's quantizers, given back to a network that was quantized and written to disk."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockyard.deliver.find import measured_artifact
from dockyard.recipe.targets import code_folders
from dockyard.recipe.workspace import PRODUCT
from tests.integration.conftest import DOCKYARD, new_workspace
from tests.integration.test_build import DIGITS
from tests.integration.unmeasured import unmeasured

TARGET = "intel-openvino"
CONTROLLED = {"method": "int8-accuracy-aware", "max_drop": 0}

SCRIPT = """
import json, sys
import numpy as np
import openvino as ov
from quantized_graph import restore_weight_quantizers
from openvino._offline_transformations import compress_quantize_weights_transformation

def outputs(model):
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    shape = list(compiled.input(0).shape)
    images = np.random.default_rng(0).random([8, *shape]).astype(np.float32)
    return np.concatenate([compiled([image])[0].ravel() for image in images])

def count(model, kind):
    return sum(op.get_type_name() == kind for op in model.get_ops())

core = ov.Core()
float_model, quantized = (core.read_model(path + "/model.xml") for path in sys.argv[1:])
restored = quantized.clone()
restore_weight_quantizers(restored, float_model)
added = count(restored, "FakeQuantize") - count(quantized, "FakeQuantize")
before, between = outputs(quantized), outputs(restored)
compress_quantize_weights_transformation(restored)
after = outputs(restored)
print(json.dumps([added, float(np.abs(before - between).max()), float(np.abs(before - after).max())]))
"""

WIDENING = """
import json
import numpy as np
import openvino as ov
from openvino import opset13
from quantized_graph import widen_weights

def made(steps, zero):
    image = opset13.parameter([1, 4], np.float32)
    quantized = opset13.fake_quantize(image, np.float32(0), np.float32(1), np.float32(0), np.float32(1), 256)
    real = opset13.convert(opset13.constant(steps), "f32")
    weights = opset13.multiply(opset13.subtract(real, np.float32(zero)), np.float32(0.5))
    return ov.Model([opset13.matmul(quantized, weights, False, True)], [image])

def outcome(steps, zero):
    model = made(steps, zero)
    widened = widen_weights(model)
    constants = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
    kept = any(op.get_element_type().get_type_name() in ("i8", "u8") for op in constants)
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [widened, kept, compiled([np.ones([1, 4], np.float32)])[0].tolist()]

print(json.dumps([
    outcome(np.array([[127, 127, 127, 127], [-127, -1, 0, 1]], np.int8), 0),
    outcome(np.array([[255, 255, 255, 255], [0, 0, 128, 129]], np.uint8), 128),
    outcome(np.array([[64, 64, 64, 64], [-64, -1, 0, 1]], np.int8), 0),
]))
"""


Artifacts = Callable[[list[Any]], dict[str, Path]]


@pytest.fixture(scope="module")
def artifacts(venv_executor: object, tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """Make the artifacts of some optimizations of the digits; return them by variant."""
    workspace = new_workspace(tmp_path_factory.mktemp("quantized") / "workspace")

    def make(optimizations: list[Any]) -> dict[str, Path]:
        recipe = {**DIGITS, "optimizations": optimizations}
        found = unmeasured(workspace, recipe, tmp_path_factory.mktemp("made"))
        made = [record for record in found.values() if record.variant != "reference"]
        return {record.variant: measured_artifact(workspace, record, "digits") for record in made}

    return make


@pytest.fixture(scope="module")
def built(artifacts: Artifacts) -> dict[str, Path]:
    """The artifacts of the digits in float, in 8 bits and under accuracy control, by variant."""
    return artifacts(["baseline", "int8", CONTROLLED])


def printed_by(script: str, *arguments: str) -> Any:
    """Return the JSON that a script prints where the target's code runs."""
    python = DOCKYARD.state / "venvs" / f"{TARGET}-2026.4" / "bin" / "python"
    path = os.pathsep.join(map(str, [PRODUCT, *code_folders(DOCKYARD, TARGET)]))
    command = [str(python), "-c", script, *arguments]
    printed = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, check=True)
    return json.loads(printed.stdout)


def test_quantizers_come_back(built: dict[str, Path]) -> None:
    """A network read from disk computes the same with its weights' quantizers back, and compressed again."""
    added, with_quantizers, compressed = printed_by(SCRIPT, str(built["baseline"]), str(built["int8"]))
    assert added > 0
    assert with_quantizers < 1e-5
    assert compressed < 1e-5


def test_either_start_gives_the_same_network(built: dict[str, Path], artifacts: Artifacts) -> None:
    """Accuracy control gives the same weights whether it starts from `int8`'s artifact or calibrates."""
    alone = artifacts([CONTROLLED])
    assert list(alone) == ["int8-accuracy-aware"]
    first, second = (found["int8-accuracy-aware"] / "model.bin" for found in (built, alone))
    assert first.read_bytes() == second.read_bytes()


def test_weights_of_more_than_7_bits_are_widened(venv_executor: object) -> None:
    """Weights whose sums may saturate become float32, with the same values; others stay in 8 bits."""
    assert printed_by(WIDENING) == [
        [True, False, [[254, -63.5]]],
        [True, False, [[254, -127.5]]],
        [False, True, [[128, -32]]],
    ]
