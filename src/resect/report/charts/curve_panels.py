"""Degradation curves as SVG: lines, bands, floors, and the names at their ends."""

from __future__ import annotations

import math
from collections.abc import Iterator

from resect.report.charts import cliff_strip as strip
from resect.report.charts import svg
from resect.report.charts.svg import COLOURS, GREY, Scale, colour, el, scale
from resect.report.data.panels import SHARES, CurvePanel, Point, Series, label

LEFT, RIGHT, HEAD = 34.0, 88.0, 44.0
PLOT = 196.0
_LETTERS = 70  # what there is room for below the title


def curves(panel: CurvePanel) -> str:
    """A degradation panel: text view solid, options dashed, intervals as bands, floors thin."""
    x = scale(panel.axis.low, panel.axis.high, LEFT + 6, svg.WIDTH - RIGHT)
    top = HEAD + strip.flag_room(panel.marks)
    y = scale(panel.y_low, panel.y_high, top + PLOT, top)
    bottom = top + PLOT + strip.room(panel.marks)
    drawn = [one for one in panel.series if any(p.value is not None for p in one.points)]
    xs = sorted({x(point.x) for one in panel.series for point in one.points})
    metric = label(panel.metric)
    inner = [
        svg.text(0, 13, panel.task, font_size="14", font_weight="600", class_="ink"),
        svg.text(0, 29, _subtitle(panel), font_size="11", fill=GREY, class_="soft"),
        svg.text(svg.WIDTH, 13, _seeds(panel), text_anchor="end", fill=GREY, class_="soft"),
        _grid(panel, x, y, bottom),
        strip.flags(panel.marks, x, HEAD, top + PLOT),
        *[_band(one, x, y) for one in drawn],
        *[_curve(one, x, y) for one in drawn],
        _reference(panel, x, y),
        *[_end_labels(drawn, view, x, y, top) for view in ("text", "options")],
        strip.strip(panel.marks, x, top + PLOT + 6, svg.WIDTH - RIGHT + 16),
        svg.reading_aid(xs, top, bottom),
    ]
    if not drawn:
        inner.append(
            svg.text(
                LEFT + 60, top + PLOT / 2, f"{metric}: not available", fill=GREY, class_="soft"
            )
        )
    says = (
        f"{metric} of {len(drawn)} curves over {len(xs)} levels; the numbers are in the table below"
    )
    return svg.document(svg.WIDTH, bottom + 36, f"{panel.task}, {metric}", says, *inner)


def _subtitle(panel: CurvePanel) -> str:
    counts = sorted({p.n for one in panel.series for p in one.points if isinstance(p.n, int)})
    items = f", n = {counts[0]}" if len(counts) == 1 else ""
    if len(counts) > 1:
        items = f", n = {counts[0]} to {counts[-1]}"
    unit = ", %" if panel.metric in SHARES else ""
    before = f"{label(panel.metric)}{unit} by level of "
    room = _LETTERS - len(before) - len(items)
    name = panel.recipe
    return before + (name if len(name) <= room else f"{name[: room - 1]}…") + items


def _seeds(panel: CurvePanel) -> str:
    """What line and band are where a recipe ran under several seeds."""
    most = max((one.seeds for one in panel.series), default=1)
    return f"mean of {most} seeds, band from lowest to highest" if most > 1 else ""


def _grid(panel: CurvePanel, x: Scale, y: Scale, bottom: float) -> str:
    parts = []
    span = panel.y_high - panel.y_low
    step = next((s for s in (0.1, 0.2, 0.25, 0.5, 1.0) if span / s <= 6.01), 2.0)
    tick = -int(-panel.y_low / step + 1e-9) * step
    while tick <= panel.y_high + 1e-9:
        at = y(tick)
        shown = f"{tick * 100:.0f}" if panel.metric in SHARES else f"{tick:.2f}".removesuffix("0")
        parts.append(
            el(
                "line",
                x1=LEFT,
                x2=svg.WIDTH - RIGHT + 6,
                y1=at,
                y2=at,
                class_="grid",
                stroke="#e3e6ea",
            )
        )
        label = shown.replace("-", "\u2212")
        parts.append(
            svg.text(LEFT - 6, at + 3.8, label, text_anchor="end", fill=GREY, class_="soft")
        )
        tick += step
    for at_x, label in panel.axis.ticks:
        parts.append(
            el(
                "line",
                x1=x(at_x),
                x2=x(at_x),
                y1=y(panel.y_low),
                y2=bottom + 4,
                class_="grid",
                stroke="#c9ced4",
            )
        )
        parts.append(
            svg.text(x(at_x), bottom + 16, label, text_anchor="middle", fill=GREY, class_="soft")
        )
    said = "share removed, as asked" if panel.axis.kind == "fraction" else "level, in rising damage"
    middle = (LEFT + svg.WIDTH - RIGHT) / 2
    parts.append(
        svg.text(middle, bottom + 31, said, text_anchor="middle", fill=GREY, class_="soft")
    )
    return el("g", *parts, class_="axes")


def _reference(panel: CurvePanel, x: Scale, y: Scale) -> str:
    """Floors as thin dotted lines, each with its name above it, on the side with more room."""
    spots = [
        (x(p.x), y(p.value)) for one in panel.series for p in one.points if p.value is not None
    ]
    right, parts = svg.WIDTH - RIGHT, []
    taken: dict[str, float] = {"start": math.inf, "end": math.inf}
    for line in panel.lines:
        shown = f"{line.value * 100:.0f} %" if panel.metric in SHARES else f"{line.value:.2f}"
        label = line.label if panel.metric in ("skill", "retention") else f"{line.label} {shown}"
        height, width = y(line.value), 5.2 * len(label)
        spans = {"start": (LEFT, LEFT + 8 + width), "end": (right - width, right + 4)}
        room = {
            side: min(
                [abs(at - height + 5) for place, at in spots if low <= place <= high] or [99.0]
            )
            for side, (low, high) in spans.items()
        }
        side = "start" if room["start"] >= min(room["end"], 16) else "end"
        at = min(height - 4, taken[side] - 11)
        taken[side] = at
        place = LEFT + 8 if side == "start" else right + 4
        parts += [
            el(
                "line",
                x1=LEFT,
                x2=right + 6,
                y1=height,
                y2=height,
                stroke="#57606a",
                stroke_width="1",
                stroke_dasharray="1 3",
                class_="floor",
            ),
            svg.text(
                place,
                at,
                label,
                text_anchor=side,
                fill="#57606a",
                font_size="10",
                stroke="#ffffff",
                stroke_width="3",
                paint_order="stroke",
                class_="halo soft",
            ),
        ]
    return el("g", *parts, class_="floors") if parts else ""


def _segments(points: tuple[Point, ...]) -> Iterator[list[Point]]:
    """Runs of points that have a value: a missing cell leaves a gap, it is not bridged."""
    run: list[Point] = []
    for point in points:
        if point.value is None:
            if run:
                yield run
            run = []
        else:
            run.append(point)
    if run:
        yield run


def _band(one: Series, x: Scale, y: Scale) -> str:
    paths = []
    for run in _segments(one.points):
        ends = [(x(p.x), p.low, p.high) for p in run if p.low is not None and p.high is not None]
        if len(ends) > 1:
            low = [(at, y(a)) for at, a, _ in ends if a is not None]
            high = [(at, y(b)) for at, _, b in ends if b is not None]
            paths.append(el("path", d=svg.band(low, high)))
        elif ends:
            at, a, b = ends[0]
            bar = {
                "x": at - 1.5,
                "y": y(b or 0.0),
                "width": 3.0,
                "height": y(a or 0.0) - y(b or 0.0),
            }
            paths.append(el("rect", **bar))
    if not paths:
        return ""
    opacity = "0.16" if one.view == "text" else "0.08"
    name = f"band m{one.model.slot % len(COLOURS)} v-{one.view}"
    return el("g", *paths, fill=colour(one.model.slot), fill_opacity=opacity, class_=name)


def _curve(one: Series, x: Scale, y: Scale) -> str:
    """The line and markers of one series; filled for text, hollow for options."""
    shade = colour(one.model.slot)
    paths, marks, rings = [], [], []
    for run in _segments(one.points):
        spots = [(x(p.x), y(p.value or 0.0)) for p in run]
        paths.append(el("path", d=svg.polyline(spots)))
        marks += [svg.marker(one.model.slot, *spot) for spot in spots]
        rings += [
            el("circle", cx=spot[0], cy=spot[1], r="5.5")
            for spot, p in zip(spots, run, strict=True)
            if p.status != "success"
        ]
    dashed = "5 3.5" if one.view == "options" else None
    fill = shade if one.view == "text" else "#ffffff"
    side = "solid" if one.view == "text" else "hollow"
    return el(
        "g",
        el(
            "g",
            *paths,
            fill="none",
            stroke_width="1.8",
            stroke_dasharray=dashed,
            stroke_linejoin="round",
        ),
        el("g", *marks, fill=fill, stroke_width="1.2", class_=side),
        el("g", *rings, fill="none", stroke=GREY, class_="ring") if rings else "",
        stroke=shade,
        class_=f"curve m{one.model.slot % len(COLOURS)} v-{one.view}",
    )


def _end_labels(drawn: list[Series], view: str, x: Scale, y: Scale, top: float) -> str:
    """Each model's name at the right end of its curve, moved apart where they would touch."""
    ends: dict[int, tuple[Series, Point]] = {}
    for one in drawn:
        known = [p for p in one.points if p.value is not None]
        if one.view == view and known and one.model.slot not in ends:
            ends[one.model.slot] = (one, known[-1])
    both = not any(one.view == "text" for one in drawn)
    wanted = [y(point.value or 0.0) for _, point in ends.values()]
    placed = svg.spread(wanted, 14, top + 4, top + PLOT)
    edge = max([x(point.x) for _, point in ends.values()], default=0.0) + 12
    parts = []
    for (one, point), at in zip(ends.values(), placed, strict=True):
        slot, shade, end = one.model.slot, colour(one.model.slot), x(point.x)
        lead = svg.polyline([(end + 5, y(point.value or 0.0)), (edge, at)])
        far = "1 3" if edge - end > 20 else None
        name = one.model.label if len(one.model.label) <= 11 else one.model.label[:10] + "…"
        line = {"stroke": shade, "fill": "none", "stroke_width": "0.7", "stroke_dasharray": far}
        sign = el("g", svg.marker(slot, edge + 5, at, 3.2), fill=shade, class_="solid")
        said = {"fill": shade, "font_weight": "600", "class_": "name"}
        parts.append(
            el(
                "g",
                el("path", d=lead, class_="lead", **line),
                sign,
                svg.text(edge + 12, at + 3.8, name, **said),
                class_=f"m{slot % len(COLOURS)}",
            )
        )
    hidden = "none" if view == "options" and not both else None
    return el("g", *parts, class_=f"labels lab-{view}", display=hidden) if parts else ""
