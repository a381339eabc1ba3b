"""Lines by level as SVG: bands, floors, marks, and the names at their ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from resect.report.charts import cliff_strip as strip
from resect.report.charts import svg
from resect.report.charts.chart_data import Line, LineChart, Spot
from resect.report.charts.plot_frame import (
    SOFT,
    End,
    Frame,
    end_names,
    frame,
    heading,
    level_axis,
    value_grid,
)
from resect.report.charts.svg import GREY, colour, el, slot_class

LEFT, RIGHT, HEAD = 36.0, 92.0, 44.0
HEIGHT, TALL = 150.0, 196.0


def line_chart(chart: LineChart) -> str:
    """The chart as SVG: text view solid, options dashed, intervals as bands, floors thin."""
    top = HEAD + strip.flag_room(chart.marks)
    height = TALL if chart.tall else HEIGHT
    ranges = (chart.axis.low, chart.axis.high), (chart.low, chart.high)
    plot = frame(LEFT, svg.WIDTH - RIGHT, top, height, *ranges)
    bottom = plot.bottom + strip.room(chart.marks)
    drawn = [line for line in chart.lines if line.known]
    stops = sorted({plot.x(spot.x) for line in chart.lines for spot in line.spots})
    grid = value_grid(plot, chart.low, chart.high, chart.share)
    inner = [
        *heading(chart.title, chart.subtitle, chart.note),
        el("g", *grid, *level_axis(plot, chart.axis, bottom), class_="axes"),
        strip.flags(chart.marks, plot, HEAD),
        *[_band(line, plot) for line in drawn],
        *[_reference(line, plot) for line in drawn if line.reference is not None],
        *[_curve(line, plot) for line in drawn],
        _floors(chart, plot),
        *_names(drawn, plot),
        strip.strip(chart.marks, plot),
        svg.reading_aid(stops, top, bottom),
    ]
    if not drawn:
        inner.append(svg.text(LEFT + 60, top + height / 2, "not available", **SOFT))
    shape = f"{len(drawn)} lines at {len(stops)} levels"
    return svg.document(bottom + 36, f"{chart.title}, {chart.subtitle}", shape, *inner)


def _runs(spots: Sequence[Spot]) -> list[list[Spot]]:
    """Runs of spots that have a value: a missing cell leaves a gap, it is not bridged."""
    runs = groupby(spots, key=lambda spot: spot.value is not None)
    return [list(run) for has_value, run in runs if has_value]


def _band(line: Line, plot: Frame) -> str:
    paths = []
    for run in _runs(line.spots):
        ends = [
            (plot.x(spot.x), plot.y(spot.low), plot.y(spot.high))
            for spot in run
            if spot.low is not None and spot.high is not None
        ]
        if len(ends) > 1:
            around = [(x, y) for x, y, _ in ends] + [(x, y) for x, _, y in reversed(ends)]
            paths.append(el("path", d=svg.polyline(around) + "Z"))
        elif ends:
            x, low_y, high_y = ends[0]
            paths.append(el("rect", x=x - 1.5, y=high_y, width=3.0, height=low_y - high_y))
    if not paths:
        return ""
    opacity = "0.08" if line.view == "options" else "0.16"
    name = f"band {slot_class(line.slot)} v-{line.view}"
    return el("g", *paths, fill=colour(line.slot), fill_opacity=opacity, class_=name)


def _reference(line: Line, plot: Frame) -> str:
    """The level line of a series, dotted in its colour."""
    y = plot.y(line.reference or 0.0)
    shade = {"stroke": colour(line.slot), "stroke_dasharray": "8 3", "stroke_width": "1.2"}
    rule = el("line", class_="lead", x1=plot.left, x2=plot.right + 6, y1=y, y2=y, **shade)
    return el("g", rule, class_=slot_class(line.slot))


def _curve(line: Line, plot: Frame) -> str:
    """The line and markers of one series; filled for text, hollow for options."""
    shade = colour(line.slot)
    paths, markers, rings = [], [], []
    for run in _runs(line.spots):
        places = [(plot.x(spot.x), plot.y(spot.value or 0.0)) for spot in run]
        paths.append(el("path", d=svg.polyline(places)))
        markers += [svg.marker(line.slot, x, y) for x, y in places]
        rings += [
            el("circle", cx=x, cy=y, r="5.5")
            for (x, y), spot in zip(places, run, strict=True)
            if spot.status != "success"
        ]
    hollow = line.view == "options"
    stroke = {"stroke_dasharray": "5 3.5" if hollow else None, "stroke_linejoin": "round"}
    fill, side = ("#ffffff", "hollow") if hollow else (shade, "solid")
    return el(
        "g",
        el("g", *paths, fill="none", stroke_width="1.8", **stroke),
        el("g", *markers, fill=fill, stroke_width="1.2", class_=side),
        el("g", *rings, fill="none", stroke=GREY, class_="ring") if rings else "",
        stroke=shade,
        class_=f"curve {slot_class(line.slot)} v-{line.view}",
    )


def _floors(chart: LineChart, plot: Frame) -> str:
    """Floors as thin dotted lines, each with its name above it, on the side with more room."""
    if not chart.floors:
        return ""
    spots = [
        (plot.x(spot.x), plot.y(spot.value or 0.0)) for line in chart.lines for spot in line.known
    ]
    parts = []
    taken = {"start": math.inf, "end": math.inf}
    for floor in chart.floors:
        height, width = plot.y(floor.value), 5.2 * len(floor.label)
        spans = {
            "start": (plot.left, plot.left + 8 + width),
            "end": (plot.right - width, plot.right + 4),
        }
        room = {
            side: min([abs(y - height + 5) for x, y in spots if low <= x <= high] or [99.0])
            for side, (low, high) in spans.items()
        }
        side = "start" if room["start"] >= min(room["end"], 16) else "end"
        y = taken[side] = min(height - 4, taken[side] - 11)
        x = plot.left + 8 if side == "start" else plot.right + 4
        ends = {"x1": plot.left, "x2": plot.right + 6, "y1": height, "y2": height}
        rule = {"stroke": "#57606a", "stroke_width": "1", "stroke_dasharray": "1 3"}
        halo = {"stroke": "#ffffff", "stroke_width": "3", "paint_order": "stroke"}
        look = {"text_anchor": side, "fill": "#57606a", "font_size": "10", "class_": "halo soft"}
        parts.append(el("line", class_="floor", **ends, **rule))
        parts.append(svg.text(x, y, floor.label, **halo, **look))
    return el("g", *parts, class_="floors")


def _names(drawn: Sequence[Line], plot: Frame) -> Iterator[str]:
    """The name of each line at its end, once for both views; those of options wait hidden."""
    by_view: dict[str, dict[tuple[str, int], End]] = {"text": {}, "options": {}}
    for line in drawn:
        last = line.known[-1]
        end = End(line.label, line.slot, plot.x(last.x), plot.y(last.value or 0.0))
        side = by_view["options" if line.view == "options" else "text"]
        side.setdefault((line.label, line.slot), end)
    text, options = by_view["text"], by_view["options"]
    first = {**{key: end for key, end in options.items() if key not in text}, **text}
    if first:
        names = end_names(plot, list(first.values()))
        yield el("g", *names, class_="labels lab-text" if text else "labels lab-options")
    if text and options:
        names = end_names(plot, list(options.values()))
        yield el("g", *names, class_="labels lab-options", display="none")
