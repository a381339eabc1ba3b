"""Findings as the rows of tables: plain strings ready to print, one NamedTuple per row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from resect.report import panels, reading, text
from resect.report.panels import METRICS, SHARES, CurvePanel, OutcomePanel
from resect.report.reading import Model, Row, Summary
from resect.report.text import finite


class Column(NamedTuple):
    """One column of a data table: its head, and the view that hides with it (or empty)."""

    head: str
    view: str


class Table(NamedTuple):
    """A data table: the first cell of each row is its head."""

    caption: str
    columns: tuple[Column, ...]
    body: tuple[tuple[str, ...], ...]


class Glance(NamedTuple):
    """One task in one line per model: where it started, where half was gone, who holds better."""

    task: str
    n: str
    model: Model
    intact: str
    floor: str
    half: str
    half_options: str
    verdict: str


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
    seeds = len({one.seed for one in panel.series}) > 1
    columns = [Column("Level", "")]
    cells: list[dict[float | None, str]] = []
    for one in panel.series:
        seed = f", seed {one.seed}" if seeds else ""
        columns.append(Column(f"{one.model.label}, {one.view}{seed}", one.view))
        cells.append({p.level: _cell(p, share) for p in one.points})
    levels = sorted(panel.axis.positions, key=lambda x: panel.axis.positions[x])
    body = tuple(
        (text.level(at), *[column.get(at, text.DASH) for column in cells]) for at in levels
    )
    return Table(f"{METRICS[panel.metric]} on {panel.task}", tuple(columns), body)


def _cell(point: panels.Point, share: bool) -> str:
    shown = text.interval(point.value, point.low, point.high, share)
    return f"{shown} ({point.status})" if text.is_troubled(point.status) else shown


def outcome_table(panel: OutcomePanel, names: Sequence[str]) -> Table:
    """The numbers behind an outcome figure: one row per level."""
    columns = (
        Column("Level", ""),
        *[Column(n.replace("_", " "), "") for n in names],
        Column("right", ""),
    )
    body = tuple(
        (text.level(at), *[text.percent(shares.get(name)) for name in names], text.percent(right))
        for at, shares, right in zip(panel.levels, panel.shares, panel.right, strict=True)
    )
    return Table(f"Outcomes of {panel.model.label} on {panel.task}", columns, body)


def glance(summary: Summary, treatment: str) -> list[Glance]:
    """Task by task: intact accuracy by text, half-levels, and the verdict on robustness."""
    found = []
    for task in reading.tasks(summary):
        info = _task(summary, task)
        floors = info.get("floors") or {}
        best = max((x for x in map(finite, floors.values()) if x is not None), default=None)
        word = verdict_word(summary, task, treatment, "text")
        for model in reading.models(summary):
            row = _intact(summary, task, treatment, model)
            intact = (
                text.interval(*panels.measured(row, "accuracy"), share=True) if row else text.DASH
            )
            written, likeliest = (
                text.half(panels.cliff(summary, model.name, task, treatment, view))
                for view in panels.VIEWS
            )
            n = text.count(info.get("n") if info.get("n") is not None else (row or {}).get("n"))
            floor = text.percent(best)
            found.append(Glance(task, n, model, intact, floor, written, likeliest, word))
    return found


def _task(summary: Summary, task: str) -> Row:
    return next((row for row in reading.rows(summary, "tasks") if str(row.get("name")) == task), {})


def _intact(summary: Summary, task: str, treatment: str, model: Model) -> Row | None:
    for view in panels.VIEWS:
        for row in reading.course(summary, task, treatment):
            if (str(row.get("model")), row.get("view"), row.get("level")) == (model.name, view, 0):
                return row
    return None


def verdict_word(summary: Summary, task: str, treatment: str, view: str) -> str:
    """The verdict on one task with models' labels in place of a and b; a dash without one."""
    label = {model.name: model.label for model in reading.models(summary)}
    wanted = (task, treatment, view)
    for row in reading.rows(summary, "comparisons"):
        if (str(row.get("task")), str(row.get("treatment")), row.get("view")) == wanted:
            verdict = row.get("verdict")
            a, b = (label.get(str(row.get(side)), str(row.get(side))) for side in ("a", "b"))
            named = {"a better": f"{a} better", "b better": f"{b} better"}
            return named.get(str(verdict), str(verdict)) if verdict else "cannot be compared"
    return text.DASH


def robustness_table(summary: Summary, treatment: str) -> Table:
    """Areas per task, view and model, absolute and retention, with the verdict's word."""
    found: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in reading.rows(summary, "robustness"):
        if str(row.get("treatment")) == treatment:
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
        word = verdict_word(summary, task, treatment, view)
        body.append((task, view, label.get(model, model), *areas, word))
    heads = ("Task", "View", "Model", "What is left", "What share is left", "Verdict")
    return Table("Robustness: area under the curve of skill", _columns(heads), tuple(body))


def difference_table(panel: panels.DifferencePanel) -> Table:
    """The numbers behind a forest plot."""
    heads = ("Task", "View", f"{panel.a} minus {panel.b}", "Verdict", "Why not")
    body = tuple(
        (
            row.task,
            row.view,
            text.interval(row.difference, row.low, row.high),
            row.verdict or "cannot be compared",
            row.reason or text.DASH,
        )
        for row in panel.rows
    )
    return without_empty(Table(f"Differences, {panel.kind}", _columns(heads), body))


def cliff_table(summary: Summary, treatment: str) -> Table:
    """Where each curve breaks, with its interval or the side on which it is censored."""
    label = {model.name: model.label for model in reading.models(summary)}
    body = tuple(
        (
            str(row.get("task")),
            str(row.get("view")),
            label.get(str(row.get("model")), str(row.get("model"))),
            {"half": "half-level"}.get(str(row.get("kind")), str(row.get("kind"))),
            text.half(row),
            str(row.get("reason") or text.DASH),
        )
        for row in reading.rows(summary, "cliffs")
        if str(row.get("treatment")) == treatment
    )
    heads = ("Task", "View", "Model", "Kind", "Level [95 % interval]", "Note")
    return without_empty(Table("Cliffs", _columns(heads), body))


def size_table(summary: Summary, most: int | None = None) -> Table:
    """What was measured on the models, at `most` levels of each course (None: all)."""
    label = {model.name: model.label for model in reading.models(summary)}
    heads = (
        "Model",
        "Treatment",
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
    body = []
    for row in _measurements(summary, most):
        measured = finite(row.get("measured_level"))
        exact = (
            text.DASH
            if measured is None
            else (text.percent(measured, 2) if measured < 1 else f"{measured:.2f} bits")
        )
        body.append(
            (
                label.get(str(row.get("model")), str(row.get("model"))),
                str(row.get("treatment")),
                text.level(row.get("level")),
                exact,
                text.parameters(row.get("parameters")),
                text.parameters(row.get("zeros")),
                text.size(row.get("bytes_on_disk")),
                text.size(row.get("bytes_in_memory")),
                text.size(row.get("peak_memory")),
                text.decimal(row.get("bits_per_weight")),
                text.decimal(row.get("tokens_per_second"), 0),
            )
        )
    return Table("Size and speed, measured", _columns(heads), tuple(body))


def _measurements(summary: Summary, most: int | None) -> list[Row]:
    found = reading.rows(summary, "measurements")
    if most is None:
        return found
    courses: dict[tuple[str, str], list[float | None]] = {}
    for row in found:
        key = str(row.get("model")), str(row.get("treatment"))
        courses.setdefault(key, []).append(finite(row.get("level")))
    kept = {key: reading.selected(levels, most) for key, levels in courses.items()}
    return [
        row
        for row in found
        if finite(row.get("level")) in kept[str(row.get("model")), str(row.get("treatment"))]
    ]


def without_empty(table: Table) -> Table:
    """The table without columns in which every cell is a dash."""
    keep = [
        i
        for i in range(len(table.columns))
        if not table.body or any(row[i] != text.DASH for row in table.body)
    ]
    columns = tuple(table.columns[i] for i in keep)
    return Table(table.caption, columns, tuple(tuple(row[i] for i in keep) for row in table.body))


def _columns(heads: Sequence[str]) -> tuple[Column, ...]:
    return tuple(Column(head, "") for head in heads)


def safety_table(summary: Summary) -> Table:
    """The safe level of each model and treatment, as far as one was tested."""
    body = []
    for row in reading.rows(summary, "safety"):
        at = row.get("safe_level")
        assessable = ", ".join(str(_name(one)) for one in row.get("assessable") or ()) or "none"
        body.append(
            (
                str(row.get("model")),
                str(row.get("treatment")),
                "none" if finite(at) is None else text.level(at),
                text.percent(row.get("margin")),
                text.decimal(row.get("alpha"), 4),
                text.plain(row.get("limiting_task")),
                assessable,
            )
        )
    heads = (
        "Model",
        "Treatment",
        "Within the margin up to",
        "Margin",
        "Alpha, one-sided",
        "Limiting task",
        "Assessable tasks",
    )
    return Table("Non-inferiority to the baseline", _columns(heads), tuple(body))


def _name(one: Any) -> Any:
    return one.get("task") if isinstance(one, Mapping) else one


def troubled(summary: Summary) -> Table:
    """Cells that fell back or failed, with their reasons."""
    body = tuple(
        (
            str(row.get("task")),
            str(row.get("model")),
            str(row.get("treatment")),
            str(row.get("view")),
            text.level(row.get("level")),
            str(row.get("status")),
            str(row.get("reason") or "no reason kept"),
        )
        for row in reading.rows(summary, "curves")
        if text.is_troubled(row.get("status"))
    )
    heads = ("Task", "Model", "Treatment", "View", "Level", "Status", "Reason")
    return Table("Degraded and failed cells", _columns(heads), body)


def missing(summary: Summary) -> list[str]:
    """One sentence for each thing that a whole report has and this one has not."""
    found = []
    roles = {model.role for model in reading.models(summary)}
    curves = reading.rows(summary, "curves")
    views = {row.get("view") for row in curves}
    if not curves:
        return ["No cell has finished yet: there are no curves."]
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
        "treatment": str(row.get("treatment")),
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
