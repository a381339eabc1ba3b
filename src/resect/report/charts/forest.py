"""Forest plots: differences between two models with their intervals and verdicts."""

from __future__ import annotations

from resect.report.charts import svg
from resect.report.charts.plot_frame import GRID, SOFT, frame, heading
from resect.report.charts.svg import el
from resect.report.data.panels import DifferencePanel

TITLES = {
    "absolute": "Remaining skill: area under the curve",
    "retention": "Retention: area under the curve",
}


def differences(panel: DifferencePanel) -> str:
    """A forest plot: one row per task and view, the difference a minus b with its interval."""
    row_height, top = 38.0, 50.0
    height, span = row_height * len(panel.rows), (-panel.span, panel.span)
    plot = frame(14.0, svg.WIDTH - 14, top, height, span, (0, 1), inset=0.0)
    middle, title = plot.x(0), TITLES[panel.kind]
    rule = {"x1": middle, "x2": middle, "y1": top - 8, "y2": plot.bottom}
    inner = [
        *heading(title),
        svg.text(middle - 8, 34, f"← {panel.b} better", text_anchor="end", **SOFT),
        svg.text(middle + 8, 34, f"{panel.a} better →", **SOFT),
        el("line", stroke="#57606a", class_="floor", **rule),
    ]
    halo = {"class_": "halo ink", "stroke": "#ffffff", "stroke_width": "3", "paint_order": "stroke"}
    for i, row in enumerate(panel.rows):
        y = top + row_height * i + 22
        inner.append(svg.text(0, y - 12, f"{row.task} · {row.view}", **halo))
        bold = {"text_anchor": "end", "font_weight": "600"}
        inner.append(svg.text(svg.WIDTH, y - 12, row.word, **bold, **halo))
        grid = {"x1": plot.left, "x2": plot.right, "stroke": GRID, "class_": "grid"}
        inner.append(el("line", y1=y, y2=y, **grid))
        if row.low is not None and row.high is not None:
            dashed = "5 3.5" if row.view == "options" else None
            bar = {"stroke": "#24292f", "stroke_width": "2.2", "stroke_dasharray": dashed}
            ends = {"x1": plot.x(row.low), "x2": plot.x(row.high), "y1": y, "y2": y}
            inner.append(el("line", class_="whisker", **bar, **ends))
        if row.difference is not None:
            x = plot.x(row.difference)
            inner.append(el("circle", cx=x, cy=y, r="4.2", fill="#24292f", class_="dot"))
    for share in (-panel.span, -panel.span / 2, 0.0, panel.span / 2, panel.span):
        shown = f"{share:+.2f}".replace("-", "\u2212") if share else "0"
        anchor = {-panel.span: "start", panel.span: "end"}.get(share, "middle")
        x = plot.x(share) + {"start": -14, "end": 14, "middle": 0}[anchor]
        inner.append(svg.text(x, plot.bottom + 14, shown, text_anchor=anchor, **SOFT))
    shape = f"{len(panel.rows)} differences, {panel.a} minus {panel.b}"
    return svg.document(plot.bottom + 20, title, shape, *inner)
