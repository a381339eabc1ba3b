"""How far each model may go, and what stopped it: the verdict as tiles and tables."""

from __future__ import annotations

from typing import NamedTuple

from resect.catalog import fragment, label
from resect.findings.rows import Limiting, Safety, SafetyTest, SmallestSafe, SweepState
from resect.report import formatting as text
from resect.report.data.scope import Model, Scope, distinct, with_seeds
from resect.report.data.table import Table, columns, without_empty

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


def reach(scope: Scope, recipe: str) -> list[Reach]:
    """A tile for each model that was tested under this recipe, in the deciding view."""
    rows = [(model, scope.deciding(model.name, recipe)) for model in scope.models]
    return [_tile(model, row) for model, row in rows if row is not None]


def figure(row: Safety) -> str:
    """The safe level in a word: `40 %`, `95 % or more`, `no level`; unswept `within the margin`."""
    if row.state == SweepState.NOT_ASSESSABLE:
        return "not assessable"
    if row.state == SweepState.NONE or row.safe_level == 0:
        return "no level"
    if row.safe_level is None:
        return "within the margin"
    level = text.level(row.safe_level)
    return f"{level} or more" if row.state == SweepState.ALL else level


def _tile(model: Model, row: Safety) -> Reach:
    if row.state == SweepState.NOT_ASSESSABLE:
        return Reach(model, figure(row), "", _blind(row) or row.reason or "", "", "unknown")
    where = f"within {_margin(row)} of its intact self, by {row.view}, on {_tasks(row)}"
    none, everywhere = row.state == SweepState.NONE, row.state == SweepState.ALL
    says = f"is shown to stay {where}" if none else f"stays {where}"
    degraded = _degraded(row)
    says += f"; degraded at {degraded}" if degraded else ""
    if row.limiting is not None:
        tone = "none" if none else "some"
        return Reach(model, figure(row), says, _stop(row.limiting), _needs(row.limiting), tone)
    stop = ""
    if everywhere and row.safe_level is not None:
        stop = "No level asked was stopped: the limit lies beyond."
    return Reach(model, figure(row), says, stop, "", "good" if everywhere else "some")


def _margin(row: Safety) -> str:
    return "each task’s margin" if row.margin is None else f"{_unsigned(row.margin, 0)} points"


def _tasks(row: Safety) -> str:
    """On which tasks a sweep was tested."""
    good, total = len(row.assessable), len(row.assessable) + len(row.not_assessable)
    if good != total:
        return f"{good} of {total} tasks"
    return row.assessable[0] if total == 1 else f"all {total} tasks"


def _unsigned(value: float | None, digits: int = 1) -> str:
    """A share in points without a plus sign."""
    return text.points(value, digits).lstrip("+")


def _degraded(row: Safety) -> str:
    """The levels tested of a sweep at which the model or its prompts fell back."""
    return ", ".join(map(text.level, distinct(cell.level for cell in row.degraded)))


def _blind(row: Safety) -> str:
    """The tasks that could not be assessed, each with why."""
    return "; ".join(f"{task.task}: {task.reason}" for task in row.not_assessable)


def _change(test: SafetyTest | Limiting) -> str:
    return text.change(test.difference, test.low, test.high)


def _stop(limit: Limiting) -> str:
    place = "" if limit.level is None else f"at {text.level(limit.level)} "
    where = f"Stopped {place}by {fragment(limit.test)} on {limit.task}"
    if not limit.tested:
        return f"{where}: {limit.reason}."
    return f"{where}: {_change(limit)} points, margin {_unsigned(limit.margin, 0)}."


def _needs(limit: Limiting) -> str:
    if limit.provable_margin is None:
        return ""
    proven = _unsigned(limit.provable_margin)
    needed = limit.items_needed
    more = f"; items needed {text.count(needed)}" if needed is not None else ""
    power = text.decimal(limit.power)
    return f"Power {power}; smallest margin it could have proven {proven} points{more}."


def task_reach(scope: Scope, recipe: str, model: Model, task: str) -> str:
    """How far one task alone passed all its tests before the sweep was stopped."""
    row = scope.deciding(model.name, recipe)
    if row is None:
        return text.DASH
    if task in {blind.task for blind in row.not_assessable}:
        return "not assessable"
    tests = [test for test in row.tests if test.task == task]
    if not tests:
        return text.DASH
    last: float | None = 0.0
    for level in distinct(test.level for test in tests):
        if not all(test.passed for test in tests if test.level == level):
            return text.level(last) if last else "no level"
        last = level
    return "within the margin" if last is None else f"{text.level(last)} or more"


def safety_table(scope: Scope) -> Table:
    """The safe level of each sweep in each view, what stopped it and what it could have proven."""
    body = [_sweep(scope, row) for row in scope.summary.safety]
    heads = (
        "Model", "Recipe", "View", "Within the margin up to", "Stopped by", "Change, points",
        "Margin", "Power", "Provable margin", "Items needed", "Alpha, one-sided", "Not assessable",
        "Degraded at",
    )  # fmt: skip
    alphas = distinct(row[10] for row in body)
    caption = "Non-inferiority to the intact model"
    if len(alphas) == 1:
        caption += f", one-sided alpha {alphas[0]}"
        body = [(*row[:10], text.DASH, *row[11:]) for row in body]
    return without_empty(Table(caption, columns(heads), tuple(body)))


def _sweep(scope: Scope, row: Safety) -> tuple[str, ...]:
    limit = row.limiting
    numbers = (text.DASH, text.DASH, _unsigned(row.margin, 0), *[text.DASH] * 3)
    if limit is None:
        numbers = (text.plain(row.limiting_task), *numbers[1:])
    else:
        numbers = (
            f"{fragment(limit.test)} on {limit.task}, at {text.level(limit.level)}",
            _change(limit) if limit.tested else text.DASH,
            _unsigned(limit.margin, 0),
            text.decimal(limit.power),
            _unsigned(limit.provable_margin),
            text.count(limit.items_needed),
        )
    return (
        scope.label(row.model),
        with_seeds(row.recipe, [row.seed], scope.seeded),
        f"{row.view}{' (decides)' if row.default else ''}",
        figure(row),
        *numbers,
        text.decimal(row.alpha, 4),
        _blind(row) or text.DASH,
        _degraded(row) or text.DASH,
    )


class Tests(NamedTuple):
    """Every test of one sweep: rows are task and test, cells pass or fail at a level."""

    model: Model
    recipe: str
    view: str
    decides: bool
    levels: tuple[str, ...]
    skipped: int
    lines: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]


def tests(scope: Scope, recipe: str) -> list[Tests]:
    """The tests of each model and view under a recipe, up to the level that stopped it."""
    return [
        _tests(scope.by_name[row.model], row, with_seeds(recipe, [row.seed], scope.seeded))
        for row in scope.summary.safety
        if row.recipe == recipe and row.model in scope.by_name and row.tests
    ]


def _tests(model: Model, row: Safety, called: str) -> Tests:
    levels = distinct(test.level for test in row.tests)
    shown = levels[-MOST:]
    cells = {(test.task, test.test, test.level): test for test in row.tests}
    lines = tuple(
        (task, label(test), tuple(_cell(cells.get((task, test, level))) for level in shown))
        for task, test in distinct((test.task, test.test) for test in row.tests)
    )
    names, skipped = tuple(map(text.level, shown)), len(levels) - len(shown)
    return Tests(model, called, row.view, row.default, names, skipped, lines)


def _cell(test: SafetyTest | None) -> tuple[str, str]:
    """(tone, text) of one test."""
    if test is None:
        return "", text.DASH
    return "pass" if test.passed else "fail", _change(test)


def smallest(scope: Scope) -> list[str]:
    """A sentence for each model on the smallest safe version among recipes, or over seeds."""
    return [
        _smallest(scope.label(row.model), row)
        for row in scope.summary.smallest_safe
        if row.recipes > 1 or len(row.seeds) > 1
    ]


def _smallest(name: str, row: SmallestSafe) -> str:
    among = f"among {row.recipes} recipes, each" if row.recipes > 1 else "of one recipe,"
    among += f" tested at alpha {row.alpha_each:g}"
    if row.recipe is None:
        return f"{name}: no smallest safe version {among} ({row.reason})."
    version = f"{row.recipe} at {text.level(row.level)}"
    if len(row.seeds) > 1:  # each of them passed, and the largest has this size
        version += f" with any of the seeds {', '.join(map(str, row.seeds))}"
    version += f", {text.size(row.bytes)}" if row.bytes else ""
    note = f" ({row.reason})" if row.reason else ""
    return f"{name}: the smallest safe version {among}, is {version}{note}."
