"""Rows of answers to aligned matrices: one `TaskFrame` per task, all its cells over its items.

Shapes: N items of a task (sorted by item id), K labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resect.findings.encoding import (
    Meant,
    codes_of,
    ends,
    is_labelled,
    meant_by,
    parts_of,
    probabilities,
    shares,
)
from resect.findings.part_metrics import SCORE, Metric, headline
from resect.record import TRANSFORMERS, Kind, TaskInfo, View
from resect.stats.intervals import Floats, Singles
from resect.stats.skill import MISSING, Codes, encode

VIEWS: tuple[View, ...] = ("text", "options")
UNSWEPT = -1.0
"""Stands for a level of null while grouping."""

Level = float | None
Scalar = TypeVar("Scalar", bound=np.generic)


class Key(NamedTuple):
    """One cell in one view; the intact model is a cell in every runtime that it was asked in."""

    model: str
    recipe: str
    seed: int
    level: Level
    view: View
    runtime: str = TRANSFORMERS


@dataclass(frozen=True)
class TaskFrame:
    """Everything answered on one task. `codes[key]` is (N,), `gold` (N,).

    Tasks that are not of kind `label` have no labels: their codes are 0 right (a score of 1), 1
    anything less and `NO_ANSWER`, the gold is 0 throughout, and `parts[key]` has what their
    metrics are made of, (N,) each, the `score` among them. `headline` is the metric that skill,
    areas and the verdict are of; `graded` says that items can be right in part, so that nothing
    that counts right and wrong items is defined.

    `probabilities[key]` is (N, K): the softmax of the option scores, NaN where an item has none;
    only cells of the options view have it. `meant` says what the options of each item count as,
    (N,) tuples of labels: items may have different numbers of options. `ends[key]` are the texts
    that only the token limit ended (`cut_off`) and the degenerate ones of these (`trapped`), (N,)
    each. `likely[key]` are the likeliest tokens of each item as stored (text view), None where
    they were not told. `ids`, `tags` and `options` are per item. What `lay_beside` adds:
    `variants[name][key]` are the codes of a variant's answers at their questions' places,
    `declined[side][key]` the counts of `variants.Declined` on the side that has no answer or the
    one that has.
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
    kind: Kind = "label"
    primary: str = "accuracy"
    headline: Metric | None = None
    graded: bool = False
    parts: dict[Key, dict[str, Floats]] = field(default_factory=dict)
    ends: dict[Key, dict[str, NDArray[np.bool_]]] = field(default_factory=dict)
    likely: dict[Key, NDArray[np.object_]] = field(default_factory=dict)
    meant: tuple[Meant, ...] = ()
    options: tuple[Mapping[str, str] | None, ...] = ()
    variants: dict[str, dict[Key, Codes]] = field(default_factory=dict)
    declined: dict[str, dict[Key, tuple[Floats, ...]]] = field(default_factory=dict)

    @property
    def skilled(self) -> bool:
        """Whether there is a skill, 0 for a model without knowledge (perplexity has none)."""
        return bool(self.labels) or self.headline is not None

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """How many options each item has, (N,)."""
        every = self.meant or (self.labels,) * len(self.items)
        return np.array([len(options) for options in every], dtype=np.intp)

    @cached_property
    def guessed(self) -> Floats:
        """How likely a guess among an item's own options is right, (N,)."""
        every = self.meant or (self.labels,) * len(self.items)
        right = [options.count(self.labels[g]) for options, g in zip(every, self.gold, strict=True)]
        return np.asarray(np.array(right, dtype=float) / np.maximum(self.sizes, 1))

    @cached_property
    def cluster(self) -> NDArray[np.intp]:
        """The number of each item's cluster, (N,)."""
        return np.unique(np.asarray(self.clusters, dtype=str), return_inverse=True)[1]

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The runtimes that this task was asked in."""
        return tuple(sorted({key.runtime for key in self.codes}))

    def views(self, model: str | None = None) -> tuple[View, ...]:
        """The views that this task (or this model on it) was asked in."""
        views = {k.view for k in self.codes if model is None or k.model == model}
        return tuple(v for v in VIEWS if v in views)


def clean_level(recipe: str, level: Level) -> Level:
    """An exact level: 0.0 for the baseline, None where nothing is swept."""
    if recipe == "none":
        return 0.0
    return None if level is None or pd.isna(level) else round(float(level), 6)


def frames(
    answers: pd.DataFrame, tasks: Mapping[str, TaskInfo]
) -> tuple[dict[str, TaskFrame], list[str]]:
    """One frame per task, and sentences on what was left out. Variants are not read here."""
    warnings: list[str] = []
    by_task = {}
    for name, info in tasks.items():
        rows = answers[answers["task"] == name] if len(answers) else answers
        if len(rows):
            rows = rows[rows["variant"].isna()]
        by_task[name] = _frame(_with_gold(rows, info, warnings), info, warnings)
    return by_task, warnings


def _with_gold(rows: pd.DataFrame, info: TaskInfo, warnings: list[str]) -> pd.DataFrame:
    if not len(rows) or not is_labelled(info):
        return rows
    known = rows["gold"].isin(info.labels)
    lost = rows.loc[~known, "item"].nunique()
    if lost:
        labels = "/".join(info.labels)
        warnings.append(f"{info.name}: {lost} items without a gold label in {labels} left out.")
    return rows[known]


def _frame(rows: pd.DataFrame, info: TaskInfo, warnings: list[str]) -> TaskFrame:
    labels = info.labels if is_labelled(info) else ()
    if not len(rows):
        return TaskFrame(info.name, labels, (), (), np.zeros(0, dtype=np.int8), kind=info.kind)
    first = rows.drop_duplicates("item").sort_values(["item_id", "item"])
    items = tuple(map(str, first["item"]))
    parts = {} if labels else parts_of(rows)
    main = None if labels or info.kind == "score" else headline(info.primary, parts)
    fractions = not np.isin(parts["score"], (0.0, 1.0)).all() if main is SCORE else True
    frame = TaskFrame(
        info.name,
        labels,
        items,
        tuple(map(str, first["parent"].where(first["parent"].notna(), first["item_id"]))),
        encode(list(first["gold"]), labels) if labels else np.zeros(len(items), dtype=np.int8),
        ids=tuple(map(str, first["item_id"])),
        tags=tuple(tags if isinstance(tags, Mapping) else {} for tags in first["tags"]),
        kind=info.kind,
        primary=info.primary,
        headline=main,
        graded=main is not None and fractions,
        meant=tuple(meant_by(first, labels)) if labels else (),
        options=_options(first),
    )
    _fill(frame, rows, info, parts, warnings)
    return frame


def _fill(
    frame: TaskFrame,
    rows: pd.DataFrame,
    info: TaskInfo,
    parts: Mapping[str, Floats],
    warnings: list[str],
) -> None:
    """Put the rows of every cell into their places."""
    n, labels = len(frame.items), frame.labels
    place = rows["item"].astype(str).map({item: i for i, item in enumerate(frame.items)})
    at_item = np.asarray(place.to_numpy(), dtype=np.intp)
    columns, ended = codes_of(rows, info), ends(rows)
    likely = rows["likely"].to_numpy() if "likely" in rows else None
    chances = None
    if labels:
        chances = probabilities(list(rows["option_scores"]), meant_by(rows, labels), labels)
    for cell, members in cells_of(rows):
        where = f"{info.name}, {cell.model}, {cell.recipe} at {cell.level}"
        at = _once(members, at_item, where, warnings)
        if likely is not None:
            frame.likely[cell] = np.full(n, None, dtype=object)
            frame.likely[cell][at_item[at]] = likely[at]
        for view, (codes, seen) in columns.items():
            asked = at[seen[at]]  # a row that lacks this view was not asked in it
            if not len(asked):
                continue
            key, items = cell._replace(view=view), at_item[asked]
            frame.codes[key] = _spread(codes, asked, items, n, MISSING)
            if not labels:
                frame.parts[key] = {
                    part: _spread(x, asked, items, n, np.nan) for part, x in parts.items()
                }
            if view == "text":
                frame.outcomes[key] = shares(rows["outcome"].iloc[at])
                frame.ends[key] = {
                    end: _spread(x, asked, items, n, False) for end, x in ended.items()
                }
            elif chances is not None and not np.isnan(chances[at]).all():
                spread = np.full((n, len(labels)), np.nan, dtype=np.float32)
                spread[at_item[at]] = chances[at]
                frame.probabilities[key] = spread


def _options(first: pd.DataFrame) -> tuple[Mapping[str, str] | None, ...]:
    if "options" not in first:
        return (None,) * len(first)
    return tuple(x if isinstance(x, Mapping) else None for x in first["options"])


def _spread(
    values: NDArray[Scalar],
    rows: NDArray[np.intp],
    places: NDArray[np.intp],
    n: int,
    blank: float,
) -> NDArray[Scalar]:
    """The values of some rows at their items' places, (N,), `blank` elsewhere."""
    spread = np.full(n, blank, dtype=values.dtype)
    spread[places] = values[rows]
    return spread


def cells_of(rows: pd.DataFrame) -> Iterator[tuple[Key, NDArray[np.intp]]]:
    """Every cell among the rows, with the positions of its rows; the view is left at text."""
    levels = rows["level"].astype(float).round(6).fillna(UNSWEPT)
    levels = levels.where(rows["recipe"] != "none", 0.0)
    runtimes = rows.get("runtime", TRANSFORMERS)
    names = ["model", "recipe", "seed", "level", "runtime"]
    groups = rows.assign(level=levels, runtime=runtimes).groupby(names, sort=False)
    for group, members in groups.indices.items():
        model, recipe, seed, level, runtime = cast(tuple[str, str, int, float, str], group)
        where = None if level == UNSWEPT else float(level)
        key = Key(str(model), str(recipe), int(seed), where, "text", str(runtime))
        yield key, np.asarray(members, dtype=np.intp)


def _once(
    at: NDArray[np.intp], place: NDArray[np.intp], where: str, warnings: list[str]
) -> NDArray[np.intp]:
    """The first row of each item; a warning where an item was answered twice in one cell."""
    _, first = np.unique(place[at], return_index=True)
    if len(first) < len(at):
        warnings.append(f"{where}: {len(at) - len(first)} repeated items left out, first kept.")
    return at[np.sort(first)]
