"""Marks on a degradation panel: flags above the plot and a strip of cliffs below it."""

from __future__ import annotations

from collections.abc import Sequence

from resect.report.charts import svg
from resect.report.charts.svg import COLOURS, GREY, Scale, colour, el
from resect.report.data.annotations import Mark
from resect.report.data.scope import Model

ROW = 9.0
FLAG = 11.0
MOST = 4
"""Models with flags of their own; of more, the strip below still shows every cliff."""

WORDS = {"safe": "safe", "onset": "onset", "half": "half", "divergence": "diverges"}


def _flagged(marks: Sequence[Mark]) -> dict[Model, list[Mark]]:
    """Marks with a flag, by model: of the text view where it has any, each kind once."""
    found: dict[Model, list[Mark]] = {}
    for model in dict.fromkeys(mark.model for mark in marks):
        mine = [m for m in marks if m.model == model and m.kind in WORDS and not m.censored]
        views = {m.view for m in mine if m.kind != "safe"}
        view = "text" if "text" in views else "options"
        kept: dict[str, Mark] = {}
        for mark in sorted(mine, key=lambda m: m.x):
            if mark.kind == "safe" or mark.view == view:
                kept.setdefault(mark.kind, mark)
        if kept:
            found[model] = sorted(kept.values(), key=lambda m: m.x)
    return dict(list(found.items())[:MOST])


def flag_room(marks: Sequence[Mark]) -> float:
    """Height of the flags above the plot."""
    rows = len(_flagged(marks))
    return FLAG * rows + 4 if rows else 0.0


def _apart(wanted: list[float], widths: list[float], low: float, high: float) -> list[float]:
    """Centres of words near the wanted places, none touching the next, within low..high."""
    placed: list[float] = []
    for i, at in enumerate(wanted):
        least = placed[-1] + (widths[i - 1] + widths[i]) / 2 if placed else low
        placed.append(max(at, least))
    room = high
    for i in range(len(placed) - 1, -1, -1):
        placed[i] = min(placed[i], room)
        room = placed[i] - (widths[i] + widths[i - 1]) / 2
    return placed


def flags(marks: Sequence[Mark], x: Scale, top: float, bottom: float) -> str:
    """A hairline with a word for each model's safe level, onset, half-level and divergence."""
    parts = []
    for i, (model, mine) in enumerate(_flagged(marks).items()):
        at, shade = top + FLAG * i + 4, colour(model.slot)
        widths = [4.9 * len(WORDS[mark.kind]) + 6 for mark in mine]
        where = _apart([x(mark.x) for mark in mine], widths, x(-1e9) + 8, svg.WIDTH - 60)
        for mark, centre in zip(mine, where, strict=True):
            line = svg.polyline([(centre, at + 3), (x(mark.x), at + 9), (x(mark.x), bottom)])
            dash = None if mark.kind == "safe" else "2 3"
            width = "1.3" if mark.kind == "safe" else "0.8"
            path = el("path", d=line, fill="none", stroke_width=width, stroke_dasharray=dash)
            said = {"fill": shade, "font_size": "9", "text_anchor": "middle", "class_": "name"}
            said["font_weight"] = "700" if mark.kind == "safe" else "400"
            name = f"m{model.slot % len(COLOURS)} k-{mark.kind}"
            lead = el("g", path, stroke=shade, stroke_opacity="0.65", class_="lead")
            parts.append(el("g", lead, svg.text(centre, at, WORDS[mark.kind], **said), class_=name))
    return el("g", *parts, class_="marks flags") if parts else ""


def _lines(marks: Sequence[Mark]) -> list[tuple[Model, str, list[Mark]]]:
    """The strip's rows: a model in a view, with its cliffs."""
    keys = dict.fromkeys((m.model, m.view) for m in marks if m.kind in ("half", "steepest"))
    return [
        (model, view, [m for m in marks if (m.model, m.view) == (model, view)])
        for model, view in keys
    ]


def room(marks: Sequence[Mark]) -> float:
    """Height of the strip below the plot."""
    rows = len(_lines(marks))
    return ROW * rows + 6 if rows else 0.0


def strip(marks: Sequence[Mark], x: Scale, top: float, right: float) -> str:
    """Under the plot a row per model and view: half-level with its interval, steepest drop."""
    rows = _lines(marks)
    if not rows:
        return ""
    parts = []
    for i, (model, view, mine) in enumerate(rows):
        at, shade = top + ROW * i + 2, colour(model.slot)
        pieces = []
        for mark in mine:
            pieces += _pieces(mark, x, at, shade)
        name = f"half m{model.slot % len(COLOURS)} v-{view}"
        parts.append(el("g", *pieces, stroke=shade, class_=name))
    middle = max(top + ROW * (len(rows) - 1) / 2 + 5.5, top + 19)
    words = ("half-level",) if len(rows) == 1 else ("half-level,", "steepest drop")
    for i, line in enumerate(words):
        at = middle + 11 * i - 5 * (len(words) - 1)
        parts.append(svg.text(right, at, line, font_size="10", fill=GREY, class_="soft"))
    return el("g", *parts, class_="marks halves")


def _pieces(mark: Mark, x: Scale, at: float, shade: str) -> list[str]:
    """The sign of one cliff in the strip: interval and marker, a thick stretch, or an arrow."""
    found = []
    span = mark.low is not None and mark.high is not None
    ends = {"x1": x(mark.low or 0.0), "x2": x(mark.high or 0.0), "y1": at, "y2": at}
    if mark.kind == "steepest" and span:
        return [el("line", stroke_width="6", stroke_opacity="0.3", **ends)]
    if mark.kind != "half":
        return []
    if span and not mark.censored:
        found.append(el("line", stroke_width="1.6", **ends))
    if mark.censored:
        arrow = [(x(mark.x) + 2, at - 3.5), (x(mark.x) + 8, at), (x(mark.x) + 2, at + 3.5)]
        found.append(el("path", d=svg.polyline(arrow), fill="none", stroke_width="1.6"))
    else:
        fill, side = (shade, "solid") if mark.view == "text" else ("#ffffff", "hollow")
        drawn = svg.marker(mark.model.slot, x(mark.x), at, 3)
        found.append(el("g", drawn, fill=fill, class_=side))
    return found
