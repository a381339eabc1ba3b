"""Numbers as fields of rows: Python's own floats, None for what is not finite."""

from __future__ import annotations

import math

from resect.findings import rows
from resect.stats.distances import Size
from resect.stats.intervals import Interval


def finite(value: float | None) -> float | None:
    """The number as Python's own float; None for none, NaN and infinity."""
    return float(value) if value is not None and math.isfinite(value) else None


def estimate(interval: Interval, reason: str | None = None) -> rows.Estimate:
    """An interval, with the reason where there is none."""
    value, low, high = map(finite, interval)
    return rows.Estimate(value, low, high, reason if interval.value is None else None)


def rate(interval: Interval, n: int | None = None, guess: float | None = None) -> rows.Rate:
    """A share of `n` items, and what guessing would get of it."""
    value, low, high = map(finite, interval)
    return rows.Rate(value, low, high, n, finite(guess))


def distance(size: Size) -> rows.Distance:
    """A distance without noise."""
    return rows.Distance(*map(finite, size))
