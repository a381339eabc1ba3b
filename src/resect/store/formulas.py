"""CSV cells that a spreadsheet would compute: guarded when written, restored when read.

A guarded cell starts with an apostrophe. The column `guarded` names the guarded cells of its row,
so nothing is lost. Numbers stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

COLUMN = "guarded"

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def guarded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with no cell that a spreadsheet would compute; the column only where one was."""
    guard = table.map(_is_formula)
    if not guard.any(axis=None):
        return table
    result = table.copy()
    for name in table.columns[guard.any()]:
        result[name] = table[name].where(~guard[name], "'" + table[name].astype(str))
    return result.assign(**{COLUMN: guard.apply(lambda row: "|".join(row.index[row]), axis=1)})


def unguarded(row: Mapping[str, str]) -> dict[str, str]:
    """A row of such a table as it was before."""
    names = set(row.get(COLUMN, "").split("|"))
    return {k: v.removeprefix("'") if k in names else v for k, v in row.items()}


def _is_formula(value: Any) -> bool:
    return (
        isinstance(value, str)
        and _FORMULA.match(value) is not None
        and _NUMBER.fullmatch(value) is None
    )
