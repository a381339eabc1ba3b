"""Utility and reliability by level, which breaks first, and medical against general tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from resect.catalog import QUANTITIES
from resect.catalog import label as label_of
from resect.findings.rows import (
    Abstention,
    Domains,
    Race,
    Rate,
    Reliability,
    ReliabilityFirst,
)
from resect.report import formatting as text
from resect.report.charts.axes import Axis, axis
from resect.report.charts.chart_data import Line, LineChart, bounds
from resect.report.data.metrics import spots_of, values
from resect.report.data.scope import Model, Scope, distinct, selected
from resect.report.data.table import Table, columns, without_empty

SKILL, FIRST = 0, 2
"""Colour of utility, and of the first measure of reliability."""

Row = TypeVar("Row", Abstention, Domains)


class Panel(NamedTuple):
    """One chart and where it belongs; `metric` groups the charts of one kind."""

    metric: str
    task: str
    chart: LineChart


def reliability_panels(scope: Scope, recipe: str) -> list[Panel]:
    """Utility with reliability by task and model, then abstention and the two domains."""
    panels = []
    for task in scope.tasks:
        for model in scope.models:
            chart = retention_chart(scope, task, recipe, model)
            if chart is not None:
                panels.append(Panel("retention", task, chart))
    panels += [Panel("abstention", "", chart) for chart in abstention_charts(scope, recipe)]
    return panels + [Panel("domains", "", chart) for chart in domain_charts(scope, recipe)]


def explained(scope: Scope) -> list[tuple[str, str]]:
    """The measures of reliability that a run has, each with what it says."""
    present = {row.metric for row in scope.summary.reliability_first}
    present |= {"abstention"} if scope.summary.abstention else set()
    ordered = [key for key in QUANTITIES if key in present] + sorted(present - set(QUANTITIES))
    return [
        (label_of(name), QUANTITIES[name].explains if name in QUANTITIES else "")
        for name in ordered
    ]


def retention_chart(scope: Scope, task: str, recipe: str, model: Model) -> LineChart | None:
    """What one model retains of its skill and of each reliability, guessing being nothing."""
    rows = [
        row
        for row in scope.summary.reliability_first
        if (row.model, row.task, row.recipe) == (model.name, task, recipe)
        and any(level.reliability.value is not None for level in row.levels)
    ]
    rows = [row for row in rows if row.seed == rows[0].seed]
    levels = axis(level.level for row in rows for level in row.levels)
    lines = _skill_lines(rows, levels)
    if not lines:
        return None  # nothing to hold it against
    slots = {metric: i for i, metric in enumerate(distinct(row.metric for row in rows))}
    for row in rows:
        spots = spots_of(((level.level, values(level.reliability)) for level in row.levels), levels)
        lines.append(Line(label_of(row.metric), FIRST + slots[row.metric], row.view, spots))
    low, high = bounds(lines, 1.0)
    subtitle = f"% of the intact {model.label}; solid by text, dashed by options"
    return LineChart(task, subtitle, levels, max(low, -1.0), min(high, 1.5), True, tuple(lines))


def _skill_lines(rows: Sequence[ReliabilityFirst], levels: Axis) -> list[Line]:
    """Skill itself, once for each view."""
    by_view = {row.view: row for row in reversed(rows)}
    lines = []
    for view in distinct(row.view for row in rows):
        spots = spots_of(((x.level, values(x.utility)) for x in by_view[view].levels), levels)
        if any(spot.value is not None for spot in spots):
            lines.append(Line(label_of("skill"), SKILL, view, spots))
    return lines


def abstention_charts(scope: Scope, recipe: str) -> list[LineChart]:
    """J by level, all models together."""
    rows = [
        (model, row)
        for model in scope.models
        for row in _own(scope.summary.abstention, recipe, model)
        if row.levels
    ]
    if not rows:
        return []
    levels = axis(level.level for _, row in rows for level in row.levels)
    lines = tuple(
        Line(
            model.label,
            model.slot,
            row.view,
            spots_of([(x.level, values(x.j)) for x in row.levels], levels),
        )
        for model, row in rows
    )
    low, high = bounds(lines, 0.5)
    subtitle = "abstains without an answer minus with one; solid by text, dashed by options"
    return [LineChart(label_of("abstention"), subtitle, levels, low, high, False, lines)]


def domain_charts(scope: Scope, recipe: str) -> list[LineChart]:
    """The retention of skill on medical and on general tasks, one chart a model."""
    charts = []
    for model in scope.models:
        rows = [row for row in _own(scope.summary.domains, recipe, model) if row.levels]
        if not rows:
            continue
        row = rows[0]  # by text where it was asked so
        levels = axis(level.level for level in row.levels)
        sides = {
            "medical": spots_of(((x.level, values(x.medical)) for x in row.levels), levels),
            "general": spots_of(((x.level, values(x.general)) for x in row.levels), levels),
        }
        lines = tuple(
            Line(name, FIRST + i, "", spots) for i, (name, spots) in enumerate(sides.items())
        )
        low, high = bounds(lines, 1.0)
        subtitle = f"% of the skill of the intact {model.label}, by {row.view}"
        title, high = "Medical and general tasks", min(high, 1.5)
        charts.append(LineChart(title, subtitle, levels, low, high, True, lines))
    return charts


def _own(rows: Iterable[Row], recipe: str, model: Model) -> list[Row]:
    """Rows of one model under one recipe, of its first seed; the text view first."""
    own = [row for row in rows if (row.model, row.recipe) == (model.name, recipe)]
    own = [row for row in own if row.seed == own[0].seed]
    return sorted(own, key=lambda row: row.view != "text")


# ── tables ──────────────────────────────────────────────────────────────────────────────────────


def first_table(scope: Scope, recipe: str) -> Table:
    """Which breaks first and by how many levels: each measure against skill, and abstaining."""
    body = []
    for row in scope.summary.reliability_first:
        skilled = any(level.utility.value is not None for level in row.levels)
        if row.recipe == recipe and skilled:
            where = row.task, scope.label(row.model), row.view
            body.append(_first(row.race, where, label_of(row.metric)))
    for abstention in scope.summary.abstention:
        if abstention.recipe == recipe:
            where = "abstaining", scope.label(abstention.model), abstention.view
            body.append(_first(abstention.race, where, label_of("abstention")))
    heads = ("Task", "Model", "View", "Measure", "Half of the skill gone", "Half of it gone",
             "First", "Earlier by, levels", "In resamples", "Clear", "Note")  # fmt: skip
    caption = "Which breaks first, skill or reliability (steps of the levels asked)"
    return without_empty(Table(caption, columns(heads), tuple(body)))


def _first(row: Race, where: tuple[str, str, str], what: str) -> tuple[str, ...]:
    return (
        *where,
        what,
        text.half(row.places.get("skill")),
        text.half(row.places.get("reliability")),
        {"skill": "skill", "reliability": what}.get(row.first or "", text.DASH),
        _steps(row),
        text.percent(row.share, 0),
        text.DASH if row.first is None else "yes" if row.clear else "no",
        row.reason or text.DASH,
    )


def _steps(row: Race) -> str:
    """By how many steps the first one leads."""
    if row.steps is None:
        return "the other never" if row.first else text.DASH
    shown = text.decimal(row.steps, 1)
    if row.steps_low is None or row.steps_high is None:
        return shown
    return f"{shown} [{text.decimal(row.steps_low, 1)}, {text.decimal(row.steps_high, 1)}]"


def domain_table(scope: Scope, recipe: str) -> Table:
    """Medical minus general in the area under retention, and which breaks first."""
    body = []
    for row in scope.summary.domains:
        if row.recipe != recipe:
            continue
        first = row.race
        body.append((
            scope.label(row.model),
            row.view,
            ", ".join(row.tasks.get("medical", ())) or text.DASH,
            ", ".join(row.tasks.get("general", ())) or text.DASH,
            text.estimate(row.difference),
            first.first or text.DASH,
            _steps(first),
            "yes" if first.clear else "no" if first.first else text.DASH,
            row.reason or first.reason or text.DASH,
        ))  # fmt: skip
    heads = ("Model", "View", "Medical", "General", "Retention, medical minus general",
             "First", "Earlier by, levels", "Clear", "Note")  # fmt: skip
    return without_empty(Table("Medical against general tasks", columns(heads), tuple(body)))


def _rates(row: Reliability) -> Iterable[tuple[str, Rate]]:
    """The rates of a row, by the name of their metric."""
    rates = [(name, getattr(row, name, None)) for name in QUANTITIES]
    return [(name, rate) for name, rate in rates if isinstance(rate, Rate)]


def rate_table(scope: Scope, recipe: str, most: int = 5) -> Table:
    """The rates themselves, with what guessing would get, at some levels."""
    rows = [row for row in scope.summary.reliability if row.recipe == recipe]
    levels = distinct(row.level for row in rows)
    positions = axis(levels).positions
    shown = selected(sorted(levels, key=lambda level: positions[level]), most)
    body = [
        (
            row.task,
            scope.label(row.model),
            row.view,
            text.level(row.level),
            label_of(name),
            text.estimate(rate, share=True),
            text.count(rate.n),
            text.percent(rate.guess),
        )
        for row in rows
        if row.level in shown
        for name, rate in _rates(row)
    ]
    heads = ("Task", "Model", "View", "Level", "Rate", "Share", "Items", "Guessing")
    return without_empty(Table("Rates of reliability", columns(heads), tuple(body)))


def abstention_table(scope: Scope, recipe: str, most: int = 5) -> Table:
    """J with its two parts, at some levels."""
    body = []
    for row in scope.summary.abstention:
        if row.recipe != recipe:
            continue
        shown = selected([level.level for level in row.levels], most)
        for level in row.levels:
            if level.level in shown:
                body.append((
                    scope.label(row.model),
                    row.view,
                    text.level(level.level),
                    _share(level.unanswerable),
                    _share(level.answerable),
                    text.estimate(level.j),
                    text.decimal(level.j.guess),
                ))  # fmt: skip
    heads = ("Model", "View", "Level", "Abstains without an answer", "Abstains with one", "J",
             "J of guessing")  # fmt: skip
    return without_empty(Table("Abstaining", columns(heads), tuple(body)))


def _share(rate: Rate) -> str:
    return f"{text.percent(rate.value)} of {text.count(rate.n)}"
