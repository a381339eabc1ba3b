"""Slices: accuracy by tag (subject, topic, length), before the damage and where half is gone.

Shapes: N items, L levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from resect.findings.curves import Sampled, describe
from resect.findings.frame import TaskFrame
from resect.stats import skill as sk
from resect.stats.design_effect import share
from resect.stats.intervals import Interval, Mask, interval

VALUES = range(2, 41)
"""How many values a tag may have to be a slice."""

FEWEST = 10
"""A slice with fewer items is listed but never named the worst."""


def slices(sampled: Sampled, half: float | None) -> list[dict[str, Any]]:
    """One row for each tag of a curve: its values at level 0 and at the level nearest to `half`.

    Without a half-level the last level with answers is taken. The worst slice is the one with
    the lowest accuracy there; `apart` says whether its interval lies below the accuracy of all
    items (not corrected for picking the lowest of several). Where items can be right in part the
    headline metric stands in for accuracy.
    """
    curve = sampled.curve
    here = [int(i) for i in np.flatnonzero(curve.present)]
    if not here or here[0] != 0 or len(here) < 2 or not curve.frame.skilled:
        return []
    at = here[-1]
    if half is not None:
        at = min(here[1:], key=lambda i: abs((curve.levels[i] or 0.0) - half))
    asked = (curve.codes[at] != sk.MISSING) & (curve.codes[0] != sk.MISSING)
    rows = []
    for tag, members in tags_of(curve.frame).items():
        values = [_value(value, sampled, at, asked & inside) for value, inside in members.items()]
        values = [row for row in values if row["n"]]
        overall = _rates(sampled, (at,), asked)[0].value
        rows.append(
            describe(
                curve,
                tag=tag,
                level=curve.levels[at],
                level_of="half-level" if half is not None else "last level",
                accuracy=overall,
                values=values,
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
    found: dict[str, dict[str, Mask]] = {}
    for tag in sorted({key for tags in frame.tags for key in tags}):
        column = [str(tags[tag]) if tag in tags else None for tags in frame.tags]
        values = sorted({value for value in column if value is not None})
        if len(values) in VALUES:
            found[tag] = {v: np.array([x == v for x in column], dtype=bool) for v in values}
    return found


def _value(value: str, sampled: Sampled, at: int, inside: Mask) -> dict[str, Any]:
    one, two = _rates(sampled, (0, at), inside)
    return {
        "value": value,
        "n": int(inside.sum()),
        "baseline": dict(one._asdict()),
        "damaged": dict(two._asdict()),
        "change": None if one.value is None or two.value is None else two.value - one.value,
    }


def _worst(values: list[dict[str, Any]], overall: float | None) -> Mapping[str, Any] | None:
    large = [r for r in values if r["n"] >= FEWEST and r["damaged"]["value"] is not None]
    if len(large) < 2 or overall is None:
        return None
    worst = min(large, key=lambda row: row["damaged"]["value"])
    damaged = worst["damaged"]
    return {"value": worst["value"], "n": worst["n"], **_named(damaged, overall)}


def _named(damaged: Mapping[str, float], overall: float) -> dict[str, Any]:
    ends = {"accuracy": damaged["value"], "low": damaged["low"], "high": damaged["high"]}
    return {**ends, "apart": damaged["high"] < overall}
