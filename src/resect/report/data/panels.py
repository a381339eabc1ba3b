"""Summary to the numbers of each figure: NamedTuples, no drawing. Shares are in [0, 1].

Everything here reads one summary dict (docs/summary.md). What is missing comes back as None or as
an empty tuple, never as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from resect.record import OUTCOMES
from resect.report.charts.axes import Axis, axis
from resect.report.data.annotations import Mark, marks
from resect.report.data.scope import Model, Row, Summary, distinct, models, rows, sweep
from resect.report.formatting import finite

OWN = {
    "exact_match": "Exact match",
    "pass@1": "Pass@1",
    "strict_f1": "Strict F1",
    "rouge_l": "ROUGE-L",
    "bits_per_byte": "Bits per byte",
}
"""What tasks without labels have where others have accuracy."""

METRICS = {
    "accuracy": "Accuracy",
    "skill": "Skill",
    "retention": "Retention",
    "no_answer": "No answer",
    "macro_f1": "Macro-F1",
    "format_loss": "Format loss",
    "forgotten": "Forgotten",
}


def label(metric: str) -> str:
    """What a metric is called in a title."""
    return {**METRICS, **OWN}.get(metric, metric)


VIEWS = ("text", "options")
TEXT_ONLY = ("no_answer", "format_loss", "forgotten")
"""Metrics of what a model writes; by options there is nothing to count."""

SHARES = ("accuracy", "retention", "no_answer", "format_loss", "forgotten", "exact_match", "pass@1")
"""Metrics written in per cent; the others are scores."""


class Point(NamedTuple):
    """One cell: its level, its position on the axis, a value with its interval, and n items."""

    level: float | None
    x: float
    value: float | None
    low: float | None
    high: float | None
    n: int | None
    status: str


class Series(NamedTuple):
    """One model in one view, in rising damage.

    Of several `seeds` a point is their mean, and its interval reaches from the lowest of them to
    the highest; else the interval is that of the items.
    """

    model: Model
    view: str
    seeds: int
    points: tuple[Point, ...]


class Line(NamedTuple):
    """A horizontal reference: a floor of these very items, or a landmark of the metric."""

    label: str
    value: float


class CurvePanel(NamedTuple):
    """One task under one recipe in one metric: all models, both views, floors, marks."""

    task: str
    recipe: str
    metric: str
    axis: Axis
    y_low: float
    y_high: float
    series: tuple[Series, ...]
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]


class OutcomePanel(NamedTuple):
    """Shares of each outcome by level, one model and task; `right` is accuracy by text."""

    task: str
    recipe: str
    model: Model
    axis: Axis
    levels: tuple[float | None, ...]
    shares: tuple[Mapping[str, float], ...]
    right: tuple[float | None, ...]


class Difference(NamedTuple):
    """One row of a comparison: a minus b with its interval, and the verdict's word."""

    task: str
    view: str
    difference: float | None
    low: float | None
    high: float | None
    verdict: str | None
    reason: str

    @property
    def word(self) -> str:
        """The verdict, or whether a number or only the word is missing."""
        return self.verdict or ("cannot be compared" if self.difference is None else "no verdict")


class DifferencePanel(NamedTuple):
    """The comparisons of one pair in one kind (`absolute` or `retention`) under one recipe."""

    recipe: str
    kind: str
    a: str
    b: str
    span: float
    rows: tuple[Difference, ...]


# ── curves ──────────────────────────────────────────────────────────────────────────────────────


def measured(row: Row, metric: str) -> tuple[float | None, float | None, float | None]:
    """Value, low and high of a metric in a curve row; all None where it could not be computed."""
    if metric == "accuracy":
        low, high = finite(row.get("accuracy_low")), finite(row.get("accuracy_high"))
        return finite(row.get("accuracy")), low, high
    found = (row.get("metrics") or {}).get(metric) or {}
    value = finite(found.get("value"))
    if value is None and metric in ("skill", "macro_f1", "format_loss", "forgotten"):
        value = finite(row.get(metric))
    return value, finite(found.get("low")), finite(found.get("high"))


def curve_panel(summary: Summary, task: str, recipe: str, metric: str) -> CurvePanel:
    """The numbers of one degradation panel."""
    found = sweep(summary, task, recipe)
    at = axis([finite(row.get("level")) for row in found])
    series = []
    for model in models(summary):
        for view in VIEWS[:1] if metric in TEXT_ONLY else VIEWS:
            mine = [r for r in found if str(r.get("model")) == model.name and r.get("view") == view]
            seeds = distinct(r.get("seed") for r in mine if r.get("recipe") == recipe)
            seeds = seeds or distinct(r.get("seed") for r in mine)
            each = [
                _points([r for r in mine if _belongs(r, recipe, seed)], metric, at)
                for seed in seeds
            ]
            if each:
                points = each[0] if len(each) == 1 else _over_seeds(each)
                series.append(Series(model, view, len(each), points))
    lines = reference_lines(summary, task, metric)
    low, high = _range(metric, series, lines)
    found_marks = marks(summary, task, recipe, at)
    return CurvePanel(task, recipe, metric, at, low, high, tuple(series), lines, found_marks)


def _belongs(row: Row, recipe: str, seed: Any) -> bool:
    """Whether a row is of this seed, or of the baseline that all seeds share."""
    return row.get("seed") == seed or row.get("recipe") != recipe


def _over_seeds(each: list[tuple[Point, ...]]) -> tuple[Point, ...]:
    """One point a level: mean, lowest and highest over the seeds that have a value there."""
    found = []
    for x in sorted({point.x for points in each for point in points}):
        here = [point for points in each for point in points if point.x == x]
        values = [point.value for point in here if point.value is not None]
        troubled = [point.status for point in here if point.status != "success"]
        found.append(
            here[0]._replace(
                value=sum(values) / len(values) if values else None,
                low=min(values, default=None),
                high=max(values, default=None),
                status=troubled[0] if troubled else "success",
            )
        )
    return tuple(found)


def _points(found: list[Row], metric: str, at: Axis) -> tuple[Point, ...]:
    points = [
        Point(
            finite(row.get("level")),
            at.positions.get(finite(row.get("level")), at.low),
            *measured(row, metric),
            row.get("n"),
            str(row.get("status") or "success"),
        )
        for row in found
    ]
    return tuple(sorted(points, key=lambda p: p.x))


def _range(metric: str, series: list[Series], lines: tuple[Line, ...]) -> tuple[float, float]:
    values = [p.value for s in series for p in s.points if p.value is not None]
    values += [line.value for line in lines]
    low, high = min([0.0, *values]), max([0.0, *values])
    if metric == "bits_per_byte":
        high = _up(max([high, *[p.high for s in series for p in s.points if p.high is not None]]))
        return 0.0, high
    if metric in ("skill", "macro_f1", "accuracy", *OWN):
        ends = [p.high for s in series for p in s.points if p.high is not None]
        high = max([high, 0.5, *ends])
    elif metric in TEXT_ONLY:
        high = 1.0
    else:
        ends = [p.high for one in series for p in one.points if p.high is not None]
        high = max(high, 1.1, min(max([0.0, *ends]), high + 0.15))
    lows = [p.low for s in series for p in s.points if p.low is not None]
    low = max(min([low, *lows]), low - 0.15)
    return (-_up(-low) if low < 0 else 0.0), min(_up(high), 1.0) if metric != "retention" else _up(
        high
    )


def _up(value: float) -> float:
    tenths = int(value * 10 + 0.999999)
    return tenths / 10


def reference_lines(summary: Summary, task: str, metric: str) -> tuple[Line, ...]:
    """Floors of the task's own items for a metric, close ones merged under one label."""
    info = next((row for row in rows(summary, "tasks") if str(row.get("name")) == task), {})
    positive = info.get("positive")
    always = f"always “{positive}”" if positive is not None else "always positive"
    floors = info.get("floors") or {}
    found: list[tuple[str, float | None]] = []
    if metric == "accuracy":
        found = [
            ("chance", finite(floors.get("chance"))),
            ("majority", finite(floors.get("majority"))),
            (always, finite(floors.get("always_positive"))),
        ]
    elif metric == "macro_f1":
        found = [
            ("majority", constant_f1(info.get("gold") or {}, floors.get("majority_label"))),
            (always, constant_f1(info.get("gold") or {}, positive)),
        ]
    elif metric == "skill":
        found = [("guessing, silence, a constant answer", 0.0)]
    elif metric == "retention":
        found = [("intact", 1.0), ("half the skill", 0.5), ("nothing left", 0.0)]
    return _merged([Line(label, value) for label, value in found if value is not None])


def constant_f1(gold: Mapping[str, Any], label: Any) -> float | None:
    """Macro-F1 of always answering `label`: 2p/(1+p) over the number of labels."""
    counts = {str(key): finite(value) or 0.0 for key, value in gold.items()}
    total = sum(counts.values())
    if label is None or str(label) not in counts or not total:
        return None
    share = counts[str(label)] / total
    return 2 * share / (1 + share) / len(counts)


def _merged(lines: list[Line]) -> tuple[Line, ...]:
    merged: list[Line] = []
    for line in sorted(lines, key=lambda item: item.value):
        if merged and line.value - merged[-1].value < 1e-9:
            merged[-1] = Line(f"{merged[-1].label} = {line.label}", merged[-1].value)
        else:
            merged.append(line)
    return tuple(merged)


# ── outcomes and comparisons ────────────────────────────────────────────────────────────────────


def outcome_panel(summary: Summary, task: str, recipe: str, model: Model) -> OutcomePanel:
    """The outcome shares of one model and task, by level, in the text view."""
    found = [
        row
        for row in sweep(summary, task, recipe)
        if str(row.get("model")) == model.name and row.get("view") == "text" and row.get("outcomes")
    ]
    at = axis([finite(row.get("level")) for row in found])
    first = found[-1].get("seed") if found else None
    kept = [row for row in found if row.get("seed") == first or row.get("recipe") != recipe]
    kept.sort(key=lambda row: at.positions.get(finite(row.get("level")), 0.0))
    levels = tuple(finite(row.get("level")) for row in kept)
    shares = tuple({k: finite(v) or 0.0 for k, v in row["outcomes"].items()} for row in kept)
    right = tuple(finite(row.get("accuracy")) for row in kept)
    return OutcomePanel(task, recipe, model, at, levels, shares, right)


def outcomes_seen(summary: Summary) -> tuple[str, ...]:
    """Outcomes with a share above zero anywhere, in their fixed order, unknown ones last."""
    seen = {
        str(key)
        for row in rows(summary, "curves")
        for key, share in (row.get("outcomes") or {}).items()
        if finite(share)
    }
    return tuple(o for o in OUTCOMES if o in seen) + tuple(sorted(seen - set(OUTCOMES)))


def difference_panels(summary: Summary, recipe: str, kind: str) -> list[DifferencePanel]:
    """A panel for each pair of models that was compared under one recipe, in one kind."""
    found = [
        row
        for row in rows(summary, "comparisons")
        if str(row.get("recipe")) == recipe and row.get("kind") == kind
    ]
    pairs = distinct((str(row.get("a")), str(row.get("b"))) for row in found)
    span = _span(found)
    return [_differences(summary, found, recipe, kind, pair, span) for pair in pairs]


def _span(found: list[Row]) -> float:
    ends = [finite(row.get(key)) for row in found for key in ("difference", "low", "high")]
    return _up(max([0.1, *[abs(x) for x in ends if x is not None]]))


def _differences(
    summary: Summary,
    found: list[Row],
    recipe: str,
    kind: str,
    pair: tuple[str, str],
    span: float,
) -> DifferencePanel:
    label = {model.name: model.label for model in models(summary)}
    kept = []
    for row in found:
        if (str(row.get("a")), str(row.get("b"))) == pair:
            at, low, high = (finite(row.get(key)) for key in ("difference", "low", "high"))
            task, view = str(row.get("task")), str(row.get("view"))
            reason = str(row.get("reason") or "")
            kept.append(Difference(task, view, at, low, high, row.get("verdict"), reason))
    a, b = (label.get(name, name) for name in pair)
    return DifferencePanel(recipe, kind, a, b, span, tuple(kept))
