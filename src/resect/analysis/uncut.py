"""The models as they are, before any damage: who is better on the same items, and how sure.

The one comparison there is where nothing was swept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr

from resect.analysis import skill as sk
from resect.analysis.change import Mask, Means
from resect.analysis.compare import word
from resect.analysis.frame import Key, TaskFrame
from resect.analysis.intervals import Interval
from resect.analysis.paired import design_effect, mcnemar, pairs, score_z, tango


def uncut(frame: TaskFrame, compared: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Accuracy of a minus b at level 0, a row for each view: Tango's interval, exact McNemar.

    Where items share a parent the table is divided by its design effect, and p is of the score
    test: an exact test of counts has no such correction. Where items can be right in part the
    metric is the task's own, with Student's paired interval and test.
    """
    rows = []
    for a, b in compared if frame.skilled else ():
        for view in frame.views():
            left, right = _baseline(frame, a, view), _baseline(frame, b, view)
            if left is None or right is None:
                continue
            asked = (frame.codes[left] != sk.MISSING) & (frame.codes[right] != sk.MISSING)
            if not asked.any():
                continue
            found = _parts(frame, left, right, asked) if frame.graded else _counts(
                frame, left, right, asked
            )  # fmt: skip
            ends = Interval(found["difference"], found["low"], found["high"])
            who = {"task": frame.name, "view": view, "a": a, "b": b, "n": int(asked.sum())}
            rows.append({**who, **found, "verdict": word(ends)})
    return rows


def _counts(frame: TaskFrame, left: Key, right: Key, asked: Mask) -> dict[str, Any]:
    """Items that only one of two models has right."""
    ours, theirs = frame.codes[left] == frame.gold, frame.codes[right] == frame.gold
    table = pairs(theirs, ours, asked)
    effect = float(design_effect(theirs, ours[None], asked[None], frame.cluster)[0])
    lost, gained, n = (x / effect for x in table)
    low, high = tango(lost, gained, n)
    p = mcnemar(lost, gained)
    if effect > 1:
        p = 2 * ndtr(-np.abs(score_z(lost, gained, n, 0)))
    return {
        "metric": "accuracy" if frame.labels else frame.primary,
        "accuracy_a": float(np.mean(ours[asked])),
        "accuracy_b": float(np.mean(theirs[asked])),
        "only_a": int(table.c),
        "only_b": int(table.b),
        "difference": float((table.c - table.b) / table.n),
        "low": float(low),
        "high": float(high),
        "p": float(p),
        "design_effect": effect,
    }


def _parts(frame: TaskFrame, left: Key, right: Key, asked: Mask) -> dict[str, Any]:
    """The task's own metric of two models."""
    assert frame.headline is not None
    sums = [frame.headline.sums(frame.parts[key]) for key in (right, left)]
    top, bottom = (np.stack(both) for both in zip(*sums, strict=True))
    change = Means.of(top, bottom, np.stack([asked, asked]), frame.cluster)
    low, high = change.bounds(1, 0.025)
    start, value = float(change.before[1]), float(change.value[1])
    return {
        "metric": frame.primary,
        "accuracy_a": start + value,
        "accuracy_b": start,
        "only_a": None,
        "only_b": None,
        "difference": value,
        "low": low,
        "high": high,
        "p": float(2 * min(change.p(0.0)[1], 1 - change.p(0.0)[1])),
        "design_effect": float(change.effect[1]),
    }


def _baseline(frame: TaskFrame, model: str, view: str) -> Key | None:
    """The baseline of a model in a view: treatment `none`, the lowest seed."""
    mine = [k for k in frame.codes if (k.model, k.treatment, k.view) == (model, "none", view)]
    return min(mine, key=lambda key: key.seed, default=None)
