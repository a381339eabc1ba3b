"""Findings as the rows of tables: plain strings ready to print, one NamedTuple per row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from resect.report import formatting as text
from resect.report.data import panels
from resect.report.data import scope as reading
from resect.report.data.annotations import cliff
from resect.report.data.panels import SHARES, CurvePanel, OutcomePanel
from resect.report.data.scope import Model, Row, Summary
from resect.report.data.table import Column, Table, columns, points, without_empty
from resect.report.formatting import finite


class Example(NamedTuple):
    """One question and what every model said to it."""

    task: str
    item: str
    prompt: str
    gold: str
    answers: tuple[Mapping[str, Any], ...]


def curve_table(panel: CurvePanel) -> Table:
    """The numbers behind a curve panel: one row per level, one column per model and view."""
    share = panel.metric in SHARES
    heads = [Column("Level", "")]
    cells: list[dict[float | None, str]] = []
    for one in panel.series:
        over = f", {one.seeds} seeds" if one.seeds > 1 else ""
        heads.append(Column(f"{one.model.label}, {one.view}{over}", one.view))
        cells.append({p.level: _cell(p, share) for p in one.points})
    levels = sorted(panel.axis.positions, key=lambda x: panel.axis.positions[x])
    body = tuple(
        (text.level(at), *[column.get(at, text.DASH) for column in cells]) for at in levels
    )
    return Table(f"{panels.label(panel.metric)} on {panel.task}", tuple(heads), body)


def _cell(point: panels.Point, share: bool) -> str:
    shown = text.interval(point.value, point.low, point.high, share)
    return f"{shown} ({point.status})" if text.is_troubled(point.status) else shown


def outcome_table(panel: OutcomePanel, names: Sequence[str]) -> Table:
    """The numbers behind an outcome figure: one row per level."""
    heads = (
        Column("Level", ""),
        *[Column(n.replace("_", " "), "") for n in names],
        Column("right", ""),
    )
    body = tuple(
        (text.level(at), *[text.percent(shares.get(name)) for name in names], text.percent(right))
        for at, shares, right in zip(panel.levels, panel.shares, panel.right, strict=True)
    )
    return Table(f"Outcomes of {panel.model.label} on {panel.task}", heads, body)


def robustness_table(summary: Summary, recipe: str) -> Table:
    """Areas per task, view and model, absolute and as a share, with their intervals."""
    found: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in reading.rows(summary, "robustness"):
        if str(row.get("recipe")) == recipe:
            key = (str(row.get("task")), str(row.get("view")), str(row.get("model")))
            found.setdefault(key, {})[str(row.get("kind"))] = row
    label = {model.name: model.label for model in reading.models(summary)}
    body = []
    for (task, view, model), kinds in found.items():
        areas = []
        for kind in ("absolute", "retention"):
            row = kinds.get(kind, {})
            shown = text.interval(row.get("value"), row.get("low"), row.get("high"))
            reason = str(row.get("reason") or "")
            areas.append(f"{shown} ({reason})" if shown == text.DASH and reason else shown)
        body.append((task, view, label.get(model, model), *areas))
    heads = ("Task", "View", "Model", "What is left", "What share is left")
    return Table("Robustness: area under the curve of skill", columns(heads), tuple(body))


def comparison_table(summary: Summary, recipe: str) -> Table:
    """Both differences of each pair, the word, the word after Holm, what could have been seen."""
    label = {model.name: model.label for model in reading.models(summary)}
    found: dict[tuple[str, str, str, str, str], dict[str, Row]] = {}
    for row in reading.rows(summary, "comparisons"):
        if str(row.get("recipe")) == recipe:
            keys = [str(row.get(key)) for key in ("task", "view", "a", "b", "seed")]
            found.setdefault((keys[0], keys[1], keys[2], keys[3], keys[4]), {})[
                str(row.get("kind"))
            ] = row
    body = []
    for (task, view, a, b, _), kinds in found.items():
        a, b = label.get(a, a), label.get(b, b)
        cells = []
        for kind in ("absolute", "retention"):
            row = kinds.get(kind, {})
            cells.append(text.interval(row.get("difference"), row.get("low"), row.get("high")))
            cells.append(text.decimal(row.get("detectable")))
        words = []
        for key in ("verdict", "verdict_holm"):
            said = [kinds[kind].get(key) for kind in kinds]
            named = {"a better": f"{a} better", "b better": f"{b} better"}
            words.append(
                " / ".join(named.get(str(one), str(one)) for one in reading.distinct(said) if one)
                or text.DASH
            )
        reason = "; ".join(str(r["reason"]) for r in kinds.values() if r.get("reason"))
        body.append((task, view, f"{a} minus {b}", *cells, *words, reason or text.DASH))
    caption = "Differences, and the smallest these items could have shown"
    pairs = reading.distinct(cells[2] for cells in body)
    if len(pairs) == 1:
        caption = f"Differences, {pairs[0]}, and the smallest these items could have shown"
        body = [(*cells[:2], text.DASH, *cells[3:]) for cells in body]
    heads = (
        "Task", "View", "Pair", "Of what is left", "could have seen", "Of what share is left",
        "could have seen", "Verdict", "After Holm", "Why not",
    )  # fmt: skip
    return without_empty(
        Table(
            caption,
            columns(heads),
            tuple(body),
        )
    )


def difference_table(panel: panels.DifferencePanel) -> Table:
    """The numbers behind a forest plot."""
    heads = ("Task", "View", f"{panel.a} minus {panel.b}", "Verdict", "Why not")
    body = tuple(
        (
            row.task,
            row.view,
            text.interval(row.difference, row.low, row.high),
            row.word,
            row.reason or text.DASH,
        )
        for row in panel.rows
    )
    return without_empty(Table(f"Differences, {panel.kind}", columns(heads), body))


def cliff_table(summary: Summary, recipe: str) -> Table:
    """A row per task, view and model with every kind of cliff on it."""
    body = []
    for task in reading.tasks(summary):
        for view in panels.VIEWS:
            for model in reading.models(summary):
                where = model.name, task, recipe, view
                rows = [
                    cliff(summary, *where, kind, metric)
                    for kind, metric in (
                        ("onset", "skill"),
                        ("half", "skill"),
                        ("steepest", "skill"),
                        ("divergence", "answered"),
                        ("divergence", "calibration"),
                    )
                ]
                if any(rows):
                    notes = [str(r["reason"]) for r in rows[:2] if r and r.get("reason")]
                    body.append((
                        task, view, model.label, text.half(rows[0]), text.half(rows[1]),
                        _steepest(rows[2]), _divergence(rows[3]), _divergence(rows[4]),
                        "; ".join(reading.distinct(notes)) or text.DASH,
                    ))  # fmt: skip
    heads = (
        "Task", "View", "Model", "Onset", "Half-level", "Steepest drop (in resamples)",
        "Answers give way at", "Calibration gives way at", "Note",
    )  # fmt: skip
    return without_empty(Table("Cliffs, with 95 % intervals", columns(heads), tuple(body)))


def _steepest(row: Row | None) -> str:
    if row is None or finite(row.get("level")) is None:
        return text.DASH
    drop = text.decimal(row.get("drop"))
    step = [one for one in row.get("shares") or () if one.get("level") == row.get("level")]
    share = f" ({text.percent(step[0].get('share'), 0)})" if step else ""
    return f"{text.level(row.get('level'))} to {text.level(row.get('to'))}: {drop}{share}"


def _divergence(row: Row | None) -> str:
    if row is None:
        return text.DASH
    if finite(row.get("level")) is None:
        return "never" if row.get("censored") else text.DASH
    return f"{text.level(row.get('level'))} ({points(row.get('gap'))} points)"


def size_table(summary: Summary, most: int | None = None) -> Table:
    """What was measured on the models, at `most` levels of each sweep (None: all).

    Seeds of one recipe and level of which all is equal share a row.
    """
    label = {model.name: model.label for model in reading.models(summary)}
    many = reading.seeded(summary)
    heads = (
        "Model",
        "Recipe",
        "Asked",
        "Measured",
        "Parameters",
        "Zeros",
        "On disk",
        "In memory",
        "Peak",
        "Bits per weight",
        "Tokens per s",
    )
    found: dict[tuple[str, ...], list[Any]] = {}
    for row in _measurements(summary, most):
        measured = finite(row.get("measured_level"))
        exact = (
            text.DASH
            if measured is None
            else (text.percent(measured, 2) if measured < 1 else f"{measured:.2f} bits")
        )
        shown = (
            label.get(str(row.get("model")), str(row.get("model"))),
            str(row.get("recipe")),
            text.level(row.get("level")),
            exact,
            text.parameters(row.get("parameters")),
            text.parameters(row.get("zeros")),
            _compared(text.size, row, "bytes_on_disk"),
            _compared(text.size, row, "bytes_in_memory"),
            text.size(row.get("peak_memory")),
            text.decimal(row.get("bits_per_weight")),
            _compared(lambda value: text.decimal(value, 0), row, "tokens_per_second"),
        )
        found.setdefault(shown, []).append(row.get("seed"))
    body = [
        (model, reading.roles_of(recipe, seeds, many), *rest)
        for (model, recipe, *rest), seeds in found.items()
    ]
    return without_empty(Table("Size and speed, measured", columns(heads), tuple(body)))


def _compared(shown: Callable[[Any], str], row: Row, key: str) -> str:
    """A value, and in brackets its ratio to the intact model where that is another."""
    ratio = finite((row.get("ratios") or {}).get(key))
    more = "" if ratio is None or row.get("level") == 0 else f" (\u00d7{ratio:.2f})"
    return shown(row.get(key)) + more


def _measurements(summary: Summary, most: int | None) -> list[Row]:
    found = reading.rows(summary, "measurements")
    if most is None:
        return found
    sweeps: dict[tuple[str, str], list[float | None]] = {}
    for row in found:
        key = str(row.get("model")), str(row.get("recipe"))
        sweeps.setdefault(key, []).append(finite(row.get("level")))
    kept = {key: reading.selected(reading.distinct(x), most) for key, x in sweeps.items()}
    return [
        row
        for row in found
        if finite(row.get("level")) in kept[str(row.get("model")), str(row.get("recipe"))]
    ]


def troubled(summary: Summary) -> Table:
    """Cells that fell back or failed, with their reasons."""
    many = reading.seeded(summary)
    body = tuple(
        (
            str(row.get("task")),
            str(row.get("model")),
            reading.roles_of(row.get("recipe"), [row.get("seed")], many),
            str(row.get("view")),
            text.level(row.get("level")),
            str(row.get("status")),
            str(row.get("reason") or "no reason kept"),
        )
        for row in reading.rows(summary, "curves")
        if text.is_troubled(row.get("status"))
    )
    heads = ("Task", "Model", "Recipe", "View", "Level", "Status", "Reason")
    return Table("Degraded and failed cells", columns(heads), body)


def missing(summary: Summary) -> list[str]:
    """One sentence for each thing that a whole report has and this one has not."""
    found = []
    roles = {model.role for model in reading.models(summary)}
    curves = reading.rows(summary, "curves")
    views = {row.get("view") for row in curves}
    if not curves:
        return ["No cell has an answer yet: there are no curves."]
    if len(reading.models(summary)) < 2:
        found.append("Only one model was asked: there is nothing to compare it with.")
    elif "base" not in roles:
        found.append(
            "No model has the role of the base: what the specialist gained cannot be told."
        )
    for view, lost in (
        ("text", "outcomes and format loss"),
        ("options", "forgetting apart from format loss"),
    ):
        if view not in views:
            found.append(f"The {view} view was not asked: {lost} cannot be shown.")
    if len({row.get("level") for row in curves}) < 3:
        found.append(
            "Fewer than three levels: areas and half-levels say little or cannot be computed."
        )
    if not any(row.get("level") == 0 for row in curves):
        found.append("The baseline is missing: retention cannot be computed.")
    if not reading.rows(summary, "safety"):
        found.append("Non-inferiority was not tested: this report claims no safe level.")
    return found


def examples(found: Sequence[Mapping[str, Any]], summary: Summary) -> list[Example]:
    """Answers grouped by question, in rising damage and in the order of the models."""
    order = {model.name: model for model in reading.models(summary)}
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in found:
        if row.get("divergence"):
            continue
        grouped.setdefault((str(row.get("task")), str(row.get("item_id"))), []).append(row)
    result = []
    for (task, item), answers in grouped.items():
        first = answers[0]
        shown = [_answer(row, order) for row in answers]
        shown.sort(key=lambda row: (row["rank"], row["slot"]))
        result.append(
            Example(
                task,
                item,
                str(first.get("prompt") or ""),
                text.plain(first.get("gold")),
                tuple(shown),
            )
        )
    return result


def _answer(row: Mapping[str, Any], order: Mapping[str, Model]) -> dict[str, Any]:
    model = order.get(str(row.get("model")))
    at = finite(row.get("level"))
    answer, gold = row.get("answer"), row.get("gold")
    mark = "no answer" if answer is None else "right" if answer == gold else "wrong"
    return {
        "rank": 99.0 if at is None else at if at < 1 else 50.0 - at,
        "slot": model.slot if model else 0,
        "model": model.label if model else str(row.get("model")),
        "level": text.level(at),
        "recipe": str(row.get("recipe")),
        "text": row.get("text"),
        "answer": answer,
        "mark": mark,
        "outcome": str(row.get("outcome") or text.DASH).replace("_", " "),
        "chosen": row.get("chosen"),
    }


def provenance(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as flat (key, value) pairs, keys joined with dots."""
    if isinstance(value, Mapping):
        return [pair for key, item in value.items() for pair in provenance(item, f"{prefix}{key}.")]
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else text.plain(value)
    return [(prefix.rstrip("."), shown)]
