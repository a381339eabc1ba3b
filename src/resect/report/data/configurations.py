"""One row a configuration: its size beside its scores, and how far it is from the intact model.

The shape in which the studies of medical compression print their results, with the majority
baseline of the very items in the same table. Scores are weighted averages over the gold labels.
"""

from __future__ import annotations

from typing import Any

from resect.report import formatting as text
from resect.report.data import scope as reading
from resect.report.data.scope import Row, Summary
from resect.report.data.table import Table, change, columns
from resect.report.formatting import finite

HEADS = ("Model", "Configuration", "Level", "Bytes", "Accuracy", "Precision", "Recall", "F1",
         "Points lost or gained")  # fmt: skip
_STATE = ("recipe", "seed", "level")
_SCORES = ("weighted_precision", "weighted_recall", "weighted_f1")


def tables(summary: Summary, most: int = 4) -> list[Table]:
    """A table a task with labels, in the text view where there is one, `most` levels a sweep."""
    found = []
    for task in reading.rows(summary, "tasks"):
        rows = [row for row in reading.rows(summary, "curves") if row.get("task") == task["name"]]
        views = {row.get("view") for row in rows}
        view = "text" if "text" in views else "options"
        rows = [row for row in rows if row.get("view") == view and finite(row.get("accuracy"))]
        if rows and task.get("labels"):
            body = [_row(summary, row) for row in _shown(rows, most)]
            caption = f"{task['name']}, by {view}: one row a configuration, weighted averages"
            found.append(Table(caption, columns(HEADS), (*body, *_majority(task))))
    return found


def _shown(rows: list[Row], most: int) -> list[Row]:
    """The intact models first, then some levels of every sweep."""
    kept = [row for row in rows if row.get("level") == 0]
    kept = list({row.get("model"): row for row in kept}.values())
    sweeps: dict[tuple[Any, Any, Any], list[Row]] = {}
    for row in rows:
        if row.get("level") != 0:
            key = row.get("model"), row.get("recipe"), row.get("seed")
            sweeps.setdefault(key, []).append(row)
    for mine in sweeps.values():
        levels = reading.selected([finite(row.get("level")) for row in mine], most)
        kept += [row for row in mine if finite(row.get("level")) in levels]
    return kept


def _row(summary: Summary, row: Row) -> tuple[str, ...]:
    intact = row.get("level") == 0
    label = {model.name: model.label for model in reading.models(summary)}
    sizes = {_state(one): one.get("bytes_on_disk") for one in reading.rows(summary, "measurements")}
    metrics = row.get("metrics") or {}
    moved = metrics.get("change") or {}
    return (
        label.get(str(row.get("model")), str(row.get("model"))),
        "intact"
        if intact
        else reading.roles_of(row.get("recipe"), [row.get("seed")], reading.seeded(summary)),
        text.level(row.get("level")),
        text.size(sizes.get(_state(row))),
        text.decimal(row.get("accuracy"), 4),
        *(text.decimal((metrics.get(name) or {}).get("value"), 4) for name in _SCORES),
        text.DASH if intact else change({**moved, "difference": moved.get("value")}),
    )


def _state(row: Row) -> tuple[Any, ...]:
    """Which state of a model a row is about; the intact one is every seed's."""
    intact = row.get("level") == 0
    return row.get("model"), *([] if intact else [row.get(key) for key in _STATE])


def _majority(task: Row) -> list[tuple[str, ...]]:
    """What always saying the commonest label gets."""
    floors = task.get("floors") or {}
    scores = floors.get("majority_weighted")
    if not scores:
        return []
    return [
        (
            f"always {floors['majority_label']}", "majority baseline", text.DASH, text.DASH,
            text.decimal(floors["majority"], 4),
            *(text.decimal(scores[name], 4) for name in ("precision", "recall", "f1")), text.DASH,
        )
    ]  # fmt: skip
