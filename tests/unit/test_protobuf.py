"""Protocol Buffers are read by the fields that a schema names: these come out, damage is seen."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.graphs import onnx, tensorflow
from dockyard.recipe.graphs.protobuf import Field, NestedTooDeeply, Schema, parse
from dockyard.recipe.workspace import PRODUCT
from tests.fakes import attempt

SCHEMA: Schema = {
    "Box": {
        "size": Field(1, "int64"),
        "text": Field(2, "string", repeated=True),
        "inner": Field(3, "Box"),
    }
}


@pytest.mark.parametrize(
    ("content", "size", "texts"),
    [
        (b"", 0, []),
        (b"\x08\x07\x08\x08", 8, []),
        (b"\x08" + b"\xff" * 9 + b"\x01\x12\x01a\x12\x01b", -1, ["a", "b"]),
        (b"\x0a\x02ab\x31" + b"\0" * 8 + b"\x08\x05", 5, []),
    ],
)
def test_fields_come_back(content: bytes, size: int, texts: list[str]) -> None:
    """A named field has its value, the last where one is asked for; absent ones are empty, others skipped."""
    box = parse(SCHEMA, "Box", content)
    assert (box.size, list(box.text)) == (size, texts)
    assert (box.inner.size, list(box.inner.text)) == (0, [])


@pytest.mark.parametrize(
    "content", [b"\0\0", b"\x08", b"\x08" + b"\xff" * 11, b"\x12\x05abc", b"\x12\x01\xff"]
)
def test_damage(content: bytes) -> None:
    """Bytes that no protobuf can have, and a text that is none, are refused."""
    with pytest.raises(ValueError, match=r"^not a protobuf$"):
        parse(SCHEMA, "Box", content)


def test_messages_in_messages() -> None:
    """Messages in messages in messages are refused for their depth."""
    content = b""
    for _ in range(120):
        size = len(content)
        content = bytes([3 << 3 | 2, size & 127 | 128, size >> 7]) + content
    with pytest.raises(NestedTooDeeply):
        parse(SCHEMA, "Box", content)


@given(
    st.sampled_from(
        [(tensorflow.SCHEMA, "GraphDef"), (tensorflow.SCHEMA, "SavedModel"), (onnx.SCHEMA, "ModelProto")]
    ),
    st.binary(max_size=200),
)
def test_any_bytes_are_a_message_or_refused(kind: tuple[Schema, str], content: bytes) -> None:
    """Bytes of any kind are a message or refused, never another error."""
    message, error = attempt(ValueError, parse, *kind, content)
    assert (message is None) == (error is not None)


def test_the_package_is_loaded_when_a_graph_is_read() -> None:
    """Google's package, which takes a tenth of a second, is not loaded with the readers."""
    code = "import sys, dockyard.recipe.graphs.outline; print('google.protobuf' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=PRODUCT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
