"""Marks on a chart of curves: flags above the plot and a strip of cliffs below it."""

from __future__ import annotations

from collections.abc import Sequence

from resect.report.charts import svg
from resect.report.charts.chart_data import Mark
from resect.report.charts.plot_frame import SOFT, Frame
from resect.report.charts.svg import Scale, colour, el, slot_class

ROW = 9.0
FLAG = 11.0
MOST = 4
"""Models with flags of their own; of more, the strip below still shows every cliff."""

WORDS = {"passed": "passed", "onset": "onset", "half": "half", "divergence": "diverges"}


def _flagged(marks: Sequence[Mark]) -> list[list[Mark]]:
    """Marks with a flag, by model: of the text view where it has any, each kind once."""
    flagged = []
    for slot in dict.fromkeys(mark.slot for mark in marks):
        own = [m for m in marks if m.slot == slot and m.kind in WORDS and not m.censored]
        views = {m.view for m in own if m.kind != "passed"}
        view = "text" if "text" in views else "options"
        chosen: dict[str, Mark] = {}
        for mark in sorted(own, key=lambda m: m.x):
            if mark.kind == "passed" or mark.view == view:
                chosen.setdefault(mark.kind, mark)
        if chosen:
            flagged.append(list(chosen.values()))
    return flagged[:MOST]


def flag_room(marks: Sequence[Mark]) -> float:
    """Height of the flags above the plot."""
    rows = len(_flagged(marks))
    return FLAG * rows + 4 if rows else 0.0


def flags(marks: Sequence[Mark], plot: Frame, top: float) -> str:
    """A hairline with a word for each model's passed level, onset, half-level and divergence."""
    parts = []
    for i, own in enumerate(_flagged(marks)):
        y = top + FLAG * i + 4
        widths = [4.9 * len(WORDS[mark.kind]) + 6 for mark in own]
        wanted = [plot.x(mark.x) for mark in own]
        centres = svg.spread(wanted, widths, plot.left + 14, svg.WIDTH - 60)
        for mark, x, centre in zip(own, wanted, centres, strict=True):
            shade, passed = colour(mark.slot), mark.kind == "passed"
            line = svg.polyline([(centre, y + 3), (x, y + 9), (x, plot.bottom)])
            width, dash = ("1.3", None) if passed else ("0.8", "2 3")
            path = el("path", d=line, fill="none", stroke_width=width, stroke_dasharray=dash)
            look = {"fill": shade, "font_size": "9", "text_anchor": "middle", "class_": "name"}
            look["font_weight"] = "700" if passed else "400"
            lead = el("g", path, stroke=shade, stroke_opacity="0.65", class_="lead")
            word = svg.text(centre, y, WORDS[mark.kind], **look)
            name = f"{slot_class(mark.slot)} k-{mark.kind}"
            parts.append(el("g", lead, word, class_=name))
    return el("g", *parts, class_="marks flags") if parts else ""


def _rows(marks: Sequence[Mark]) -> list[list[Mark]]:
    """The strip's rows: the cliffs of a model in a view."""
    keys = dict.fromkeys((m.slot, m.view) for m in marks if m.kind in ("half", "steepest"))
    return [[m for m in marks if (m.slot, m.view) == key] for key in keys]


def room(marks: Sequence[Mark]) -> float:
    """Height of the strip below the plot."""
    rows = len(_rows(marks))
    return ROW * rows + 6 if rows else 0.0


def strip(marks: Sequence[Mark], plot: Frame) -> str:
    """Under the plot a row per model and view: half-level with its interval, steepest drop."""
    rows, top, parts = _rows(marks), plot.bottom + 6, []
    if not rows:
        return ""
    for i, own in enumerate(rows):
        y, shade = top + ROW * i + 2, colour(own[0].slot)
        pieces = [piece for mark in own for piece in _pieces(mark, plot.x, y, shade)]
        name = f"half {slot_class(own[0].slot)} v-{own[0].view}"
        parts.append(el("g", *pieces, stroke=shade, class_=name))
    middle = max(top + ROW * (len(rows) - 1) / 2 + 5.5, top + 19)
    words = ("half-level",) if len(rows) == 1 else ("half-level,", "steepest drop")
    for i, line in enumerate(words):
        y = middle + 11 * i - 5 * (len(words) - 1)
        parts.append(svg.text(plot.right + 16, y, line, font_size="10", **SOFT))
    return el("g", *parts, class_="marks halves")


def _pieces(mark: Mark, x: Scale, y: float, shade: str) -> list[str]:
    """The sign of one cliff in the strip: interval and marker, a thick stretch, or an arrow."""
    span = mark.low is not None and mark.high is not None
    ends = {"x1": x(mark.low or 0.0), "x2": x(mark.high or 0.0), "y1": y, "y2": y}
    if mark.kind == "steepest" and span:
        return [el("line", stroke_width="6", stroke_opacity="0.3", **ends)]
    if mark.kind != "half":
        return []
    if mark.censored:
        arrow = [(x(mark.x) + 2, y - 3.5), (x(mark.x) + 8, y), (x(mark.x) + 2, y + 3.5)]
        return [el("path", d=svg.polyline(arrow), fill="none", stroke_width="1.6")]
    fill, side = (shade, "solid") if mark.view == "text" else ("#ffffff", "hollow")
    marker = el("g", svg.marker(mark.slot, x(mark.x), y, 3), fill=fill, class_=side)
    return [el("line", stroke_width="1.6", **ends), marker] if span else [marker]
