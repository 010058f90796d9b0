"""Outputs are read as each task defines it; boxes are in test_preprocess.py, masks in test_masks.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.outputs import (
    BoxOutput,
    ClassificationOutputs,
    DetectionOutputs,
    NamedClasses,
    ScoreOutput,
    SymbolsOutput,
    TextOutputs,
)
from shared.inference.decoding import FoundText, confidence_of, decode_boxes, decode_class, decode_text
from shared.inference.preprocess import Placement

ALPHABET = "ABC12"
texts = st.text(ALPHABET, max_size=6)


def scores_for(classes: list[int], count: int) -> np.ndarray:
    """Outputs whose best class at each position is given."""
    rows = np.full((len(classes), count), 0.1, np.float32)
    rows[np.arange(len(classes)), classes] = 0.9
    return rows


def reader(decoder: str, blank: int | None, tensors: tuple[str, ...], country: bool = False) -> TextOutputs:
    """The outputs of a text recognizer."""
    symbols = SymbolsOutput(tensors, ALPHABET, decoder, blank)
    return TextOutputs(symbols, NamedClasses("country", ("D", "GB")) if country else None)


def class_of(symbol: str, blank: int) -> int:
    index = ALPHABET.index(symbol)
    return index if index < blank else index + 1


@given(texts, st.none() | st.integers(0, len(ALPHABET)), st.booleans(), st.integers(0, 2))
def test_heads(text: str, blank: int | None, one_tensor: bool, start: int) -> None:
    """With a head for each position the text is the best classes without blanks, in one tensor or many."""
    at = len(ALPHABET) if blank is None else blank
    classes = [at] * start + [class_of(s, at) for s in text] + [at] * (8 - start - len(text))
    rows = scores_for(classes, len(ALPHABET) + 1)
    if one_tensor:
        net, outputs = reader("heads", blank, ("s",)), {"s": rows[None]}
    else:
        names = tuple(f"s{i}" for i in range(len(rows)))
        net, outputs = reader("heads", blank, names), dict(zip(names, rows[:, None], strict=True))
    assert decode_text(net, outputs) == FoundText(text)


@given(texts, st.none() | st.integers(0, len(ALPHABET)), st.integers(1, 3), st.integers(0, 2))
def test_ctc(text: str, blank: int | None, repeat: int, gap: int) -> None:
    """CTC merges repeats and drops blanks; a blank keeps two equal symbols apart."""
    at = len(ALPHABET) if blank is None else blank
    classes: list[int] = [at] * gap
    for i, symbol in enumerate(text):
        between = max(gap, 1) if i and text[i - 1] == symbol else gap
        classes += [at] * between + [class_of(symbol, at)] * repeat
    classes = classes or [at]
    outputs = {"s": scores_for(classes, len(ALPHABET) + 1)[None]}
    assert decode_text(reader("ctc", blank, ("s",)), outputs).text == text


def test_ctc_merges_repeats_that_heads_keep() -> None:
    """The same outputs are one symbol to CTC and two to heads."""
    outputs = {"s": scores_for([0, 0, 5], 6)[None]}
    assert decode_text(reader("ctc", 5, ("s",)), outputs).text == "A"
    assert decode_text(reader("heads", 5, ("s",)), outputs).text == "AA"


def test_country() -> None:
    """The country is the best class of its head."""
    outputs = {"s": scores_for([0, 5], 6)[None], "country": np.array([[0.2, 0.8]])}
    assert decode_text(reader("heads", None, ("s",), country=True), outputs) == FoundText("A", "GB")


@given(st.integers(0, 2))
def test_class(best: int) -> None:
    """The class is the name of the best one."""
    outputs = ClassificationOutputs(NamedClasses("c", ("x", "y", "z")))
    assert decode_class(outputs, {"c": scores_for([best], 3)}) == "xyz"[best]


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("box", "score"), [((NAN, 0, 9, 9), 0.9), ((0, 0, INFINITE, 9), 0.9), ((0, 0, 9, 9), NAN)]
)
@pytest.mark.parametrize("has_score", [True, False])
def test_arithmetic_that_failed_is_no_box(box: tuple[float, ...], score: float, has_score: bool) -> None:
    """A box or a score that is no number is left out; the boxes beside it are found."""
    outputs = DetectionOutputs(BoxOutput("b", unit="pixels"), ScoreOutput("s", minimum=0.5))
    if not has_score:
        outputs = DetectionOutputs(BoxOutput("b", unit="pixels"))
    good = (20.0, 20.0, 28.0, 24.0)
    tensors = {"b": np.array([box, good]), "s": np.array([score, 0.8])}
    found = [one.box for one in decode_boxes(outputs, (24, 32), tensors, Placement(1, 1, 0, 0))]
    if has_score:
        assert found == [good]
    else:
        assert found == ([box] if np.isfinite(box).all() else [])


@given(st.floats(0, 0.0099), st.sampled_from([None, NAN, INFINITE]))
def test_a_confidence_is_a_share(more: float, failed: float | None) -> None:
    """A confidence is 0 to 1, also where probabilities add up to a little more; 0 where arithmetic failed."""
    best = 1 + more if failed is None else failed
    outputs = ClassificationOutputs(NamedClasses("c", ("x", "y")))
    assert confidence_of(outputs, {"c": np.array([best, 0.0])}) == (1.0 if failed is None else 0.0)
