"""Onset, steepest drop and divergence: where a curve bends down, falls fastest, leaves another.

Shapes: R + 1 rows (row 0 is the sample), L levels, G candidate knots.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from resect.stats.intervals import HIGH, LOW, NOTHING, Floats, Interval, bounds, quantile_interval

GONE = 0.1
"""Below this share retained nothing is left to lose: the levels behind it are not fitted."""

FEWEST = 4
"""Two lines that meet have four unknowns: fewer levels cannot hold them."""

_BETWEEN = 8
"""Candidate knots in each step between two levels."""


def breakpoints(levels: Floats, retained: Floats, fit: Floats) -> Floats:
    """The knot of a two-piece fit of each row of `retained` (R + 1, L) over levels, as (R + 1,).

    Least squares of y = a + b x + c max(0, x - knot) with c < 0, the knot on a grid of an eighth
    of a level (Hudson 1966, JASA 61:1097, searches the same sum of squares exactly). The fit ends
    at the first level where the envelope `fit` retains a tenth or less: a third piece, the floor,
    would otherwise draw the knot to the end of the drop. Infinity for a row that never bends
    down, NaN for a row without values or with fewer than 4 levels before its end.
    """
    last = np.where((fit <= GONE).any(axis=1), np.argmax(fit <= GONE, axis=1), len(levels) - 1)
    knots = np.full(len(retained), np.nan)
    known = ~np.isnan(retained).any(axis=1)
    for end in np.unique(last):
        rows = known & (last == end)
        if end + 1 >= FEWEST and rows.any():
            knots[rows] = _two_piece(levels[: end + 1], retained[rows, : end + 1])
    return knots


def _two_piece(x: Floats, y: Floats) -> Floats:
    """The best knot of each row of y (R, L); infinity where every fit bends up."""
    inner = x[1:-1]
    steps = [np.linspace(a, b, _BETWEEN, endpoint=False) for a, b in pairwise(inner)]
    grid = np.concatenate([*steps, inner[-1:]])  # (G,)
    ones = np.ones_like(x)
    bases, bends = [], []
    for knot in grid:
        basis, upper = np.linalg.qr(np.stack([ones, x, np.maximum(0, x - knot)], axis=1))
        bases.append(basis)
        bends.append(basis[:, 2] / upper[2, 2])  # the row of the pseudo-inverse that gives c
    fitted = (y @ np.concatenate(bases, axis=1)).reshape(len(y), len(grid), 3)
    left = (y * y).sum(axis=1, keepdims=True) - (fitted**2).sum(axis=2)  # (R, G)
    left[y @ np.stack(bends, axis=1) >= -1e-9] = np.inf
    best = left.min(axis=1, keepdims=True)
    at = np.argmax(left <= best + 1e-9, axis=1)  # the first of equals, whatever the rounding
    return np.where(np.isfinite(best[:, 0]), grid[at], np.inf)


class Onset(NamedTuple):
    """Where a curve starts to bend down; `fitted` is false where it has too few levels to say."""

    place: Interval
    fitted: bool


def onset(levels: Floats, retained: Floats, fit: Floats) -> Onset:
    """The onset of `retained` (R + 1, L) with its interval.

    A curve has an onset only where the interval of what is retained lies below 1 at two levels in
    a row or at the last one: at a single one of many it does so by chance. None in an end of the
    interval stands for resamples that never bend down.
    """
    _, high = bounds(retained[1:])
    below = np.less(high, 1)
    if not below[-1] and not (below[:-1] & below[1:]).any():
        return Onset(NOTHING, fitted=True)
    draws = breakpoints(levels, retained, fit)
    if np.isnan(draws[0]):
        return Onset(NOTHING, fitted=False)
    return Onset(quantile_interval(draws), fitted=True)


class Fall(NamedTuple):
    """A step from one level to the next, and in which share of resamples it is the steepest."""

    level: float
    to: float
    share: float


class Steepest(NamedTuple):
    """The steepest drop: `level` before it with its interval, `to` after it, and how deep it is."""

    level: Interval
    to: float
    drop: float
    falls: tuple[Fall, ...]


def steepest(levels: Floats, retained: Floats) -> Steepest:
    """Between which two levels `retained` (R + 1, L) falls fastest, and how often in resamples.

    `falls` lists the steps that are the steepest in at least one resample in a hundred, the
    commonest first.
    """
    drops = (retained[:, :-1] - retained[:, 1:]) / np.diff(levels)
    known = np.asarray(~np.isnan(drops).any(axis=1))
    at = np.argmax(np.where(np.isnan(drops), -np.inf, drops), axis=1)
    rest = at[1:][known[1:]]
    shares = np.bincount(rest, minlength=drops.shape[1]) / max(len(rest), 1)
    low, high = (int(x) for x in np.quantile(rest, [LOW, HIGH], method="inverted_cdf"))
    order = [int(i) for i in np.argsort(-shares, kind="stable") if shares[i] >= 0.01]
    return Steepest(
        Interval(float(levels[at[0]]), float(levels[low]), float(levels[high])),
        float(levels[at[0] + 1]),
        float(retained[0, at[0]] - retained[0, at[0] + 1]),
        tuple(Fall(float(levels[i]), float(levels[i + 1]), float(shares[i])) for i in order),
    )


TRIVIAL = 0.01
"""A gap closer to 0 than this is none."""


def first_below(levels: Floats, gap: Floats) -> tuple[Interval, int | None]:
    """The first level from which `gap` (R + 1, L) lies below 0 with its 95 % interval, its index.

    At the next level it has to do so again (the last one has none): level by level, and
    uncorrected, one chance loss among twenty levels would pass for a divergence.

    The interval reruns this on every resample, each with the sample's own half-widths: the level
    at which the resample's gap first lies further below 0 than the sample's interval reaches up.
    Level 0, where both are whole, is left out, and so are gaps of less than a point, which large
    samples tell from 0 though nobody should care.
    """
    _, high = bounds(gap[1:])
    limit = high - gap[0]  # (L,)
    below = (gap + limit < 0) & (gap <= -TRIVIAL)
    below[:, 0] = False
    below[:, :-1] &= below[:, 1:]
    draws = np.where(below.any(axis=1), levels[np.argmax(below, axis=1)], np.inf)
    draws[np.isnan(gap).any(axis=1)] = np.nan
    return quantile_interval(draws), int(np.argmax(below[0])) if below[0].any() else None
