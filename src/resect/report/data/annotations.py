"""What is marked on a chart of curves: safe level, onset, half-level, steepest drop, divergence."""

from __future__ import annotations

from collections.abc import Iterator

from resect.findings.rows import Cliff, CliffKind
from resect.report.charts.axes import Axis, place
from resect.report.charts.chart_data import Mark
from resect.report.data.scope import CLIFFS, VIEWS, Model, Scope


def marks(scope: Scope, task: str, recipe: str, axis: Axis) -> tuple[Mark, ...]:
    """Everything found on the curves of one task under one recipe, model by model."""
    return tuple(
        mark for model in scope.models for mark in _of_model(scope, model, task, recipe, axis)
    )


def _of_model(scope: Scope, model: Model, task: str, recipe: str, axis: Axis) -> Iterator[Mark]:
    verdict = scope.deciding(model.name, recipe)
    if verdict is not None and verdict.passed_level is not None:
        x = place(axis, verdict.passed_level)
        if x is not None:
            beyond = verdict.stopped_by is None
            yield Mark(model.label, model.slot, verdict.view, "passed", "", x, None, None, beyond)
    for view in VIEWS:
        for kind, metric in CLIFFS:
            cliff = scope.cliff(model.name, task, recipe, view, kind, metric)
            if cliff is not None:
                yield from _placed(cliff, model, axis)


def _placed(cliff: Cliff, model: Model, axis: Axis) -> Iterator[Mark]:
    half, steepest = cliff.kind == CliffKind.HALF, cliff.kind == CliffKind.STEEPEST
    if cliff.level is None and not (cliff.censored and half):
        return
    x = axis.high if cliff.level is None or cliff.censored else place(axis, cliff.level)
    ends = (cliff.level, cliff.to) if steepest else (cliff.low, cliff.high)
    low, high = (None if end is None else place(axis, end) for end in ends)
    if low is not None and high is None and not steepest:
        high = axis.high
    if x is not None:
        kind, censored = cliff.kind.value, cliff.censored
        yield Mark(model.label, model.slot, cliff.view, kind, cliff.metric, x, low, high, censored)
