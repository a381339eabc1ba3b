"""The models as they are, before any damage: who is better on the same items, and how sure.

The one comparison there is where nothing was swept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr

from resect.analysis import skill as sk
from resect.analysis.compare import word
from resect.analysis.frame import Key, TaskFrame
from resect.analysis.intervals import Interval
from resect.analysis.paired import design_effect, mcnemar, pairs, score_z, tango


def uncut(frame: TaskFrame, compared: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Accuracy of a minus b at level 0, a row for each view: Tango's interval, exact McNemar.

    Where items share a parent the table is divided by its design effect, and p is of the score
    test: an exact test of counts has no such correction.
    """
    rows = []
    for a, b in compared:
        for view in frame.views():
            left, right = _baseline(frame, a, view), _baseline(frame, b, view)
            if left is None or right is None:
                continue
            asked = (frame.codes[left] != sk.MISSING) & (frame.codes[right] != sk.MISSING)
            if not asked.any():
                continue
            ours, theirs = frame.codes[left] == frame.gold, frame.codes[right] == frame.gold
            table = pairs(theirs, ours, asked)
            effect = float(design_effect(theirs, ours[None], asked[None], frame.cluster)[0])
            lost, gained, n = (x / effect for x in table)
            low, high = tango(lost, gained, n)
            p = mcnemar(lost, gained)
            if effect > 1:
                p = 2 * ndtr(-np.abs(score_z(lost, gained, n, 0)))
            value = float((table.c - table.b) / table.n)
            found = Interval(value, float(low), float(high))
            rows.append({
                "task": frame.name,
                "view": view,
                "metric": "accuracy",
                "a": a,
                "b": b,
                "n": int(table.n),
                "accuracy_a": float(np.mean(ours[asked])),
                "accuracy_b": float(np.mean(theirs[asked])),
                "only_a": int(table.c),
                "only_b": int(table.b),
                "difference": value,
                "low": found.low,
                "high": found.high,
                "p": float(p),
                "design_effect": effect,
                "verdict": word(found),
            })  # fmt: skip
    return rows


def _baseline(frame: TaskFrame, model: str, view: str) -> Key | None:
    """The baseline of a model in a view: treatment `none`, the lowest seed."""
    mine = [k for k in frame.codes if (k.model, k.treatment, k.view) == (model, "none", view)]
    return min(mine, key=lambda key: key.seed, default=None)
