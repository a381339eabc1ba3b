"""Outcome bars: what kind of text came back at each level."""

from __future__ import annotations

from resect.report.charts import svg
from resect.report.charts.svg import GREY, Scale, el, scale
from resect.report.data.panels import OutcomePanel
from resect.report.formatting import level

LEFT = 38.0

OUTCOME_COLOURS = {
    "answer": "#3b7d88",
    "recovered": "#9ccdc9",
    "echo": "#e8c866",
    "off_task": "#c98536",
    "degenerate": "#8e3044",
    "refusal": "#8878b8",
    "truncated": "#a9b0b7",
}
OUTCOME_SAYS = {
    "answer": "an answer, as asked",
    "recovered": "an answer, found in other words",
    "echo": "the prompt repeated",
    "off_task": "text about something else",
    "degenerate": "loops, fragments or nothing",
    "refusal": "a refusal",
    "truncated": "cut before an answer",
}


def outcomes(panel: OutcomePanel, names: tuple[str, ...]) -> str:
    """Stacked bars of outcome shares by level, with accuracy as a line over them."""
    top, plot, right = 34.0, 120.0, 12.0
    count = max(len(panel.levels), 1)
    step = (svg.WIDTH - LEFT - right) / count
    y = scale(0, 1, top + plot, top)
    bars: dict[str, list[str]] = {name: [] for name in names}
    for i, shares in enumerate(panel.shares):
        floor = 0.0
        for name in names:
            share = shares.get(name, 0.0)
            if share > 0:
                place = {"x": LEFT + i * step + step * 0.06, "width": step * 0.88}
                bars[name].append(
                    el("rect", y=y(floor + share), height=y(floor) - y(floor + share), **place)
                )
                floor += share
    layers = [
        el("g", *found, fill=OUTCOME_COLOURS.get(name, GREY), class_=f"o-{name}")
        for name, found in bars.items()
        if found
    ]
    spots = [(LEFT + (i + 0.5) * step, y(v)) for i, v in enumerate(panel.right) if v is not None]
    line = []
    if spots:
        line = [
            el(
                "path",
                d=svg.polyline(spots),
                fill="none",
                stroke="#ffffff",
                stroke_width="4",
                stroke_opacity="0.85",
            ),
            el("path", d=svg.polyline(spots), fill="none", stroke="#111418", stroke_width="1.6"),
        ]
    stops = [LEFT + (i + 0.5) * step for i in range(len(panel.levels))]
    model = panel.model.label
    inner = [
        svg.text(0, 13, f"{panel.task} · {model}", font_size="13", font_weight="600", class_="ink"),
        *_percent_ticks(y, svg.WIDTH - right),
        *layers,
        *line,
        *_level_labels(panel, step, top + plot + 15),
        svg.reading_aid(stops, top, top + plot),
    ]
    shape = f"Shares of {len(names)} outcomes at {len(panel.levels)} levels"
    says = f"{shape}; the numbers are in the table below"
    return svg.document(
        svg.WIDTH, top + plot + 22, f"{panel.task}, {model}: what came back", says, *inner
    )


def _percent_ticks(y: Scale, right: float) -> list[str]:
    parts = []
    for share in (0.0, 0.5, 1.0):
        at = y(share)
        parts.append(el("line", x1=LEFT, x2=right, y1=at, y2=at, stroke="#e3e6ea", class_="grid"))
        shown = f"{share * 100:.0f} %"
        parts.append(
            svg.text(LEFT - 5, at + 3.8, shown, text_anchor="end", fill=GREY, class_="soft")
        )
    return parts


def _level_labels(panel: OutcomePanel, step: float, y: float) -> list[str]:
    every = max(1, -(-len(panel.levels) // 10))
    return [
        svg.text(
            LEFT + (i + 0.5) * step,
            y,
            level(at),
            text_anchor="middle",
            fill=GREY,
            font_size="10",
            class_="soft",
        )
        for i, at in enumerate(panel.levels)
        if i % every == 0
    ]
