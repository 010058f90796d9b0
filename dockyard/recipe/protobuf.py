"""The few messages of TensorFlow and ONNX that the host reads, without either: protobuf skips every field that is not named here.

Names are this module's own; numbers and types are those published in tensor_shape.proto, attr_value.proto, node_def.proto,
graph.proto, meta_graph.proto and saved_model.proto (TensorFlow) and onnx.proto (ONNX).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

ONE, MANY = False, True
MESSAGES: Mapping[str, Mapping[str, tuple[int, str, bool]]] = {
    "Size": {"size": (1, "int64", ONE)},
    "Shape": {"dim": (2, "Size", MANY), "unknown_rank": (3, "bool", ONE)},
    "Value": {"shape": (7, "Shape", ONE)},
    "Attr": {"key": (1, "string", ONE), "value": (2, "Value", ONE)},
    "Node": {"name": (1, "string", ONE), "op": (2, "string", ONE), "input": (3, "string", MANY), "attr": (5, "Attr", MANY)},
    "Graph": {"node": (1, "Node", MANY)},
    "TensorInfo": {"shape": (3, "Shape", ONE)},
    "NamedTensor": {"key": (1, "string", ONE), "value": (2, "TensorInfo", ONE)},
    "Signature": {"input": (1, "NamedTensor", MANY), "output": (2, "NamedTensor", MANY)},
    "NamedSignature": {"key": (1, "string", ONE), "value": (2, "Signature", ONE)},
    "MetaGraph": {"signature": (5, "NamedSignature", MANY)},
    "SavedModel": {"meta_graph": (2, "MetaGraph", MANY)},
    "OnnxSize": {"size": (1, "int64", ONE)},
    "OnnxShape": {"dim": (1, "OnnxSize", MANY)},
    "OnnxTensorType": {"shape": (2, "OnnxShape", ONE)},
    "OnnxType": {"tensor": (1, "OnnxTensorType", ONE)},
    "OnnxValue": {"name": (1, "string", ONE), "type": (2, "OnnxType", ONE)},
    "OnnxTensor": {"name": (8, "string", ONE), "data_location": (14, "int32", ONE)},
    "OnnxAttribute": {
        "tensor": (5, "OnnxTensor", ONE),
        "graph": (6, "OnnxGraph", ONE),
        "tensors": (10, "OnnxTensor", MANY),
        "graphs": (11, "OnnxGraph", MANY),
    },
    "OnnxNode": {"output": (2, "string", MANY), "op": (4, "string", ONE), "attribute": (5, "OnnxAttribute", MANY)},
    "OnnxGraph": {
        "node": (1, "OnnxNode", MANY),
        "initializer": (5, "OnnxTensor", MANY),
        "input": (11, "OnnxValue", MANY),
        "output": (12, "OnnxValue", MANY),
    },
    "OnnxModel": {"ir_version": (1, "int64", ONE), "graph": (7, "OnnxGraph", ONE)},
}
"""Number, type and whether repeated, by field and message."""


def parse(message: str, content: bytes) -> Any:
    """Parse a message of `MESSAGES`.

    Raises:
        ValueError: the bytes are no protobuf, or a field is of another type.
    """
    from google.protobuf.message import DecodeError

    try:
        return _classes()[message].FromString(content)
    except DecodeError as error:
        raise ValueError(str(error)) from None


@cache
def _classes() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    scalars = {"int64": field.TYPE_INT64, "int32": field.TYPE_INT32, "bool": field.TYPE_BOOL, "string": field.TYPE_STRING}
    file = descriptor_pb2.FileDescriptorProto(name="outline.proto", package="outline", syntax="proto3")
    for message, fields in MESSAGES.items():
        entry = file.message_type.add(name=message)
        for name, (number, kind, repeated) in fields.items():
            member = entry.field.add(name=name, number=number, type=scalars.get(kind, field.TYPE_MESSAGE))
            member.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if kind not in scalars:
                member.type_name = f".outline.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"outline.{name}")) for name in MESSAGES}
