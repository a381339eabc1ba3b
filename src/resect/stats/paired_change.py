"""A paired change at every level: of counts of right and wrong items, or of means and ratios.

Both say what the tests of the safe level need: how large the change is, its interval, the p-value
of non-inferiority, power and items needed. Shapes: L levels, N items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resect.stats.design_effect import below, quantile, worth, z95
from resect.stats.intervals import Floats, wilson
from resect.stats.paired import (
    HUGE,
    Pairs,
    items_needed,
    mcnemar,
    non_inferior,
    pairs,
    power,
    score_z,
    tango,
)

Mask = NDArray[np.bool_]


class Change(Protocol):
    """After minus before of a good share, (L,); `n` items, `effect` of clusters."""

    @property
    def n(self) -> Floats:
        """Items of each level."""
        ...

    @property
    def before(self) -> Floats:
        """The share at level 0, over the items of each level."""
        ...

    @property
    def value(self) -> Floats:
        """How much it rose."""
        ...

    @property
    def effect(self) -> Floats:
        """By how much clusters inflate the variance."""
        ...

    def counts(self, at: int) -> tuple[int | None, int | None]:
        """Items lost and gained; None where items can be right in part."""
        ...

    def p(self, margin: float) -> Floats:
        """One-sided p-values of H0: the change is -`margin` or worse, (L,)."""
        ...

    def bounds(self, at: int, alpha: float) -> tuple[float, float]:
        """The interval of one level's change, each end at one-sided `alpha`."""
        ...

    def provable(self, at: int, alpha: float) -> float:
        """The smallest margin that these answers would have passed."""
        ...

    def power(self, at: int, margin: float, alpha: float) -> float:
        """Probability that the test passes if nothing had changed."""
        ...

    def needed(self, at: int, margin: float, alpha: float) -> int | None:
        """Items for a power of 80 % if the observed loss is the true one."""
        ...


@dataclass(frozen=True, eq=False)
class Counts:
    """Right and wrong items: Tango's test. Where they share parents its table is divided by the
    design effect of the change, and Student's t takes the place of the normal.
    """

    table: Pairs
    before: Floats
    effect: Floats
    freedom: Floats

    @classmethod
    def of(cls, before: Mask, after: Mask, asked: Mask, clusters: NDArray[np.intp]) -> Counts:
        """From `before` (N,), `after` and `asked` (L, N)."""
        table = pairs(before, after, asked)
        with np.errstate(all="ignore"):
            start = (before & asked).sum(axis=1) / table.n
        change = after.astype(float) - before
        each = [worth(row, here, clusters) for row, here in zip(change, asked, strict=True)]
        effect, _, freedom = (np.array(column) for column in zip(*each, strict=True))
        return cls(table, start, effect, freedom)

    @property
    def n(self) -> Floats:
        """Items, (L,)."""
        return self.table.n

    @property
    def value(self) -> Floats:
        """Gains minus losses over items, (L,)."""
        with np.errstate(all="ignore"):
            return np.asarray((self.table.c - self.table.b) / self.table.n)

    def counts(self, at: int) -> tuple[int | None, int | None]:
        """Items lost and gained."""
        return int(self.table.b[at]), int(self.table.c[at])

    def p(self, margin: float) -> Floats:
        """Tango's score test."""
        b, c, n = (x / self.effect for x in self.table)
        return non_inferior(b, c, n, margin, self.freedom)

    def bounds(self, at: int, alpha: float) -> tuple[float, float]:
        """Tango's score interval."""
        low, high = tango(*self._read(at), alpha, float(self.freedom[at]))
        return float(low), float(high)

    def unequal(self, at: int) -> float:
        """Two-sided p of no change: exact McNemar, the score test where items share parents."""
        b, c, n = self._read(at)
        if np.isinf(self.freedom[at]) or not b + c:
            return float(mcnemar(b, c))
        return float(2 * below(-np.abs(score_z(b, c, n, 0)), self.freedom[at]))

    def provable(self, at: int, alpha: float) -> float:
        """Where the lower end of the interval lies."""
        return max(0.0, -self.bounds(at, alpha)[0])

    def power(self, at: int, margin: float, alpha: float) -> float:
        """Nam 1997."""
        b, c, n = self._read(at)
        freedom = float(self.freedom[at])
        return power(margin, alpha, n, _discordance(b, c, n, freedom), freedom=freedom)

    def needed(self, at: int, margin: float, alpha: float) -> int | None:
        """Nam 1997."""
        b, c, n = self._read(at)
        shift, freedom = min(0.0, (c - b) / n), float(self.freedom[at])
        changed = _discordance(b, c, n, freedom)
        found = items_needed(margin, alpha, changed, shift, freedom=freedom)
        return None if found is None else round(found * float(self.effect[at]))

    def _read(self, at: int) -> tuple[float, float, float]:
        b, c, n = (float(x[at] / self.effect[at]) for x in self.table)
        return b, c, n


def _discordance(b: float, c: float, n: float, freedom: float) -> float:
    """The share of items that changed; where none did, Wilson's upper bound of it."""
    return (b + c) / n if b + c else wilson(0, n, z95(freedom)).high or 0.0


@dataclass(frozen=True, eq=False)
class Means:
    """A ratio of sums of scores from 0 to 1, or the mean of it over groups: Student's paired test.

    `variance` is that of one item's change, by the delta method for a ratio. Under a margin it is
    the root of the sum of two squares: this one, and that of whole losses of rare items, which
    Tango's is where nothing changed. A few losses that the sample missed would pass otherwise, and
    the sum is near to Tango's where there are some (at least 0.88 of it). An item of the smallest
    group moves the mean over groups `weight` times as much as one among equals would (1 where all
    are one group), so that losses there have the variance margin x (weight - margin). `parents`
    are those of the group that has the fewest, which Welch's degrees of freedom do not go below.
    """

    n: Floats
    before: Floats
    value: Floats
    variance: Floats
    effect: Floats
    freedom: Floats
    parents: Floats
    weight: Floats

    @classmethod
    def of(
        cls,
        top: Floats,
        bottom: Floats,
        asked: Mask,
        clusters: NDArray[np.intp],
        groups: NDArray[np.intp] | None = None,
    ) -> Means:
        """The change from level 0 of top over bottom, (L, N) each, over the items `asked` (L, N).

        An item's influence on a ratio F is (top - F x bottom) over the mean bottom (Cochran 1977,
        section 6.3); its change is that of its influence. `groups` (N,) numbers the groups over
        whose ratios the mean is taken; left out, all items are one.
        """
        group = np.zeros(asked.shape[1], dtype=np.intp) if groups is None else groups
        rows = [
            _change(top[[0, at]], bottom[[0, at]], here, clusters, group)
            for at, here in enumerate(asked)
        ]
        return cls(*(np.array(column, dtype=float) for column in zip(*rows, strict=True)))

    def counts(self, at: int) -> tuple[int | None, int | None]:
        """None: an item can be lost in part."""
        return None, None

    def p(self, margin: float) -> Floats:
        """Student's t."""
        with np.errstate(all="ignore"):
            t = (self.value + margin) / self._error(margin)
            return np.asarray(np.where(self.n > 0, below(-t, self._finite), np.nan))

    def bounds(self, at: int, alpha: float) -> tuple[float, float]:
        """Student's interval."""
        far = float(quantile(alpha, self._finite[at])) * self._planned(at, 0.0)
        return float(self.value[at]) - far, float(self.value[at]) + far

    def provable(self, at: int, alpha: float) -> float:
        """By halving: the larger of the interval's end and what rare whole losses would need."""
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            passed = bool(self.p(middle)[at] < alpha)
            low, high = (low, middle) if passed else (middle, high)
        return high

    def power(self, at: int, margin: float, alpha: float) -> float:
        """Student's t moved by the margin, with the error under it."""
        t = margin / self._planned(at, margin)
        return float(1 - below(quantile(alpha, self._finite[at]) - t, self._finite[at]))

    def needed(self, at: int, margin: float, alpha: float) -> int | None:
        """(z + z)^2 x variance / distance^2, for items that share parents as these do."""
        far = margin + min(0.0, float(self.value[at]))
        if far <= 0:
            return None
        wide = quantile(alpha, self.freedom[at]) + quantile(0.2, self.freedom[at])
        found = float((wide * self._planned(at, margin) / far) ** 2 * self.n[at])
        return int(np.ceil(found)) if found <= HUGE else None

    @property
    def _finite(self) -> Floats:
        """Degrees of freedom also where no parents are shared: those of the variance itself."""
        return np.asarray(np.maximum(self.parents - 1, 1.0))

    def _error(self, margin: float) -> Floats:
        """Standard error of the change under a margin, (L,)."""
        with np.errstate(all="ignore"):
            rare = margin * (self.weight - margin)
            return np.sqrt(np.hypot(self.variance, rare) * self.effect / self.n)

    def _planned(self, at: int, margin: float) -> float:
        """The same at one level; where nothing changed it allows for what was not seen."""
        n, weight = float(self.n[at] / self.effect[at]), float(self.weight[at])
        unseen = weight * _discordance(0.0, 0.0, n, float(self.freedom[at]))
        variance = float(self.variance[at]) or unseen
        with np.errstate(all="ignore"):
            return float(np.sqrt(np.hypot(variance, margin * (weight - margin)) / n))


def _change(
    top: Floats,
    bottom: Floats,
    asked: Mask,
    clusters: NDArray[np.intp],
    groups: NDArray[np.intp],
) -> tuple[float, ...]:
    """Items, start, change, variance of one item's change, design effect, freedom, the parents of
    the group that has the fewest, and the weight of an item of the smallest one.
    """
    n = int(asked.sum())
    _, group = np.unique(groups[asked], return_inverse=True)
    above, below = (np.array([np.bincount(group, x) for x in y[:, asked]]) for y in (top, bottom))
    if not n or (below <= 0).any():
        return 0.0, np.nan, np.nan, np.nan, 1.0, np.inf, 0.0, 1.0
    count, parent = below.shape[1], clusters[asked]
    ratio, shared = above / below, count * below / n  # (2, G)
    influence = (top[:, asked] - ratio[:, group] * bottom[:, asked]) / shared[:, group]  # (2, n)
    change = influence[1] - influence[0]
    alone = float((change**2).sum()) / max(n - 1, 1)
    effect, _, freedom = worth(change, np.ones(n, dtype=bool), parent)
    fewest = min(worth(change, group == g, parent).parents for g in range(count))
    start, end = map(float, ratio.mean(axis=1))
    weight = n / (count * np.bincount(group).min())
    return float(n), start, end - start, alone, effect, freedom, fewest, weight
