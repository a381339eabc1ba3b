"""Many comparisons at once: Holm's step-down correction over the tasks and kinds of one pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from resect.analysis.intervals import Floats
from resect.analysis.words import first_view

LEVEL = 0.05
"""Two-sided family-wise error of the adjusted verdicts."""


def bootstrap_p(draws: Floats) -> float | None:
    """Two-sided p-value that a difference is 0, from (R + 1,) draws; row 0 is the sample.

    Twice the smaller share of resamples on either side of 0, with one added to both counts
    (Davison and Hinkley 1997, chapter 4), so that it is at least 2 / (R + 1).
    """
    rest = draws[1:][~np.isnan(draws[1:])]
    if np.isnan(draws[0]) or not rest.size:
        return None
    fewer = min(int((rest <= 0).sum()), int((rest >= 0).sum()))
    return min(1.0, 2 * (1 + fewer) / (1 + rest.size))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given (Holm 1979, Scandinavian Journal of Statistics 6:65)."""
    order = np.argsort(p, kind="stable")
    found = [0.0] * len(p)
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[at]))
        found[at] = highest
    return found


def adjust(rows: Sequence[dict[str, Any]]) -> None:
    """Write `p_holm` and `family` into comparison rows.

    A family is what is read together: both kinds of all tasks of one pair of models, treatment
    and seed, in the view that is read first; the other views are a family of their own. Rows
    without a p-value are in no family.
    """
    first = first_view(rows)
    families: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["p"] is not None:
            keys = ("a", "b", "treatment", "seed")
            families[(*(row[key] for key in keys), first(row))].append(row)
    for family in families.values():
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            row["p_holm"], row["family"] = p, len(family)
