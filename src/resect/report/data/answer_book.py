"""The answers that a page carries: questions once, texts once, and a number for everything else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from resect.report.formatting import LIMIT

MOST = 150_000
"""The most answers in a page; of more, each task has its first items only."""

COLUMNS = ("model", "recipe", "seed", "level", "task")
"""What names a cell."""


def answer_book(answers: pd.DataFrame) -> dict[str, Any] | None:
    """Every answer as columns of whole numbers that point into lists; None where there are none.

    `items` and `cells` are lists of rows; `answers` has for each answer its cell, item, text,
    label, outcome, likeliest option (-1: none), and what it scored (null: nothing to score). A text
    is cut at `LIMIT` characters, `lengths` then has its whole length. `of` is how many items there
    were where some were left out.
    """
    rows = answers[answers["variant"].isna()]
    if not len(rows):
        return None
    whole = rows[["task", "item"]].drop_duplicates()
    rows = _first_items(rows, whole)
    rows = rows.assign(level=rows["level"].astype(object).where(rows["level"].notna(), None))
    cells, cell_names = _numbered(list(rows[list(COLUMNS)].itertuples(index=False, name=None)))
    items, _ = _numbered(list(zip(rows["task"], rows["item"], strict=True)))
    firsts = rows[~rows[["task", "item"]].duplicated()]
    texts, every_text = _numbered(_plain(rows["text"]))
    labels, every_label = _numbered(_plain(rows["answer"]))
    chosen, every_chosen = _numbered(_plain(rows["chosen"]))
    outcomes, every_outcome = _numbered(_plain(rows["outcome"]))
    shown = firsts[["task", "item_id", "gold", "prompt"]]
    keys = list(shown.columns)
    return {
        "items": [dict(zip(keys, map(_none, row), strict=True)) for row in shown.to_numpy()],
        "cells": [dict(zip(COLUMNS, map(_number, row), strict=True)) for row in cell_names],
        "texts": [text[:LIMIT] if isinstance(text, str) else text for text in every_text],
        "lengths": {
            str(i): len(text) for i, text in enumerate(every_text)
            if isinstance(text, str) and len(text) > LIMIT
        },
        "labels": every_label, "options": every_chosen, "outcomes": every_outcome,
        "answers": {
            "cell": cells, "item": items, "text": texts, "label": labels, "option": chosen,
            "outcome": outcomes, "score": _plain(rows["score"]),
        },
        "of": None if len(firsts) == len(whole) else len(whole),
    }  # fmt: skip


def _first_items(rows: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    """All rows, or those of as many items a task as a page can carry."""
    if len(rows) <= MOST:
        return rows
    per_item = len(rows) / len(whole)
    each = max(1, int(MOST / per_item / whole["task"].nunique()))
    kept = whole.groupby("task", sort=False).head(each)
    return rows[rows["item"].isin(set(kept["item"]))]


def _numbered(values: Sequence[Any]) -> tuple[list[int], list[Any]]:
    """Each value as its place among the distinct ones, and those."""
    places: dict[Any, int] = {}
    numbers = [places.setdefault(value, len(places)) for value in values]
    return numbers, list(places)


def _plain(column: pd.Series[Any]) -> list[Any]:
    return [_none(value) for value in column.tolist()]


def _none(value: Any) -> Any:
    """None for what is missing."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: Any) -> Any:
    """A number of numpy as Python's."""
    value = value.item() if hasattr(value, "item") else value
    return _none(value)
