"""A toolchain's failure has the one line of its message that says what is wrong."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockyard.recipe.workspace import PRODUCT
from shared.harness.toolchain import LONGEST_REASON, first_line

OPENVINO = """Check 'false' failed at src/frontends/common_translators/src/unconverted_ops_report.cpp:151:
FrontEnd API failed with OpConversionFailure:
Model wasn't fully converted.
Summary:
-- No conversion rule found for operations: Mystery
To convert unsupported operations, refer to Frontend Extension documentation: https://docs.openvino.ai/x.html

"""
MO = """Check 'is_conversion_successful' failed at src/frontends/tensorflow/src/frontend.cpp:428:
FrontEnd API failed with OpConversionFailure:
[TensorFlow Frontend] Internal error, no translator found for operation(s): Mystery
To convert unsupported operations, refer to Frontend Extension documentation: https://docs.openvino.ai/x.html
"""
SHAPES = """Check 'data_rank.is_dynamic()' failed at src/core/convolution_shape_inference_util.hpp:307:
While validating node 'opset1::Convolution Transpose_410 (opset1::Transpose Transpose_42[0]:f32[1,3,16,16])':
Data batch channel count (3) does not match filter input channel count (1).
"""
PROPERTY = """Exception from src/inference/src/core.cpp:99:
[ GENERAL_ERROR ] Exception from src/inference/src/dev/threading/istreams_executor.cpp:128:
Wrong value for property key CPU_THREADS_NUM. Expected only positive numbers (#threads)
"""
KERAS = """<class 'keras.src.models.functional.Functional'> could not be deserialized properly.

config={'module': 'keras.src.models.functional', 'class_name': 'Functional', 'config': {}}.

Exception encountered: Could not locate class 'Own'. Make sure custom classes are decorated. {config}
"""
TENSORFLOW = """Graph execution error:

Detected at node 'Reshape' defined at (most recent call last):
    File "/job/code/x.py", line 5, in <module>
Node: 'Reshape'
Input to reshape is a tensor with 1024 values, but the requested shape requires a multiple of 7
\t [[{{node Reshape}}]]

Original stack trace for 'Reshape':
"""


TARGETS = sorted(path.parent.name for path in PRODUCT.glob("targets/*/errors.py"))


def summary_of(target: str) -> Callable[[str], str]:
    """Return a target's own `error_summary`, loaded by its path: each target has a module of that name."""
    spec = importlib.util.spec_from_file_location(
        f"{target}_errors", PRODUCT / "targets" / target / "errors.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    summary: Callable[[str], str] = module.error_summary
    return summary


@pytest.mark.parametrize(
    ("target", "message", "line"),
    [
        ("openvino-ir", OPENVINO, "-- No conversion rule found for operations: Mystery"),
        (
            "openvino-ir",
            MO,
            "[TensorFlow Frontend] Internal error, no translator found for operation(s): Mystery",
        ),
        (
            "openvino-ir",
            SHAPES,
            "Data batch channel count (3) does not match filter input channel count (1).",
        ),
        (
            "openvino-ir",
            PROPERTY,
            "Wrong value for property key CPU_THREADS_NUM. Expected only positive numbers (#threads)",
        ),
        ("openvino-ir", "\n  Exception from src/core.cpp:99:\n", "Exception from src/core.cpp:99:"),
        (
            "tensorflow",
            TENSORFLOW,
            "Input to reshape is a tensor with 1024 values, but the requested shape requires a multiple of 7",
        ),
    ],
    ids=["openvino", "mo", "shapes", "property", "only a place", "tensorflow"],
)
def test_the_line_that_says_what_is_wrong(target: str, message: str, line: str) -> None:
    """Places in sources and advice are left out; where there is nothing else, the place is given."""
    assert first_line(summary_of(target)(message)) == line


def test_keras_names_the_cause() -> None:
    """Of Keras's configurations and causes the cause is given, cut to the longest reason."""
    message = KERAS.replace("{config}", "Full object config: " + "'name': 'digit', " * 100)
    line = first_line(summary_of("tensorflow")(message))
    assert line.startswith("Could not locate class 'Own'.")
    assert len(line) <= LONGEST_REASON
    assert line.endswith(" ...")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("message", ["Protobuf parsing failed.", ""])
def test_one_line_stays(target: str, message: str) -> None:
    """A message of one line is given as it is, by every target."""
    assert first_line(summary_of(target)(message)) == message


@given(st.sampled_from(TARGETS), st.text())
def test_any_message_becomes_one_short_line(target: str, message: str) -> None:
    """Whatever a tool says becomes one line of limited length, empty only where it says nothing."""
    line = first_line(summary_of(target)(message))
    assert len(line) <= LONGEST_REASON
    assert len(line.splitlines()) <= 1
    assert bool(line) == bool(message.strip())
