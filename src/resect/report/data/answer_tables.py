"""Answers that are no labels, by level: lists, texts, programs, and text scored as it stands."""

from __future__ import annotations

from resect.catalog import label as label_of
from resect.report import formatting as text
from resect.report.charts.axes import axis
from resect.report.charts.chart_data import Line, LineChart, Spot, bounds
from resect.report.data.metrics import OPEN_KINDS, drawn, is_share, values
from resect.report.data.scope import Scope
from resect.report.data.table import Table, columns, without_empty


def open_metrics(scope: Scope) -> list[str]:
    """The metrics of answers that are no labels, as far as a run has them."""
    present = {key for row in scope.summary.curves for key in row.metrics}
    return [key for key in drawn("answer") if key in present]


def open_tasks(scope: Scope) -> list[str]:
    """The tasks whose answers are no labels."""
    tasks = [scope.task(name) for name in scope.tasks]
    return [task.name for task in tasks if task is not None and task.kind in OPEN_KINDS]


def open_chart(scope: Scope, metric: str, task: str, recipe: str) -> LineChart | None:
    """One metric of one task, all models together; None where no row has it."""
    known = [
        row for row in scope.sweep(task, recipe) if values(row.metrics.get(metric))[0] is not None
    ]
    if not known:
        return None
    levels = axis(row.level for row in known)
    lines = []
    for model in scope.models:
        own = [row for row in known if row.model == model.name]
        first = next((row.seed for row in own if row.recipe == recipe), None)
        spots = [
            Spot(row.level, levels.positions[row.level], *values(row.metrics[metric]))
            for row in own
            if row.seed == first or row.recipe != recipe
        ]
        if spots:
            spots.sort(key=lambda spot: spot.x)
            lines.append(Line(model.label, model.slot, "", tuple(spots)))
    low, high = bounds(lines, 0.2)
    share = is_share(metric)
    subtitle = f"{label_of(metric)}{', %' if share else ''} by level"
    return LineChart(task, subtitle, levels, low, high, share, tuple(lines))


def perplexity_table(scope: Scope, recipe: str) -> Table:
    """Perplexities by level: of tokens (within one model), of words, and bits per byte."""
    body = []
    for task in open_tasks(scope):
        for row in scope.sweep(task, recipe):
            tokens, words, bits = (
                row.metrics.get(key) for key in ("perplexity", "word_perplexity", "bits_per_byte")
            )
            if tokens is not None and tokens.value is not None:
                body.append((
                    task,
                    scope.label(row.model),
                    text.level(row.level),
                    _large(tokens.value),
                    _large(values(words)[0]),
                    text.estimate(bits),
                ))  # fmt: skip
    heads = ("Text", "Model", "Level", "Perplexity of tokens", "of words", "Bits per byte")
    return without_empty(Table("Perplexity: shown, never judged", columns(heads), tuple(body)))


def _large(value: float | None) -> str:
    return text.DASH if value is None else f"{value:.4g}"
