"""Outcome bars: what kind of text came back at each level."""

from __future__ import annotations

from resect.catalog import OUTCOMES
from resect.report.charts import svg
from resect.report.charts.chart_data import BarChart
from resect.report.charts.plot_frame import GRID, LABELS, SOFT, Frame, frame, heading
from resect.report.charts.svg import GREY, el
from resect.report.formatting import level

LEFT, RIGHT, TOP, HEIGHT = 38.0, 12.0, 34.0, 120.0
TALL_ENOUGH = 11.0
LETTER = {
    "text_anchor": "middle", "font_size": "9", "font_weight": "700", "fill": "#111418",
    "stroke": "#ffffff", "stroke_width": "2.5", "paint_order": "stroke",
}  # fmt: skip
"""How the letter of an outcome stands on its bar: dark with a light edge, on any colour."""


def letter(name: str) -> str:
    """The letter of an outcome, so that bars can be told apart without colours."""
    return {"refusal": "X"}.get(name, name[:1].upper())


def outcome_bars(chart: BarChart) -> str:
    """Stacked bars of outcome shares by level, with accuracy as a line over them."""
    count = max(len(chart.levels), 1)
    span = (-0.5, count - 0.5)
    plot = frame(LEFT, svg.WIDTH - RIGHT, TOP, HEIGHT, span, (0, 1), inset=0.0)
    spots = [(plot.x(i), plot.y(v)) for i, v in enumerate(chart.right) if v is not None]
    inner = [
        *heading(chart.title),
        *_grid(plot),
        *_stacks(chart, plot),
        *_line(spots),
        *_axis_labels(chart, plot),
        svg.reading_aid([plot.x(i) for i in range(len(chart.levels))], TOP, plot.bottom),
    ]
    shape = f"Shares of {len(chart.names)} outcomes at {len(chart.levels)} levels"
    return svg.document(plot.bottom + 22, f"{chart.title}: what came back", shape, *inner)


def _grid(plot: Frame) -> list[str]:
    """Lines across the plot at none, half and all, with their labels."""
    grid = []
    for share in (0.0, 0.5, 1.0):
        y = plot.y(share)
        grid.append(el("line", x1=LEFT, x2=plot.right, y1=y, y2=y, stroke=GRID, class_="grid"))
        shown = f"{share * 100:.0f} %"
        grid.append(svg.text(LEFT - 5, y + 3.8, shown, text_anchor="end", **SOFT))
    return grid


def _stacks(chart: BarChart, plot: Frame) -> list[str]:
    """The bars in one group for each outcome, and the letters of those that are tall enough."""
    width = plot.x(1) - plot.x(0) if len(chart.levels) > 1 else svg.WIDTH - LEFT - RIGHT
    letters: list[str] = []
    bars: dict[str, list[str]] = {name: [] for name in chart.names}
    for i, shares in enumerate(chart.shares):
        floor = 0.0
        for name in chart.names:
            share = shares.get(name, 0.0)
            if share > 0:
                y, height = plot.y(floor + share), plot.y(floor) - plot.y(floor + share)
                x = plot.x(i) - width * 0.44
                bars[name].append(el("rect", x=x, y=y, width=width * 0.88, height=height))
                if height >= TALL_ENOUGH:
                    letters.append(svg.text(plot.x(i), y + height / 2 + 3, letter(name), **LETTER))
                floor += share
    return [
        *[el("g", *parts, fill=OUTCOMES[name].colour if name in OUTCOMES else GREY,
             class_=f"o-{name}") for name, parts in bars.items() if parts],
        el("g", *letters, class_="letters") if letters else "",
    ]  # fmt: skip


def _axis_labels(chart: BarChart, plot: Frame) -> list[str]:
    """The levels under the bars: all, or every so many where they are crowded."""
    every = max(1, -(-len(chart.levels) // LABELS))
    look = {"text_anchor": "middle", "font_size": "10", **SOFT}
    return [
        svg.text(plot.x(i), plot.bottom + 15, level(x), **look)
        for i, x in enumerate(chart.levels) if i % every == 0
    ]  # fmt: skip


def _line(spots: list[tuple[float, float]]) -> list[str]:
    if not spots:
        return []
    halo = {"stroke": "#ffffff", "stroke_width": "4", "stroke_opacity": "0.85"}
    ink = {"stroke": "#111418", "stroke_width": "1.6"}
    return [el("path", d=svg.polyline(spots), fill="none", **look) for look in (halo, ink)]
