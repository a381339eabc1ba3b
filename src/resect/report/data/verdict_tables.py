"""The verdict as tiles and tables: how far each model passed, and what stopped it."""

from __future__ import annotations

from typing import NamedTuple

from resect.catalog import label
from resect.findings.rows import Choice, ChosenBy, Guardrail, SweepVerdict, TaskVerdict, Word
from resect.narrative.phrasing import sentence
from resect.narrative.verdict_sentences import stop_text, undecided, version_of
from resect.report import formatting as text
from resect.report.data.matrix import TONES
from resect.report.data.scope import Model, Scope, distinct, with_seeds
from resect.report.data.table import Table, columns, without_empty

MOST = 7
"""Levels of a sweep shown in the table of its tests: always the last ones reached."""


class Reach(NamedTuple):
    """One model under one recipe: how far it passed, and why no further."""

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


def figure(row: SweepVerdict) -> str:
    """How far a sweep passed: `40 %`, `95 % or more`, `no level`; `passed` if nothing is swept."""
    if row.passed and row.passed_level is None:
        return "passed"
    if row.passed_level is not None:
        level = text.level(row.passed_level)
        return level if row.stopped_by else f"{level} or more"
    return "undetermined" if row.state is Word.UNDETERMINED else "no level"


def _tile(model: Model, row: SweepVerdict) -> Reach:
    stop = sentence(stop_text(row.stopped_by)) if row.stopped_by else ""
    if not row.passed:
        tone = "unknown" if row.state is Word.UNDETERMINED else "none"
        return Reach(model, figure(row), str(row.state), stop, "", tone)
    says = f"passed, margin {_margin(row)}, on {_tasks(row)}"
    degraded = ", ".join(map(text.level, distinct(cell.level for cell in row.degraded)))
    says += f"; degraded at {degraded}" if degraded else ""
    if not stop and row.passed_level is not None:
        stop = "No level asked was stopped: the limit lies beyond."
    return Reach(model, figure(row), says, stop, "", "some" if row.stopped_by else "good")


def _margin(row: SweepVerdict) -> str:
    margins = sorted({round(100 * margin, 1) for margin in row.margins.values()})
    ends = [f"{margin:g}" for margin in dict.fromkeys((margins[0], margins[-1]))] if margins else []
    return f"{' to '.join(ends)} points" if ends else text.DASH


def _tasks(row: SweepVerdict) -> str:
    """On which tasks a sweep was tested."""
    judged, total = len(row.margins), len(row.margins) + len(row.undetermined)
    if judged != total:
        return f"{judged} of {total} tasks"
    return next(iter(row.margins)) if total == 1 else f"all {total} tasks"


def _change(row: TaskVerdict) -> str:
    return text.change(row.change, row.low, row.high)


def task_reach(scope: Scope, recipe: str, model: Model, task: str) -> str:
    """How far one task alone passed before it stopped."""
    row = scope.deciding(model.name, recipe)
    tests = [] if row is None else [test for test in row.tasks if test.task == task]
    if not tests:
        return text.DASH
    last: float | None = 0.0
    for test in tests:
        if test.word is not Word.PASSED:
            return text.level(last) if last else str(test.word)
        last = test.level
    return "passed" if last is None else f"{text.level(last)} or more"


def verdict_table(scope: Scope) -> Table:
    """How far each sweep passed in each view, what stopped it and what it could have shown."""
    body = [_sweep(scope, row) for row in scope.summary.verdicts]
    heads = (
        "Model", "Recipe", "View", "Passed up to", "Stopped by", "Margin", "Power",
        "Provable margin", "Items needed", "Alpha, one-sided", "Undetermined",
    )  # fmt: skip
    alphas = distinct(row[9] for row in body)
    caption = "Non-inferiority to the intact model"
    if len(alphas) == 1:
        caption += f", one-sided alpha {alphas[0]}"
        body = [(*row[:9], text.DASH, *row[10:]) for row in body]
    return without_empty(Table(caption, columns(heads), tuple(body)))


def _sweep(scope: Scope, row: SweepVerdict) -> tuple[str, ...]:
    stop = row.stopped_by
    return (
        scope.label(row.model),
        with_seeds(row.recipe, [row.seed], scope.seeded),
        f"{row.view}{' (decides)' if row.default else ''}",
        figure(row),
        text.DASH if stop is None else stop_text(stop),
        _margin(row),
        text.DASH if stop is None else text.decimal(stop.power),
        text.DASH if stop is None else text.points(stop.provable_margin, 1).lstrip("+"),
        text.DASH if stop is None else text.count(stop.items_needed),
        text.decimal(row.alpha, 4),
        "; ".join(map(undecided, row.undetermined)) or text.DASH,
    )


def guardrails_table(scope: Scope) -> Table:
    """Of every sweep, at its last level claimed: what rose most of each kind, beside its cap."""
    body = []
    for row in scope.summary.verdicts:
        if row.default and row.passed:
            shown = [guard for guard in row.guardrails if guard.level == row.passed_level]
            body += [_guard(scope, row, guard) for guard in _worst(shown)]
    heads = ("Model", "Recipe", "Level", "Guardrail", "Task", "Items", "Intact", "There", "Rise",
             "Cap")  # fmt: skip
    return without_empty(
        Table("Guardrails at the last level that passed", columns(heads), tuple(body))
    )


def _worst(guards: list[Guardrail]) -> list[Guardrail]:
    """The guardrail of each kind that rose most beside its cap."""
    kinds = distinct(guard.kind for guard in guards)
    return [
        max((g for g in guards if g.kind is kind), key=lambda g: g.rise - g.cap) for kind in kinds
    ]


def _guard(scope: Scope, row: SweepVerdict, guard: Guardrail) -> tuple[str, ...]:
    return (
        scope.label(row.model),
        with_seeds(row.recipe, [row.seed], scope.seeded),
        text.level(guard.level),
        label(guard.kind.value) + (f": {guard.of}" if guard.of else ""),
        guard.task,
        text.count(guard.n),
        text.percent(guard.intact),
        text.percent(guard.value),
        text.points(guard.rise, 1),
        text.points(guard.cap, 0).lstrip("+"),
    )


class Tests(NamedTuple):
    """The tests of one sweep: rows are tasks, cells pass or fail at a level."""

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
        for row in scope.summary.verdicts
        if row.recipe == recipe and row.model in scope.by_name and row.tasks
    ]


def _tests(model: Model, row: SweepVerdict, called: str) -> Tests:
    reached = [level.level for level in row.levels][: len(row.passed) + 1]
    shown = reached[-MOST:]
    cells = {(test.task, test.level): test for test in row.tasks}
    lines = tuple(
        (task, _last_word(row, task), tuple(_cell(cells.get((task, x))) for x in shown))
        for task in distinct(test.task for test in row.tasks)
    )
    names, skipped = tuple(map(text.level, shown)), len(reached) - len(shown)
    return Tests(model, called, row.view, row.default, names, skipped, lines)


def _last_word(row: SweepVerdict, task: str) -> str:
    """The margin of a task, or why it has none."""
    margin = row.margins.get(task)
    if margin is not None:
        return f"margin {text.points(margin, 1).lstrip('+')}"
    return next((str(gap.why) for gap in row.undetermined if gap.task == task), text.DASH)


def _cell(test: TaskVerdict | None) -> tuple[str, str]:
    """(tone, text) of one test."""
    if test is None:
        return "", text.DASH
    noted = f"{_change(test)}, guardrail" if test.tripped else _change(test)
    return TONES[test.word], noted


def smallest(scope: Scope) -> list[str]:
    """A sentence for each model on the version that was chosen among several recipes."""
    several = [row for row in scope.summary.choice if row.how is ChosenBy.HELD_BACK]
    return [_smallest(scope.label(row.model), row) for row in several]


def _smallest(name: str, row: Choice) -> str:
    if row.chosen is None:
        return f"{name}: no version was chosen ({row.why})."
    bytes_there = f", {text.size(row.chosen.bytes)}" if row.chosen.bytes else ""
    tried = len(row.tried)
    order = "the first tested" if tried == 1 else f"the {tried}th tested"
    return (
        f"{name}: {version_of(row.chosen)}{bytes_there} passed on the items held back, "
        f"{order} of {row.plausible} that looked good among {row.explored}."
    )
