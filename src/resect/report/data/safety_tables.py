"""How far each model may go, and what stopped it: the verdict as tiles and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from resect.report import formatting as text
from resect.report.data import scope as reading
from resect.report.data.annotations import deciding
from resect.report.data.scope import Model, Row, Summary
from resect.report.data.table import Table, change, columns, points, without_empty
from resect.report.formatting import finite

TESTS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "no_answer": "no-answer share",
    "miss": "miss rate",
    "confident_error": "confident errors",
    "exact_match": "exact match",
    "strict_f1": "strict F1",
    "partial_f1": "partial F1",
    "rouge_l": "ROUGE-L",
}
MOST = 7
"""Levels of a sweep shown in the table of its tests: always the last ones."""


class Reach(NamedTuple):
    """One model under one recipe: how far it stays within its margin, and why no further."""

    model: Model
    figure: str
    says: str
    stop: str
    needs: str
    tone: str


def reach(summary: Summary, recipe: str) -> list[Reach]:
    """A tile for each model that was tested under this recipe, in the deciding view."""
    found = []
    for model in reading.models(summary):
        row = deciding(summary, model.name, recipe)
        if row is not None:
            found.append(_tile(model, row))
    return found


def state(row: Row) -> str:
    """`all`, `up to`, `none` or `not assessable`, also for a row that does not say."""
    said = row.get("state")
    if said:
        return str(said)
    level = finite(row.get("safe_level"))
    return "not assessable" if level is None else "up to" if level else "none"


def figure(row: Row) -> str:
    """The safe level in a word: `40 %`, `95 % or more`, `no level`; unswept `within the margin`."""
    level, how = finite(row.get("safe_level")), state(row)
    if how == "not assessable":
        return "not assessable"
    if how == "none" or level == 0:
        return "no level"
    if level is None:
        return "within the margin"
    return f"{text.level(level)} or more" if how == "all" else text.level(level)


def _tile(model: Model, row: Row) -> Reach:
    how, good = state(row), list(row.get("assessable") or ())
    total = len(good) + len(row.get("not_assessable") or ())
    tasks = f"{len(good)} of {total} tasks" if total != len(good) else f"all {total} tasks"
    tasks = str(good[0]) if total == len(good) == 1 else tasks
    margin = finite(row.get("margin"))
    within = "each task’s margin" if margin is None else f"{points(margin, 0).lstrip('+')} points"
    if how == "not assessable":
        why = "; ".join(_blind(one) for one in row.get("not_assessable") or ())
        return Reach(model, figure(row), "", why or str(row.get("reason") or ""), "", "unknown")
    seen = "by options" if row.get("view") == "options" else "by text"
    where = f"within {within} of its intact self, {seen}, on {tasks}"
    said = f"is shown to stay {where}" if how == "none" else f"stays {where}"
    fell = _degraded(row)
    said += f"; degraded at {fell}" if fell else ""
    limit = row.get("limiting")
    if not limit:
        swept = finite(row.get("safe_level")) is not None
        stop = (
            "No level asked was stopped: the limit lies beyond." if how == "all" and swept else ""
        )
        return Reach(model, figure(row), said, stop, "", "good" if how == "all" else "some")
    return Reach(
        model, figure(row), said, _stop(limit), _needs(limit), "none" if how == "none" else "some"
    )


def _degraded(row: Row) -> str:
    """The levels tested of a sweep at which the model or its prompts fell back."""
    levels = (finite(one.get("level")) for one in row.get("degraded") or ())
    return ", ".join(text.level(level) for level in reading.distinct(levels))


def _blind(one: Any) -> str:
    if not isinstance(one, Mapping):
        return str(one)
    return f"{one.get('task')}: {one.get('reason')}"


def _stop(limit: Row) -> str:
    test = TESTS.get(str(limit.get("test")), str(limit.get("test")))
    at = finite(limit.get("level"))
    place = "" if at is None else f"at {text.level(at)} "
    where = f"Stopped {place}by {test} on {limit.get('task')}"
    if finite(limit.get("difference")) is None:
        return f"{where}: {limit.get('reason')}."
    return f"{where}: {change(limit)} points, margin {points(limit.get('margin'), 0).lstrip('+')}."


def _needs(limit: Row) -> str:
    if finite(limit.get("provable_margin")) is None:
        return ""
    proven = points(limit["provable_margin"]).lstrip("+")
    said = (
        f"Power {text.decimal(limit.get('power'))}; smallest margin it could have proven {proven}"
    )
    needed = limit.get("items_needed")
    more = f"; items needed {text.count(needed)}" if needed is not None else ""
    return f"{said} points{more}."


def task_reach(summary: Summary, recipe: str, model: Model, task: str) -> str:
    """How far one task alone passed all its tests before the sweep was stopped."""
    row = deciding(summary, model.name, recipe)
    if row is None:
        return text.DASH
    blind = {
        str(one.get("task")) for one in row.get("not_assessable") or () if isinstance(one, Mapping)
    }
    if task in blind:
        return "not assessable"
    last: Any = 0.0
    mine = [test for test in row.get("tests") or () if str(test.get("task")) == task]
    if not mine:
        return text.DASH
    for test in mine:
        if not test.get("passed"):
            return text.level(last) if finite(last) else "no level"
        following = [t for t in mine if t.get("level") == test.get("level")]
        if all(t.get("passed") for t in following):
            last = test.get("level")
    if finite(last) is None:
        return "within the margin"
    return f"{text.level(last)} or more"


def safety_table(summary: Summary) -> Table:
    """The safe level of each sweep in each view, what stopped it and what it could have proven."""
    label = {model.name: model.label for model in reading.models(summary)}
    many = reading.seeded(summary)
    body = []
    for row in reading.rows(summary, "safety"):
        limit = row.get("limiting") or {}
        test = TESTS.get(str(limit.get("test")), str(limit.get("test") or ""))
        task = limit.get("task") or row.get("limiting_task")
        by = f"{test} on {task}" if test and task else text.plain(task)
        at = f", at {text.level(limit.get('level'))}" if limit else ""
        known = finite(limit.get("difference")) is not None
        name = label.get(str(row.get("model")), str(row.get("model")))
        blind = "; ".join(_blind(one) for one in row.get("not_assessable") or ())
        decides = " (decides)" if row.get("default") else ""
        body.append((
            name,
            reading.roles_of(row.get("recipe"), [row.get("seed")], many),
            f"{row.get('view') or text.DASH}{decides}",
            figure(row),
            f"{by}{at}" if limit or task else text.DASH,
            change(limit) if known else text.DASH,
            points(limit.get("margin", row.get("margin")), 0).lstrip("+"),
            text.decimal(limit.get("power")),
            points(limit.get("provable_margin")).lstrip("+"),
            text.count(limit.get("items_needed")),
            text.decimal(row.get("alpha"), 4),
            blind or text.DASH,
            _degraded(row) or text.DASH,
        ))  # fmt: skip
    heads = (
        "Model", "Recipe", "View", "Within the margin up to", "Stopped by", "Change, points",
        "Margin", "Power", "Provable margin", "Items needed", "Alpha, one-sided", "Not assessable",
        "Degraded at",
    )  # fmt: skip
    alphas = reading.distinct(row[10] for row in body)
    caption = "Non-inferiority to the intact model"
    if len(alphas) == 1:
        caption += f", one-sided alpha {alphas[0]}"
        body = [(*row[:10], text.DASH, *row[11:]) for row in body]
    return without_empty(Table(caption, columns(heads), tuple(body)))


class Tests(NamedTuple):
    """Every test of one sweep: rows are task and test, cells pass or fail at a level."""

    model: Model
    recipe: str
    view: str
    decides: bool
    levels: tuple[str, ...]
    skipped: int
    lines: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]


def tests(summary: Summary, recipe: str) -> list[Tests]:
    """The tests of each model and view under a recipe, up to the level that stopped it."""
    by_name = {model.name: model for model in reading.models(summary)}
    many = reading.seeded(summary)
    found = []
    for row in reading.rows(summary, "safety"):
        model = by_name.get(str(row.get("model")))
        given = [one for one in row.get("tests") or () if isinstance(one, Mapping)]
        if str(row.get("recipe")) != recipe or model is None or not given:
            continue
        levels = list(reading.distinct(one.get("level") for one in given))
        shown = levels[-MOST:]
        keys = reading.distinct((str(one.get("task")), str(one.get("test"))) for one in given)
        cells = {(str(t.get("task")), str(t.get("test")), t.get("level")): t for t in given}
        lines = []
        for task, test in keys:
            row_cells = tuple(_tested(cells.get((task, test, level))) for level in shown)
            lines.append((task, TESTS.get(test, test), row_cells))
        names = tuple(text.level(level) for level in shown)
        called = reading.roles_of(recipe, [row.get("seed")], many)
        found.append(
            Tests(model, called, str(row.get("view")), bool(row.get("default")), names,
                  len(levels) - len(shown), tuple(lines))
        )  # fmt: skip
    return found


def _tested(test: Row | None) -> tuple[str, str]:
    """(tone, text) of one test."""
    if test is None:
        return "", text.DASH
    return ("pass", change(test)) if test.get("passed") else ("fail", change(test))


def smallest(summary: Summary) -> list[str]:
    """A sentence for each model on the smallest safe version among recipes, or over seeds."""
    label = {model.name: model.label for model in reading.models(summary)}
    found = []
    for row in reading.rows(summary, "smallest_safe"):
        count, seeds = row.get("recipes") or 0, list(row.get("seeds") or ())
        if count < 2 and len(seeds) < 2:
            continue
        name = label.get(str(row.get("model")), str(row.get("model")))
        among = f"among {count} recipes, each" if count > 1 else "of one recipe,"
        among += f" tested at alpha {row.get('alpha_each'):g}"
        if row.get("recipe") is None:
            found.append(f"{name}: no smallest safe version {among} ({row.get('reason')}).")
            continue
        size = f", {text.size(row['bytes'])}" if row.get("bytes") else ""
        note = f" ({row['reason']})" if row.get("reason") else ""
        what = f"{row['recipe']} at {text.level(row.get('level'))}"
        if len(seeds) > 1:  # each of them passed, and the largest has this size
            what += f" with any of the seeds {', '.join(map(str, seeds))}"
        what += size
        found.append(f"{name}: the smallest safe version {among}, is {what}{note}.")
    return found
