"""Rows of answers to aligned matrices: one `TaskFrame` per task, all its cells over its items.

Shapes: N items of a task (sorted by item id), K labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resect.analysis.skill import MISSING, NO_ANSWER, Codes, encode
from resect.record import OUTCOMES, TaskInfo, View

VIEWS: tuple[View, ...] = ("text", "options")
ALWAYS = OUTCOMES[:5]
UNSWEPT = -1.0
"""Stands for a level of null while grouping."""

Level = float | None
Singles = NDArray[np.float32]


class Key(NamedTuple):
    """One cell in one view."""

    model: str
    treatment: str
    seed: int
    level: Level
    view: View


@dataclass(frozen=True)
class TaskFrame:
    """Everything answered on one task. `codes[key]` is (N,), `gold` (N,).

    Tasks that are not of kind `label` have no labels: their codes are 0 right and 1 wrong, the
    gold is 0 throughout, and only counts and accuracy are read from them.

    `probabilities[key]` is (N, K): the softmax of the option scores, NaN where an item has none;
    only cells of the options view have it. `ids` and `tags` are per item.
    """

    name: str
    labels: tuple[str, ...]
    items: tuple[str, ...]
    clusters: tuple[str, ...]
    gold: Codes
    codes: dict[Key, Codes] = field(default_factory=dict)
    outcomes: dict[Key, dict[str, float]] = field(default_factory=dict)
    probabilities: dict[Key, Singles] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    tags: tuple[Mapping[str, str], ...] = ()

    @cached_property
    def cluster(self) -> NDArray[np.intp]:
        """The number of each item's cluster, (N,)."""
        return np.unique(np.asarray(self.clusters, dtype=str), return_inverse=True)[1]

    def views(self, model: str | None = None) -> tuple[View, ...]:
        """The views that this task (or this model on it) was asked in."""
        found = {k.view for k in self.codes if model is None or k.model == model}
        return tuple(v for v in VIEWS if v in found)


def clean_level(treatment: str, level: Any) -> Level:
    """An exact level: 0.0 for the baseline, None where nothing is swept."""
    if treatment == "none":
        return 0.0
    return None if level is None or pd.isna(level) else round(float(level), 6)


def frames(
    answers: pd.DataFrame, tasks: dict[str, TaskInfo]
) -> tuple[dict[str, TaskFrame], list[str]]:
    """One frame per task, and sentences on what was left out. Variants are not read here."""
    warnings: list[str] = []
    found = {}
    for name, info in tasks.items():
        rows = answers[answers["task"] == name] if len(answers) else answers
        if len(rows):
            rows = rows[rows["variant"].isna()]
        is_label = info.kind == "label" and len(info.labels) > 1
        if is_label:
            rows = _with_gold(rows, info, warnings)
        elif len(rows) and not rows["score"].dropna().isin([0.0, 1.0]).all():
            warnings.append(f"{name}: scores between 0 and 1 are not analysed yet.")
            rows = rows.iloc[:0]
        found[name] = _frame(rows, info, is_label, warnings)
    return found, warnings


def _with_gold(rows: pd.DataFrame, info: TaskInfo, warnings: list[str]) -> pd.DataFrame:
    if not len(rows):
        return rows
    known = rows["gold"].isin(info.labels)
    lost = rows.loc[~known, "item"].nunique()
    if lost:
        labels = "/".join(info.labels)
        warnings.append(f"{info.name}: {lost} items without a gold label in {labels} left out.")
    return rows[known]


def _frame(rows: pd.DataFrame, info: TaskInfo, is_label: bool, warnings: list[str]) -> TaskFrame:
    labels = info.labels if is_label else ()
    if not len(rows):
        return TaskFrame(info.name, labels, (), (), np.zeros(0, dtype=np.int8))
    first = rows.drop_duplicates("item").sort_values(["item_id", "item"])
    items = tuple(map(str, first["item"]))
    clusters = tuple(map(str, first["parent"].where(first["parent"].notna(), first["item_id"])))
    gold = encode(list(first["gold"]), labels) if is_label else np.zeros(len(items), dtype=np.int8)
    ids = tuple(map(str, first["item_id"]))
    frame = TaskFrame(info.name, labels, items, clusters, gold, ids=ids, tags=_tags(first["tags"]))
    place = rows["item"].astype(str).map({item: i for i, item in enumerate(items)}).to_numpy()
    columns = _codes(rows, labels)
    chances = softmax(list(rows["option_scores"]), len(labels)) if labels else None
    levels = rows["level"].astype(float).round(6).fillna(UNSWEPT)
    levels = levels.where(rows["treatment"] != "none", 0.0)
    groups = rows.assign(level=levels).groupby(["model", "treatment", "seed", "level"], sort=False)
    for group, members in groups.indices.items():
        model, treatment, seed, level = cast(tuple[str, str, int, float], group)
        at = np.asarray(members, dtype=np.intp)
        where = None if level == UNSWEPT else float(level)
        at = _once(at, place, f"{info.name}, {model}, {treatment} at {where}", warnings)
        for view, (codes, seen) in columns.items():
            if not seen[at].any():
                continue
            key = Key(str(model), str(treatment), int(seed), where, view)
            row = np.full(len(items), MISSING, dtype=np.int8)
            here = at[seen[at]]  # a row that lacks this view was not asked in it
            row[place[here]] = codes[here]
            frame.codes[key] = row
            if view == "text":
                frame.outcomes[key] = _shares(rows["outcome"].iloc[at])
            elif chances is not None and not np.isnan(chances[at]).all():
                spread = np.full((len(items), len(labels)), np.nan, dtype=np.float32)
                spread[place[at]] = chances[at]
                frame.probabilities[key] = spread
    return frame


def _tags(column: pd.Series) -> tuple[Mapping[str, str], ...]:
    return tuple(tags if isinstance(tags, Mapping) else {} for tags in column)


def softmax(scores: Sequence[Any], k: int) -> Singles:
    """Probabilities of the K options of each row, (rows, K), from sums of log-probabilities.

    NaN for a row without K finite scores. The scores stand in the order of the task's labels.
    """
    table = np.full((len(scores), k), np.nan)
    known = [i for i, row in enumerate(scores) if row is not None and np.size(row) == k]
    if known:
        table[known] = np.array([scores[i] for i in known], dtype=float)
    table[~np.isfinite(table).all(axis=1)] = np.nan
    with np.errstate(all="ignore"):
        raised = np.exp(table - table.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


def _once(
    at: NDArray[np.intp], place: NDArray[Any], where: str, warnings: list[str]
) -> NDArray[np.intp]:
    """The first row of each item; a warning where an item was answered twice in one cell."""
    _, first = np.unique(place[at], return_index=True)
    if len(first) < len(at):
        warnings.append(f"{where}: {len(at) - len(first)} repeated items left out, first kept.")
    return at[np.sort(first)]


def _codes(
    rows: pd.DataFrame, labels: tuple[str, ...]
) -> dict[View, tuple[Codes, NDArray[np.bool_]]]:
    """Codes of each view and whether the view was asked, both one per row.

    A row was asked by text where it has an answer, an outcome or any text at all; a row with an
    empty text and nothing else was asked too, and is silent, unless it was asked by options.
    Scores that are not all finite choose nothing: asked, without an answer.
    """
    scored = rows["chosen"].notna() | rows["option_scores"].notna()
    said = rows["answer"].notna() | _filled(rows["outcome"]) | _filled(rows["text"])
    said |= rows["text"].notna() & ~scored
    if not labels:
        wrong = (rows["score"].fillna(0.0) != 1.0).to_numpy().astype(np.int8)
        return {"text": (wrong, (said | rows["score"].notna()).to_numpy(dtype=bool))}
    place = {label: code for code, label in enumerate(labels)}

    def coded(column: str) -> Codes:
        found = rows[column].map(place).astype(float).fillna(NO_ANSWER)
        return np.asarray(found.to_numpy(), dtype=np.int8)

    return {
        "text": (coded("answer"), said.to_numpy(dtype=bool)),
        "options": (
            np.where(_broken(rows["option_scores"]), NO_ANSWER, coded("chosen")).astype(np.int8),
            scored.to_numpy(dtype=bool),
        ),
    }


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


def _filled(column: pd.Series) -> pd.Series:
    return column.notna() & (column != "")


def _shares(outcomes: pd.Series) -> dict[str, float]:
    """Share of each outcome, the five plain ones always; {} where none was recorded."""
    known = outcomes[_filled(outcomes)]
    if not len(known):
        return {}
    counts = known.value_counts()
    names = [*ALWAYS, *sorted(str(n) for n in counts.index if n not in ALWAYS)]
    return {name: float(counts.get(name, 0) / len(known)) for name in names}
