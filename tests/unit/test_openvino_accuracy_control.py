"""What is told of an accuracy-aware quantization, from NNCF's and POT's own log lines."""

from __future__ import annotations

import logging
import sys

import pytest

from dockyard.recipe.places import TARGETS

sys.path.insert(0, str(TARGETS / "intel-openvino"))
from accuracy_control import Messages, event_of, notes_of

POT_REVERTED = "Reverted 2 layers to the floating-point precision: Conv_1, head/MatMul_2"
NNCF_REVERTED = "Reverted 2 operations to the floating-point precision: \n\tConv_1\n\thead/MatMul_2"
TYPES = {"Conv_1": "Convolution", "head/MatMul_2": "MatMul", "Conv_3": "Convolution"}


@pytest.mark.parametrize("line", [POT_REVERTED, NNCF_REVERTED])
def test_both_tools_tell_what_they_put_back(line: str) -> None:
    assert event_of(line) == ("reverted", ("Conv_1", "head/MatMul_2"))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("The total number of quantized operations in the graph: 20", "ranked"),
        ("Total number of quantized operations in the model: 17", "ranked"),
        ("Re-calculating node importance", "step back"),
        ("Re-calculating ranking scores for remaining groups", "step back"),
    ],
)
def test_both_tools_tell_when_they_rank_and_step_back(line: str, kind: str) -> None:
    assert event_of(line) == (kind, None)


@pytest.mark.parametrize(
    "line",
    [
        "Accuracy drop: {'score': 0.1}",
        " 2 out of 20 layers have been reverted back to the floating-point precision: Conv_1, head/MatMul_2",
        "",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert event_of(line) is None


def test_the_cost_is_what_the_score_gained_by_the_step() -> None:
    events = [
        ("score", 0.90),
        ("score", 0.70),
        ("ranked", None),
        ("score", 0.10),  # of a ranking
        ("reverted", ("Conv_1", "head/MatMul_2")),
        ("score", 0.85),
        ("reverted", ("Conv_3",)),
        ("score", 0.89),
    ]
    notes = notes_of(events, TYPES)
    assert notes["passes"] == [0.90, 0.70, 0.85, 0.89]
    assert [step["operations"] for step in notes["steps"]] == [["Conv_1", "head/MatMul_2"], ["Conv_3"]]
    assert [step["cost"] for step in notes["steps"]] == pytest.approx([0.15, 0.04])


def test_an_operation_that_went_back_with_others_has_no_cost_of_its_own() -> None:
    events = [("score", 0.9), ("score", 0.7), ("ranked", None), ("reverted", ("Conv_1", "head/MatMul_2")), ("score", 0.8)]
    assert notes_of([*events, ("reverted", ("Conv_3",)), ("score", 0.75)], TYPES)["reverted"] == [
        {"operation": "Conv_1", "type": "Convolution", "cost": None},
        {"operation": "head/MatMul_2", "type": "MatMul", "cost": None},
        {"operation": "Conv_3", "type": "Convolution", "cost": pytest.approx(-0.05)},
    ]


def test_a_step_taken_back_is_not_told_and_the_next_starts_from_the_state_before_it() -> None:
    events = [
        ("score", 0.90),
        ("score", 0.70),
        ("ranked", None),
        ("reverted", ("Conv_1",)),
        ("score", 0.80),
        ("reverted", ("Conv_3",)),
        ("score", 0.75),
        ("step back", None),
        ("reverted", ("head/MatMul_2",)),
        ("score", 0.88),
    ]
    reverted = notes_of(events, TYPES)["reverted"]
    assert [r["operation"] for r in reverted] == ["Conv_1", "head/MatMul_2"]
    assert [r["cost"] for r in reverted] == pytest.approx([0.10, 0.08])


def test_a_step_that_was_not_measured_has_no_cost() -> None:
    events = [("score", 0.9), ("score", 0.7), ("ranked", None), ("reverted", ("Conv_1",))]
    assert notes_of(events, TYPES)["reverted"] == [{"operation": "Conv_1", "type": "Convolution", "cost": None}]


def test_nothing_is_put_back_where_the_first_try_is_good_enough() -> None:
    assert notes_of([("score", 0.9), ("score", 0.9)], TYPES) == {"passes": [0.9, 0.9], "steps": [], "reverted": []}


def test_log_lines_and_scores_are_kept_in_the_order_they_came() -> None:
    messages = Messages()
    tool = logging.Logger("tool", logging.INFO)
    tool.addHandler(messages)
    messages.pass_done(0.9)
    tool.info("Reverted %d layers to the %s precision: %s", 1, "floating-point", "Conv_1")
    tool.info("Inference finished")
    messages.pass_done(0.8)
    assert messages.events == [("score", 0.9), ("reverted", ("Conv_1",)), ("score", 0.8)]
    assert len(messages.lines) == 2
