"""Group-sequential bounds: error spent over looks at growing shares of the items.

Lan and DeMets (1983, Biometrika 70:659) with the spending function that has the shape of O'Brien
and Fleming. Standardised statistics at the looks are taken as normal with independent increments;
bounds follow by the recursion of Armitage, McPherson and Rowe (1969, JRSS A 132:235).

Shapes: K looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from resect.stats.intervals import Floats

GRID = 1001
"""Points of the density between two looks."""

REACH = 8.0
"""Standard errors beyond which a statistic does not come."""


def spent(error: float, shares: tuple[float, ...]) -> Floats:
    """The part of a one-sided `error` that may be spent up to each look, (K,).

    `shares` are those of all items, rising to 1.
    """
    return np.asarray(2 * ndtr(ndtri(error / 2) / np.sqrt(np.asarray(shares))))


@cache
def critical(alpha: float, shares: tuple[float, ...]) -> tuple[float, ...]:
    """The statistics from which each look passes: under no effect one does with chance `alpha`."""
    bounds: list[float] = []
    for target in spent(alpha, shares):
        earlier = crossing(bounds, [-np.inf] * len(bounds), shares, 0.0)[0]
        step = float(target) - float(earlier.sum())

        def excess(bound: float, step: float = step) -> float:
            upper = [*bounds, bound]
            lower = [-np.inf] * len(upper)
            return float(crossing(upper, lower, shares, 0.0)[0][-1]) - step

        bounds.append(float(brentq(excess, 0.0, REACH, xtol=1e-7)))
    return tuple(bounds)


@cache
def levels(alpha: float, shares: tuple[float, ...]) -> tuple[float, ...]:
    """The one-sided levels at which each look is tested."""
    return tuple(float(ndtr(-bound)) for bound in critical(alpha, shares))


@cache
def futile(alpha: float, beta: float, shares: tuple[float, ...]) -> tuple[float, ...]:
    """The statistics at or below which a look gives up; at the last look all below its bound.

    At the effect that the whole sample finds with power 1 - `beta` the looks before the last give
    up with at most what `beta` spends by then. They may be ignored: `critical` does not count on
    them (non-binding).
    """
    upper = critical(alpha, shares)
    drift = float(ndtri(1 - alpha) + ndtri(1 - beta))
    bounds: list[float] = []
    for look, target in enumerate(spent(beta, shares)[:-1]):
        earlier = crossing(upper[:look], bounds, shares, drift)[1]
        step = float(target) - float(earlier.sum())

        def excess(bound: float, step: float = step, look: int = look) -> float:
            lost = crossing(upper[: look + 1], [*bounds, bound], shares, drift)[1]
            return float(lost[-1]) - step

        least, most = -REACH, upper[look]
        bounds.append(float(brentq(excess, least, most, xtol=1e-7)))
    return (*bounds, upper[-1])


def crossing(
    upper: Sequence[float], lower: Sequence[float], shares: Sequence[float], drift: float
) -> tuple[Floats, Floats]:
    """The chance that each look is the first to pass, and the first to give up, (K,) each.

    For as many looks as there are bounds; `drift` is the expected statistic of the whole sample.
    """
    passed, given_up = np.zeros(len(upper)), np.zeros(len(upper))
    grid, density = np.zeros(1), np.ones(1)  # of the score (statistic times root of share), weighed
    before = 0.0
    for look, share in enumerate(shares[: len(upper)]):
        step, root = share - before, np.sqrt(share)
        mean = grid + drift * step
        high, low = upper[look] * root, lower[look] * root
        passed[look] = float((density * ndtr((mean - high) / np.sqrt(step))).sum())
        given_up[look] = float((density * ndtr((low - mean) / np.sqrt(step))).sum())
        if look + 1 == len(upper):
            break
        centre = drift * share
        left = max(low, centre - REACH * root)
        points, width = np.linspace(left, max(high, left), GRID, retstep=True)
        apart = (points[:, None] - mean) / np.sqrt(step)
        heights = (np.exp(-0.5 * apart**2) * density).sum(axis=1) / np.sqrt(2 * np.pi * step)
        simpson = np.where(np.arange(GRID) % 2, 4.0, 2.0)
        simpson[[0, -1]] = 1.0
        grid, density, before = points, heights * simpson * float(width) / 3, share
    return passed, given_up
