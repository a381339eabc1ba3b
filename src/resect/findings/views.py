"""Which of the two views of a task is read first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def first_view(rows: Sequence[Row]) -> Callable[[Row], bool]:
    """Tells the rows of the view read first, for each task and model (or pair) of `rows`.

    That is the text that users get, else the options.
    """

    def of(row: Row) -> tuple[Any, ...]:
        return tuple(row.get(key) for key in ("task", "model", "a", "b"))

    text = {of(row) for row in rows if row["view"] == "text"}
    return lambda row: row["view"] == "text" or of(row) not in text
