"""Cells that a spreadsheet would take for formulas, written so that it does not, and read back.

A guarded cell has an apostrophe before it; the column `guarded` names the guarded cells of its row,
so that nothing is lost. Numbers stay as they are.
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
    numeric = pd.api.types.is_numeric_dtype
    texts = {name: table[name] for name in table.columns if not numeric(table[name])}
    at = pd.DataFrame({name: column.map(_is_formula) for name, column in texts.items()}, dtype=bool)
    if not at.any(axis=None):
        return table
    found = table.copy()
    for name, column in texts.items():
        found[name] = column.where(~at[name], "'" + column.astype(str))
    return found.assign(**{COLUMN: at.apply(lambda row: "|".join(row.index[row]), axis=1)})


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
