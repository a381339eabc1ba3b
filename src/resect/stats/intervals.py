"""How sure a number is: Wilson for one proportion, a shared seeded bootstrap for all else.

Shapes: R resamples, N items, C clusters, L levels. A matrix of item weights has R + 1 rows: row 0
is the sample itself (all ones), the others are resamples, so that one matrix product gives an
estimate and its resamples together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resect.errors import RequestError

Floats = NDArray[np.float64]
Weights = NDArray[np.float32]
Mask = NDArray[np.bool_]

LOW, HIGH = 0.025, 0.975
Z = NormalDist().inv_cdf(HIGH)
BLOCK = 200
"""Resamples handled at once where the work needs more memory than its result."""


class Interval(NamedTuple):
    """An estimate and its 95 % interval; None where it could not be computed."""

    value: float | None
    low: float | None
    high: float | None


NOTHING = Interval(None, None, None)


def wilson(right: float, n: float, z: float = Z) -> Interval:
    """The Wilson score interval of `right` out of `n`; all None where `n` is 0.

    Wilson 1927 (JASA 22), in the form of Newcombe 1998 (Statistics in Medicine 17), method 3:
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    """
    if n <= 0:
        return NOTHING
    p = right / n
    middle = p + z * z / (2 * n)
    half = z * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    scale = 1 + z * z / n
    return Interval(p, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale))


def task_seed(name: str) -> int:
    """A stable whole number for a task's name, the same on every machine and in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def item_weights(clusters: Sequence[str], resamples: int, seed: int, task: str) -> Weights:
    """Row 0 ones, then how often a bootstrap resample drew each item, (R + 1, N).

    `clusters[i]` names the cluster of item i (its parent, else itself). Whole clusters are drawn
    with replacement, as many as there are, so items of one parent share their weight (Field and
    Welsh 2007, cluster bootstrap). Cluster names are sorted before drawing: the order of the
    items does not matter. float32 holds these counts, and sums of them below 2^24, exactly.

    Raises `RequestError` for fewer than 1 resample.
    """
    if resamples < 1:
        raise RequestError(f"resamples is {resamples}: give at least 1, 2000 is usual.")
    if not clusters:
        return np.ones((resamples + 1, 0), dtype=np.float32)
    names, place = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    rng = np.random.default_rng([seed, task_seed(task)])
    count = len(names)
    table = np.ones((resamples + 1, len(place)), dtype=np.float32)
    for start in range(0, resamples, BLOCK):
        rows = min(BLOCK, resamples - start)
        drawn = rng.integers(count, size=(rows, count))  # which cluster, (rows, C)
        drawn += count * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * count)  # multinomial
        table[start + 1 : start + rows + 1] = counts.reshape(rows, count)[:, place]
    return table


def bounds(draws: Floats) -> tuple[Floats, Floats]:
    """The 2.5 and 97.5 percentiles of resamples (R, ...) over axis 0; NaN draws are left out."""
    pick = np.nanquantile if np.isnan(draws).any() else np.quantile
    with np.errstate(all="ignore"):
        low, high = pick(draws, [LOW, HIGH], axis=0)
    return np.asarray(low), np.asarray(high)


def interval(draws: Floats) -> Interval:
    """Estimate (row 0) and percentile interval (the other rows) of (R + 1,) draws.

    Efron and Tibshirani 1993, chapter 13. Resamples without a value are left out; where the
    estimate itself has none, or no resample has one, all three are None.
    """
    rest = draws[1:][~np.isnan(draws[1:])]
    if np.isnan(draws[0]) or rest.size == 0:
        return NOTHING
    low, high = bounds(rest)
    return Interval(float(draws[0]), float(low), float(high))


def intervals(draws: Floats) -> list[Interval]:
    """`interval` of each column of (R + 1, L) draws."""
    if not np.isnan(draws).any():
        low, high = bounds(draws[1:])
        rows = zip(draws[0], low, high, strict=True)
        return [Interval(float(v), float(a), float(b)) for v, a, b in rows]
    return [interval(draws[:, column]) for column in range(draws.shape[1])]


def ratio(
    weights: Weights,
    top: Floats,
    bottom: Floats,
    items: Mask,
    then: Callable[[Floats], Floats] | None = None,
) -> Floats:
    """Weighted sums of `top` over those of `bottom`, (L, N) each, over `items` (N,): (R + 1, L)."""
    chosen = weights[:, items].astype(np.float64)
    with np.errstate(all="ignore"):
        below = chosen @ bottom[:, items].T
        found = np.where(below > 0, (chosen @ top[:, items].T) / below, np.nan)
        return np.asarray(found if then is None else then(found))
