"""Forest plots: differences between two models with their intervals and verdicts."""

from __future__ import annotations

from resect.report.charts import svg
from resect.report.charts.svg import GREY, Scale, el, scale
from resect.report.data.panels import DifferencePanel


def differences(panel: DifferencePanel) -> str:
    """A forest plot: one row per task and view, the difference a minus b with its interval."""
    row_height, top = 38.0, 50.0
    x = scale(-panel.span, panel.span, 14, svg.WIDTH - 14)
    bottom = top + row_height * len(panel.rows)
    what = (
        "What is left: area of skill"
        if panel.kind == "absolute"
        else "What share is left: area of retention"
    )
    middle = x(0)
    inner = [
        svg.text(0, 13, what, font_size="14", font_weight="600", class_="ink"),
        svg.text(
            middle - 8, 34, f"← {panel.b} better", text_anchor="end", fill=GREY, class_="soft"
        ),
        svg.text(middle + 8, 34, f"{panel.a} better →", fill=GREY, class_="soft"),
        el("line", x1=middle, x2=middle, y1=top - 8, y2=bottom, stroke="#57606a", class_="floor"),
    ]
    for i, row in enumerate(panel.rows):
        y = top + row_height * i + 14
        dashed = "5 3.5" if row.view == "options" else None
        halo = {"class_": "halo ink", "stroke": "#ffffff", "stroke_width": "3"}
        halo |= {"paint_order": "stroke"}
        word = _worded(row.word, panel)
        inner.append(svg.text(0, y - 4, f"{row.task} · {row.view}", **halo))
        bold = {"text_anchor": "end", "font_weight": "600"}
        inner.append(svg.text(svg.WIDTH, y - 4, word, **bold, **halo))
        at = y + 8
        inner.append(
            el("line", x1=14.0, x2=svg.WIDTH - 14, y1=at, y2=at, stroke="#e3e6ea", class_="grid")
        )
        if row.low is not None and row.high is not None:
            bar = {"stroke": "#24292f", "stroke_width": "2.2", "stroke_dasharray": dashed}
            ends = {"x1": x(row.low), "x2": x(row.high), "y1": at, "y2": at}
            inner.append(el("line", class_="whisker", **bar, **ends))
        if row.difference is not None:
            inner.append(
                el("circle", cx=x(row.difference), cy=at, r="4.2", fill="#24292f", class_="dot")
            )
    inner += _ticks(panel.span, x, bottom + 14)
    shape = f"{len(panel.rows)} differences, {panel.a} minus {panel.b}"
    says = f"{shape}; the numbers are in the table below"
    return svg.document(svg.WIDTH, bottom + 20, what, says, *inner)


def _worded(verdict: str, panel: DifferencePanel) -> str:
    """The verdict's word with the models' names for a and b."""
    names = {"a better": f"{panel.a} better", "b better": f"{panel.b} better"}
    return names.get(verdict, verdict)


def _ticks(span: float, x: Scale, y: float) -> list[str]:
    parts = []
    for share in (-span, -span / 2, 0.0, span / 2, span):
        shown = f"{share:+.2f}".replace("-", "\u2212") if share else "0"
        anchor = "start" if share == -span else "end" if share == span else "middle"
        place = x(share) + {"start": -14, "end": 14, "middle": 0}[anchor]
        parts.append(svg.text(place, y, shown, text_anchor=anchor, fill=GREY, class_="soft"))
    return parts
