"""Small line charts by level: shares with their gold, rates, calibration. Numbers come drawn-ready.

A `Chart` holds everything; series have a colour slot, dashed where asked, with bands and reference
lines in the same colour.
"""

from __future__ import annotations

from typing import NamedTuple

from resect.report.charts import svg
from resect.report.charts.axes import Axis
from resect.report.charts.svg import COLOURS, GREY, Scale, colour, el, scale

LEFT, RIGHT, TOP, PLOT = 36.0, 92.0, 44.0, 140.0
Spot = tuple[float | None, float, float | None, float | None, float | None]
"""Level, position, value, low, high."""


class Line(NamedTuple):
    """One series: `spots` in rising damage; `reference` is a level line in its colour."""

    label: str
    slot: int
    dashed: bool
    spots: tuple[Spot, ...]
    reference: float | None


class Chart(NamedTuple):
    """A line chart: `share` writes per cent; `zero` draws the line of nothing."""

    title: str
    subtitle: str
    axis: Axis
    low: float
    high: float
    share: bool
    lines: tuple[Line, ...]


def bounds(lines: tuple[Line, ...], least: float) -> tuple[float, float]:
    """A range that holds every value, and reaches from 0 to `least` at the least."""
    values = [spot[2] for line in lines for spot in line.spots if spot[2] is not None]
    values += [line.reference for line in lines if line.reference is not None]
    low, high = min([0.0, *values]), max([least, *values])
    step = 0.1 if high - low <= 1.05 else 0.5
    return -step * -int(low / step - 0.999999), step * int(high / step + 0.999999)


def draw(chart: Chart) -> str:
    """The chart as SVG."""
    x = scale(chart.axis.low, chart.axis.high, LEFT + 6, svg.WIDTH - RIGHT)
    y = scale(chart.low, chart.high, TOP + PLOT, TOP)
    stops = sorted({x(spot[1]) for line in chart.lines for spot in line.spots})
    inner = [
        svg.text(0, 13, chart.title, font_size="13", font_weight="600", class_="ink"),
        svg.text(0, 29, chart.subtitle, font_size="11", fill=GREY, class_="soft"),
        _grid(chart, x, y),
        *[_reference(line, y) for line in chart.lines],
        *[_line(line, x, y) for line in chart.lines],
        _labels(chart, x, y),
        svg.reading_aid(stops, TOP, TOP + PLOT),
    ]
    if not any(spot[2] is not None for line in chart.lines for spot in line.spots):
        inner.append(svg.text(LEFT + 60, TOP + PLOT / 2, "not available", fill=GREY, class_="soft"))
    says = f"{len(chart.lines)} lines by level; the numbers are in the table below"
    title = f"{chart.title}, {chart.subtitle}"
    return svg.document(svg.WIDTH, TOP + PLOT + 24, title, says, *inner)


def _grid(chart: Chart, x: Scale, y: Scale) -> str:
    parts = []
    span = chart.high - chart.low
    step = next((s for s in (0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if span / s <= 5.01), 2.0)
    tick = -int(-chart.low / step + 1e-9) * step
    while tick <= chart.high + 1e-9:
        at = y(tick)
        shown = f"{tick * 100:.0f}" if chart.share else f"{tick:.2f}".removesuffix("0")
        bar = {"x1": LEFT, "x2": svg.WIDTH - RIGHT + 6, "y1": at, "y2": at}
        parts.append(el("line", class_="grid", stroke="#e3e6ea", **bar))
        said = shown.replace("-", "\u2212")
        parts.append(
            svg.text(LEFT - 6, at + 3.8, said, text_anchor="end", fill=GREY, class_="soft")
        )
        tick += step
    for at_x, label in chart.axis.ticks:
        place = {"text_anchor": "middle", "fill": GREY, "class_": "soft"}
        parts.append(svg.text(x(at_x), TOP + PLOT + 16, label, **place))
    return el("g", *parts, class_="axes")


def _reference(line: Line, y: Scale) -> str:
    if line.reference is None:
        return ""
    bar = {
        "x1": LEFT,
        "x2": svg.WIDTH - RIGHT + 6,
        "y1": y(line.reference),
        "y2": y(line.reference),
    }
    shade = {"stroke": colour(line.slot), "stroke_dasharray": "1 3", "stroke_width": "1.2"}
    return el("g", el("line", class_="lead", **shade, **bar), class_=f"m{line.slot % len(COLOURS)}")


def _line(line: Line, x: Scale, y: Scale) -> str:
    runs: list[list[Spot]] = [[]]
    for spot in line.spots:
        if spot[2] is None:
            runs.append([])
        else:
            runs[-1].append(spot)
    shade, paths, bands, marks = colour(line.slot), [], [], []
    for run in (run for run in runs if run):
        spots = [(x(spot[1]), y(spot[2] or 0.0)) for spot in run]
        paths.append(el("path", d=svg.polyline(spots)))
        marks += [svg.marker(line.slot, *spot, 2.1) for spot in spots]
        ends = [(x(s[1]), s[3], s[4]) for s in run if s[3] is not None and s[4] is not None]
        if len(ends) > 1:
            low = [(at, y(a or 0.0)) for at, a, _ in ends]
            high = [(at, y(b or 0.0)) for at, _, b in ends]
            bands.append(el("path", d=svg.band(low, high)))
    name = f"m{line.slot % len(COLOURS)}"
    dash = "5 3.5" if line.dashed else None
    drawn = el("g", *paths, fill="none", stroke_width="1.6", stroke_dasharray=dash)
    fill, side = ("#ffffff", "hollow") if line.dashed else (shade, "solid")
    dots = el("g", *marks, fill=fill, class_=side)
    curve = el("g", drawn, dots, stroke=shade, class_=f"curve {name}") if paths else ""
    band = el("g", *bands, fill=shade, fill_opacity="0.12", class_=f"band {name}") if bands else ""
    return band + curve


def _labels(chart: Chart, x: Scale, y: Scale) -> str:
    ends = []
    for line in chart.lines:
        known = [spot for spot in line.spots if spot[2] is not None]
        if known:
            ends.append((line, known[-1]))
    placed = svg.spread([y(spot[2] or 0.0) for _, spot in ends], 12, TOP + 4, TOP + PLOT)
    parts = []
    for (line, spot), at in zip(ends, placed, strict=True):
        shade, end = colour(line.slot), x(spot[1])
        edge = svg.WIDTH - RIGHT + 12
        lead = svg.polyline([(end + 4, y(spot[2] or 0.0)), (edge, at)])
        far = "1 3" if edge - end > 24 else None
        word = line.label if len(line.label) <= 14 else line.label[:13] + "…"
        stroke = {"stroke": shade, "fill": "none", "stroke_width": "0.7", "stroke_dasharray": far}
        said = svg.text(edge + 3, at + 3.6, word, fill=shade, font_weight="600", class_="name")
        parts.append(
            el("g", el("path", d=lead, class_="lead", **stroke), said, class_=f"m{line.slot % 6}")
        )
    return el("g", *parts, class_="labels") if parts else ""
