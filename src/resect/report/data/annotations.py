"""What is marked on a curve: safe level, onset, half-level, steepest drop, divergence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from resect.report.charts.axes import Axis, place
from resect.report.data.scope import Model, Row, Summary, models, rows
from resect.report.formatting import finite

KINDS = {
    "safe": "safe level: the last one within the margin on every assessable task",
    "onset": "onset: the curve bends down",
    "half": "half-level: half of the skill is gone",
    "steepest": "steepest drop between two levels",
    "divergence": "divergence: another metric gives way before skill does",
}


class Mark(NamedTuple):
    """One finding on the axis of a sweep; `censored` where it lies beyond the last level."""

    model: Model
    view: str
    kind: str
    metric: str
    x: float
    low: float | None
    high: float | None
    censored: bool


def cliff(
    summary: Summary,
    model: str,
    task: str,
    recipe: str,
    view: str,
    kind: str = "half",
    metric: str = "skill",
) -> Row | None:
    """The cliff of one model, task, recipe, view, kind and metric, or None."""
    wanted = {"model": model, "task": task, "recipe": recipe, "view": view, "kind": kind}
    for row in rows(summary, "cliffs"):
        same = str(row.get("metric") or "skill") == metric
        if same and all(str(row.get(key)) == value for key, value in wanted.items()):
            return row
    return None


def deciding(summary: Summary, model: str, recipe: str) -> Row | None:
    """The safety of a sweep in the view that its verdict reads; the worst of several seeds."""
    found = [
        row
        for row in rows(summary, "safety")
        if (str(row.get("model")), str(row.get("recipe"))) == (model, recipe)
        and row.get("default", True)
    ]
    return min(found, key=_how_far, default=None)


def _how_far(row: Row) -> tuple[bool, float]:
    """Orders sweeps: what cannot be assessed first, then by the number of levels passed."""
    return row.get("state") != "not assessable", len(row.get("passed") or ())


def marks(summary: Summary, task: str, recipe: str, at: Axis) -> tuple[Mark, ...]:
    """Everything found on the curves of one task under one recipe, model by model."""
    return tuple(
        mark for model in models(summary) for mark in _of(summary, model, task, recipe, at)
    )


def _of(summary: Summary, model: Model, task: str, recipe: str, at: Axis) -> Iterator[Mark]:
    safe = deciding(summary, model.name, recipe)
    level = finite((safe or {}).get("safe_level"))
    if safe is not None and level is not None:
        x = place(at, level)
        view = str(safe.get("view") or "text")
        if x is not None:
            yield Mark(model, view, "safe", "", x, None, None, safe.get("state") == "all")
    for view in ("text", "options"):
        for kind, metric in (
            ("onset", "skill"),
            ("half", "skill"),
            ("steepest", "skill"),
            ("divergence", "answered"),
            ("divergence", "calibration"),
        ):
            row = cliff(summary, model.name, task, recipe, view, kind, metric)
            if row is not None:
                yield from _placed(row, model, view, kind, metric, at)


def _placed(row: Row, model: Model, view: str, kind: str, metric: str, at: Axis) -> Iterator[Mark]:
    found = finite(row.get("level"))
    censored = bool(row.get("censored"))
    if found is None and not (censored and kind == "half"):
        return
    x = at.high if found is None or censored else place(at, found)
    ends = (
        (row.get("level"), row.get("to"))
        if kind == "steepest"
        else (row.get("low"), row.get("high"))
    )
    low, high = (None if finite(end) is None else place(at, finite(end)) for end in ends)
    if low is not None and high is None and kind != "steepest":
        high = at.high
    if x is not None:
        yield Mark(model, view, kind, metric, x, low, high, censored)
