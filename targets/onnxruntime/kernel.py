"""The product of matrices in ONNX Runtime, in the precision of an artifact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from onnx_session import MODEL_FILE, session_options

from shared.contract.measurement import Precision
from shared.harness.toolchain import KERNEL_PRODUCTS, KERNEL_SIDE, Kernel


class ProductOfMatrices:
    """Makes the kernel, a graph of nothing else, run as graphs are."""

    def kernel(self, artifact: Path, threads: int) -> Kernel:
        import onnx

        graph = onnx.load(artifact / MODEL_FILE, load_external_data=False).graph
        is_int8 = any(node.op_type == "QuantizeLinear" for node in graph.node)
        shape = [KERNEL_SIDE, KERNEL_SIDE]
        types = ("uint8", "int8", "uint8") if is_int8 else ("float32", "float32", "float32")
        ends = []
        for name, dtype in zip(("left", "right", f"product{KERNEL_PRODUCTS}"), types):
            element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            ends.append(onnx.helper.make_tensor_value_info(name, element, shape))
        scales = [
            onnx.numpy_helper.from_array(np.float32(1 / KERNEL_SIDE), "scale"),
            onnx.numpy_helper.from_array(np.uint8(0), "zero"),
            onnx.numpy_helper.from_array(np.int8(0), "zero_of_right"),
        ]
        nodes, left = [], "left"
        for number in range(1, KERNEL_PRODUCTS + 1):
            inputs = [left, "right"]
            if is_int8:
                inputs = [left, "scale", "zero", "right", "scale", "zero_of_right", "scale", "zero"]
            left = f"product{number}"
            nodes.append(onnx.helper.make_node("QLinearMatMul" if is_int8 else "MatMul", inputs, [left]))
        whole = onnx.helper.make_graph(nodes, "kernel", ends[:2], ends[2:], scales if is_int8 else [])
        model = onnx.helper.make_model(whole, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), session_options(threads), providers=["CPUExecutionProvider"]
        )
        generator = np.random.default_rng(0)
        feeds = {}
        for name, dtype in zip(("left", "right"), types):
            values = generator.integers(0, 100, shape) if is_int8 else generator.uniform(-0.05, 0.05, shape)
            feeds[name] = values.astype(dtype)
        precision = Precision.INT8 if is_int8 else Precision.FLOAT32
        return Kernel(precision, lambda: session.run(None, feeds))
