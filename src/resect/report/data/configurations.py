"""One row a configuration: its size beside its scores, and how far it is from the intact model.

The shape in which the studies of medical compression print their results, with the majority
baseline of the very items in the same table. Scores are weighted averages over the gold labels.
"""

from __future__ import annotations

from collections.abc import Sequence

from resect.findings.rows import CurvePoint, Measurement, Task
from resect.record import TRANSFORMERS
from resect.report import formatting as text
from resect.report.data.metrics import NOTHING, measured
from resect.report.data.scope import Scope, selected, with_seeds
from resect.report.data.table import Table, columns

HEADS = ("Model", "Configuration", "Level", "Bytes", "Accuracy", "Precision", "Recall", "F1",
         "Points lost or gained")  # fmt: skip
SCORES = ("weighted_precision", "weighted_recall", "weighted_f1")

State = tuple[str, str, int, float | None, str]
"""Model, recipe, seed, level and runtime; the intact model is every recipe's and seed's."""


def configuration_tables(scope: Scope, most: int = 4) -> list[Table]:
    """A table a task with labels, in the text view where there is one, `most` levels a sweep."""
    sizes = {_state(row): row.bytes_on_disk for row in scope.summary.measurements}
    tables = []
    for task in scope.summary.tasks:
        rows = [row for row in scope.summary.curves if row.task == task.name]
        view = "text" if any(row.view == "text" for row in rows) else "options"
        rows = [row for row in rows if row.view == view and row.accuracy]
        if rows and task.labels:
            body = [_row(scope, row, sizes.get(_state(row))) for row in _shown(rows, most)]
            caption = f"{task.name}, by {view}: one row a configuration, weighted averages"
            tables.append(Table(caption, columns(HEADS), (*body, *_majority(task))))
    return tables


def _shown(rows: Sequence[CurvePoint], most: int) -> list[CurvePoint]:
    """The intact models first, then some levels of every sweep."""
    shown = list({(row.model, row.runtime): row for row in rows if row.level == 0}.values())
    sweeps: dict[tuple[str, str, int], list[CurvePoint]] = {}
    for row in rows:
        if row.level != 0:
            sweeps.setdefault((row.model, row.recipe, row.seed), []).append(row)
    for own in sweeps.values():
        levels = selected([row.level for row in own], most)
        shown += [row for row in own if row.level in levels]
    return shown


def _row(scope: Scope, row: CurvePoint, size: int | None) -> tuple[str, ...]:
    intact = row.level == 0
    return (
        scope.label(row.model),
        f"intact{_elsewhere(row)}" if intact else with_seeds(row.recipe, [row.seed], scope.seeded),
        text.level(row.level), text.size(size), text.decimal(row.accuracy, 4),
        *(text.decimal(measured(row, name)[0], 4) for name in SCORES),
        text.change(*(NOTHING if intact else measured(row, "change"))),
    )  # fmt: skip


def _elsewhere(row: CurvePoint) -> str:
    """Where an intact model was asked that was not asked as it was loaded."""
    return "" if row.runtime == TRANSFORMERS else f" in {row.runtime}"


def _state(row: CurvePoint | Measurement) -> State:
    if row.level == 0:
        return row.model, "none", 0, 0, row.runtime
    return row.model, row.recipe, row.seed, row.level, row.runtime


def _majority(task: Task) -> list[tuple[str, ...]]:
    """What always giving the commonest answer gets."""
    scores = task.floors.majority_weighted
    if scores is None:
        return []
    return [(
        f"always {task.floors.majority_label}", "majority baseline", text.DASH, text.DASH,
        text.decimal(task.floors.majority, 4), text.decimal(scores.precision, 4),
        text.decimal(scores.recall, 4), text.decimal(scores.f1, 4), text.DASH,
    )]  # fmt: skip
