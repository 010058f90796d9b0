"""What passes between Dockyard and its parsers for DeepStream: outputs.txt, and the label of a reading."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from dockyard.recipe.models import load_model
from dockyard.recipe.workspace import PRODUCT, Workspace
from shared.contract.errors import InputProblem
from shared.contract.model import Network
from shared.contract.outputs import (
    BoxOutput,
    ClassificationOutputs,
    DetectionOutputs,
    NamedClasses,
    ObjectsOutput,
    Outputs,
    ScoreOutput,
    SymbolsOutput,
    TextOutputs,
)
from shared.contract.streaming import Answer

sys.path.insert(0, str(PRODUCT / "targets" / "deepstream-parsers"))
from label_text import LabelError, read_label
from outputs_text import outputs_text

OURS = Workspace(PRODUCT)


def network(name: str) -> Network:
    """One of Dockyard's models."""
    found = load_model(OURS, name, "test")
    assert isinstance(found, Network)
    return found


def lines_of(outputs: Outputs) -> list[str]:
    """The lines of a network with these outputs, without those that begin it."""
    text = outputs_text([("n", replace(network("digits"), outputs=outputs))])
    return text.splitlines()[3:]


def test_the_example_models() -> None:
    """The license plate's networks are written as README.md shows them."""
    names = ("lp_detector", "lp_reader")
    text = outputs_text([(name, network(name)) for name in names])
    assert text.startswith(
        "dockyard-outputs 1\nnetwork lp_detector\ntask detection\nbox.tensor box\nbox.form xyxy\n"
        "box.unit relative\nbox.first 0\nscore.tensor score\nscore.minimum 0.4\nnetwork lp_reader\n"
        "task text-recognition\nsymbols.tensor symbols\nsymbols.decoder heads\nsymbols.blank 36\nsymbol 0\n"
    )
    assert text.endswith("symbol Z\ncountry.tensor country\n" + "".join(
        f"country {name}\n" for name in ("D", "GB", "F", "I", "E", "NL", "S")
    ))  # fmt: skip


def test_scores() -> None:
    """A score's tensor comes before its column, as in decoding; one with neither is none."""
    box = BoxOutput("b", "cxcywh", "pixels", 2)
    start = ["box.tensor b", "box.form cxcywh", "box.unit pixels", "box.first 2"]
    assert lines_of(DetectionOutputs(box)) == start
    assert lines_of(DetectionOutputs(box, ScoreOutput(minimum=0.5))) == start
    both = ScoreOutput("s", 3, 1e-5)
    assert lines_of(DetectionOutputs(box, both)) == [*start, "score.tensor s", "score.minimum 1e-05"]
    column = ScoreOutput(None, 0, 1)
    assert lines_of(DetectionOutputs(box, column)) == [*start, "score.column 0", "score.minimum 1.0"]


def test_a_detector_of_many_objects() -> None:
    """How far two boxes may overlap is said; where the graph has seen to it, nothing overlaps too much."""
    box, score = BoxOutput("b"), ScoreOutput("s", minimum=0.5)
    for limit, said in ((0.45, "0.45"), (None, "1.0")):
        lines = lines_of(DetectionOutputs(box, score, ObjectsOutput(limit)))
        assert lines[-2:] == ["score.minimum 0.5", f"objects.nms_iou {said}"]


def test_what_is_encoded() -> None:
    """What is no printable ASCII, a space or % is written byte by byte; the rest stays."""
    names = ("a b", "100%", "Ä", "\n", "", "-/:0~|\"'")
    lines = lines_of(ClassificationOutputs(NamedClasses("Ident ity:0", names)))
    encoded = ["a%20b", "100%25", "%C3%84", "%0A", "", "-/:0~|\"'"]
    assert lines == ["class.tensor Ident%20ity:0", *(f"class {name}" for name in encoded)]


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        (
            DetectionOutputs(BoxOutput("b"), ScoreOutput("s", minimum=float("nan"))),
            "n: the minimum of the sc",
        ),
        (DetectionOutputs(BoxOutput("b", strides=(8, 16))), "do not know model.json's outputs.box.strides"),
        (
            DetectionOutputs(BoxOutput("b"), ScoreOutput("s", activation="sigmoid")),
            "do not know model.json's outputs.score.activation",
        ),
        (DetectionOutputs(BoxOutput("b"), None, ObjectsOutput(0.5)), "outputs.objects without a score"),
        (DetectionOutputs(BoxOutput("b", first=1 << 21)), "n: the first column of the box is 2097152"),
        (TextOutputs(SymbolsOutput(("s",), "AB", blank=3)), "n: the class of the blank is 3, and 0 to 2"),
        (TextOutputs(SymbolsOutput((), "AB")), r"n: there are 0 of 'symbols.tensor', and 1 to 1024"),
        (ClassificationOutputs(NamedClasses("c", ("x",) * 65537)), "n: there are 65537 of 'class'"),
        (ClassificationOutputs(NamedClasses("c", ("x" * 600,) * 2000)), "outputs.txt would have"),
        (ClassificationOutputs(NamedClasses("c", ("Ä" * 700,))), "longer than the 4096 bytes of a line"),
        (ClassificationOutputs(NamedClasses("c", ("\ud800",))), "is no text that UTF-8 can hold"),
    ],
)
def test_what_the_parsers_would_refuse(outputs: Outputs, told: str) -> None:
    """What outputs.txt cannot hold is an error with the network's name, and nothing is written."""
    with pytest.raises(InputProblem, match=told):
        lines_of(outputs)


def test_networks_that_are_refused() -> None:
    """A segmenter has no place in outputs.txt; nor have two networks of one name, or none."""
    digits = network("digits")
    with pytest.raises(InputProblem, match=r"seg: the parsers read no masks \(segmentation\)"):
        outputs_text([("seg", network("damage_detector"))])
    for networks in ([], [("a", digits), ("a", digits)], [(str(i), digits) for i in range(65)]):
        with pytest.raises(InputProblem, match="1 to 64 networks, each with a name of its own"):
            outputs_text(networks)


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("dy1|AB123|D|0.930000", Answer("AB123", "D", 0.93)),
        ("dy1||D|0.000000", Answer("", "D", 0.0)),
        ("dy1|x|-|1.000000", Answer("x", None, 1.0)),
        ("dy1|-||0.500000", Answer("-", "", 0.5)),
        ("dy1|x|%2D|0.500000", Answer("x", "-", 0.5)),
        ("dy1|a b%7C%25%0A\u00c4|\U0001f600|0.500000", Answer("a b|%\n\u00c4", "\U0001f600", 0.5)),
        ("dy1|%C3%84|-|0.500000", Answer("\u00c4", None, 0.5)),
    ],
)
def test_labels(label: str, answer: Answer) -> None:
    """A label says the text, the country or that there is none, and the confidence."""
    assert read_label(label) == answer


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("dy1!too long", "longer than the 127 bytes"),
        ("dy2|A|D|0.500000", "no label of version dy1"),
        ("", "no label of version dy1"),
        ("dy1", "no label of version dy1"),
        ("dy1|A|0.500000", "is not dy1"),
        ("dy1|A|D|x|0.500000", "is not dy1"),
        ("dy1|A|D|0.5", "is not dy1"),
        ("dy1|A|D|1.000001", "is not dy1"),
        ("dy1|A|D|nan", "is not dy1"),
        ("dy1|A|D|0.500000\n", "is not dy1"),
        ("dy1|A%|D|0.500000", "is not dy1"),
        ("dy1|A%7c|D|0.500000", "is not dy1"),
        ("dy1|\x07|D|0.500000", "is not dy1"),
        ("dy1|%C3|D|0.500000", "no UTF-8"),
        (f"dy1|{'A' * 120}|D|0.500000", "is not dy1"),
    ],
)
def test_what_is_no_label(label: str, told: str) -> None:
    """Another version, a label that was too long and one that is malformed are errors, never a reading."""
    with pytest.raises(LabelError, match=told):
        read_label(label)
