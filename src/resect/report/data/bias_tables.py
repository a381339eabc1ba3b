"""Bias and trust by level: the numbers of their charts, and the table of changed answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from resect.catalog import label as label_of
from resect.findings.rows import Bias, Trust
from resect.report import formatting as text
from resect.report.charts.axes import axis
from resect.report.charts.chart_data import Line, LineChart, bounds
from resect.report.data.metrics import chart_of, is_share, leaning, spots_of, values
from resect.report.data.scope import VIEWS, Model, Scope, distinct, selected
from resect.report.data.table import Table, table

FREE = 2
"""The first colour that is not the specialist's or the base's, for labels."""

Leaning = Literal["bias", "trust"]
LEANING: tuple[Leaning, ...] = ("bias", "trust")


def _views(rows: Sequence[Bias | Trust]) -> tuple[str, ...]:
    """The views with rows; the text view first."""
    return tuple(sorted({row.view for row in rows}, key=VIEWS.index))


def share_charts(scope: Scope, task: str, recipe: str) -> list[LineChart]:
    """How often each model gives each answer, by level, against the gold; one chart a model."""
    rows = scope.bias(task, recipe)
    charts = []
    for model in scope.models:
        view = _views(rows)[0] if rows else ""
        own = [row for row in rows if row.model == model.name and row.view == view]
        if not own:
            continue
        levels = axis(row.level for row in own)
        lines = [
            Line(
                label, slot + FREE, "",
                spots_of(((row.level, values(row.predicted.get(label))) for row in own), levels),
                reference=gold,
            )
            for slot, (label, gold) in enumerate(own[0].gold.items())
        ]  # fmt: skip
        low, high = bounds(lines, 0.5)
        subtitle = f"answers of the {model.label}, % of items, by {view}"
        charts.append(LineChart(task, subtitle, levels, low, min(high, 1.0), True, tuple(lines)))
    return charts


def leaning_chart(
    scope: Scope, group: Leaning, metric: str, task: str, recipe: str
) -> LineChart | None:
    """One measure of bias (in the first view that has it) or of trust (in both), all models."""
    rows = scope.bias(task, recipe) if group == "bias" else scope.trust(task, recipe)
    known = [row for row in rows if leaning(row, metric)[0] is not None]
    views = _views(known)[: 1 if group == "bias" else None]
    name = label_of(metric)
    if metric == "positive_share" and known and isinstance(known[0], Bias):
        name = f"Says “{known[0].positive}”"
    subtitle = f"{name}{', %' if is_share(metric) else ''}, by {' and '.join(views)}"
    points = [
        (row.model, row.view, row.level, leaning(row, metric)) for row in rows if row.view in views
    ]
    return chart_of(scope, metric, task, subtitle, points, 0.2 if metric != "sensitivity" else 1.0)


def trust_table(scope: Scope, recipe: str, most: int = 5) -> Table:
    """Flips with McNemar's counts, and confident errors with their coverage, at some levels."""
    body = []
    for task in scope.tasks:
        rows = scope.trust(task, recipe)
        levels = distinct(row.level for row in rows if row.level != 0)
        positions = axis(levels).positions
        shown = selected(sorted(levels, key=lambda level: positions[level]), most)
        for model in scope.models:
            for view in _views(rows):
                body += [
                    _changes(row, task, model)
                    for row in rows
                    if (row.model, row.view) == (model.name, view) and row.level in shown
                ]
    heads = (
        "Task", "Model", "View", "Level", "Lost", "Gained", "Flips", "Change, points",
        "McNemar p", "Confident", "Wrong of these", "Calibration error", "As counted", "Brier",
    )  # fmt: skip
    return table("Answers that changed from the intact model, and confident errors", heads, body)


def _changes(row: Trust, task: str, model: Model) -> tuple[str, ...]:
    since, sure, calibration = row.since_baseline, row.wrong_if_confident, row.calibration_error
    counts = (text.DASH,) * 5
    if since is not None:
        counts = (
            text.count(since.lost), text.count(since.gained), text.percent(since.flips),
            text.points(since.accuracy_change), p_value(since.p),
        )  # fmt: skip
    covered = sure is not None and sure.n is not None
    return (
        task,
        model.label,
        row.view,
        text.level(row.level),
        *counts,
        f"{text.count(sure.n)} of {text.count(row.n)}" if sure and covered else text.DASH,
        text.estimate(sure, share=True),
        text.decimal(values(calibration)[0], 3),
        text.decimal(None if calibration is None else calibration.counted, 3),
        text.decimal(values(row.brier)[0], 3),
    )


def p_value(p: float | None) -> str:
    """A p value as `0.012`, or `< 0.001`."""
    return text.DASH if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
