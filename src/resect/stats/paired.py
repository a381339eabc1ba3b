"""One table of a pair: how many items were lost and gained, and what follows from b, c and n.

b counts items right before and wrong after (losses), c those wrong before and right after
(gains), of n items asked both times. Flips, McNemar's test and the non-inferiority test all read
this one table. Everything takes arrays of any one shape and returns that shape. Where items share
parents a table is divided by its design effect, and `freedom` is that of their Student's t.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from resect.stats.design_effect import below, quantile
from resect.stats.intervals import Floats

HUGE = 1_000_000
"""More items than anyone will ask: the estimate lies practically at the margin."""

_STEPS = 54
"""Halvings of an interval of length 2: the bounds are exact to 2^-53."""


class Pairs(NamedTuple):
    """Losses b, gains c and items n, arrays of one shape."""

    b: Floats
    c: Floats
    n: Floats


def pairs(before: NDArray[np.bool_], after: NDArray[np.bool_], asked: NDArray[np.bool_]) -> Pairs:
    """The table of `before` and `after`, (..., N) each, over the items `asked` both times."""
    b = (before & ~after & asked).sum(axis=-1)
    c = (~before & after & asked).sum(axis=-1)
    n = np.broadcast_to(asked, np.broadcast_shapes(before.shape, after.shape)).sum(axis=-1)
    return Pairs(*(np.asarray(x, dtype=float) for x in (b, c, n)))


def mcnemar(b: Any, c: Any) -> Floats:
    """Exact two-sided p-value: 2 P(Binomial(b + c, 1/2) <= min(b, c)), at most 1.

    McNemar 1947 (Psychometrika 12:153); the exact conditional test of Fagerland, Lydersen and
    Laake 2013 (BMC Medical Research Methodology 13:91). 1 without discordant items.
    """
    b, c = np.asarray(b, dtype=float), np.asarray(c, dtype=float)
    return np.asarray(np.minimum(1.0, 2 * bdtr(np.minimum(b, c), (b + c).astype(int), 0.5)))


def restricted(gains: Any, losses: Any, n: Any, difference: Any) -> Floats:
    """The most likely probability of a loss if gains minus losses were `difference`.

    Tango 1998 (Statistics in Medicine 17:891), the root of his quadratic equation. `gains`,
    `losses` and `n` are counts, or expected shares with n = 1.
    """
    a = 2 * n
    b = -gains - losses + (2 * n - gains + losses) * difference
    c = -losses * difference * (1 - difference)
    root = np.sqrt(np.maximum(b * b - 4 * a * c, 0.0))
    return np.asarray((root - b) / (2 * a))


def _spread(b: Floats, c: Floats, n: Floats, difference: Floats) -> Floats:
    """Standard deviation of c - b if the true difference were `difference`."""
    q = restricted(c, b, n, difference)
    return np.asarray(np.sqrt(np.maximum(n * (2 * q + difference * (1 - difference)), 0.0)))


def score_z(b: Any, c: Any, n: Any, difference: Any) -> Floats:
    """Tango's score statistic of H0: p(after) - p(before) = `difference`; large if it is more."""
    b, c, n, difference = (np.asarray(x, dtype=float) for x in (b, c, n, difference))
    with np.errstate(all="ignore"):
        top = c - b - n * difference
        return np.asarray(np.where(n > 0, top / _spread(b, c, n, difference), np.nan))


def tango(
    b: Any, c: Any, n: Any, alpha: float = 0.025, freedom: float = np.inf
) -> tuple[Floats, Floats]:
    """Bounds of p(after) - p(before), each at one-sided `alpha` (0.025: a 95 % interval).

    Tango 1998: the differences that the score test does not reject, found by halving. NaN where
    n is 0.
    """
    b, c, n = (np.asarray(x, dtype=float) for x in np.broadcast_arrays(b, c, n))
    z = float(quantile(alpha, freedom))
    with np.errstate(all="ignore"):
        estimate = (c - b) / n
        return _bound(b, c, n, estimate, z, -1.0), _bound(b, c, n, estimate, z, 1.0)


def _bound(b: Floats, c: Floats, n: Floats, estimate: Floats, z: float, end: float) -> Floats:
    """The difference between `estimate` and `end` at which |T| is z."""
    outer, inner = np.full(estimate.shape, end), estimate
    for _ in range(_STEPS):
        middle = (outer + inner) / 2
        top = np.abs(c - b - n * middle)
        rejected = top >= z * _spread(b, c, n, middle)
        outer, inner = np.where(rejected, middle, outer), np.where(rejected, inner, middle)
    return np.asarray(np.where(n > 0, (outer + inner) / 2, np.nan))


def non_inferior(b: Any, c: Any, n: Any, margin: Any, freedom: Any = np.inf) -> Floats:
    """One-sided p-value of H0: p(after) <= p(before) - margin; small means non-inferior.

    Below alpha exactly where the lower bound of `tango` at this alpha lies above -margin.
    """
    margin = np.asarray(margin, dtype=float)
    return below(-score_z(b, c, n, -margin), freedom)


def power(
    margin: float,
    alpha: float,
    n: float,
    discordance: float,
    shift: float = 0.0,
    freedom: float = np.inf,
) -> float:
    """Probability that the test passes if p(after) - p(before) is `shift`.

    Nam 1997 (Biometrics 53:1422): the score test's variance under the margin and under the
    truth, both at `discordance` = (b + c) / n.
    """
    null, true = _variances(margin, discordance, shift)
    far = (margin + shift) * np.sqrt(n) - quantile(alpha, freedom) * np.sqrt(null)
    if true <= 0:
        return float(far > 0)
    return float(below(far / np.sqrt(true), freedom))


def items_needed(
    margin: float,
    alpha: float,
    discordance: float,
    shift: float = 0.0,
    target: float = 0.8,
    freedom: float = np.inf,
) -> int | None:
    """Items at which `power` reaches `target` (Nam 1997).

    None where `shift` is past the margin, or so near to it that a million would not do.
    """
    if margin + shift <= 0:
        return None
    null, true = _variances(margin, discordance, shift)
    wide = quantile(alpha, freedom) * np.sqrt(null) + quantile(1 - target, freedom) * np.sqrt(true)
    needed = (wide / (margin + shift)) ** 2
    return int(np.ceil(needed)) if needed <= HUGE else None


def _variances(margin: float, discordance: float, shift: float) -> tuple[float, float]:
    """Variance of one pair's difference under the margin, and under the truth."""
    gains, losses = (discordance + shift) / 2, (discordance - shift) / 2
    at = -margin
    q = float(restricted(gains, losses, 1.0, at))
    return max(2 * q + at * (1 - at), 0.0), max(discordance - shift * shift, 0.0)
