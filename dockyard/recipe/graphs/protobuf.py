"""Messages of Protocol Buffers, by the few fields that are read: Google's package skips all others.

So neither TensorFlow nor ONNX is needed to look into their files. The package is loaded when a message is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Message = Any
"""A message that was read, its fields as attributes; its class is made while running: no checker knows it."""


@dataclass(frozen=True)
class Field:
    """A field of a message.

    Attributes:
        number: as the format's .proto file has it.
        type: bool, int32, int64 or string, or the name of a message in the same schema.
        repeated: there may be many.
    """

    number: int
    type: str
    repeated: bool = False


Schema = Mapping[str, Mapping[str, Field]]
"""Fields by their names, by the name of the message."""


class NestedTooDeeply(ValueError):
    """Messages lie within messages, more than the hundred that the package follows."""


def parse(schema: Schema, message: str, content: bytes) -> Message:
    """Parse a message of a schema.

    Raises:
        NestedTooDeeply: see there.
        ValueError: the bytes are no protobuf, or a text in them is no UTF-8.
    """
    from google.protobuf.message import DecodeError

    try:
        return _message_class(schema, message).FromString(content)
    except DecodeError as error:
        # The package has one error for all that can be wrong; only its text has the reason.
        if "MaxDepth" in str(error):
            raise NestedTooDeeply("a protobuf nested too deeply") from None
        raise ValueError("not a protobuf") from None


def _message_class(schema: Schema, message: str) -> Any:
    """Return the class of a message, made anew: under a millisecond, and a plan reads only a few graphs."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    entry = descriptor_pb2.FieldDescriptorProto
    scalars = {
        "bool": entry.TYPE_BOOL,
        "int32": entry.TYPE_INT32,
        "int64": entry.TYPE_INT64,
        "string": entry.TYPE_STRING,
    }
    file = descriptor_pb2.FileDescriptorProto(name="graph.proto", package="graph", syntax="proto3")
    for name, fields in schema.items():
        described = file.message_type.add(name=name)
        for field_name, field in fields.items():
            added = described.field.add(name=field_name, number=field.number)
            added.label = entry.LABEL_REPEATED if field.repeated else entry.LABEL_OPTIONAL
            if field.type in scalars:
                added.type = scalars[field.type]
            else:
                added.type, added.type_name = entry.TYPE_MESSAGE, f".graph.{field.type}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"graph.{message}"))
