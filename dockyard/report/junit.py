"""The results as a CI shows them: JUnit's XML, a suite for each recipe on each machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from dockyard.judge.assessment import Assessment, Verdict
from dockyard.judge.verdicts import requirement_met, why_nothing_is_measured
from dockyard.report.cells import factor
from dockyard.report.decision import decision_of
from dockyard.report.grouping import by_group

REQUIRED = "what the recipe requires"
"""The test that fails where no variant is as required; a variant by itself may miss that."""


def write_junit(assessments: Sequence[Assessment], path: Path) -> None:
    """Write a suite for each recipe: what it requires, and each variant, as tests.

    A variant that failed is an error, one that was not measured is skipped with its reason.
    """
    root = ElementTree.Element("testsuites", name="dockyard")
    for rows in by_group(assessments).values():
        root.append(_suite(rows))
    ElementTree.indent(root)
    path.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _suite(rows: Sequence[Assessment]) -> ElementTree.Element:
    decision = decision_of(rows)
    cases = [_required(rows, decision.reason), *map(_variant, rows)]
    counts = {}
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        counts[name] = str(sum(case.find(tag) is not None for case in cases))
    names = {"name": _text(decision.recipe), "hostname": _text(decision.device), "tests": str(len(cases))}
    suite = ElementTree.Element("testsuite", {**names, **counts})
    suite.extend(cases)
    return suite


def _required(rows: Sequence[Assessment], reason: str) -> ElementTree.Element:
    case = _case(rows[0].recipe_name, REQUIRED)
    if why_nothing_is_measured(rows) or not any(one.record.rounds for one in rows):
        _tell(case, "skipped", reason)
    elif not requirement_met(rows):
        _tell(case, "failure", reason)
    return case


def _variant(one: Assessment) -> ElementTree.Element:
    case = _case(f"{one.recipe_name}.{one.record.model}", one.record.variant)
    if one.times:
        case.set("time", f"{one.times.median / 1e3:.6f}")
    if one.verdict == Verdict.FAILED:
        _tell(case, "error", one.reason)
    elif one.verdict == Verdict.NOT_MEASURED:
        _tell(case, "skipped", one.reason)
    else:
        ElementTree.SubElement(case, "system-out").text = _text(_figures(one))
    return case


def _figures(one: Assessment) -> str:
    speedup = f", {factor(one.speedup.estimate)}x" if one.speedup else ""
    drop = f", drop {one.drop.estimate:+.4f}" if one.drop else ""
    reason = f": {one.reason}" if one.reason else ""
    return f"{one.verdict.value}{speedup}, {one.metric} {one.quality:.4f}{drop}{reason}"


def _case(group: str, name: str) -> ElementTree.Element:
    return ElementTree.Element("testcase", classname=_text(group), name=_text(name))


def _tell(case: ElementTree.Element, tag: str, words: str) -> None:
    ElementTree.SubElement(case, tag, message=_text(words))


def _text(words: str) -> str:
    """Return a text without the characters that XML does not know."""
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in words)
