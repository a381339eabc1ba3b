"""Findings as the rows of tables: plain strings ready to print."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from resect.catalog import OUTCOMES
from resect.findings.choice import intact_in
from resect.findings.rows import Cliff, Comparison, Measurement, Robustness
from resect.report import formatting as text
from resect.report.charts.chart_data import BarChart, LineChart, Spot
from resect.report.data.panels import DifferencePanel, verdict_word
from resect.report.data.scope import CLIFFS, VIEWS, Scope, distinct, selected, with_seeds
from resect.report.data.table import Column, Table, columns, table

KINDS = ("absolute", "retention")
"""The two areas that are compared."""


def line_table(chart: LineChart) -> Table:
    """The numbers behind a chart: one row per level, one column per line."""
    heads = [Column("Level", "")]
    cells: list[dict[float, str]] = []
    for line in chart.lines:
        view = f", {line.view}" if line.view else ""
        seeds = f", {line.seeds} seeds" if line.seeds > 1 else ""
        heads.append(Column(f"{line.label}{view}{seeds}", line.view))
        cells.append({spot.x: _cell(spot, chart.share) for spot in line.spots})
    levels = {spot.x: spot.level for line in chart.lines for spot in line.spots}
    body = tuple(
        (text.level(levels[x]), *[column.get(x, text.DASH) for column in cells])
        for x in sorted(levels)
    )
    return Table(f"{chart.title}: {chart.subtitle}", tuple(heads), body)


def _cell(spot: Spot, share: bool) -> str:
    shown = text.interval(spot.value, spot.low, spot.high, share)
    return f"{shown} ({spot.status})" if text.is_troubled(spot.status) else shown


def outcome_label(name: str) -> str:
    """What an outcome is called."""
    return OUTCOMES[name].label if name in OUTCOMES else name.replace("_", " ")


def bar_table(chart: BarChart) -> Table:
    """The numbers behind an outcome figure: one row per level."""
    names = map(outcome_label, chart.names)
    body = tuple(
        (text.level(level), *[text.percent(shares.get(n)) for n in chart.names],
         text.percent(right))
        for level, shares, right in zip(chart.levels, chart.shares, chart.right, strict=True)
    )  # fmt: skip
    return Table(f"Outcomes: {chart.title}", columns(("Level", *names, "right")), body)


def robustness_table(scope: Scope, recipe: str) -> Table:
    """Areas per task, view and model, absolute and as a share, with their intervals."""
    areas: dict[tuple[str, str, str], dict[str, Robustness]] = {}
    for row in scope.summary.robustness:
        if row.recipe == recipe:
            areas.setdefault((row.task, row.view, row.model), {})[row.kind] = row
    body = tuple(
        (task, view, scope.label(model), *[_area(kinds.get(kind)) for kind in KINDS])
        for (task, view, model), kinds in areas.items()
    )
    heads = ("Task", "View", "Model", "Remaining skill", "Retention")
    return Table("Robustness: area under the curve", columns(heads), body)


def _area(row: Robustness | None) -> str:
    shown = text.estimate(row)
    return f"{shown} ({row.reason})" if shown == text.DASH and row and row.reason else shown


def comparison_table(scope: Scope, recipe: str) -> Table:
    """Both differences of each pair, the verdict before and after Holm, what was detectable."""
    pairs: dict[tuple[str, str, str, str, int], dict[str, Comparison]] = {}
    for row in scope.summary.comparisons:
        if row.recipe == recipe:
            pairs.setdefault((row.task, row.view, row.a, row.b, row.seed), {})[row.kind] = row
    body = [_compared_kinds(scope, kinds) for kinds in pairs.values()]
    caption, names = "Differences between models", distinct(cells[2] for cells in body)
    if len(names) == 1:
        caption = f"Differences, {names[0]}"
        body = [(*cells[:2], text.DASH, *cells[3:]) for cells in body]
    heads = (
        "Task", "View", "Pair", "Remaining skill", "Detectable", "Retention", "Detectable",
        "Verdict", "After Holm", "Reason",
    )  # fmt: skip
    return table(caption, heads, body)


def _compared_kinds(scope: Scope, kinds: Mapping[str, Comparison]) -> tuple[str, ...]:
    cells = [text.DASH] * 4
    for i, kind in enumerate(KINDS):
        if row := kinds.get(kind):
            shown = text.interval(row.difference, row.low, row.high)
            cells[2 * i : 2 * i + 2] = shown, text.decimal(row.detectable)
    rows = list(kinds.values())
    plain = [verdict_word(scope, r, r.verdict) for r in rows if r.verdict is not None]
    holm = [verdict_word(scope, r, r.verdict_holm) for r in rows if r.verdict_holm is not None]
    first = rows[0]
    return (
        first.task,
        first.view,
        f"{scope.label(first.a)} minus {scope.label(first.b)}",
        *cells,
        " / ".join(distinct(plain)) or text.DASH,
        " / ".join(distinct(holm)) or text.DASH,
        "; ".join(row.reason for row in rows if row.reason) or text.DASH,
    )


def difference_table(panel: DifferencePanel) -> Table:
    """The numbers behind a forest plot."""
    heads = ("Task", "View", f"{panel.a} minus {panel.b}", "Verdict", "Reason")
    body = [
        (row.task, row.view, text.interval(row.difference, row.low, row.high), row.word,
         row.reason or text.DASH)
        for row in panel.rows
    ]  # fmt: skip
    return table(f"Differences, {panel.kind}", heads, body)


def cliff_table(scope: Scope, recipe: str) -> Table:
    """A row per task, view and model with every kind of cliff on it."""
    body = []
    for task in scope.tasks:
        for view in VIEWS:
            for model in scope.models:
                cliffs = [
                    scope.cliff(model.name, task, recipe, view, kind, metric)
                    for kind, metric in CLIFFS
                ]
                if any(cliffs):
                    onset, half, steepest, answered, calibration = cliffs
                    notes = [row.reason for row in (onset, half) if row and row.reason]
                    body.append((
                        task, view, model.label, text.half(onset), text.half(half),
                        _steepest(steepest), _divergence(answered), _divergence(calibration),
                        "; ".join(distinct(notes)) or text.DASH,
                    ))  # fmt: skip
    heads = (
        "Task", "View", "Model", "Onset", "Half-level", "Steepest drop (share of resamples)",
        "Fewer answers from", "Worse calibration from", "Note",
    )  # fmt: skip
    return table("Cliffs, with 95 % intervals", heads, body)


def _steepest(row: Cliff | None) -> str:
    if row is None or row.level is None:
        return text.DASH
    share = next((step.share for step in row.shares if step.level == row.level), None)
    often = "" if share is None else f" ({text.percent(share, 0)})"
    return f"{text.level(row.level)} to {text.level(row.to)}: {text.decimal(row.drop)}{often}"


def _divergence(row: Cliff | None) -> str:
    if row is None:
        return text.DASH
    if row.level is None:
        return "never" if row.censored else text.DASH
    return f"{text.level(row.level)} ({text.points(row.gap)} points)"


def size_table(scope: Scope, most: int | None = None) -> Table:
    """What was measured on the models, at `most` levels of each sweep (None: all).

    Seeds of one recipe and level of which all is equal share a row.
    """
    heads = (
        "Model", "Recipe", "Asked", "Measured", "Parameters", "Zeros", "On disk", "In memory",
        "Peak", "Bits per weight", "Tokens/s",
    )  # fmt: skip
    seeds: dict[tuple[str, ...], list[int]] = {}
    for row in _measurements(scope, most):
        seeds.setdefault(_size(scope, row), []).append(row.seed)
    body = [
        (model, with_seeds(recipe, own, scope.seeded), *rest)
        for (model, recipe, *rest), own in seeds.items()
    ]
    return table("Size and speed, measured", heads, body)


def _size(scope: Scope, row: Measurement) -> tuple[str, ...]:
    measured = row.measured_level
    exact = text.DASH
    if measured is not None:
        exact = text.percent(measured, 2) if measured < 1 else f"{measured:.2f} bits"
    return (
        scope.label(row.model), _recipe(row), text.level(row.level), exact,
        text.parameters(row.parameters), text.parameters(row.zeros),
        text.size(row.bytes_on_disk) + _ratio(row, "bytes_on_disk"),
        text.size(row.bytes_in_memory) + _ratio(row, "bytes_in_memory"),
        text.size(row.peak_memory), text.decimal(row.bits_per_weight),
        text.decimal(row.tokens_per_second, 0) + _ratio(row, "tokens_per_second"),
    )  # fmt: skip


def _recipe(row: Measurement) -> str:
    """A recipe; the intact model with its runtime where it was not loaded as it is."""
    return intact_in(row.runtime) if row.level == 0 else row.recipe


def _ratio(row: Measurement, key: str) -> str:
    """In brackets, the ratio of a value to the intact model's; empty for the intact model."""
    ratio = row.ratios.get(key)
    return "" if ratio is None or row.level == 0 else f" (\u00d7{ratio:.2f})"


def _measurements(scope: Scope, most: int | None) -> Sequence[Measurement]:
    rows = scope.summary.measurements
    if most is None:
        return rows
    sweeps: dict[tuple[str, str], list[float | None]] = {}
    for row in rows:
        sweeps.setdefault((row.model, row.recipe), []).append(row.level)
    shown = {key: selected(distinct(levels), most) for key, levels in sweeps.items()}
    return [row for row in rows if row.level in shown[row.model, row.recipe]]


def troubled_table(scope: Scope) -> Table:
    """Cells that fell back or failed, with their reasons."""
    body = tuple(
        (row.task, row.model, with_seeds(row.recipe, [row.seed], scope.seeded), row.view,
         text.level(row.level), row.status, row.reason or "no reason was recorded")
        for row in scope.summary.curves
        if text.is_troubled(row.status)
    )  # fmt: skip
    heads = ("Task", "Model", "Recipe", "View", "Level", "Status", "Reason")
    return Table("Degraded and failed cells", columns(heads), body)


def missing(scope: Scope) -> list[str]:
    """One sentence for each thing that a complete report has and this one lacks."""
    curves = scope.summary.curves
    if not curves:
        return ["No cell has an answer yet: there are no curves."]
    sentences = []
    if len(scope.models) < 2:
        sentences.append("Only one model was asked: there is nothing to compare it with.")
    elif "base" not in {model.role for model in scope.models}:
        sentences.append("No model is the base: what the specialist gained cannot be measured.")
    if "text" not in scope.views:
        sentences.append("The text view was not asked: no outcomes and no format loss.")
    if "options" not in scope.views:
        sentences.append(
            "The options view was not asked: forgetting cannot be told from format loss."
        )
    levels = {row.level for row in curves}
    if len(levels) < 3:
        sentences.append("Fewer than three levels: areas and half-levels are rough or missing.")
    if 0 not in levels:
        sentences.append("The intact model was not asked: retention cannot be computed.")
    if not scope.summary.verdicts:
        sentences.append("Non-inferiority was not tested: no level is claimed as passed.")
    return sentences


def flat(value: object, prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as flat (key, value) pairs, keys joined with dots."""
    if isinstance(value, Mapping):
        return [pair for key, entry in value.items() for pair in flat(entry, f"{prefix}{key}.")]
    listed = isinstance(value, list | tuple)
    shown = json.dumps(value, ensure_ascii=False) if listed else text.plain(value)
    return [(prefix.rstrip("."), shown)]
