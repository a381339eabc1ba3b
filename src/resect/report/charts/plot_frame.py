"""The frame that all charts share: title, scales, grid, ticks, level labels, names at line ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from resect.report.charts import svg
from resect.report.charts.axes import Axis, ticks
from resect.report.charts.svg import GREY, Scale, colour, el, scale, slot_class

GRID = "#e3e6ea"
LABELS = 10
"""Levels with a label on an axis of steps; of more, every second, third ... has one."""


class Frame(NamedTuple):
    """Where a chart's plot is, and the scales of both axes."""

    left: float
    right: float
    top: float
    bottom: float
    x: Scale
    y: Scale


def frame(
    left: float, right: float, top: float, height: float,
    x: tuple[float, float], y: tuple[float, float], inset: float = 6.0,
) -> Frame:  # fmt: skip
    """A frame from the plot's edges and the ranges of both axes."""
    horizontal = scale(*x, left + inset, right)
    return Frame(left, right, top, top + height, horizontal, scale(*y, top + height, top))


def heading(title: str, subtitle: str = "", note: str = "", width: float = svg.WIDTH) -> list[str]:
    """The lines above a plot."""
    parts = [svg.text(0, 13, title, font_size="14", font_weight="600", class_="ink")]
    if subtitle:
        parts.append(svg.text(0, 29, subtitle, font_size="11", **SOFT))
    if note:
        parts.append(svg.text(width, 13, note, text_anchor="end", **SOFT))
    return parts


SOFT = {"fill": GREY, "class_": "soft"}


def value_grid(plot: Frame, low: float, high: float, share: bool) -> list[str]:
    """Horizontal grid lines with their values."""
    parts = []
    for value in ticks(low, high):
        y = plot.y(value)
        shown = f"{value * 100:.0f}" if share else f"{value:.2f}".removesuffix("0")
        parts.append(
            el("line", x1=plot.left, x2=plot.right + 6, y1=y, y2=y, class_="grid", stroke=GRID)
        )
        shown = shown.replace("-", "\u2212")
        parts.append(svg.text(plot.left - 6, y + 3.8, shown, text_anchor="end", **SOFT))
    return parts


def level_axis(plot: Frame, axis: Axis, bottom: float) -> list[str]:
    """Vertical lines at the ticks of an axis of levels, their labels and the axis's name."""
    parts = []
    every = max(1, -(-len(axis.ticks) // LABELS))
    for position, label in axis.ticks[::every]:
        x = plot.x(position)
        parts.append(
            el("line", x1=x, x2=x, y1=plot.bottom, y2=bottom + 4, class_="grid", stroke="#c9ced4")
        )
        parts.append(svg.text(x, bottom + 16, label, text_anchor="middle", **SOFT))
    names = {"fraction": "share removed", "bytes": "bytes on disk"}
    name = names.get(axis.kind, "level, in rising damage")
    middle = (plot.left + plot.right) / 2
    parts.append(svg.text(middle, bottom + 31, name, text_anchor="middle", **SOFT))
    return parts


class End(NamedTuple):
    """The end of a line that has a name: where it is, and how it is drawn."""

    label: str
    slot: int
    x: float
    y: float


def end_names(plot: Frame, ends: Sequence[End]) -> list[str]:
    """Each line's name beside its end, moved apart where they would touch."""
    placed = svg.spread([end.y for end in ends], [13.0] * len(ends), plot.top + 4, plot.bottom)
    edge = max([end.x for end in ends], default=0.0) + 12
    parts = []
    for end, y in zip(ends, placed, strict=True):
        shade = colour(end.slot)
        lead = svg.polyline([(end.x + 5, end.y), (edge, y)])
        far = "1 3" if edge - end.x > 20 else None
        line = {"stroke": shade, "fill": "none", "stroke_width": "0.7", "stroke_dasharray": far}
        sign = el("g", svg.marker(end.slot, edge + 5, y, 3.2), fill=shade, class_="solid")
        name = end.label if len(end.label) <= 11 else f"{end.label[:5]}…{end.label[-5:]}"
        word = svg.text(edge + 12, y + 3.8, name, fill=shade, font_weight="600", class_="name")
        path = el("path", d=lead, class_="lead", **line)
        parts.append(el("g", path, sign, word, class_=slot_class(end.slot)))
    return parts
