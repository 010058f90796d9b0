"""Where the time of a pipeline's image, or of a stream's frame, goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dockyard.judge.assessment import Assessment
from dockyard.judge.measurements import mean_step_ms, steps_of_rounds, stream_steps_ms
from dockyard.report.drawing import svg
from dockyard.report.drawing.svg import PARTS_LIGHT, WIDTH, Drawing, Scale

LEFT, RIGHT, TOP, ROW, BOTTOM = 232, 84, 34, 26, 46


def steps_ms(one: Assessment) -> Mapping[str, float]:
    """Return the mean milliseconds of each step of a pipeline or a stream, in their order."""
    if one.is_stream:
        return stream_steps_ms(one.record.rounds)
    latencies = one.record.latencies
    return {step: mean_step_ms(latencies, step) for step in steps_of_rounds(latencies)}


def parts(rows: Sequence[Assessment], file: str, title: str) -> Drawing | None:
    """Return the steps of each variant end to end; None where nothing has steps."""
    timed = [(one.record.variant, steps_ms(one)) for one in rows if one.times and not one.was_left]
    timed = [(variant, steps) for variant, steps in timed if steps]
    if not timed:
        return None
    names = list(dict.fromkeys(step for _, steps in timed for step in steps))
    classes = {step: f"part{place % len(PARTS_LIGHT)}" for place, step in enumerate(names)}
    keys, keys_height = _keys(classes, TOP - 4)
    top = TOP + keys_height
    height = top + ROW * len(timed) + BOTTOM
    across = Scale(0, max(sum(steps.values()) for _, steps in timed), LEFT, WIDTH - RIGHT)
    body = [svg.text(16, 18, svg.shortened(title, WIDTH - 32), "bold"), keys]
    for tick in across.ticks():
        body.append(svg.line(across(tick), top, across(tick), height - BOTTOM, "grid"))
        body.append(svg.text(across(tick), height - BOTTOM + 16, svg.written(tick), "soft middle"))
    for place, (variant, steps) in enumerate(timed):
        body += _bar(variant, steps, classes, across, top + ROW * place)
    what = "ms of a frame's steps, in all threads" if rows[0].is_stream else "mean ms of an image's steps"
    body.append(svg.text((across.start + across.end) / 2, height - 10, what, "soft middle"))
    return Drawing(file, title, _caption(rows, timed), WIDTH, height, "".join(body))


def _keys(classes: Mapping[str, str], y: float) -> tuple[str, float]:
    """Return the steps' colours with their names, and how high they are together."""
    found, x, rows = [], 16.0, 1
    for step, class_ in classes.items():
        words = step.replace("_", " ")
        if x + svg.width_of(words) + 24 > WIDTH:
            x, rows = 16.0, rows + 1
        base = y + 16 * rows
        found.append(svg.element("rect", x=x, y=base - 9, width=10, height=10, class_=class_))
        found.append(svg.text(x + 14, base, words, "soft small"))
        x += svg.width_of(words) + 26
    return "".join(found), 16.0 * rows + 8


def _bar(
    variant: str, steps: Mapping[str, float], classes: Mapping[str, str], across: Scale, top: float
) -> Iterator[str]:
    done = 0.0
    for step, ms in steps.items():
        x, end = across(done), across(done + ms)
        # The gap tells neighbours apart without their colours.
        bar = {"x": x, "y": top + 4, "width": max(0.3, end - x - 1), "height": ROW - 9}
        told = f"<title>{svg.escaped(f'{step}: {ms:.2f} ms')}</title>"
        yield svg.element("rect", told, class_=classes[step], **bar)
        done += ms
    yield svg.text(LEFT - 8, top + 17, svg.shortened(variant, LEFT - 20, 10.5), "end small")
    yield svg.text(across(done) + 6, top + 17, f"{done:.2f} ms", "soft small")


def _caption(rows: Sequence[Assessment], timed: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    variant, steps = min(timed, key=lambda one: sum(one[1].values()))
    longest = max(steps, key=lambda step: steps[step])
    share = steps[longest] / (sum(steps.values()) or 1)
    told = (
        f"The steps in the order of the list above, from left to right. Of {variant}, which takes least, "
        f"{longest.replace('_', ' ')} is {share:.0%}: what is not the networks' is untouched by their tuning."
    )
    if rows[0].is_stream:
        told += " Several frames are at work at once, so a bar is longer than the time from frame to frame."
    return told
