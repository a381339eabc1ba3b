"""Rows of answers to arrays: codes of each view, option probabilities, parts, shares of outcomes.

Shapes: one entry a row of the answers of one task, K labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resect.record import OUTCOMES, TaskInfo, View
from resect.stats.intervals import Floats
from resect.stats.skill import NO_ANSWER, Codes

ALWAYS = OUTCOMES[:5]
Singles = NDArray[np.float32]
Asked = tuple[Codes, NDArray[np.bool_]]
"""Codes of one view and whether each row was asked in it."""


def is_labelled(info: TaskInfo) -> bool:
    """Whether answers are labels of a fixed set."""
    return info.kind == "label" and len(info.labels) > 1


Meant = tuple[str, ...]
"""What the options of one item count as, in their order: labels of the task."""


def meant_by(rows: pd.DataFrame, labels: Meant) -> list[Meant]:
    """What the options of each row's item count as; the task's labels where it is not said."""
    if "meant" not in rows:
        return [labels] * len(rows)
    return [tuple(row) if isinstance(row, Sequence) and row else labels for row in rows["meant"]]


def probabilities(scores: Sequence[Any], meant: Sequence[Meant], labels: Meant) -> Singles:
    """Probabilities of the K labels of each row, (rows, K), from sums of log-probabilities.

    A softmax over the options of the row's own item, each added to the label that it counts as: an
    item may have fewer options than the task has labels, and several that are right. NaN for a
    row without a finite score for each of its options.
    """
    found = np.full((len(scores), len(labels)), np.nan, dtype=np.float32)
    place = {label: column for column, label in enumerate(labels)}
    groups: dict[Meant, list[int]] = {}
    for number, (row, options) in enumerate(zip(scores, meant, strict=True)):
        known = row is not None and np.size(row) == len(options)
        if known and place.keys() >= set(options):
            groups.setdefault(options, []).append(number)
    for options, members in groups.items():
        table = np.array([scores[i] for i in members], dtype=float)
        table[~np.isfinite(table).all(axis=1)] = np.nan
        with np.errstate(all="ignore"):
            raised = np.exp(table - table.max(axis=1, keepdims=True))
            each = raised / raised.sum(axis=1, keepdims=True)
        spread = np.repeat(0.0 * each[:, :1], len(labels), axis=1)  # NaN stays NaN
        for column, label in enumerate(options):
            spread[:, place[label]] += each[:, column]
        found[members] = spread
    return found


def codes_of(rows: pd.DataFrame, info: TaskInfo) -> dict[View, Asked]:
    """Codes of each view and whether the view was asked, both one per row.

    A row was asked by text where it has an answer, an outcome or any text at all; a row with an
    empty text and nothing else was asked too, and is silent, unless it was asked by options.
    Scores that are not all finite choose nothing: asked, without an answer.
    """
    scored = rows["chosen"].notna() | rows["option_scores"].notna()
    said = rows["answer"].notna() | filled(rows["outcome"]) | filled(rows["text"])
    said |= rows["text"].notna() & ~scored
    if info.kind == "score":
        broken = _broken(rows["option_scores"])
        return {"options": (np.where(broken, NO_ANSWER, 1).astype(np.int8), scored.to_numpy(bool))}
    if not is_labelled(info):
        return {"text": _graded(rows, (said | rows["score"].notna()).to_numpy(dtype=bool))}
    place = {label: code for code, label in enumerate(info.labels)}

    def coded(column: str) -> Codes:
        found = rows[column].map(place).astype(float).fillna(NO_ANSWER)
        return np.asarray(found.to_numpy(), dtype=np.int8)

    chosen = np.where(_broken(rows["option_scores"]), NO_ANSWER, coded("chosen"))
    return {
        "text": (coded("answer"), said.to_numpy(dtype=bool)),
        "options": (chosen.astype(np.int8), scored.to_numpy(dtype=bool)),
    }


def _graded(rows: pd.DataFrame, said: NDArray[np.bool_]) -> Asked:
    """0 for a score of 1, 1 for anything less, `NO_ANSWER` where a read text held no answer."""
    right = rows["score"].fillna(0.0) == 1.0
    silent = rows["answer"].isna() & filled(rows["outcome"]) & ~right
    codes = np.where(silent, NO_ANSWER, np.where(right, 0, 1))
    return codes.astype(np.int8), said


def parts_of(rows: pd.DataFrame) -> dict[str, Floats]:
    """Every part that any row has, one per row, NaN where it has none; the `score` always.

    No score is 0: a text that was asked for and held nothing earned nothing.
    """
    kept = rows["parts"] if "parts" in rows else pd.Series([None] * len(rows))
    given = [row if isinstance(row, Mapping) else {} for row in kept]
    names = sorted({str(name) for row in given for name in row})
    found = {
        name: np.array([row.get(name, np.nan) for row in given], dtype=float) for name in names
    }
    return {"score": rows["score"].fillna(0.0).to_numpy(dtype=float), **found}


def _broken(scores: pd.Series) -> NDArray[np.bool_]:
    """Rows with option scores of which at least one is not finite."""
    return np.array(
        [
            isinstance(row, Sequence | np.ndarray)
            and not np.isfinite(np.asarray(row, dtype=float)).all()
            for row in scores
        ],
        dtype=bool,
    )


def filled(column: pd.Series) -> pd.Series:
    """Which entries are there and not the empty text."""
    return column.notna() & (column != "")


def shares(outcomes: pd.Series) -> dict[str, float]:
    """Share of each outcome, the five plain ones always; {} where none was recorded."""
    known = outcomes[filled(outcomes)]
    if not len(known):
        return {}
    counts = known.value_counts()
    names = [*ALWAYS, *sorted(str(n) for n in counts.index if n not in ALWAYS)]
    return {name: float(counts.get(name, 0) / len(known)) for name in names}


def ends(rows: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Texts that only the token limit ended, and those of them that are degenerate, per row.

    {} where it was not recorded why generation stopped.
    """
    if "stopped" not in rows or not filled(rows["stopped"]).any():
        return {}
    cut = (rows["stopped"] == "length").to_numpy(dtype=bool)
    return {"cut_off": cut, "trapped": cut & (rows["outcome"] == "degenerate").to_numpy(dtype=bool)}
