"""Tango's test and interval in closed form (1998, Statistics in Medicine 17:891): the reference."""

from __future__ import annotations

from math import sqrt

from scipy.stats import norm


def spread(b: float, c: float, n: float, difference: float) -> float:
    """Standard deviation of c - b if the true difference were `difference`."""
    first = -c - b + (2 * n - c + b) * difference
    root = sqrt(max(first**2 + 8 * n * b * difference * (1 - difference), 0.0))
    q = (root - first) / (4 * n)
    return sqrt(max(n * (2 * q + difference * (1 - difference)), 0.0))


def p_value(b: float, c: float, n: float, margin: float) -> float:
    """One-sided p-value of H0: the share fell by the margin or more."""
    return float(norm.sf((c - b + n * margin) / spread(b, c, n, -margin)))


def interval(b: float, c: float, n: float, alpha: float = 0.025) -> tuple[float, float]:
    """The differences that the test does not reject, by halving."""
    z, estimate = norm.isf(alpha), (c - b) / n
    ends = []
    for outer in (-1.0, 1.0):
        inner = estimate
        for _ in range(60):
            middle = (outer + inner) / 2
            if abs(c - b - n * middle) >= z * spread(b, c, n, middle):
                outer = middle
            else:
                inner = middle
        ends.append((outer + inner) / 2)
    return ends[0], ends[1]
