"""Onset and steepest drop: where a curve starts to bend down, and where it falls fastest.

Shapes: R + 1 rows (row 0 is the sample), L levels, G candidate knots.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from resect.stats.intervals import HIGH, LOW, NOTHING, Floats, Interval, bounds

GONE = 0.1
"""Below this share kept nothing is left to lose: the levels behind it are not fitted."""

FEWEST = 4
"""Two lines that meet have four unknowns: fewer levels cannot hold them."""

_BETWEEN = 8
"""Candidate knots in each step between two levels."""


def knots(levels: Floats, kept: Floats, fit: Floats) -> Floats:
    """The knot of a two-piece fit of each row of `kept` (R + 1, L) over levels (L,), as (R + 1,).

    Least squares of y = a + b x + c max(0, x - knot) with c < 0, the knot on a grid of an eighth
    of a level (Hudson 1966, JASA 61:1097, searches the same sum of squares exactly). The fit ends
    at the first level where the falling `fit` keeps a tenth or less: a third piece, the floor,
    would otherwise draw the knot to the end of the drop. Infinity for a row that never bends
    down, NaN for a row without values or with fewer than 4 levels before its end.
    """
    last = np.where((fit <= GONE).any(axis=1), np.argmax(fit <= GONE, axis=1), len(levels) - 1)
    found = np.full(len(kept), np.nan)
    known = ~np.isnan(kept).any(axis=1)
    for end in np.unique(last):
        rows = known & (last == end)
        if end + 1 >= FEWEST and rows.any():
            found[rows] = _two_piece(levels[: end + 1], kept[rows, : end + 1])
    return found


def _two_piece(x: Floats, y: Floats) -> Floats:
    """The best knot of each row of y (R, L); infinity where every fit bends up."""
    inner = x[1:-1]
    steps = [np.linspace(a, b, _BETWEEN, endpoint=False) for a, b in pairwise(inner)]
    grid = np.concatenate([*steps, inner[-1:]])  # (G,)
    one = np.ones_like(x)
    bases, bends = [], []
    for knot in grid:
        basis, upper = np.linalg.qr(np.stack([one, x, np.maximum(0, x - knot)], axis=1))
        bases.append(basis)
        bends.append(basis[:, 2] / upper[2, 2])  # the row of the pseudo-inverse that gives c
    fitted = (y @ np.concatenate(bases, axis=1)).reshape(len(y), len(grid), 3)
    left = (y * y).sum(axis=1, keepdims=True) - (fitted**2).sum(axis=2)  # (R, G)
    left[y @ np.stack(bends, axis=1) >= -1e-9] = np.inf
    best = left.min(axis=1, keepdims=True)
    at = np.argmax(left <= best + 1e-9, axis=1)  # the first of equals, whatever the rounding
    return np.where(np.isfinite(best[:, 0]), grid[at], np.inf)


def onset(levels: Floats, kept: Floats, fit: Floats) -> tuple[Interval, str | None]:
    """The onset of `kept` (R + 1, L) with its interval, and why there is none.

    A curve has an onset only where the interval of what is kept lies below 1 at two levels in a
    row or at the last one: at a single one of many it does so by chance. None in an end of the
    interval stands for resamples that never bend down.
    """
    _, high = bounds(kept[1:])
    below = np.less(high, 1)
    if not below[-1] and not (below[:-1] & below[1:]).any():
        return NOTHING, None
    found = knots(levels, kept, fit)
    if np.isnan(found[0]):
        return NOTHING, f"fewer than {FEWEST} levels before nothing is left: no two lines fit"
    return ordered(found), None


def ordered(found: Floats) -> Interval:
    """An estimate and its interval from (R + 1,) draws in which infinity means never.

    Percentiles are order statistics (inverted empirical distribution), so that none is made of a
    finite and an infinite one. None stands for never; all None where no resample has a value.
    """
    rest = found[1:][~np.isnan(found[1:])]
    if not rest.size or np.isnan(found[0]):
        return NOTHING
    low, high = np.quantile(rest, [LOW, HIGH], method="inverted_cdf")
    return Interval(*(float(x) if np.isfinite(x) else None for x in (found[0], low, high)))


def steepest(levels: Floats, kept: Floats) -> dict[str, Any]:
    """Between which two levels `kept` (R + 1, L) falls fastest, and how often in resamples.

    `level` is the level before the drop and `to` the one after it; `shares` lists the steps that
    are the steepest in at least one resample in a hundred, the commonest first.
    """
    drops = (kept[:, :-1] - kept[:, 1:]) / np.diff(levels)
    known = np.asarray(~np.isnan(drops).any(axis=1))
    at = np.argmax(np.where(np.isnan(drops), -np.inf, drops), axis=1)
    rest = at[1:][known[1:]]
    shares = np.bincount(rest, minlength=drops.shape[1]) / max(len(rest), 1)
    low, high = (int(x) for x in np.quantile(rest, [LOW, HIGH], method="inverted_cdf"))
    order = [int(i) for i in np.argsort(-shares, kind="stable") if shares[i] >= 0.01]
    return {
        "level": float(levels[at[0]]),
        "to": float(levels[at[0] + 1]),
        "low": float(levels[low]),
        "high": float(levels[high]),
        "drop": float(kept[0, at[0]] - kept[0, at[0] + 1]),
        "shares": [
            {"level": float(levels[i]), "to": float(levels[i + 1]), "share": float(shares[i])}
            for i in order
        ],
    }
