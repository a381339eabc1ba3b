"""All recipes of one model on one task in one plot: by level, or by measured bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from resect.catalog import label
from resect.findings.rows import CurvePoint, Level
from resect.report.charts.axes import Axis, axis, ticks
from resect.report.charts.chart_data import Line, LineChart, Spot
from resect.report.data.metrics import is_share, measured, own_metric, values_range
from resect.report.data.panels import floors_of
from resect.report.data.scope import Model, Scope, first_seed
from resect.report.formatting import size

By = Literal["level", "bytes"]
AXES: tuple[By, ...] = ("level", "bytes")

Bytes = Mapping[tuple[str, Level], int]


def overlay_chart(scope: Scope, task: str, model: Model, by: By) -> LineChart | None:
    """None where there is one recipe alone, or where bytes were not measured or are all alike."""
    if len(scope.recipes) < 2:
        return None
    sizes = _bytes(scope, model) if by == "bytes" else {}
    if by == "bytes" and len(set(sizes.values())) < 2:
        return None
    metric = own_metric(scope, task)
    rows = {recipe: _rows(scope, task, model, recipe) for recipe in scope.recipes}
    every = [row for own in rows.values() for row in own]
    across = _bytes_axis(sizes) if by == "bytes" else axis(row.level for row in every)
    lines = [
        Line(recipe, slot, every[0].view, spots)
        for slot, (recipe, own) in enumerate(rows.items())
        if (spots := _spots(own, metric, across, sizes))
    ]
    return _chart(scope, task, model, by, metric, across, lines) if lines else None


def _chart(
    scope: Scope, task: str, model: Model, by: By, metric: str, across: Axis, lines: Sequence[Line]
) -> LineChart:
    """The lines with their titles, floors and range."""
    floors = floors_of(scope.task(task), metric)
    low, high = values_range(lines, [floor.value for floor in floors])
    what = "level" if by == "level" else "bytes on disk"
    title = f"{task} · {model.label}"
    subtitle = f"{label(metric)}{', %' if is_share(metric) else ''} by {what}, every recipe"
    return LineChart(
        title, subtitle, across, low, high, is_share(metric), tuple(lines), floors, tall=True
    )


def _rows(scope: Scope, task: str, model: Model, recipe: str) -> list[CurvePoint]:
    """The points of a sweep's first seed in the view that is read first, the intact one too."""
    own = [row for row in scope.sweep(task, recipe) if row.model == model.name and row.n]
    views = [row.view for row in own]
    view = "text" if "text" in views else "options"
    return [row for row in first_seed(own, recipe) if row.view == view]


def _bytes(scope: Scope, model: Model) -> Bytes:
    sizes: dict[tuple[str, Level], int] = {}
    for row in scope.summary.measurements:
        if row.model == model.name and row.bytes_on_disk is not None:
            recipe = "none" if row.level == 0 else row.recipe
            sizes[recipe, row.level] = max(sizes.get((recipe, row.level), 0), row.bytes_on_disk)
    return sizes


def _bytes_axis(sizes: Bytes) -> Axis:
    low, high = min(sizes.values()), max(sizes.values())
    pad = 0.03 * (high - low)
    marks = tuple((x, size(x)) for x in ticks(low, high, 5))
    return Axis("bytes", low - pad, high + pad, marks, {})


def _spots(rows: Sequence[CurvePoint], metric: str, across: Axis, sizes: Bytes) -> tuple[Spot, ...]:
    """The points of a line along the axis; none where no damaged level has a value."""
    spots = [_spot(row, metric, across, sizes) for row in rows]
    shown = tuple(sorted((s for s in spots if s is not None), key=lambda s: s.x))
    damaged = any(spot.value is not None and spot.level != 0 for spot in shown)
    return shown if damaged else ()


def _spot(row: CurvePoint, metric: str, across: Axis, sizes: Bytes) -> Spot | None:
    """A point where it stands on the axis; None where its bytes were not measured."""
    if across.kind != "bytes":
        x: float | None = across.positions[row.level]
    else:
        x = sizes.get(("none" if row.level == 0 else row.recipe, row.level))
    if x is None:
        return None
    return Spot(row.level, float(x), *measured(row, metric), row.n, row.status)
