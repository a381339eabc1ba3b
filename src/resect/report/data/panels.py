"""The numbers of curves, outcomes and comparisons: a summary's rows, ready to draw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from resect.catalog import OUTCOMES, QUANTITIES, label
from resect.findings.rows import Better, Cliff, CliffKind, Comparison, CurvePoint, Task
from resect.report.charts.axes import Axis, axis, place
from resect.report.charts.chart_data import BarChart, Floor, Line, LineChart, Mark, Spot
from resect.report.data.metrics import is_share, measured, views
from resect.report.data.scope import CLIFFS, VIEWS, Model, Scope, distinct, first_seed

_LETTERS = 70  # what there is room for below the title


class Difference(NamedTuple):
    """One row of a comparison: a minus b with its interval, and the verdict in words."""

    task: str
    view: str
    difference: float | None
    low: float | None
    high: float | None
    word: str
    reason: str


class DifferencePanel(NamedTuple):
    """The comparisons of one pair in one kind (`absolute` or `retention`) under one recipe."""

    recipe: str
    kind: str
    a: str
    b: str
    span: float
    rows: tuple[Difference, ...]


# ── curves ──────────────────────────────────────────────────────────────────────────────────────


def curve_chart(scope: Scope, task: str, recipe: str, metric: str) -> LineChart:
    """One metric of one task under one recipe: all models, both views, floors and marks."""
    rows = scope.sweep(task, recipe)
    levels = axis(row.level for row in rows)
    of_models = (
        _line([row for row in rows if (row.model, row.view) == (model.name, view)],
              recipe, metric, levels, model)
        for model in scope.models for view in views(metric)
    )  # fmt: skip
    lines = [_with_margin(scope, line, task, recipe, metric) for line in of_models if line]
    floors = floors_of(scope.task(task), metric)
    low, high = _range(metric, lines, floors)
    most = max((line.seeds for line in lines), default=1)
    note = f"mean of {most} seeds, band from lowest to highest" if most > 1 else ""
    subtitle = _subtitle(metric, recipe, lines)
    return LineChart(
        task, subtitle, levels, low, high, is_share(metric), tuple(lines), floors,
        marks(scope, task, recipe, levels), note, tall=True,
    )  # fmt: skip


def _line(
    rows: Sequence[CurvePoint], recipe: str, metric: str, levels: Axis, model: Model
) -> Line | None:
    """What one model does in one view: its sweep, or the mean of the sweeps of its seeds."""
    if not rows:
        return None
    own = distinct(row.seed for row in rows if row.recipe == recipe)
    sweeps = [
        _spots([row for row in rows if row.seed == seed or row.recipe != recipe], metric, levels)
        for seed in own or distinct(row.seed for row in rows)
    ]
    spots = sweeps[0] if len(sweeps) == 1 else _over_seeds(sweeps)
    return Line(model.label, model.slot, rows[0].view, spots, len(sweeps))


def _with_margin(scope: Scope, line: Line, task: str, recipe: str, metric: str) -> Line:
    """The line with what the verdict allows, where the verdict reads this very number.

    That is where the utility of the intact model is its accuracy.
    """
    model = next((m.name for m in scope.models if m.slot == line.slot), "")
    row = scope.deciding(model, recipe)
    intact = next((spot.value for spot in line.spots if spot.level == 0), None)
    if metric != "accuracy" or row is None or intact is None or row.view != line.view:
        return line
    test = next((test for test in row.tasks if test.task == task), None)
    if test is None or test.margin is None or test.intact is None:
        return line
    same = abs(test.intact - intact) < 1e-6
    return line._replace(reference=intact - test.margin) if same else line


def on_one_axis(
    charts: Mapping[tuple[str, str, str], LineChart],
) -> dict[tuple[str, str, str], LineChart]:
    """Charts by (metric, ...), those of one metric with one axis of values."""
    ends: dict[str, tuple[float, float]] = {}
    for (metric, *_), chart in charts.items():
        low, high = ends.get(metric, (chart.low, chart.high))
        ends[metric] = min(low, chart.low), max(high, chart.high)
    return {
        key: chart._replace(low=ends[key[0]][0], high=ends[key[0]][1])
        for key, chart in charts.items()
    }


def _subtitle(metric: str, recipe: str, lines: Sequence[Line]) -> str:
    counts = sorted({spot.n for line in lines for spot in line.spots if spot.n is not None})
    items = f", n = {counts[0]}" if len(counts) == 1 else ""
    if len(counts) > 1:
        items = f", n = {counts[0]} to {counts[-1]}"
    before = f"{label(metric)}{', %' if is_share(metric) else ''} by level of "
    room = _LETTERS - len(before) - len(items)
    return before + (recipe if len(recipe) <= room else f"{recipe[: room - 1]}…") + items


def _spots(rows: Sequence[CurvePoint], metric: str, levels: Axis) -> tuple[Spot, ...]:
    spots = [
        Spot(row.level, levels.positions[row.level], *measured(row, metric), row.n, row.status)
        for row in rows
    ]
    return tuple(sorted(spots, key=lambda spot: spot.x))


def _over_seeds(sweeps: Sequence[tuple[Spot, ...]]) -> tuple[Spot, ...]:
    """One spot a level: mean, lowest and highest over the seeds that have a value there."""
    merged = []
    everywhere = sorted((spot for spots in sweeps for spot in spots), key=lambda spot: spot.x)
    for _, group in groupby(everywhere, key=lambda spot: spot.x):
        seeds = list(group)
        values = _known(spot.value for spot in seeds)
        mean = sum(values) / len(values) if values else None
        low, high = min(values, default=None), max(values, default=None)
        status = next((spot.status for spot in seeds if spot.status != "success"), "success")
        merged.append(seeds[0]._replace(value=mean, low=low, high=high, status=status))
    return tuple(merged)


def _range(metric: str, lines: Sequence[Line], floors: Sequence[Floor]) -> tuple[float, float]:
    """The ends of the axis of values, in tenths."""
    spots = [spot for line in lines for spot in line.spots]
    values = [*_known(spot.value for spot in spots), *(floor.value for floor in floors)]
    highs, lows = _known(spot.high for spot in spots), _known(spot.low for spot in spots)
    low, high = min([0.0, *values]), max([0.0, *values])
    quantity = QUANTITIES.get(metric)
    if quantity is not None and quantity.unit not in ("share", "score"):
        return 0.0, _up(max([high, *highs]))
    if metric == "retention":
        high = max(high, 1.1, min(max([0.0, *highs]), high + 0.15))
    elif quantity is not None and quantity.better == "lower":
        high = 1.0
    else:
        high = max([high, 0.5, *highs])
    low = max(min([low, *lows]), low - 0.15)
    top = _up(high) if metric == "retention" else min(_up(high), 1.0)
    return (-_up(-low) if low < 0 else 0.0), top


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _up(value: float) -> float:
    return int(value * 10 + 0.999999) / 10


def floors_of(task: Task | None, metric: str) -> tuple[Floor, ...]:
    """Floors of the task's own items for a metric, close ones merged under one label."""
    floors: list[tuple[str, float | None]] = []
    if metric == "skill":
        floors = [("guessing, silence, a constant answer", 0.0)]
    elif metric == "retention":
        floors = [("intact", 1.0), ("half the skill", 0.5), ("nothing left", 0.0)]
    elif task is not None:
        always = "always positive" if task.positive is None else f"always “{task.positive}”"
        if metric == "accuracy":
            floors = [
                ("chance", task.floors.chance),
                ("majority", task.floors.majority),
                (always, task.floors.always_positive),
            ]
        elif metric == "macro_f1":
            floors = [
                ("majority", constant_f1(task.gold, task.floors.majority_label)),
                (always, constant_f1(task.gold, task.positive)),
            ]
    merged = _merged([Floor(name, value) for name, value in floors if value is not None])
    if metric in ("skill", "retention"):
        return merged
    share = is_share(metric)
    return tuple(
        Floor(f"{f.label} {f.value * 100:.0f} %" if share else f"{f.label} {f.value:.2f}", f.value)
        for f in merged
    )


def constant_f1(gold: Mapping[str, float], answer: str | None) -> float | None:
    """Macro-F1 of always answering `answer`: 2p/(1+p) over the number of labels."""
    total = sum(gold.values())
    if answer is None or answer not in gold or not total:
        return None
    share = gold[answer] / total
    return 2 * share / (1 + share) / len(gold)


def _merged(floors: Sequence[Floor]) -> tuple[Floor, ...]:
    merged: list[Floor] = []
    for floor in sorted(floors, key=lambda floor: floor.value):
        if merged and floor.value - merged[-1].value < 1e-9:
            merged[-1] = Floor(f"{merged[-1].label} = {floor.label}", merged[-1].value)
        else:
            merged.append(floor)
    return tuple(merged)


# ── marks ───────────────────────────────────────────────────────────────────────────────────────


def marks(scope: Scope, task: str, recipe: str, axis: Axis) -> tuple[Mark, ...]:
    """Everything found on the curves of one task under one recipe, model by model."""
    return tuple(
        mark for model in scope.models for mark in _marks_of(scope, model, task, recipe, axis)
    )


def _marks_of(scope: Scope, model: Model, task: str, recipe: str, axis: Axis) -> Iterator[Mark]:
    verdict = scope.deciding(model.name, recipe)
    if verdict is not None and verdict.passed_level is not None:
        x = place(axis, verdict.passed_level)
        if x is not None:
            beyond = verdict.stopped_by is None
            yield Mark(model.slot, verdict.view, "passed", "", x, None, None, beyond)
    for view in VIEWS:
        for kind, metric in CLIFFS:
            cliff = scope.cliff(model.name, task, recipe, view, kind, metric)
            if cliff is not None:
                yield from _cliff_marks(cliff, model, axis)


def _cliff_marks(cliff: Cliff, model: Model, axis: Axis) -> Iterator[Mark]:
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
        yield Mark(model.slot, cliff.view, kind, cliff.metric, x, low, high, censored)


# ── outcomes and comparisons ────────────────────────────────────────────────────────────────────


def outcome_chart(
    scope: Scope, task: str, recipe: str, model: Model, names: tuple[str, ...]
) -> BarChart | None:
    """The shares of these outcomes of one model and task, by level, in the text view."""
    sweep = [row for row in scope.sweep(task, recipe) if row.model == model.name and row.outcomes]
    rows = [row for row in first_seed(sweep, recipe) if row.view == "text"]
    if not rows:
        return None
    positions = axis(row.level for row in rows).positions
    rows.sort(key=lambda row: positions[row.level])
    levels = tuple(row.level for row in rows)
    shares, right = tuple(row.outcomes for row in rows), tuple(row.accuracy for row in rows)
    return BarChart(f"{task} · {model.label}", levels, names, shares, right)


def outcomes_seen(scope: Scope) -> tuple[str, ...]:
    """Outcomes with a share above zero anywhere, in their fixed order, unknown ones last."""
    seen = {name for row in scope.summary.curves for name, share in row.outcomes.items() if share}
    return tuple(o for o in OUTCOMES if o in seen) + tuple(sorted(seen - set(OUTCOMES)))


def difference_panels(scope: Scope, recipe: str, kind: str) -> list[DifferencePanel]:
    """A panel for each pair of models that was compared under one recipe, in one kind."""
    rows = [row for row in scope.summary.comparisons if row.recipe == recipe and row.kind == kind]
    ends = _known(end for row in rows for end in (row.difference, row.low, row.high))
    span = _up(max([0.1, *map(abs, ends)]))
    panels = []
    for a, b in distinct((row.a, row.b) for row in rows):
        own = tuple(_difference(scope, row) for row in rows if (row.a, row.b) == (a, b))
        panels.append(DifferencePanel(recipe, kind, scope.label(a), scope.label(b), span, own))
    return panels


def _difference(scope: Scope, row: Comparison) -> Difference:
    word = "cannot be compared" if row.difference is None else "no verdict"
    if row.verdict is not None:
        word = verdict_word(scope, row, row.verdict)
    return Difference(row.task, row.view, row.difference, row.low, row.high, word, row.reason or "")


def verdict_word(scope: Scope, row: Comparison, verdict: Better) -> str:
    """A verdict with the models' names for a and b."""
    if verdict == Better.A:
        return f"{scope.label(row.a)} better"
    return f"{scope.label(row.b)} better" if verdict == Better.B else verdict.value
