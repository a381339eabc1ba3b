"""Power of the primary test before anything was asked: copies, true losses, and items needed.

Shapes: D draws, K strata. Units of a stratum change independently: they are lost with a probability
of (discordance + loss) / 2 and gained with (discordance - loss) / 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from scipy.special import ndtri

from resect.stats.bounded_mean import Strata, score_p
from resect.stats.intervals import Floats, Mask

VALUES = np.array([-1.0, 0.0, 1.0])
DRAWS = 2000


def table(lost: Floats, gained: Floats, sizes: Sequence[int]) -> Strata:
    """Strata of units from counts of lost and gained ones, (D, K) each."""
    n = np.asarray(sizes, dtype=float)
    counts = np.stack([lost, n - lost - gained, gained], axis=-1)
    return Strata(counts, VALUES[None, None], np.full(len(n), 1 / len(n)))


def copy_passes(sizes: Sequence[int], margin: float, alpha: float) -> bool:
    """Whether an identical copy passes, which nothing but the number of items decides."""
    return copy_times(unchanged(sizes), margin, alpha) < 1


def unchanged(sizes: Sequence[int]) -> Strata:
    """The units of an identical copy."""
    nothing = np.zeros((1, len(sizes)))
    return table(nothing, nothing, sizes)


def copy_times(copy: Strata, margin: float, alpha: float) -> float:
    """How many times its units an identical copy needs to pass; it passes below 1.

    Its score statistic grows with the root of their number. Infinite where it has none.
    """
    reached = -float(ndtri(score_p(copy, -margin)[0]))
    return (-float(ndtri(alpha)) / reached) ** 2 if reached > 0 else np.inf


def times_needed(far: float, under: float, true: float, alpha: float, target: float) -> float:
    """How many times its units a test needs to pass with a probability of `target`.

    `far` is the distance of the true change from the margin; `under` and `true` are the standard
    errors under the margin and under the truth.
    """
    wide = -float(ndtri(alpha)) * under + float(ndtri(target)) * true
    return (wide / far) ** 2


def power(
    sizes: Sequence[int],
    margin: float,
    alpha: float,
    discordance: float,
    loss: float = 0.0,
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """The probability that the test passes, by simulation of the test itself.

    `discordance` is the share of units whose answer changes from right to wrong or back; it is
    raised to `loss` where it is less.
    """
    rng = np.random.default_rng(seed)
    passes = passing(simulated(rng, sizes, max(discordance, loss), loss, draws), margin, alpha)
    return float(passes.mean())


def simulated(
    rng: np.random.Generator, sizes: Sequence[int], discordance: float, loss: float, draws: int
) -> Strata:
    """Draws of the units' changes."""
    p = [(discordance + loss) / 2, 1 - discordance, (discordance - loss) / 2]
    each = np.stack([rng.multinomial(n, p, size=draws) for n in sizes], axis=1).astype(float)
    return table(each[..., 0], each[..., 2], sizes)


def passing(sample: Strata, margin: float, alpha: float) -> Mask:
    """Which draws pass, (D,)."""
    return np.asarray(p_values(sample, margin) < alpha)


def p_values(sample: Strata, margin: float) -> Floats:
    """The p-value of every draw, (D,); equal ones are tested once."""
    flat = sample.counts.reshape(len(sample.counts), -1)
    distinct, place = np.unique(flat, axis=0, return_inverse=True)
    once = sample._replace(counts=distinct.reshape(-1, *sample.counts.shape[1:]))
    return score_p(once, -margin)[place.ravel()]


def items_needed(
    sizes: Sequence[int],
    margin: float,
    alpha: float,
    discordance: float,
    loss: float = 0.0,
    target: float = 0.8,
) -> int | None:
    """Items, in the proportions of `sizes`, at which the power reaches `target`; None beyond it.

    By the score test's variance under the margin and that of the truth; at least as many as let a
    copy pass.
    """
    if loss >= margin:
        return None
    n = np.asarray(sizes, dtype=float)
    discordance = max(discordance, loss)
    expected = table(
        (n * (discordance + loss) / 2)[None], (n * (discordance - loss) / 2)[None], sizes
    )
    far = margin - loss
    under = far / -float(ndtri(score_p(expected, -margin)[0]))
    true = float(np.sqrt(((discordance - loss**2) / n / len(n) ** 2).sum()))
    times = times_needed(far, under, true, alpha, target)
    same = copy_times(unchanged(sizes), margin, alpha) * (1 + 1e-9)
    return ceil(float(max(times, same) * n.sum()))
