"""Answers that are not labels, by level: numbers, lists, texts, programs, and scored text."""

from __future__ import annotations

from resect.catalog import label as label_of
from resect.report import formatting as text
from resect.report.charts.chart_data import LineChart
from resect.report.data.metrics import OPEN_KINDS, chart_of, drawn, is_share, values
from resect.report.data.scope import Scope, first_seed
from resect.report.data.table import Table, table


def open_metrics(scope: Scope) -> list[str]:
    """The metrics of answers that are not labels, as far as a run has them."""
    present = {key for row in scope.summary.curves for key in row.metrics}
    return [key for key in drawn("answer") if key in present]


def open_tasks(scope: Scope) -> list[str]:
    """The tasks whose answers are not labels."""
    tasks = [scope.task(name) for name in scope.tasks]
    return [task.name for task in tasks if task is not None and task.kind in OPEN_KINDS]


def open_chart(scope: Scope, metric: str, task: str, recipe: str) -> LineChart | None:
    """One metric of one task, all models together; None where no row has it."""
    rows = first_seed(scope.sweep(task, recipe), recipe)
    name = f"{label_of(metric)}{', %' if is_share(metric) else ''} by level"
    points = [
        (row.model, "", row.level, values(row.metrics[metric]))
        for row in rows
        if values(row.metrics.get(metric))[0] is not None
    ]
    return chart_of(scope, metric, task, name, points, 0.2)


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
                    task, scope.label(row.model), text.level(row.level), _large(tokens.value),
                    _large(values(words)[0]), text.estimate(bits),
                ))  # fmt: skip
    heads = ("Text", "Model", "Level", "Perplexity of tokens", "of words", "Bits per byte")
    return table("Perplexity (the verdict does not read it)", heads, body)


def _large(value: float | None) -> str:
    return text.DASH if value is None else f"{value:.4g}"
