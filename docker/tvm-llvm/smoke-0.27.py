"""The last step of the 0.27 build image: a function is compiled, linked, loaded and run; the tools import."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import tvm
import xgboost
import ziglang
from tvm import relax
from tvm.s_tir import meta_schedule


def link(output: str, objects: list[str]) -> None:
    zig = Path(ziglang.__file__).with_name("zig")
    subprocess.run([zig, "ld.lld", "-shared", "-o", output, *objects], check=True)


builder = relax.BlockBuilder()
x = relax.Var("x", relax.TensorType((4, 8), "float32"))
with builder.function("main", [x]):
    builder.emit_func_output(builder.emit(relax.op.add(x, relax.const(np.arange(8, dtype=np.float32)))))

with tempfile.TemporaryDirectory() as scratch:
    library = f"{scratch}/add.so"
    tvm.compile(builder.get(), tvm.target.Target({"kind": "llvm"})).export_library(library, fcompile=link)
    machine = relax.VirtualMachine(tvm.runtime.load_module(library), tvm.cpu())
    result = machine["main"](tvm.runtime.tensor(np.ones((4, 8), np.float32))).numpy()
np.testing.assert_array_equal(result, np.tile(1 + np.arange(8, dtype=np.float32), (4, 1)))
meta_schedule.cost_model.XGBModel()

for package in (tvm, onnx, onnxruntime, xgboost):
    print(package.__name__, package.__version__)
