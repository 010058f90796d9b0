"""The last step of the 2023.3 build image: mo converts a graph and POT quantizes a convolution."""

import json
import sys
import tempfile
from pathlib import Path

sys.modules["jstyleson"] = json  # of which there is no wheel; POT's file on CPUs is plain JSON

import numpy as np  # noqa: E402
import openvino.tools.mo.convert_impl as mo  # noqa: E402
from openvino.runtime import Model, opset10, serialize  # noqa: E402
from openvino.tools.mo import convert_model  # noqa: E402
from openvino.tools.pot import DataLoader, IEEngine, create_pipeline, load_model, save_model  # noqa: E402

# A frozen graph: Placeholder x [1,8,8,3] -> Relu y.
GRAPH = (
    b"\n:\n\x01x\x12\x0bPlaceholder*\x0b\n\x05dtype\x12\x020\x01"
    b"*\x1b\n\x05shape\x12\x12:\x10\x12\x02\x08\x01\x12\x02\x08\x08\x12\x02\x08\x08\x12\x02\x08\x03"
    b"\n\x15\n\x01y\x12\x04Relu\x1a\x01x*\x07\n\x01T\x12\x020\x01"
)


class Noise(DataLoader):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[np.ndarray, None]:
        return np.random.default_rng(index).random((1, 3, 8, 8), dtype=np.float32), None


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    (folder / "relu.pb").write_bytes(GRAPH)
    mo.tf_frontend_with_python_bindings_installed = False  # else mo imports TensorFlow
    converted = convert_model(input_model=folder / "relu.pb", output="y")
    assert list(converted.output("y").shape) == [1, 8, 8, 3]

    image = opset10.parameter([1, 3, 8, 8], np.float32, "x")
    kernel = np.random.default_rng(0).random((4, 3, 3, 3), dtype=np.float32)
    convolution = opset10.convolution(image, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    biased = opset10.add(convolution, np.ones((1, 4, 1, 1), np.float32))
    serialize(Model([opset10.relu(biased)], [image], "smoke"), str(folder / "smoke.xml"))
    saved = {"model": str(folder / "smoke.xml"), "weights": str(folder / "smoke.bin")}
    model = load_model({"model_name": "smoke", **saved})
    settings = {"target_device": "CPU", "preset": "performance", "stat_subset_size": 4}
    algorithm = {"name": "DefaultQuantization", "params": settings}
    quantized = create_pipeline([algorithm], IEEngine({"device": "CPU"}, Noise({}))).run(model)
    (files,) = save_model(quantized, str(folder), "quantized")
    quantizers = Path(files["model"]).read_text().count('type="FakeQuantize"')
    assert quantizers == 2, quantizers
    print("mo and POT work; quantizers:", quantizers)


if __name__ == "__main__":
    main()
