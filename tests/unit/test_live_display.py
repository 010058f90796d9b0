"""What goes on in a run is displayed as it is, on a terminal and elsewhere."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from dockyard.plan.make import make_plan
from dockyard.plan.plan import Plan
from dockyard.recipe.recipes import load_recipe
from dockyard.recipe.workspace import Workspace
from dockyard.run.live_display import LiveDisplay
from dockyard.run.outcome import Outcome
from shared.contract.result import Result, Status
from tests.builders import throughput

MEASURED = Result(Status.DONE, measurement=throughput(40.0))


def terminal(stream: io.StringIO) -> Console:
    return Console(file=stream, force_terminal=True, width=120, color_system=None)


@pytest.mark.parametrize("text", ["[/opt/tools] step", "[build 2/3] RUN pip", "[red]", "100 % [", "\\[x]"])
def test_any_text_is_shown_as_it_is(text: str) -> None:
    """A step's text that looks like markup neither breaks the display nor loses a word."""
    stream = io.StringIO()
    with LiveDisplay(terminal(stream)) as display:
        display.progress(text, 0, 0)
        display.say(text)
        display._progress.refresh()
    assert stream.getvalue().count(text) >= 2


def test_outcomes_are_displayed(digits_plan: Plan) -> None:
    """Each job's end is a line: how long it took, that it was reused, or why it is not done."""
    stream = io.StringIO()
    convert = digits_plan.jobs[1]
    with LiveDisplay(Console(file=stream, width=200)) as display:
        display.begin([convert], 2, 15)
        display.outcome(Outcome(convert, Status.DONE, seconds=1.25))
        display.outcome(Outcome(convert, Status.DONE, cached=True))
        display.outcome(Outcome(convert, Status.FAILED, "output 'digit' differs\nmore", "convert"))
        display.outcome(Outcome(digits_plan.jobs[2], Status.FAILED, "output 'digit' differs", "convert"))
    assert [line.strip() for line in stream.getvalue().splitlines()] == [
        "digits/convert/intel-openvino-2026.4: 1.2 s",
        "digits/convert/intel-openvino-2026.4: reused",
        "digits/convert/intel-openvino-2026.4: failed: output 'digit' differs",
        "digits/baseline/optimize: failed: its convert did not succeed",
    ]


def test_a_streams_round_has_its_rate(workspace: Workspace) -> None:
    """A round of a stream ends with its frames a second."""
    stream = io.StringIO()
    clocked = make_plan(workspace, load_recipe(workspace, "lp_intel_stream.json")).jobs[-1]
    with LiveDisplay(Console(file=stream, width=200)) as display:
        display.outcome(Outcome(clocked, Status.DONE, seconds=2.0, result=MEASURED))
    assert stream.getvalue().strip().endswith(": 2.0 s, 40.0 frames/s")


def test_never_silent(digits_plan: Plan) -> None:
    """Where there is no terminal a line says again and again what goes on and how far it is."""
    stream = io.StringIO()
    with LiveDisplay(Console(file=stream, width=200), interval_s=0.02) as display:
        display.begin(digits_plan.jobs[:1], 1, 15)
        display.progress("evaluate digits", 3, 200)
        deadline = time.monotonic() + 10
        while "evaluate digits 3/200" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.02)
    assert "digits/reference/evaluate: evaluate digits 3/200" in stream.getvalue()


def test_what_a_job_said_last_ends_with_it(digits_plan: Plan) -> None:
    """When a job has ended, no line goes on saying what it was at."""
    stream = io.StringIO()
    convert = digits_plan.jobs[1]
    with LiveDisplay(terminal(stream)) as display:
        display.begin([convert], 2, 15)
        display.progress("read the graph", 3, 200)
        display.outcome(Outcome(convert, Status.DONE, seconds=1.25))
        stream.truncate(0)
        display._progress.refresh()
    assert "what comes next is decided" in stream.getvalue()
    assert "read the graph" not in stream.getvalue()


def test_jobs_side_by_side_are_one_line(digits_plan: Plan) -> None:
    """A round says of which model it is, and how many run side by side."""
    stream = io.StringIO()
    members = [planned for planned in digits_plan.jobs if planned.round == 1]
    with LiveDisplay(terminal(stream)) as display:
        display.begin(members, 7, 15)
        display._progress.refresh()
    assert "digits: round 1, 3 side by side" in stream.getvalue()
