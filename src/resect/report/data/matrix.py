"""The matrix: recipes by levels, each cell a word, what was lost, and the size on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from resect.catalog import label as label_of
from resect.findings.rows import CurvePoint, Level, LevelVerdict, SweepVerdict, TaskVerdict, Word
from resect.report import formatting as text
from resect.report.data.metrics import OPEN_KINDS, is_share, measured, own_metric
from resect.report.data.scope import Model, Scope, distinct, with_seeds

TONES = {
    Word.PASSED: "pass", Word.FAILED: "fail", Word.NOT_PROVEN: "open", Word.UNDETERMINED: "none",
}  # fmt: skip
"""The tone of a cell by its word."""

MARKS = {"pass": "✓", "fail": "✗", "open": "?", "none": "○", "plain": "", "": ""}
"""The sign of each tone: colour is never alone."""


class Square(NamedTuple):
    """One version: its tone and word, the change in points or its own number, the task, its size.

    `tone` is empty where nothing was asked, `plain` where no verdict reads the task.
    """

    tone: str
    word: str
    value: str
    task: str
    size: str
    winner: bool

    @property
    def mark(self) -> str:
        """The sign of its word."""
        return MARKS[self.tone]


BLANK = Square("", "not asked", "", "", "", False)


class Line(NamedTuple):
    """One recipe: a square for each level of the matrix."""

    name: str
    recipe: str
    squares: tuple[Square, ...]


class Matrix(NamedTuple):
    """Every version of one model; `task` is empty where each cell is of its worst task.

    `says` is what the numbers are, `intact` the intact model's own number on the task.
    """

    model: Model
    task: str
    says: str
    intact: str
    levels: tuple[str, ...]
    lines: tuple[Line, ...]


def matrices(scope: Scope, model: Model, tasks: Sequence[str] | None = None) -> list[Matrix]:
    """The matrix of the worst task where a verdict reads any, then one for each of the `tasks`."""
    wanted = scope.tasks if tasks is None else tasks
    drawn = [matrix(scope, model, task) for task in wanted]
    if any(row.default and row.model == model.name for row in scope.summary.verdicts):
        drawn.insert(0, matrix(scope, model))
    return [each for each in drawn if each.lines]


def unread(scope: Scope) -> list[str]:
    """The tasks that no verdict reads: scored texts, and those that the study only shows."""
    shown = set(scope.summary.study.shown_only)
    tasks = [(name, scope.task(name)) for name in scope.tasks]
    return [n for n, task in tasks if n in shown or (task is not None and task.kind == "score")]


def matrix(scope: Scope, model: Model, task: str = "") -> Matrix:
    """Every sweep of a model in the view that decides, by its levels in rising damage."""
    sweeps = _sweeps(scope, model, task)
    levels = sorted({x for squares in sweeps.values() for x in squares}, key=_damage)
    lines = tuple(
        Line(
            with_seeds(recipe, [seed], scope.seeded),
            recipe,
            tuple(squares.get(x, BLANK) for x in levels),
        )
        for (recipe, seed), squares in sweeps.items()
    )
    return Matrix(
        model, task, _says(scope, task), _intact(scope, model, task) if task else "",
        tuple(map(_level, levels)), lines,
    )  # fmt: skip


def _level(level: Level) -> str:
    return "as it is" if level is None else text.level(level)


def _damage(level: Level) -> tuple[int, float]:
    """What nothing sweeps first, then fractions upward, then bits downward."""
    if level is None:
        return 0, 0.0
    return (1, level) if level < 1 else (2, -level)


Squares = dict[Level, Square]


def _sweeps(scope: Scope, model: Model, task: str) -> dict[tuple[str, int], Squares]:
    """The squares of each sweep by level: of the verdict, else of the task's own numbers."""
    sizes, chosen = _sizes(scope, model), _chosen(scope, model)
    refuted = _tested(scope, model) - {chosen}
    sweeps: dict[tuple[str, int], Squares] = {}
    for row in scope.summary.verdicts:
        if row.default and row.model == model.name:
            tests = _tests(row, task)
            sweeps[row.recipe, row.seed] = {
                test.level: _judged(test, sizes.get((row.recipe, test.level), ""),
                                    (row.recipe, test.level) == chosen,
                                    (row.recipe, test.level) in refuted)
                for test in tests
            }  # fmt: skip
    if task and not any(sweeps.values()):
        sweeps = {}
        for point in _points(scope, model, task):
            if point.level != 0 and point.recipe != "none":
                size = sizes.get((point.recipe, point.level), "")
                square = Square("plain", "measured", own_number(scope, point), task, size, False)
                sweeps.setdefault((point.recipe, point.seed), {})[point.level] = square
    return {key: squares for key, squares in sweeps.items() if squares}


def _tests(row: SweepVerdict, task: str) -> Sequence[LevelVerdict | TaskVerdict]:
    if not task:
        return row.levels
    return [test for test in row.tasks if test.task == task]


def _judged(test: LevelVerdict | TaskVerdict, size: str, winner: bool, refuted: bool) -> Square:
    value = "" if test.change is None else text.points(test.change)
    if refuted and test.word is Word.PASSED:
        return Square(TONES[Word.NOT_PROVEN], "not confirmed", value, test.task or "", size, False)
    return Square(TONES[test.word], str(test.word), value, test.task or "", size, winner)


def _chosen(scope: Scope, model: Model) -> tuple[str, Level] | None:
    rows = [row.chosen for row in scope.summary.choice if row.model == model.name]
    chosen = next((row for row in rows if row is not None), None)
    return None if chosen is None else (chosen.recipe, chosen.level)


def _tested(scope: Scope, model: Model) -> set[tuple[str, Level]]:
    """Versions that were tested on the items held back."""
    rows = [row for row in scope.summary.choice if row.model == model.name]
    return {(test.recipe, test.level) for row in rows for test in row.tried}


def _sizes(scope: Scope, model: Model) -> Mapping[tuple[str, Level], str]:
    """Bytes on disk of each version, the most of its seeds; empty where all are alike."""
    rows = [row for row in scope.summary.measurements if row.model == model.name]
    most: dict[tuple[str, Level], int] = {}
    for row in rows:
        if row.bytes_on_disk is not None:
            key = row.recipe, row.level
            most[key] = max(most.get(key, 0), row.bytes_on_disk)
    alike = len(set(most.values())) < 2
    return {} if alike else {key: text.size(size) for key, size in most.items()}


# ── a task's own numbers ────────────────────────────────────────────────────────────────────────


def _points(scope: Scope, model: Model, task: str) -> list[CurvePoint]:
    """The points of a model on a task, each in the view that is read first there."""
    rows = [row for row in scope.summary.curves if (row.model, row.task) == (model.name, task)]
    views = distinct(row.view for row in rows)
    view = "text" if "text" in views else next(iter(views), "text")
    return [row for row in rows if row.view == view and row.n]


def own_number(scope: Scope, point: CurvePoint) -> str:
    """What one point shows in its task's own unit: `61.2 %`, `12.4`, `0.92`."""
    metric = number_of(scope, point.task)
    value = measured(point, metric)[0]
    if value is None and metric == "perplexity":
        metric = own_metric(scope, point.task)
        value = measured(point, metric)[0]
    if is_share(metric):
        return text.percent(value)
    return text.DASH if value is None else f"{value:.3g}"


def number_of(scope: Scope, task: str) -> str:
    """The metric that a task's own number is: accuracy, perplexity, or what its verdict reads."""
    info = scope.task(task)
    return "perplexity" if info is not None and info.kind == "score" else own_metric(scope, task)


def _intact(scope: Scope, model: Model, task: str) -> str:
    rows = [row for row in _points(scope, model, task) if row.level == 0]
    return own_number(scope, rows[0]) if rows else text.DASH


def _says(scope: Scope, task: str) -> str:
    """What the numbers of a matrix are."""
    if not task:
        return "the worst task’s change from the intact model, in points"
    info = scope.task(task)
    if info is not None and info.kind in OPEN_KINDS and task in unread(scope):
        return f"{label_of(number_of(scope, task)).lower()}, which no verdict reads"
    if task in unread(scope):
        return f"{label_of(number_of(scope, task)).lower()}; the study only shows this task"
    return "the change from the intact model, in points"
