"""The product of matrices in ONNX Runtime, in the precision of an artifact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from onnx_session import MODEL_FILE

from shared.contract.measurement import Precision
from shared.harness.toolchain import KERNEL_SIDE, Kernel


class ProductOfMatrices:
    """Makes the kernel, a graph of one operation, run as graphs are."""

    def kernel(self, artifact: Path, threads: int) -> Kernel:
        import onnx

        graph = onnx.load(artifact / MODEL_FILE, load_external_data=False).graph
        is_int8 = any(node.op_type == "QuantizeLinear" for node in graph.node)
        kind = "MatMulInteger" if is_int8 else "MatMul"
        types = ("uint8", "int8", "int32") if is_int8 else ("float32", "float32", "float32")
        shape = [KERNEL_SIDE, KERNEL_SIDE]
        ends = []
        for name, dtype in zip(("left", "right", "product"), types):
            element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            ends.append(onnx.helper.make_tensor_value_info(name, element, shape))
        node = onnx.helper.make_node(kind, ["left", "right"], ["product"])
        whole = onnx.helper.make_graph([node], "kernel", ends[:2], ends[2:])
        model = onnx.helper.make_model(whole, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.force_spinning_stop", "1")
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        generator = np.random.default_rng(0)
        feeds = {}
        for name, dtype in zip(("left", "right"), types):
            feeds[name] = generator.integers(0, 100, shape).astype(dtype)
        precision = Precision.INT8 if is_int8 else Precision.FLOAT32
        return Kernel(precision, 2 * KERNEL_SIDE**3, lambda: session.run(None, feeds))
