"""One pass of Olive on this machine's CPU, run as `olive run` does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Mapping, Sequence

import olive.workflows
import openvino as ov
from samples import Samples, data_config

_CPU = {"device": "cpu", "execution_providers": ["OpenVINOExecutionProvider"]}


def run(start: Mapping[str, Any], own: Mapping[str, Any], data: Sequence[Samples] = ()) -> Any:
    """Return the ov.Model that a pass makes.

    Args:
        start: Olive's description of the model that it begins with.
        own: the pass, with its options; what they leave open is as Olive has it.
        data: that the pass names by its splits.
    """
    with tempfile.TemporaryDirectory() as folder:
        workflow = {
            "input_model": start,
            "systems": {"here": {"type": "LocalSystem", "accelerators": [_CPU]}},
            "host": "here",
            "target": "here",
            "data_configs": [data_config(samples) for samples in data],
            "passes": {"pass": own},
            "evaluate_input_model": False,
            "cache_dir": f"{folder}/cache",
            "output_dir": f"{folder}/output",
        }
        olive.workflows.run(workflow)
        (ir,) = (Path(folder) / "output" / "model").glob("*.xml")
        return ov.Core().read_model(ir)
