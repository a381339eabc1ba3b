"""Which of the two views of a task is read first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from resect.findings.rows import OfCurve, OfPair

Row = TypeVar("Row", bound=OfCurve | OfPair)


def first_view(rows: Sequence[Row]) -> list[Row]:
    """The rows of the view read first, for each task and model (or pair) of `rows`.

    That is the text that users get, else the options.
    """
    texts = {_who(row) for row in rows if row.view == "text"}
    return [row for row in rows if row.view == "text" or _who(row) not in texts]


def _who(row: OfCurve | OfPair) -> tuple[str, ...]:
    """The task and the model or pair."""
    if isinstance(row, OfPair):
        return row.task, row.a, row.b
    return row.task, row.model
