"""The models as they are, before any damage: who is better on the same items, and how sure.

The one comparison there is where nothing was swept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resect.findings.comparisons import NEITHER, A, B
from resect.findings.frame import Key, TaskFrame
from resect.findings.paired_test import asked_both, versus
from resect.stats.multiplicity import LEVEL


def intact(frame: TaskFrame, compared: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The metric of a minus b at level 0, a row for each view: see `versus`.

    A side is called where p is at most 0.05: five items to none have a p of 0.0625, though
    Tango's interval leaves 0 out.
    """
    rows = []
    for a, b in compared if frame.skilled else ():
        for view in frame.views():
            left, right = _baseline(frame, a, view), _baseline(frame, b, view)
            if left is None or right is None:
                continue
            n = int(asked_both(frame, left, right).sum())
            if not n:
                continue
            found = versus(frame, left, right)
            who = {"task": frame.name, "view": view, "a": a, "b": b, "n": n}
            rows.append({**who, **found, "verdict": _side(found)})
    return rows


def _side(found: dict[str, Any]) -> str:
    """Who is better by the test of one row."""
    if not found["p"] <= LEVEL:
        return NEITHER
    return A if found["difference"] > 0 else B


def _baseline(frame: TaskFrame, model: str, view: str) -> Key | None:
    """The baseline of a model in a view: recipe `none`, the lowest seed."""
    mine = [k for k in frame.codes if (k.model, k.recipe, k.view) == (model, "none", view)]
    return min(mine, key=lambda key: key.seed, default=None)
