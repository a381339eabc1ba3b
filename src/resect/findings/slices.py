"""Slices: accuracy by tag (subject, topic, length), before the damage and where half is gone.

Shapes: N items, L levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resect.findings.curves import Sampled, of_curve
from resect.findings.estimates import estimate
from resect.findings.frame import TaskFrame
from resect.findings.rows import Slice, SliceValue, WorstSlice
from resect.stats import skill as sk
from resect.stats.design_effect import share
from resect.stats.intervals import Interval, Mask, interval

VALUES = range(2, 41)
"""How many values a tag may have to be a slice."""

FEWEST = 10
"""A slice with fewer items is listed but never named the worst."""


def slices(sampled: Sampled, half: float | None) -> list[Slice]:
    """One row for each tag of a curve: its values at level 0 and at the level nearest to `half`.

    Without a half-level the last level with answers is taken. The worst slice is the one with
    the lowest accuracy there; `apart` says whether its interval lies below the accuracy of all
    items (not corrected for picking the lowest of several). Where items can be right in part the
    headline metric stands in for accuracy.
    """
    curve = sampled.curve
    present = [int(at) for at in np.flatnonzero(curve.present)]
    if not present or present[0] != 0 or len(present) < 2 or not curve.frame.skilled:
        return []
    at = present[-1]
    if half is not None:
        at = min(present[1:], key=lambda i: abs((curve.levels[i] or 0.0) - half))
    asked = (curve.codes[at] != sk.MISSING) & (curve.codes[0] != sk.MISSING)
    rows = []
    for tag, members in tags_of(curve.frame).items():
        values = [_value(value, sampled, at, asked & inside) for value, inside in members.items()]
        values = [row for row in values if row.n]
        overall = _rates(sampled, (at,), asked)[0].value
        rows.append(
            Slice(
                **of_curve(curve),
                tag=tag,
                level=curve.levels[at],
                level_of="half-level" if half is not None else "last level",
                accuracy=overall,
                values=tuple(values),
                worst=_worst(values, overall),
            )
        )
    return rows


def _rates(sampled: Sampled, levels: Sequence[int], inside: Mask) -> list[Interval]:
    """Accuracy, or the headline metric, over some items (N,) at some levels."""
    frame = sampled.curve.frame
    if frame.graded and frame.headline is not None:
        draws = sampled.metric_over(frame.headline, inside)
        return [interval(draws[:, at]) for at in levels]
    return [share(sampled.curve.right[at], inside, frame.cluster) for at in levels]


def tags_of(frame: TaskFrame) -> dict[str, dict[str, Mask]]:
    """Items (N,) of each value of each tag that can be sliced by, both sorted."""
    table: dict[str, dict[str, Mask]] = {}
    for tag in sorted({key for tags in frame.tags for key in tags}):
        column = [str(tags[tag]) if tag in tags else None for tags in frame.tags]
        values = sorted({value for value in column if value is not None})
        if len(values) in VALUES:
            table[tag] = {v: np.array([x == v for x in column], dtype=bool) for v in values}
    return table


def _value(value: str, sampled: Sampled, at: int, inside: Mask) -> SliceValue:
    intact, damaged = map(estimate, _rates(sampled, (0, at), inside))
    change = None
    if intact.value is not None and damaged.value is not None:
        change = damaged.value - intact.value
    return SliceValue(
        value=value,
        n=int(inside.sum()),
        baseline=intact,
        damaged=damaged,
        change=change,
    )


def _worst(values: Sequence[SliceValue], overall: float | None) -> WorstSlice | None:
    """The large slice with the lowest accuracy at the damaged level; None of fewer than two."""
    large = [
        (end.value, end.low, end.high, row)
        for row in values
        if row.n >= FEWEST
        and (end := row.damaged).value is not None
        and end.low is not None
        and end.high is not None
    ]
    if len(large) < 2 or overall is None:
        return None
    accuracy, low, high, row = min(large, key=lambda entry: entry[0])
    return WorstSlice(
        value=row.value, n=row.n, accuracy=accuracy, low=low, high=high, apart=high < overall
    )
