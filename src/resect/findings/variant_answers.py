"""Answers to variants, laid beside the answers to their questions.

Shapes: N items of a task (without its variants), in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resect.findings.encoding import filled, is_labelled
from resect.findings.frame import VIEWS, Key, TaskFrame, cells_of
from resect.record import ABSTAIN, TaskInfo, View
from resect.stats.intervals import Floats
from resect.stats.skill import MISSING, NO_ANSWER, Codes

Declined = tuple[Floats, ...]
"""Items declined, asked, declined by guessing as often as answered, and as asked, (N,) each."""


def lay_beside(frame: TaskFrame, rows: pd.DataFrame, info: TaskInfo) -> None:
    """Fill `frame.variants` and `frame.declined` from the rows of a task, its variants included.

    A variant's answer is written in its question's labels: that of the option with the same text.
    """
    if not len(rows) or not is_labelled(info):
        return
    place = {item: i for i, item in enumerate(frame.ids)}
    again = rows[rows["variant"].notna() & rows["parent"].isin(place)]
    for variant, part in again.groupby("variant", sort=True):
        _fill(frame, str(variant), part, frame.ids, info)
    for side, part in _declinable(rows, frame).items():
        for cell, members in cells_of(part):
            _decline(frame, side, cell, part.iloc[members], place)


def _fill(
    frame: TaskFrame, variant: str, rows: pd.DataFrame, ids: tuple[str, ...], info: TaskInfo
) -> None:
    place = {item: i for i, item in enumerate(ids)}
    labels = {label: code for code, label in enumerate(info.labels)}
    texts = frame.options
    at = rows["parent"].map(place).to_numpy()
    own = list(rows["options"]) if "options" in rows else [None] * len(rows)
    table = frame.variants.setdefault(variant, {})
    for view, column, asked in _views(rows):
        codes = np.full(len(rows), NO_ANSWER, dtype=np.int8)
        for number, (item, answer, options) in enumerate(zip(at, rows[column], own, strict=True)):
            codes[number] = labels.get(_meant(answer, options, texts[item]) or "", NO_ANSWER)
        for cell, members in cells_of(rows):
            here = members[asked[members]]
            if len(here):
                row = np.full(len(ids), MISSING, dtype=np.int8)
                row[at[here]] = codes[here]
                table[cell._replace(view=view)] = row


def _views(rows: pd.DataFrame) -> list[tuple[View, str, NDArray[np.bool_]]]:
    """View, column of its answers, and which rows were asked in it."""
    answered = (rows["answer"].notna() | filled(rows["outcome"])).to_numpy(dtype=bool)
    scored = rows["option_scores"].notna().to_numpy(dtype=bool)
    return [(VIEWS[0], "answer", answered), (VIEWS[1], "chosen", scored)]


def _meant(
    answer: str | None, options: Mapping[str, str] | None, own: Mapping[str, str] | None
) -> str | None:
    """The question's label for what a variant answered."""
    if answer is None or not isinstance(options, Mapping) or not own or answer not in options:
        return answer
    text = options[answer]
    return next((label for label, other in own.items() if other == text), None)


def _declinable(rows: pd.DataFrame, frame: TaskFrame) -> dict[str, pd.DataFrame]:
    """Rows that offered to abstain: where that is right, and where there is an answer."""
    if "meant" not in rows:
        return {}
    offered = rows["meant"].map(lambda m: isinstance(m, Sequence) and ABSTAIN in m)
    offered &= rows["variant"].isna() | (rows["variant"] == "unsure")
    unanswerable = rows["gold"] == ABSTAIN
    return {
        "unanswerable": rows[offered & unanswerable],
        "answerable": rows[offered & ~unanswerable],
    }


def _decline(
    frame: TaskFrame, side: str, cell: Key, rows: pd.DataFrame, place: Mapping[str, int]
) -> None:
    own = rows["parent"].where(rows["variant"].notna(), rows["item_id"])
    known = own.isin(place).to_numpy(dtype=bool)
    at = own[known].map(place).to_numpy()
    chance = rows["meant"].map(lambda m: m.count(ABSTAIN) / len(m)).to_numpy(dtype=float)
    for view, column, asked in _views(rows):
        here = asked[known]
        if not here.any():
            continue
        declines = (rows[column] == ABSTAIN).to_numpy(dtype=bool)
        if view == "text":
            declines = declines | (rows["outcome"] == "refusal").to_numpy(dtype=bool)
        answered = declines | rows[column].notna().to_numpy(dtype=bool)
        counts = declines, np.ones(len(rows)), answered * chance, chance
        sums = tuple(
            np.bincount(at[here], x[known][here], len(place)).astype(float) for x in counts
        )
        frame.declined.setdefault(side, {})[cell._replace(view=view)] = sums


def coded(frame: TaskFrame, variant: str, keys: tuple[Key, ...]) -> Codes | None:
    """Answers (L, N) to a variant at every level of a curve; None where it was not asked."""
    table = frame.variants.get(variant, {})
    if not any(key in table for key in keys):
        return None
    empty = np.full(len(frame.items), MISSING, dtype=np.int8)
    return np.stack([table.get(key, empty) for key in keys])
