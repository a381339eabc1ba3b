"""Sentences on what is missing: cells that went wrong, views, levels, items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from resect.findings.curve_rows import States
from resect.findings.curves import Curve, damage, say
from resect.findings.frame import Level, TaskFrame
from resect.findings.planned import CellRow
from resect.record import TaskInfo

MUTE = 0.2
"""With no answer in more than this share of an intact model's texts, advice is given."""

_NOT_RUN = "missing"
"""The status of a planned cell that has no row: it has not failed, it was not run."""


def cell_warnings(cells: Sequence[CellRow]) -> list[str]:
    """What was not run, as one count, and a sentence for each run of degraded or failed cells."""
    groups: dict[tuple[str, str, str, str, str | None], list[Level]] = defaultdict(list)
    for cell in cells:
        if str(cell.status) not in ("success", "skipped", _NOT_RUN):
            key = (cell.model, cell.recipe, cell.task, cell.status, cell.reason)
            groups[key].append(cell.level)
    left = sum(str(cell.status) == _NOT_RUN for cell in cells)
    partial = f"partial: {len(cells) - left} of {len(cells)} cells; the others were not run yet."
    return [partial] * (left > 0) + [
        f"{model}, {recipe} on {task}: {status} at "
        f"{_listed(sorted(set(levels), key=damage))} ({reason or 'no reason'})."
        for (model, recipe, task, status, reason), levels in groups.items()
    ]


def curve_warnings(
    frame: TaskFrame, curves: Sequence[Curve], states: States, uneven: bool = True
) -> list[str]:
    """A sentence for each missing view, missing level and lone cluster.

    `uneven`: also for each set of items that differs between levels, as those of looks do.
    """
    lines = [*_of_items(frame), *_of_views(frame, curves)]
    for curve in curves:
        lines += _of_curve(curve, states, uneven)
    return lines


def unanswered(info: TaskInfo, answers: pd.DataFrame) -> list[str]:
    """A sentence of advice for each intact model that gives no answer in over a fifth of texts."""
    if info.kind == "score" or not len(answers):
        return []
    texts = answers[(answers["recipe"] == "none") & (answers["outcome"] != "")]
    texts = texts[texts["variant"].isna()]
    turns = "chat template" in info.protocol
    advice = "more worked examples (--num_fewshot)" if turns else "--apply-chat-template auto"
    lines = []
    for model, rows in texts.groupby("model", sort=False):
        silent = 1 - float(rows["outcome"].isin(("answer", "recovered")).mean())
        if silent > MUTE:
            lines.append(
                f"{info.name}: {silent:.0%} of the texts of {model}, intact, give no answer; try "
                f"{advice}."
            )
    return lines


def _of_items(frame: TaskFrame) -> Iterator[str]:
    if len(frame.items) > 1 and len(set(frame.clusters)) == 1:
        yield (
            f"{frame.name}: all {len(frame.items)} items hang together (one parent), so intervals "
            "from resampling have no width and say nothing; ask more."
        )


def _of_views(frame: TaskFrame, curves: Sequence[Curve]) -> Iterator[str]:
    views = frame.views()
    if frame.labels and views and "options" not in views:
        yield (
            f"{frame.name}: no options view, so forgetting and losing the format "
            "cannot be told apart."
        )
    for model in dict.fromkeys(curve.model for curve in curves):
        for view in views:
            if view not in frame.views(model):
                yield f"{frame.name}: {model} has no {view} view."


def _of_curve(curve: Curve, states: States, uneven: bool) -> Iterator[str]:
    where = f"{curve.model}, {curve.recipe} on {curve.frame.name} ({curve.view})"
    explained = set()
    for level, key in zip(curve.levels, curve.keys, strict=True):
        state = states.get((key.model, key.recipe, key.seed, level, key.runtime))
        if state is not None and str(state.status) in ("failed", _NOT_RUN):
            explained.add(level)
    gaps = [level for level in curve.missing if level not in explained]
    if gaps:
        yield f"{where}: no answers at {_listed(gaps)}."
    if uneven and curve.present.any() and not (curve.shared == curve.asked).all():
        yield (
            f"{where}: only {int(curve.shared.sum())} of {int(curve.asked.sum())} items "
            "were asked at every level; paired findings use those."
        )


def _listed(levels: Iterable[Level]) -> str:
    return ", ".join(map(say, levels))
