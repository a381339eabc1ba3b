"""All rows of an item with the same labels and texts, in the order of the task's labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.recorded.row import Recorded

SHARED = ("labels", "choices", "options", "means")


def aligned(rows: Sequence[Recorded], tasks: Mapping[str, TaskInfo]) -> list[Recorded]:
    """Option scores and choices in the order of the task's labels, as every analysis reads them.

    What one row of an item says of labels, choices and options holds for the rows that do not say
    it. Raises `RequestError` where labels cannot be mapped.
    """
    ordered = [_ordered(row, tasks[row.task]) for row in rows]
    known: dict[tuple[str, str], Recorded] = {}
    for row in ordered:
        key = (row.task, row.item)
        known[key] = _joined(known[key], row) if key in known else row
    shared = {key: {n: getattr(whole, n) for n in SHARED} for key, whole in known.items()}
    return [replace(row, **shared[row.task, row.item]) for row in ordered]


def named(gold: str, labels: Sequence[str]) -> str | None:
    """The label that a gold answer means: itself, else the only one that differs in case."""
    if gold in labels:
        return gold
    near = [label for label in labels if label.casefold() == gold.strip().casefold()]
    return near[0] if len(near) == 1 else None


def _ordered(row: Recorded, info: TaskInfo) -> Recorded:
    if info.kind != "label" or not info.labels:
        return row
    gold = named(row.gold, row.labels or info.labels) or row.gold
    row = row if gold == row.gold else replace(row, gold=gold)
    if row.labels == info.labels or not row.labels:
        return row
    lacking = [label for label in row.labels if label not in info.labels]
    if lacking and row.variant is None:  # which may have one more
        raise RequestError(
            f"{row.source}: item {row.item} has the label {lacking[0]}, which {info.name} has not "
            f"({', '.join(info.labels)}): give all rows the same labels."
        )
    place = {label: i for i, label in enumerate((*info.labels, *lacking))}
    order = sorted(range(len(row.labels)), key=lambda i: place[row.labels[i]])
    return row if order == sorted(order) else _reordered(row, order)


def _reordered(row: Recorded, order: Sequence[int]) -> Recorded:
    moved: dict[str, Any] = {
        name: tuple(values[i] for i in order)
        for name in ("labels", "choices", "option_scores")
        if (values := getattr(row, name))
    }
    return replace(row, **moved)


def _joined(first: Recorded, other: Recorded) -> Recorded:
    """The first row of an item, with what it does not say from another one."""
    if first.labels and other.labels and first.labels != other.labels:
        raise RequestError(
            f"{other.source}: item {other.item} of {other.task} has labels "
            f"{'/'.join(other.labels)}, elsewhere {'/'.join(first.labels)}: the files do not ask "
            "the same questions."
        )
    lacking = {n: getattr(other, n) for n in SHARED if not getattr(first, n) and getattr(other, n)}
    return replace(first, **lacking) if lacking else first
