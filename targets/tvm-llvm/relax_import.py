"""From ONNX to Relax, in a form that suits CPUs.

Channels are last, constants are folded, and elementwise operators are fused into the operator before them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx
import onnx_models
import onnxruntime
import tvm
from tvm import relax
from tvm.relax import transform
from tvm.relax.dpl import is_op, rewrite_call, wildcard
from tvm.relax.frontend.onnx import from_onnx, onnx_frontend

from shared.contract.model import Network


def import_onnx(network: Network, graph: Path) -> tvm.IRModule:
    """Return the Relax module between the network's input and its tensors.

    Its channels are last; operators are not yet fused.

    Raises:
        ValueError: the graph has no tensor of that name.
    """
    model = onnx_models.read(network, graph)
    return prepare(from_onnx(folded(model), keep_params_in_input=False))


def folded(model: Any) -> Any:
    """Let ONNX Runtime fold a model's constants and merge batch norms into convolutions; return the model."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        providers = ["CPUExecutionProvider"]
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
        return onnx.load(options.optimized_model_filepath)


def prepare(module: tvm.IRModule) -> tvm.IRModule:
    """Return a module with constants folded and convolutions' channels last."""
    steps = [
        transform.DecomposeOpsForInference(),
        transform.FoldConstant(),
        transform.CanonicalizeBindings(),
        transform.ConvertLayout({"relax.nn.conv2d": ["NHWC", "HWIO"]}),
        transform.Normalize(),
        transform.FoldConstant(),
    ]
    module = tvm.transform.Sequential(steps)(module)
    module["main"] = rewrite_call(TRANSPOSED_TWICE, without_transposes, module["main"])
    last = [
        transform.CanonicalizeBindings(),
        transform.EliminateCommonSubexpr(),
        transform.DeadCodeElimination(),
    ]
    return tvm.transform.Sequential(last)(module)


def fused(module: tvm.IRModule) -> tvm.IRModule:
    """Return a module whose `main` calls functions: each an operator with the elementwise ones after it."""
    return relax.get_pipeline("zero")(module)


INNER = is_op("relax.permute_dims")(wildcard())
TRANSPOSED_TWICE = is_op("relax.permute_dims")(INNER)


def without_transposes(call: Any, matched: Any) -> Any:
    """Leave out two transposes that cancel each other."""
    inner = matched[INNER]
    axes = [int(inner.attrs.axes[int(axis)]) for axis in call.attrs.axes]
    return inner.args[0] if axes == sorted(axes) else call


def bound(value: Any) -> float:
    """Return a limit of ONNX's Clip. Raises ValueError where the graph computes it."""
    if not isinstance(value, tvm.ir.GenericConst):
        raise ValueError("Clip with limits that are no constants")
    return float(value.value.numpy())


def clip(cls: Any, builder: Any, inputs: Any, attributes: Any, parameters: Any) -> Any:
    """Import ONNX's Clip as operators whose layout TVM can change.

    Its own importer's calls stop the change at every ReLU6.
    """
    out = inputs[0]
    if inputs[1] is not None:
        low = bound(inputs[1])
        is_relu = low == 0
        above = relax.op.nn.relu(out) if is_relu else relax.op.maximum(out, relax.const(low, out.ty.dtype))
        out = builder.normalize(above)
    if inputs[2] is not None:
        out = builder.normalize(relax.op.minimum(out, relax.const(bound(inputs[2]), out.ty.dtype)))
    return out


def pairwise(cls: Any, builder: Any, inputs: Any, attributes: Any, parameters: Any) -> Any:
    """Import ONNX's Min, Max and Sum pair by pair.

    TVM's own importer stacks them, which its change of layout cannot read.
    """
    return cls._impl_dynamic(builder, inputs)


onnx_frontend.Clip._impl_v13 = classmethod(clip)
for operator in (onnx_frontend.Min, onnx_frontend.Max, onnx_frontend.Sum):
    operator._impl_v1 = classmethod(pairwise)
