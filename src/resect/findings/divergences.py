"""Divergences: items that one model keeps at a level where the other has lost them for good.

Shapes: N items, L levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from resect.findings.curves import Curve

MOST = 30
"""Items listed for each task; half of them for each direction, as far as there are any."""


def lost_from(right: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The first level (N,) from which an item is wrong and stays wrong; L where it never is.

    `right` is (L, N), levels in rising damage.
    """
    last = len(right) - 1 - np.argmax(right[::-1], axis=0)  # the last level it is right at
    return np.where(right.any(axis=0), last + 1, 0)


def divergences(a: Curve, b: Curve) -> dict[str, Any] | None:
    """What one of two models keeps and the other loses, ranked for reading.

    Items asked at every level of both and right in both baselines. An item diverges where one
    model has lost it for good and the other still has it right. Ranked by how many levels lie
    between the two losses, then by the earlier loss, then by id. None where nothing compares, and
    where items can be right in part.
    """
    levels = [x for x in a.levels if x in b.levels]
    at_a, at_b = ([c.levels.index(x) for x in levels] for c in (a, b))
    items = a.shared & b.shared
    ready = len(levels) > 1 and levels[0] == 0.0
    if not ready or not items.any() or a.missing or b.missing or a.frame.graded:
        return None
    gold = a.frame.gold
    right_a, right_b = a.codes[at_a] == gold, b.codes[at_b] == gold
    both = items & right_a[0] & right_b[0]
    lost_a, lost_b = lost_from(right_a), lost_from(right_b)
    kept_by_a = _listed(both, lost_b, lost_a, right_a)
    kept_by_b = _listed(both, lost_a, lost_b, right_b)
    found: list[dict[str, Any]] = []
    for keeps, loses, rows in ((a, b, kept_by_a), (b, a, kept_by_b)):
        other = len(kept_by_b) if keeps is a else len(kept_by_a)
        for item, first, until in rows[: max(MOST // 2, MOST - other)]:
            found.append({
                "item": a.frame.items[item],
                "item_id": a.frame.ids[item],
                "keeps": keeps.model,
                "loses": loses.model,
                "level": levels[first],
                "until": levels[until] if until < len(levels) else None,
                "apart": until - first,
            })  # fmt: skip
    found.sort(key=lambda row: (-row["apart"], row["item_id"]))
    return {
        "a": a.model, "b": b.model, "recipe": a.recipe, "seed": a.seed,
        "task": a.frame.name, "view": a.view, "n": int(both.sum()),
        "kept_by_a": len(kept_by_a), "kept_by_b": len(kept_by_b), "items": found,
    }  # fmt: skip


def _listed(
    both: NDArray[np.bool_],
    loses: NDArray[np.intp],
    keeps: NDArray[np.intp],
    right: NDArray[np.bool_],
) -> list[tuple[int, int, int]]:
    """(item, level lost by one, level lost by the other), the widest apart first."""
    found = []
    for item in np.flatnonzero(both & (keeps > loses)):
        first, until = int(loses[item]), int(keeps[item])
        if right[first, item]:  # the keeper has it right at the very level
            found.append((int(item), first, until))
    return sorted(found, key=lambda row: (row[1] - row[2], row[1], row[0]))
