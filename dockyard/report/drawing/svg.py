"""SVG by hand: elements, scales and the one style of all pictures, in dark and light."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dockyard.judge.assessment import Verdict

WIDTH = 760
"""Of every picture that is no sheet, in pixels."""

TEXT_PX = 12
CHARACTER = 0.58
"""Width of a character over its height, about: nobody knows which font a reader has."""

KINDS = {
    Verdict.REFERENCE: "reference",
    Verdict.RECOMMENDED: "recommended",
    Verdict.AS_FAST: "as-fast",
    Verdict.MEETS: "meets",
    Verdict.TOO_LOSSY: "too-lossy",
    Verdict.NO_GAIN: "no-gain",
    Verdict.UNDECIDED: "undecided",
    Verdict.FAILED: "none",
    Verdict.NOT_MEASURED: "none",
}
"""The class of what belongs to a variant with this verdict."""

_LIGHT = {
    "ink": "#1b1f24",
    "soft": "#57606a",
    "grid": "#dde1e6",
    "paper": "#ffffff",
    "reference": "#6e7781",
    "recommended": "#00775a",
    "as-fast": "#2b8cc4",
    "meets": "#0b4f9e",
    "too-lossy": "#c04a00",
    "no-gain": "#a64d86",
    "undecided": "#9a6700",
    "none": "#8c959f",
}
_DARK = {
    "ink": "#e9edf2",
    "soft": "#a5afbb",
    "grid": "#343b44",
    "paper": "#14181d",
    "reference": "#9aa4af",
    "recommended": "#2fd0a2",
    "as-fast": "#72c5f7",
    "meets": "#5c93f0",
    "too-lossy": "#ff8a4c",
    "no-gain": "#e39ac6",
    "undecided": "#f0b429",
    "none": "#6b7683",
}
"""Colours after Okabe and Ito, Color Universal Design, 2008, darker or lighter for a contrast of 3 and more.

Verdicts have shapes of their own, too."""

PARTS_LIGHT = (
    "#0b4f9e",
    "#c07f00",
    "#00775a",
    "#2b8cc4",
    "#c04a00",
    "#a64d86",
    "#6e7781",
    "#8f8500",
    "#7a4a21",
    "#3a3f45",
)
PARTS_DARK = (
    "#5c93f0",
    "#f0b429",
    "#2fd0a2",
    "#a8dcfb",
    "#ff8a4c",
    "#e39ac6",
    "#9aa4af",
    "#efe36a",
    "#c9976b",
    "#e1e5ea",
)
"""Of the parts of a time, one after the other."""


def _variables(colours: dict[str, str], parts: Sequence[str]) -> str:
    named = [*colours.items(), *((f"part{number}", colour) for number, colour in enumerate(parts))]
    return "".join(f"--{name}:{colour};" for name, colour in named)


_KIND_RULES = "".join(
    f".plot .{kind}{{fill:var(--{kind});stroke:var(--{kind})}}" for kind in dict.fromkeys(KINDS.values())
)
_PART_RULES = "".join(
    f".plot .part{number}{{fill:var(--part{number})}}" for number in range(len(PARTS_LIGHT))
)

STYLE = (
    f".plot{{{_variables(_LIGHT, PARTS_LIGHT)}font:{TEXT_PX}px system-ui,'Liberation Sans',Arial,sans-serif}}"
    f"@media screen and (prefers-color-scheme:dark){{.plot{{{_variables(_DARK, PARTS_DARK)}}}}}"
    + _KIND_RULES
    + _PART_RULES
    + ".plot text{fill:var(--ink);stroke:none}.plot .soft{fill:var(--soft)}.plot .small{font-size:10.5px}"
    ".plot .paper{fill:var(--paper)}.plot .grid{stroke:var(--grid);fill:none}"
    ".plot .line{stroke:var(--ink);fill:none}.plot .limit{stroke:var(--too-lossy);fill:none;"
    "stroke-dasharray:5 4;stroke-width:1.5}.plot .end{text-anchor:end}.plot .middle{text-anchor:middle}"
    ".plot .ring{fill:none;stroke:var(--ink);stroke-width:1.6}.plot .band{opacity:.22;stroke:none}"
    ".plot .thin{stroke-width:1.2;fill:none}.plot .bold{font-weight:600}"
)
"""Also of the page that has the pictures in it."""


@dataclass(frozen=True)
class Drawing:
    """A picture.

    Attributes:
        file: its name in plots/.
        title: what it is of.
        caption: what to see in it.
        width, height: in pixels.
        body: SVG elements, everything that others wrote escaped. No id in it is another picture's.
    """

    file: str
    title: str
    caption: str
    width: float
    height: float
    body: str

    @property
    def element(self) -> str:
        """The picture for a page that has the style."""
        return self._element("")

    @property
    def document(self) -> str:
        """The picture as a file of its own."""
        return f"{self._element(f'<style>{STYLE}</style>')}\n"

    def _element(self, style: str) -> str:
        ground = element("rect", width=self.width, height=self.height, class_="paper")
        content = f"<title>{escaped(self.title)}</title>{style}{ground}{self.body}"
        return element(
            "svg",
            content,
            xmlns="http://www.w3.org/2000/svg",
            class_="plot",
            role="img",
            viewBox=f"0 0 {number(self.width)} {number(self.height)}",
            width=self.width,
            height=self.height,
        )


def escaped(text: str) -> str:
    """Return a text for an element or an attribute, without the characters that XML does not know."""
    known = [char if char.isprintable() and not "\ud800" <= char <= "\udfff" else " " for char in text]
    return html.escape("".join(known))


def number(value: float) -> str:
    """Return a coordinate, to a tenth of a pixel."""
    return "0" if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")


def element(name: str, content: str = "", /, **attributes: float | str) -> str:
    """Return an element of SVG, with content that is markup and attributes as `opened` takes them."""
    begin = opened(name, **attributes)
    return f"{begin}>{content}</{name}>" if content else f"{begin}/>"


def opened(name: str, /, **attributes: float | str) -> str:
    """Return an opening tag without its end.

    Args:
        attributes: `class_` is class, other underscores are hyphens.
    """
    written = []
    for key, value in attributes.items():
        words = value if isinstance(value, str) else number(value)
        written.append(f' {key.rstrip("_").replace("_", "-")}="{escaped(words)}"')
    return f"<{name}{''.join(written)}"


def text(x: float, y: float, words: str, class_: str = "") -> str:
    """Return a text whose base line begins at a point."""
    named = {"class_": class_} if class_ else {}
    return element("text", escaped(words), x=x, y=y, **named)


def line(x0: float, y0: float, x1: float, y1: float, class_: str) -> str:
    """Return a straight line."""
    return element("path", d=f"M{number(x0)} {number(y0)}L{number(x1)} {number(y1)}", class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str) -> str:
    """Return a line through points."""
    joined = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", d=f"M{joined}", class_=class_)


def marker(x: float, y: float, verdict: Verdict, radius: float = 5) -> str:
    """Return a point whose shape and colour say its verdict."""
    return markers([(x, y)], verdict, radius)


def markers(points: Iterable[tuple[float, float]], verdict: Verdict, radius: float) -> str:
    """Return several points of one verdict as one element."""
    shape = _SHAPES[KINDS[verdict]]
    return element("path", d="".join(shape(x, y, radius) for x, y in points), class_=KINDS[verdict])


def _circle(x: float, y: float, r: float) -> str:
    left, across = f"M{number(x - r)} {number(y)}", number(2 * r)
    arc = f"a{number(r)} {number(r)} 0 1 0"
    return f"{left}{arc} {across} 0{arc} -{across} 0z"


def _polygon(x: float, y: float, r: float, corners: int, turned: float) -> str:
    points = []
    for corner in range(corners):
        angle = turned + 2 * math.pi * corner / corners
        points.append(f"{number(x + r * math.cos(angle))} {number(y + r * math.sin(angle))}")
    return f"M{'L'.join(points)}z"


_SHAPES: dict[str, Callable[[float, float, float], str]] = {
    "reference": lambda x, y, r: _polygon(x, y, r * 1.3, 4, math.pi / 4),
    "recommended": lambda x, y, r: _circle(x, y, r * 1.2),
    "as-fast": lambda x, y, r: _circle(x, y, r * 0.8),
    "meets": lambda x, y, r: _polygon(x, y, r * 1.3, 4, 0),
    "too-lossy": lambda x, y, r: _polygon(x, y, r * 1.3, 3, math.pi / 2),
    "no-gain": lambda x, y, r: _polygon(x, y, r * 1.3, 3, -math.pi / 2),
    "undecided": lambda x, y, r: _polygon(x, y, r * 1.2, 5, -math.pi / 2),
    "none": lambda x, y, r: _circle(x, y, r * 0.5),
}


def legend(x: float, y: float, verdicts: Iterable[Verdict]) -> str:
    """Return shapes and colours with their verdicts, in a row."""
    found = []
    for verdict in dict.fromkeys(verdicts):
        found.append(marker(x + 5, y - 4, verdict, 4) + text(x + 15, y, verdict.value, "soft"))
        x += 30 + width_of(verdict.value)
    return "".join(found)


def width_of(words: str, size: float = TEXT_PX) -> float:
    """Return about how wide a text is, in pixels."""
    return CHARACTER * size * len(words)


def shortened(words: str, pixels: float, size: float = TEXT_PX) -> str:
    """Return a text that is about as wide as that, or less."""
    most = max(4, int(pixels / size / CHARACTER))
    return words if len(words) <= most else f"{words[: most - 3]}..."


@dataclass(frozen=True)
class Scale:
    """From figures to pixels.

    Attributes:
        low, high: figures; of a logarithmic scale above 0.
        start, end: where they lie, in pixels.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (self._of(figure) for figure in (self.low, self.high, value))
        return self.start + (value - low) / ((high - low) or 1) * (self.end - self.start)

    def _of(self, value: float) -> float:
        return math.log(value) if self.is_log else value

    def ticks(self) -> list[float]:
        """Return round figures within, a handful."""
        return _log_ticks(self.low, self.high) if self.is_log else _ticks(self.low, self.high)


def _ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    raw = (high - low) / wanted or 1.0
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * times for times in (1, 2, 2.5, 5, 10) if unit * times >= raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 10) for place in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        found = []
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
            found += [10.0**power * step for step in steps if low <= 10.0**power * step <= high]
        if len(found) >= 3:
            return found
    return _ticks(low, high, 4)


def written(tick: float) -> str:
    """Return a tick's figure."""
    return f"{tick:.6g}"
