"""Which of the two views of a task is read first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from resect.findings.rows import OfCurve, OfPair

Row = TypeVar("Row", OfCurve, OfPair)


def first_view(rows: Sequence[Row]) -> Callable[[Row], bool]:
    """Tells the rows of the view read first, for each task and model (or pair) of `rows`.

    That is the text that users get, else the options.
    """
    text = {_who(row) for row in rows if row.view == "text"}
    return lambda row: row.view == "text" or _who(row) not in text


def _who(row: OfCurve | OfPair) -> tuple[str, ...]:
    """The task and the model or pair."""
    if isinstance(row, OfPair):
        return row.task, row.a, row.b
    return row.task, row.model
