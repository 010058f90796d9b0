"""Make the graphs of the zoo: `python graphs.py [NAME ...]`, all by default; print their cost and checksum.

Each becomes models/zoo_NAME/zoo_NAME.onnx, the same bytes each time. This runs where `onnx` is, which the
host has not: in the reference target's environment,
`.dockyard/venvs/tensorflow-2.21/bin/python models/zoo/graphs.py`.

The architectures are the papers' (the cards name them), in inference form: without dropout, batch norm with
fixed statistics, the scores before the softmax as output. Nobody trained them. Instead of weights a file
holds the arithmetic that makes them (`Net.filler`, `Net.model`), so that 30 to 240 MB of weights take 10 to
250 kB; a runtime folds it into constants when it loads the graph.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

MODELS = Path(__file__).resolve().parents[1]
OPSET = 17
IR_VERSION = 8
SIDE = 224
CLASSES = 1000

FIRST, STEP, PRIME = 123_456_789, 61, 2**31 - 1
"""The numbers FIRST, FIRST + STEP, ... are squared modulo PRIME.

The squares of 40 million of them stay below 2**63.
"""
LEVELS = 2048
"""The noise is what is left modulo 2 * LEVELS + 1, less LEVELS: whole numbers that float32 holds exactly."""
OFFSET, OFFSETS = 7919, 65536
"""The n-th filler starts at number n * OFFSET % OFFSETS of the noise, so that layers of one shape differ."""

VARIANCE = 1 / 2 - 1 / (2 * math.pi)
"""Of ReLU's output around its mean, where its input is normal with variance 1."""
BRANCH = 0.3
"""Scale of a residual branch's last batch norm: with 1 the sum's variance would double in each block."""

NONE, AROUND, AFTER = (0, 0, 0, 0), (1, 1, 1, 1), (0, 0, 1, 1)
"""Pads; AFTER gives the sizes that Caffe's pooling, rounding up, gives."""


class Tensor(NamedTuple):
    """A tensor of the graph that is being made, and its channels."""

    name: str
    channels: int


IMAGE = Tensor("image", 3)


class Net:
    """A graph that is being made, layer after layer."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[tuple[Any, ...], Any] = {}
        self._fillers = 0
        self._largest = 0

    def _constant(self, *values: float, dtype: Any = np.int64, scalar: bool = False) -> str:
        key = (values, dtype, scalar)
        if key not in self._constants:
            array = np.array(values[0] if scalar else values, dtype)
            self._constants[key] = numpy_helper.from_array(array, f"c{len(self._constants)}")
        return str(self._constants[key].name)

    def _float(self, value: float) -> str:
        return self._constant(value, dtype=np.float32, scalar=True)

    def _op(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        output = output or f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def filler(self, name: str, shape: tuple[int, ...], half_range: float, middle: float = 0.0) -> str:
        """Add what makes a constant of roughly uniform values, at most `half_range` from `middle`.

        A constant of more than one axis is made so that the mean of each of its filters is 0. Without that,
        the mean of a ReLU's output, which is alike for all pictures, would decide every network's answer.
        """
        size, start = math.prod(shape), self._fillers * OFFSET % OFFSETS
        self._fillers += 1
        self._largest = max(self._largest, size)
        noise = self._op("Slice", ["noise", self._constant(start), self._constant(start + size)])
        if len(shape) > 1:
            noise = self._op("Reshape", [noise, self._constant(*shape)])
            noise = self._op("Sub", [noise, self._op("ReduceMean", [noise], axes=list(range(1, len(shape))))])
        scaled = self._op("Mul", [noise, self._float(half_range / LEVELS)], "" if middle else name)
        return self._op("Add", [scaled, self._float(middle)], name) if middle else scaled

    def _weights(self, name: str, shape: tuple[int, ...]) -> str:
        """Add weights that keep the variance from one ReLU to the next, as He and others (2015) do.

        Their filters' mean is 0 (`filler`): the variance of a ReLU's output counts, not its mean square.
        """
        return self.filler(f"{name}/weights", shape, math.sqrt(3 / VARIANCE / math.prod(shape[1:])))

    def _bias(self, name: str, channels: int) -> str:
        return self.filler(f"{name}/bias", (channels,), 0.05)

    def conv(
        self,
        x: Tensor,
        channels: int,
        kernel: int,
        stride: int = 1,
        pad: int = -1,
        groups: int = 1,
        bias: bool = False,
    ) -> Tensor:
        """Add a convolution; by default its padding keeps the size where the stride is 1."""
        name = f"conv{len(self._nodes)}"
        inputs = [x.name, self._weights(name, (channels, x.channels // groups, kernel, kernel))]
        inputs += [self._bias(name, channels)] if bias else []
        pads = [kernel // 2 if pad < 0 else pad] * 4
        sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": pads}
        self._op("Conv", inputs, name, **sizes, group=groups)
        return Tensor(name, channels)

    def conv_relu(
        self, x: Tensor, channels: int, kernel: int, stride: int = 1, pad: int = -1, groups: int = 1
    ) -> Tensor:
        return self.relu(self.conv(x, channels, kernel, stride, pad, groups, bias=True))

    def conv_norm_relu(self, x: Tensor, channels: int, kernel: int, stride: int = 1) -> Tensor:
        return self.relu(self.norm(self.conv(x, channels, kernel, stride)))

    def norm(self, x: Tensor, scale: float = 1.0) -> Tensor:
        """Add a batch norm: scale and variance near 1 (the scale near `scale`), bias and mean near 0."""
        name, shape = f"norm{len(self._nodes)}", (x.channels,)
        inputs = [
            self.filler(f"{name}/scale", shape, scale / 10, scale),
            self.filler(f"{name}/bias", shape, 0.1),
            self.filler(f"{name}/mean", shape, 0.1),
            self.filler(f"{name}/variance", shape, 0.25, 1.0),
        ]
        return Tensor(self._op("BatchNormalization", [x.name, *inputs], name, epsilon=1e-5), x.channels)

    def relu(self, x: Tensor) -> Tensor:
        return Tensor(self._op("Relu", [x.name]), x.channels)

    def normalise_responses(self, x: Tensor) -> Tensor:
        return Tensor(self._op("LRN", [x.name], size=5, alpha=1e-4, beta=0.75, bias=1.0), x.channels)

    def pool(self, kind: str, x: Tensor, kernel: int, stride: int, pads: Sequence[int]) -> Tensor:
        """Add a pooling of `kind` Max or Average; padding does not count in an average."""
        attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": list(pads)}
        return Tensor(self._op(f"{kind}Pool", [x.name], **attributes), x.channels)

    def concat(self, *parts: Tensor) -> Tensor:
        name = self._op("Concat", [part.name for part in parts], axis=1)
        return Tensor(name, sum(part.channels for part in parts))

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return Tensor(self._op("Add", [a.name, b.name]), a.channels)

    def flatten(self, x: Tensor, pixels: int = 1) -> Tensor:
        return Tensor(self._op("Flatten", [x.name]), x.channels * pixels)

    def dense(self, x: Tensor, channels: int, name: str) -> Tensor:
        inputs = [x.name, self._weights(name, (channels, x.channels)), self._bias(name, channels)]
        return Tensor(self._op("Gemm", inputs, name, transB=1), channels)

    def classify(self, x: Tensor) -> None:
        """Add the mean over each channel and the class scores."""
        mean = Tensor(self._op("GlobalAveragePool", [x.name]), x.channels)
        self.dense(self.flatten(mean), CLASSES, "scores")

    def model(self, name: str) -> Any:
        """Return the checked model, with the noise that all fillers are cut out of."""
        layers, self._nodes = self._nodes, []
        end = FIRST + STEP * (self._largest + OFFSETS)
        index = self._op("Range", [self._constant(v, scalar=True) for v in (FIRST, end, STEP)])
        residue = self._op("Mod", [self._op("Mul", [index, index]), self._constant(PRIME, scalar=True)])
        residue = self._op("Mod", [residue, self._constant(2 * LEVELS + 1, scalar=True)])
        self._op("Sub", [self._op("Cast", [residue], to=TensorProto.FLOAT), self._float(LEVELS)], "noise")
        image = helper.make_tensor_value_info(IMAGE.name, TensorProto.FLOAT, [1, IMAGE.channels, SIDE, SIDE])
        scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, CLASSES])
        constants = list(self._constants.values())
        graph = helper.make_graph([*self._nodes, *layers], name, [image], [scores], constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model


def alexnet(net: Net) -> None:
    x = net.normalise_responses(net.conv_relu(IMAGE, 96, 11, 4, pad=2))
    x = net.conv_relu(net.pool("Max", x, 3, 2, NONE), 256, 5, groups=2)
    x = net.pool("Max", net.normalise_responses(x), 3, 2, NONE)
    x = net.conv_relu(x, 384, 3)
    x = net.conv_relu(x, 384, 3, groups=2)
    x = net.pool("Max", net.conv_relu(x, 256, 3, groups=2), 3, 2, NONE)
    x = net.relu(net.dense(net.flatten(x, pixels=6 * 6), 4096, "fc6"))
    x = net.relu(net.dense(x, 4096, "fc7"))
    net.dense(x, CLASSES, "scores")


GOOGLENET = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Channels of each block: 1x1; 3x3 after its reduction; 5x5 after its reduction; 1x1 after the pooling."""


def googlenet(net: Net) -> None:
    conv = net.conv_relu
    x = net.normalise_responses(net.pool("Max", conv(IMAGE, 64, 7, 2), 3, 2, AFTER))
    x = net.pool("Max", net.normalise_responses(conv(conv(x, 64, 1), 192, 3)), 3, 2, AFTER)
    for block, (one, reduce_three, three, reduce_five, five, pooled) in GOOGLENET.items():
        if block in ("4a", "5a"):
            x = net.pool("Max", x, 3, 2, AFTER)
        x = net.concat(
            conv(x, one, 1),
            conv(conv(x, reduce_three, 1), three, 3),
            conv(conv(x, reduce_five, 1), five, 5),
            conv(net.pool("Max", x, 3, 1, AROUND), pooled, 1),
        )
    net.classify(x)


INCEPTION_V2 = {
    "3a": (64, 64, 64, 64, 96, "Average", 32),
    "3b": (64, 64, 96, 64, 96, "Average", 64),
    "3c": (0, 128, 160, 64, 96, "Max", 0),
    "4a": (224, 64, 96, 96, 128, "Average", 128),
    "4b": (192, 96, 128, 96, 128, "Average", 128),
    "4c": (160, 128, 160, 128, 160, "Average", 96),
    "4d": (96, 128, 192, 160, 192, "Average", 96),
    "4e": (0, 128, 192, 192, 256, "Max", 0),
    "5a": (352, 192, 320, 160, 224, "Average", 128),
    "5b": (352, 192, 320, 192, 224, "Max", 128),
}
"""Channels of each block: 1x1; 3x3 after its reduction; two of 3x3 after theirs; pooling, 1x1 after it.

0: none, and stride 2.
"""


def inception_v2(net: Net) -> None:
    conv = net.conv_norm_relu
    x = net.pool("Max", conv(IMAGE, 64, 7, 2), 3, 2, AFTER)
    x = net.pool("Max", conv(conv(x, 64, 1), 192, 3), 3, 2, AFTER)
    for one, reduce_three, three, reduce_double, double, kind, pooled in INCEPTION_V2.values():
        stride = 1 if one else 2
        parts = [conv(x, one, 1)] if one else []
        parts.append(conv(conv(x, reduce_three, 1), three, 3, stride))
        parts.append(conv(conv(conv(x, reduce_double, 1), double, 3), double, 3, stride))
        pool = net.pool(kind, x, 3, stride, AROUND if one else AFTER)
        x = net.concat(*parts, conv(pool, pooled, 1) if pooled else pool)
    net.classify(x)


def resnet(net: Net, depths: Sequence[int], bottleneck: bool) -> None:
    x = net.pool("Max", net.conv_norm_relu(IMAGE, 64, 7, 2), 3, 2, AROUND)
    for stage, depth in enumerate(depths):
        width = 64 << stage
        channels = 4 * width if bottleneck else width
        for block in range(depth):
            stride = 2 if stage and not block else 1
            if bottleneck:
                y = net.conv_norm_relu(net.conv_norm_relu(x, width, 1), width, 3, stride)
            else:
                y = net.conv_norm_relu(x, width, 3, stride)
            y = net.norm(net.conv(y, channels, 1 if bottleneck else 3), BRANCH)
            if x.channels != channels:
                x = net.norm(net.conv(x, channels, 1, stride))
            x = net.relu(net.add(y, x))
    net.classify(x)


def densenet(net: Net, depths: Sequence[int], growth: int = 32) -> None:
    x = net.pool("Max", net.conv_norm_relu(IMAGE, 64, 7, 2), 3, 2, AROUND)
    for stage, depth in enumerate(depths):
        if stage:
            x = net.pool("Average", net.conv(net.relu(net.norm(x)), x.channels // 2, 1), 2, 2, NONE)
        for _ in range(depth):
            y = net.conv_norm_relu(net.relu(net.norm(x)), 4 * growth, 1)
            x = net.concat(x, net.conv(y, growth, 3))
    net.classify(net.relu(net.norm(x)))


NETWORKS: dict[str, Callable[[Net], None]] = {
    "alexnet": alexnet,
    "googlenet": googlenet,
    "inception_v2": inception_v2,
    "resnet18": partial(resnet, depths=(2, 2, 2, 2), bottleneck=False),
    "resnet50": partial(resnet, depths=(3, 4, 6, 3), bottleneck=True),
    "resnet101": partial(resnet, depths=(3, 4, 23, 3), bottleneck=True),
    "densenet121": partial(densenet, depths=(6, 12, 24, 16)),
}


def make(name: str) -> Any:
    """Return the ONNX model of a network in NETWORKS."""
    net = Net()
    NETWORKS[name](net)
    return net.model(f"zoo_{name}")


def cost(model: Any) -> tuple[int, int]:
    """Return the multiply-adds and the weights of a model's convolutions and dense layers."""
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {}
    for value in (*inferred.value_info, *inferred.output):
        shapes[value.name] = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
    adds = weights = 0
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            kernel = math.prod(shapes[node.input[1]])
            adds += kernel * math.prod(shapes[node.output[0]][2:])
            weights += kernel
    return adds, weights


if __name__ == "__main__":
    for name in sys.argv[1:] or NETWORKS:
        model = make(name)
        content = model.SerializeToString(deterministic=True)
        path = MODELS / f"zoo_{name}" / f"zoo_{name}.onnx"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        adds, weights = cost(model)
        digest = hashlib.sha256(content).hexdigest()
        numbers = (
            f"{adds / 1e9:.3f} G multiply-adds, {weights / 1e6:.2f} M weights, {len(content) / 1e3:.0f} kB"
        )
        print(f"{name}: {numbers}, {digest}")
