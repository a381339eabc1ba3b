"""Which metrics of the catalogue a run has figures of, and their values in its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from resect.catalog import QUANTITIES, Group
from resect.catalog import label as label_of
from resect.findings.rows import Bias, CurvePoint, Distance, Estimate, Rate, Trust
from resect.report.charts.axes import Axis, axis
from resect.report.charts.chart_data import Line, LineChart, Spot, bounds
from resect.report.data.scope import VIEWS, Scope

OPEN_KINDS = ("number", "spans", "code", "text", "score")
"""The kinds of tasks whose answers are not labels."""

TABLES_ONLY = frozenset({
    "balanced_accuracy", "change", "precision", "recall", "weighted_precision", "weighted_recall",
    "weighted_f1", "confident_error", "exact_match", "pass@1", "score", "strict_f1",
    "rouge_l", "perplexity", "word_perplexity", "kl_text", "same_top",
})  # fmt: skip
"""Metrics without a switch of their own: in tables, or drawn where other tasks have accuracy."""

Values = tuple[float | None, float | None, float | None]
"""A value with the ends of its interval."""

NOTHING: Values = (None, None, None)


class Offer(NamedTuple):
    """One metric that a switch of the page offers."""

    key: str
    label: str
    explains: str


def offers(group: Group, present: Iterable[str]) -> list[Offer]:
    """The metrics of a group that are present, in the catalogue's order; then unknown ones."""
    present = set(present)
    known = [key for key in QUANTITIES if key in present and QUANTITIES[key].group == group]
    unknown = sorted(key for key in present if key not in QUANTITIES)
    return [
        *[Offer(key, QUANTITIES[key].label, QUANTITIES[key].explains) for key in known],
        *[Offer(key, label_of(key), "") for key in unknown],
    ]


def drawn(group: Group) -> list[str]:
    """The metrics of a group that have a figure of their own."""
    return [
        key for key, quantity in QUANTITIES.items()
        if quantity.group == group and key not in TABLES_ONLY
    ]  # fmt: skip


def curve_metrics(scope: Scope) -> list[str]:
    """The metrics that a run's curves can show: accuracy always, others where a row has them."""
    present = {
        key
        for row in scope.summary.curves
        for key, estimate in row.metrics.items()
        if estimate.value is not None and row.view in views(key)
    }
    unknown = sorted(key for key in present if key not in QUANTITIES)
    known = [key for key in drawn("curve") if key in present or key == "accuracy"]
    return [*known, *unknown]


def views(metric: str) -> tuple[str, ...]:
    """The views that have a metric."""
    return QUANTITIES[metric].views if metric in QUANTITIES else VIEWS


def is_share(metric: str) -> bool:
    """Whether a metric is written in per cent."""
    return metric in QUANTITIES and QUANTITIES[metric].is_share


def own_metric(scope: Scope, task: str) -> str:
    """What stands where label tasks have accuracy: the metric that the verdict reads."""
    info = scope.task(task)
    if info is None or info.kind not in OPEN_KINDS:
        return "accuracy"
    return "bits_per_byte" if info.kind == "score" else info.primary


def measured(row: CurvePoint, metric: str) -> Values:
    """A metric of a curve row with its interval."""
    if metric == "accuracy":
        return row.accuracy, row.accuracy_low, row.accuracy_high
    return values(row.metrics.get(metric))


def leaning(row: Bias | Trust, metric: str) -> Values:
    """A metric of bias or trust with its interval."""
    if metric == "flips":
        since = row.since_baseline if isinstance(row, Trust) else None
        return (None if since is None else since.flips), None, None
    return values(getattr(row, metric, None))


def values(given: object) -> Values:
    """A value with its interval, of whatever type of estimate."""
    if isinstance(given, Estimate | Distance | Rate):
        return given.value, given.low, given.high
    return NOTHING


def spots_of(points: Iterable[tuple[float | None, Values]], levels: Axis) -> tuple[Spot, ...]:
    """A value with its interval at each level, in rising damage."""
    spots = [Spot(level, levels.positions[level], *shown) for level, shown in points]
    return tuple(sorted(spots, key=lambda spot: spot.x))


def chart_of(
    scope: Scope, metric: str, title: str, subtitle: str,
    points: Sequence[tuple[str, str, float | None, Values]], least: float,
) -> LineChart | None:  # fmt: skip
    """A line for each model and view of (model, view, level, values); None where none has a value.

    The axis of values reaches from 0 to `least` at the least.
    """
    levels = axis(level for _, _, level, _ in points)
    lines = []
    for model in scope.models:
        for view in sorted({view for _, view, _, _ in points}, key=("", *VIEWS).index):
            own = [
                (level, shown)
                for name, by, level, shown in points
                if (name, by) == (model.name, view)
            ]
            spots = spots_of(own, levels)
            if any(spot.value is not None for spot in spots):
                lines.append(Line(model.label, model.slot, view, spots))
    if not lines:
        return None
    low, high = bounds(lines, least)
    return LineChart(title, subtitle, levels, low, high, is_share(metric), tuple(lines))
