"""What is noted of an accuracy-aware quantization, from NNCF's and POT's own log lines."""

from __future__ import annotations

import logging
import sys

import pytest

from dockyard.recipe.workspace import PRODUCT

sys.path.insert(0, str(PRODUCT / "targets" / "intel-openvino"))
from accuracy_control import (
    KEPT_LINES,
    Event,
    History,
    Mark,
    Messages,
    Quantization,
    Step,
    accuracy_notes,
    event_of,
    history_of,
    measured_state,
    plain_notes,
)

POT_REVERTED = "Reverted 2 layers to the floating-point precision: Conv_1, head/MatMul_2"
NNCF_REVERTED = "Reverted 2 operations to the floating-point precision: \n\tConv_1\n\thead/MatMul_2"
TYPES = {"Conv_1": "Convolution", "head/MatMul_2": "MatMul", "Conv_3": "Convolution"}


@pytest.mark.parametrize("line", [POT_REVERTED, NNCF_REVERTED])
def test_both_tools_say_what_they_put_back(line: str) -> None:
    """The names of the operations are read from either tool's line."""
    assert event_of(line) == ("Conv_1", "head/MatMul_2")


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ("The total number of quantized operations in the graph: 20", Mark.RANKED),
        ("Total number of quantized operations in the model: 17", Mark.RANKED),
        ("Re-calculating node importance", Mark.STEP_BACK),
        ("Re-calculating ranking scores for remaining groups", Mark.STEP_BACK),
    ],
)
def test_both_tools_say_when_they_rank_and_step_back(line: str, mark: Mark) -> None:
    """A ranking, and a step that is taken back, are read from either tool's line."""
    assert event_of(line) is mark


@pytest.mark.parametrize(
    "line",
    [
        "Accuracy drop: {'score': 0.1}",
        " 2 out of 20 layers have been reverted back to the floating-point precision: Conv_1, head/MatMul_2",
        "",
    ],
)
def test_other_lines_are_no_events(line: str) -> None:
    """A line that says neither is passed over."""
    assert event_of(line) is None


def test_the_cost_is_what_the_score_gained_by_the_step() -> None:
    """A step costs the score after it minus the one before; scores of a ranking are passed over."""
    events: list[Event] = [
        0.90,
        0.70,
        Mark.RANKED,
        0.10,  # of a ranking
        ("Conv_1", "head/MatMul_2"),
        0.85,
        ("Conv_3",),
        0.89,
    ]
    history = history_of(events)
    assert history.passes == (0.90, 0.70, 0.85, 0.89)
    assert [step.operations for step in history.steps] == [("Conv_1", "head/MatMul_2"), ("Conv_3",)]
    assert [step.cost for step in history.steps] == pytest.approx([0.15, 0.04])


def test_an_operation_that_went_back_with_others_has_no_cost_of_its_own() -> None:
    """The cost of a step is an operation's own where it went back alone."""
    history = History((), (Step(("Conv_1", "head/MatMul_2"), 0.1), Step(("Conv_3",), -0.05)))
    assert history.reverted == [("Conv_1", None), ("head/MatMul_2", None), ("Conv_3", -0.05)]


def test_a_step_taken_back_is_left_out_and_the_next_starts_from_the_state_before_it() -> None:
    """After a step back the next cost is counted from the score before the step that was taken back."""
    events: list[Event] = [
        0.90,
        0.70,
        Mark.RANKED,
        ("Conv_1",),
        0.80,
        ("Conv_3",),
        0.75,
        Mark.STEP_BACK,
        ("head/MatMul_2",),
        0.88,
    ]
    reverted = history_of(events).reverted
    assert [name for name, _ in reverted] == ["Conv_1", "head/MatMul_2"]
    assert [cost for _, cost in reverted] == pytest.approx([0.10, 0.08])


def test_a_step_that_was_not_measured_has_no_cost() -> None:
    """Where no score follows a step its cost is not known."""
    assert history_of([0.9, 0.7, Mark.RANKED, ("Conv_1",)]).reverted == [("Conv_1", None)]


def test_nothing_is_put_back_where_the_first_try_is_good_enough() -> None:
    """Two passes and no step are the whole history."""
    assert history_of([0.9, 0.9]) == History((0.9, 0.9), ())


def test_what_a_pass_measures_is_told_before_it() -> None:
    """The first pass is of the float network, the second of the int8 one, the others of what went back."""
    events: list[Event] = []
    assert measured_state(events) == "the float network"
    events.append(0.9)
    assert measured_state(events) == "the int8 network"
    events += [0.7, Mark.RANKED, ("Conv_1", "head/MatMul_2")]
    assert measured_state(events) == "with 2 operations in float"
    events += [0.8, ("Conv_3",)]
    assert measured_state(events) == "with 3 operations in float"


def test_log_lines_and_scores_are_kept_in_the_order_they_came() -> None:
    """The handler keeps every line, and the events among them between the scores of the passes."""
    messages = Messages()
    tool = logging.Logger("tool", logging.INFO)
    tool.addHandler(messages)
    messages.pass_done(0.9)
    tool.info("Reverted %d layers to the %s precision: %s", 1, "floating-point", "Conv_1")
    tool.info("Inference finished")
    messages.pass_done(0.8)
    assert messages.events == [0.9, ("Conv_1",), 0.8]
    assert len(messages.lines) == 2


NNCF_LINES = [
    "Accuracy drop: 0.0333 (absolute)",
    "Elapsed Time: 00:00:00",
    "Algorithm completed: achieved required accuracy drop 0.01 (absolute)",
    "2 out of 17 were reverted back to the floating-point precision:\n\tConv_1",
]
POT_LINES = ["Accuracy drop: {'score': 0.0167}", "Finished: AccuracyAwareQuantization\n =========="]


def quantization(lines: list[str]) -> Quantization:
    return Quantization("plate", "exact", "NNCF 3.4.0", 300, 15, lines)


def test_notes_of_an_accuracy_control() -> None:
    """The report has how many went back, what the tool claims, and what each had cost."""
    steps = (Step(("Conv_3",), 0.01), Step(("Conv_1",), 0.03), Step(("head/MatMul_2", "Add_4"), 0.2))
    notes = accuracy_notes(quantization(NNCF_LINES), History((0.9, 0.8), steps), TYPES)
    assert notes.remarks == (
        "4 of 19 quantized operations of plate went back to floating point (calibrated with 300 images)",
        "what the tool said of plate, not believed but measured: "
        "Algorithm completed: achieved required accuracy drop 0.01 (absolute)",
    )
    (table,) = notes.tables
    assert table.title == "Operations of plate put back to floating point"
    assert table.columns == ("operation", "type", "cost in exact, as the tool has it")
    assert table.rows[:2] == (("Conv_1", "Convolution", "+0.0300"), ("Conv_3", "Convolution", "+0.0100"))
    assert sorted(table.rows[2:]) == [("Add_4", "", "-"), ("head/MatMul_2", "MatMul", "-")]
    assert (notes.calibration_images, notes.quantized_operations) == (300, 19)
    assert notes.details["passes"] == [0.9, 0.8]
    assert notes.details["steps"][2] == {"operations": ["head/MatMul_2", "Add_4"], "cost": 0.2}


def test_pots_claim_is_its_last_line_on_accuracy() -> None:
    """Of POT's log the last line that speaks of the accuracy is its claim, not the line that ends it."""
    notes = accuracy_notes(quantization(POT_LINES), History((), ()), TYPES)
    claim = "what the tool said of plate, not believed but measured: Accuracy drop: {'score': 0.0167}"
    assert notes.remarks[1:] == (claim,)
    assert notes.tables == ()


def test_notes_of_a_plain_quantization() -> None:
    """Without accuracy control nothing is remarked; images, operations and the log's end are kept."""
    notes = plain_notes(quantization([str(number) for number in range(100)]))
    assert (notes.remarks, notes.tables, notes.calibration_images) == ((), (), 300)
    assert notes.quantized_operations == 15
    assert notes.details["log"] == [str(number) for number in range(100 - KEPT_LINES, 100)]
