"""Every figure of the page with the table of its numbers, and when it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from resect.report import figures
from resect.report.charts import line_chart as lines
from resect.report.charts import pareto
from resect.report.charts.line_chart import Chart
from resect.report.data import answer_tables as answers
from resect.report.data import bias_tables as measures
from resect.report.data import panels, tables
from resect.report.data import reliability_tables as reliability
from resect.report.data import scope as reading
from resect.report.data.panels import METRICS
from resect.report.data.table import Table

Summary = Mapping[str, Any]


class Figure(NamedTuple):
    """One figure with its table: `kind` and the three keys say when it is shown."""

    kind: str
    task: str
    recipe: str
    metric: str
    svg: Markup
    table: Table


def curves(summary: Summary, recipes: Sequence[str]) -> list[Figure]:
    """A degradation panel for each recipe, metric and task."""
    found = []
    for recipe in recipes:
        for metric in METRICS:
            for task in reading.tasks(summary):
                shown = answers.own_metric(summary, task) if metric == "accuracy" else metric
                panel = panels.curve_panel(summary, task, recipe, shown)
                drawn, table = Markup(figures.curves(panel)), tables.curve_table(panel)
                found.append(Figure("curves", task, recipe, metric, drawn, table))
    return found


def outcomes(summary: Summary, recipes: Sequence[str], seen: tuple[str, ...]) -> list[Figure]:
    """Outcome bars for each recipe, task and model."""
    found = []
    for recipe in recipes:
        for task in reading.tasks(summary):
            for model in reading.models(summary):
                panel = panels.outcome_panel(summary, task, recipe, model)
                if panel.levels:
                    drawn = Markup(figures.outcomes(panel, seen))
                    table = tables.outcome_table(panel, seen)
                    found.append(Figure("outcomes", task, recipe, "", drawn, table))
    return found


def differences(summary: Summary, recipes: Sequence[str]) -> list[Figure]:
    """Forest plots of both kinds for each pair of models."""
    found = []
    for recipe in recipes:
        for kind in ("absolute", "retention"):
            for panel in panels.difference_panels(summary, recipe, kind):
                drawn, table = Markup(figures.differences(panel)), tables.difference_table(panel)
                found.append(Figure("differences", "", recipe, kind, drawn, table))
    return found


def bias(summary: Summary, recipes: Sequence[str]) -> list[Figure]:
    """What is said how often against the gold, and the measures of leaning."""
    found = []
    for recipe in recipes:
        for task in reading.tasks(summary):
            for one in measures.share_charts(summary, task, recipe):
                found.append(_charted("bias", task, recipe, "shares", one))
        found += _measured(summary, "bias", recipe)
    return found


def trust(summary: Summary, recipes: Sequence[str]) -> list[Figure]:
    """Flips, confident errors and calibration by level."""
    return [one for recipe in recipes for one in _measured(summary, "trust", recipe)]


def open_answers(summary: Summary, recipes: Sequence[str]) -> list[Figure]:
    """What lists, texts and programs are like beside being right."""
    found = []
    for recipe in recipes:
        for metric in answers.METRICS:
            for task in answers.tasks(summary):
                chart = answers.chart(summary, metric, task, recipe)
                if chart is not None:
                    found.append(_charted("open", task, recipe, metric, chart))
    return found


def reliable(summary: Summary, recipes: Sequence[str]) -> list[Figure]:
    """Utility and reliability on one axis of levels, abstaining, medical against general tasks."""
    return [
        _charted("reliable", panel.task, recipe, "", panel.chart)
        for recipe in recipes
        for panel in reliability.panels(summary, recipe)
    ]


def _measured(summary: Summary, key: str, recipe: str) -> list[Figure]:
    found = []
    for metric in measures.BIAS if key == "bias" else measures.TRUST:
        for task in reading.tasks(summary):
            chart = None
            if metric != "shares":
                chart = measures.chart(summary, key, metric, task, recipe)
            if chart is not None:
                found.append(_charted(key, task, recipe, metric, chart))
    return found


def _charted(kind: str, task: str, recipe: str, metric: str, chart: Chart) -> Figure:
    table = measures.chart_table(chart)
    return Figure(kind, task, recipe, metric, Markup(lines.draw(chart)), table)


def sizes(summary: Summary) -> list[Figure]:
    """Size, speed and parameters left against quality, as far as there are such."""
    found = []
    for by in pareto.TITLES:
        front = pareto.front(summary, by)
        if front is not None:
            drawn = Markup(pareto.draw(front))
            found.append(Figure("pareto", "", "", by, drawn, pareto.table(front)))
    return found


def offered(found: Sequence[Figure], names: Mapping[str, str]) -> dict[str, str]:
    """The measures that at least one figure has, in their order."""
    have = {one.metric for one in found}
    return {key: label for key, label in names.items() if key in have}
