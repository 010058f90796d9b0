"""An artifact as it is made: the IR written, and what is told of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import openvino as ov
from artifact import IR_FILE, PRECISION

from shared.contract.model import InputSpec
from shared.contract.result import Notes
from shared.harness.toolchain import Product

FORMAT = "openvino-ir"


def save(model: Any, output: Path, compress: bool) -> None:
    """Write an IR.

    Args:
        compress: store the constants that are float32 as float16.
    """
    ov.save_model(model, output / IR_FILE, compress_to_fp16=compress)
    ir = (output / IR_FILE).read_text(encoding="utf-8")
    # A sixth of the file is indentation.
    (output / IR_FILE).write_text(re.sub(r">\s+<", "><", ir), encoding="utf-8")


def product(spec: InputSpec, precision: str, notes: Notes) -> Product:
    """Return what an IR is.

    Args:
        spec: how an image becomes its input.
        precision: that it is to run in.
    """
    return Product(FORMAT, spec, {PRECISION: precision}, notes=notes)
