"""A toolchain's failure is told in the one line of its message that says what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.run_job import telling_line

OPENVINO = """Check 'false' failed at src/frontends/common_translators/src/unconverted_ops_report.cpp:151:
FrontEnd API failed with OpConversionFailure:
Model wasn't fully converted.
Summary:
-- No conversion rule found for operations: Mystery
To facilitate the conversion of unsupported operations, refer to Frontend Extension documentation: https://docs.openvino.ai/latest/x.html

"""
MO = """Check 'is_conversion_successful' failed at src/frontends/tensorflow/src/frontend.cpp:428:
FrontEnd API failed with OpConversionFailure:
[TensorFlow Frontend] Internal error, no translator found for operation(s): Mystery
To facilitate the conversion of unsupported operations, refer to Frontend Extension documentation: https://docs.openvino.ai/latest/x.html
"""
SHAPES = """Check 'data_rank.is_dynamic()' failed at src/core/shape_inference/include/convolution_shape_inference_util.hpp:307:
While validating node 'opset1::Convolution Transpose_410 (opset1::Transpose Transpose_42[0]:f32[1,3,16,16])':
Data batch channel count (3) does not match filter input channel count (1).
"""
PROPERTY = """Exception from src/inference/src/core.cpp:99:
[ GENERAL_ERROR ] Exception from src/inference/src/dev/threading/istreams_executor.cpp:128:
Wrong value for property key CPU_THREADS_NUM. Expected only positive numbers (#threads)
"""
KERAS = """<class 'keras.src.models.functional.Functional'> could not be deserialized properly. Please ensure that components are.

config={'module': 'keras.src.models.functional', 'class_name': 'Functional', 'config': {}}.

Exception encountered: Could not locate class 'Own'. Make sure custom classes and functions are decorated. {config}
"""
TENSORFLOW = """Graph execution error:

Detected at node 'Reshape' defined at (most recent call last):
    File "/job/code/x.py", line 5, in <module>
Node: 'Reshape'
Input to reshape is a tensor with 1024 values, but the requested shape requires a multiple of 7
\t [[{{node Reshape}}]]

Original stack trace for 'Reshape':
"""


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (OPENVINO, "-- No conversion rule found for operations: Mystery"),
        (MO, "[TensorFlow Frontend] Internal error, no translator found for operation(s): Mystery"),
        (SHAPES, "Data batch channel count (3) does not match filter input channel count (1)."),
        (PROPERTY, "Wrong value for property key CPU_THREADS_NUM. Expected only positive numbers (#threads)"),
        (TENSORFLOW, "Input to reshape is a tensor with 1024 values, but the requested shape requires a multiple of 7"),
        ("Protobuf parsing failed.", "Protobuf parsing failed."),
        ("\n  Exception from src/core.cpp:99:\n", "Exception from src/core.cpp:99:"),
        ("", ""),
    ],
    ids=["openvino", "mo", "shapes", "property", "tensorflow", "one line", "only a place", "nothing"],
)
def test_the_line_that_tells(message: str, told: str) -> None:
    """Places in sources and advice around it are left out; where there is nothing else, the place is told."""
    assert telling_line(message) == told


def test_keras_names_the_cause() -> None:
    """Of Keras's configurations and causes the cause is told, cut to 500 characters."""
    line = telling_line(KERAS.replace("{config}", "Full object config: " + "'name': 'digit', " * 100))
    assert line.startswith("Could not locate class 'Own'.")
    assert len(line) <= 500
    assert line.endswith(" ...")


@given(st.text())
def test_any_message_becomes_one_short_line(message: str) -> None:
    """Whatever a tool says becomes one line of at most 500 characters, empty only where it says nothing."""
    line = telling_line(message)
    assert len(line) <= 500
    assert len(line.splitlines()) <= 1
    assert bool(line) == bool(message.strip())
