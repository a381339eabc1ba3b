"""The primary test of one task through the levels of one curve: non-inferiority of its utility.

Shapes: N items, L levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from resect.findings.curves import Curve
from resect.findings.estimates import finite
from resect.findings.frame import Level
from resect.findings.rows import Missing, TaskVerdict, Undecided, Word
from resect.findings.utility import Utility, of_metric, utility
from resect.record import TaskInfo
from resect.stats import skill as sk
from resect.stats.bounded_mean import Strata, score_interval, score_p
from resect.stats.intervals import Floats, Mask
from resect.stats.power import copy_times, times_needed

ABSENT = 0.01
"""A level that lacks more than this share of the items asked at level 0 counts as missing."""

HUGE = 1_000_000
"""More items than anyone will ask."""

TARGET = 0.8
"""The power that items are counted for."""


class Rule(NamedTuple):
    """What passes: the most that may be lost, the share of skill to keep, the one-sided error."""

    margin: float
    retain: float
    alpha: float

    def of_task(self, info: TaskInfo, margin: float | None) -> Rule:
        """The rule of one task; `margin` is that of the study, None for the task's own."""
        return self._replace(margin=info.margin if margin is None else margin)


def is_judged(info: TaskInfo, shown_only: Sequence[str]) -> bool:
    """Whether a task counts in the verdict."""
    return info.kind != "score" and info.name not in shown_only


@dataclass(frozen=True, eq=False)
class Primary:
    """The primary test of one curve over some items (N,).

    `intact` is the intact model's utility; `change` has a sample for each level; `undecided` says
    why the task cannot be judged, and then `margin` is None. `degraded` are levels that fell back.
    """

    curve: Curve
    utility: Utility
    items: Mask
    alpha: float
    intact: float | None
    margin: float | None
    undecided: Undecided | None
    degraded: Mapping[Level, str]

    @property
    def task(self) -> str:
        """The task's name."""
        return self.curve.frame.name

    @cached_property
    def change(self) -> Strata:
        """The change of utility at every level."""
        return self.utility.change(self.items, self.curve.frame.cluster)

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """The change's interval at every level, (L,) each: the test turned round."""
        return score_interval(self.change, self.alpha)

    @cached_property
    def p(self) -> Floats:
        """One-sided p-values of H0: the change is -margin or worse, (L,); NaN without a margin."""
        if self.margin is None:
            return np.full(len(self.curve.levels), np.nan)
        return score_p(self.change, -self.margin)

    @cached_property
    def absent(self) -> Floats:
        """The share of the items that each level lacks, (L,)."""
        asked = self.curve.codes[:, self.items] != sk.MISSING
        return np.asarray(1 - asked.mean(axis=1)) if asked.size else np.ones(len(asked))

    def word(self, at: int) -> Word:
        """What the test says of the level at a place."""
        if self.undecided is not None or self.absent[at] > ABSENT or self.margin is None:
            return Word.UNDETERMINED
        if self.p[at] < self.alpha:
            return Word.PASSED
        return Word.FAILED if self.bounds[1][at] < -self.margin else Word.NOT_PROVEN

    def row(self, at: int, tripped: int) -> TaskVerdict:
        """The row of one level, with the number of guardrails that tripped there."""
        word = self.word(at)
        told = self.absent[at] <= ABSENT and self.items.any()
        value = float(self.change.mean[at]) if told else None
        low, high = (float(x[at]) for x in self.bounds) if told else (None, None)
        intact = finite(self.intact)
        return TaskVerdict(
            task=self.task,
            view=self.curve.view,
            level=self.curve.levels[at],
            word=Word.FAILED if tripped else word,
            n=int(self.items.sum()),
            margin=self.margin,
            intact=intact,
            value=None if value is None or intact is None else intact + value,
            change=finite(value),
            low=finite(low),
            high=finite(high),
            p=finite(float(self.p[at])) if told and self.margin is not None else None,
            tripped=tripped,
        )

    def missing(self, at: int) -> Undecided | None:
        """Why a level cannot be judged: the task cannot, or the level lacks its answers."""
        if self.undecided is not None:
            return self.undecided
        if self.absent[at] <= ABSENT:
            return None
        n = int(self.items.sum())
        lacking = round(float(self.absent[at]) * n)
        return Undecided(
            task=self.task, why=Missing.NO_ANSWERS, level=self.curve.levels[at], n=n - lacking,
            needed=n,
        )  # fmt: skip


def primary(
    curve: Curve,
    info: TaskInfo,
    rule: Rule,
    degraded: Mapping[Level, str],
) -> Primary | None:
    """The primary test of a curve; None of a task that is shown and never judged."""
    worth = utility(curve, info)
    if worth is None:
        return None
    items = np.asarray(curve.codes[0] != sk.MISSING)
    test = Primary(curve, worth, items, rule.alpha, None, None, None, degraded)
    n = int(items.sum())
    if not n:
        return _undecided(test, Undecided(task=test.task, why=Missing.NO_BASELINE))
    intact = worth.intact(items, curve.frame.cluster)
    test = replace(test, intact=float(intact.mean[0]))
    low = float(score_interval(intact)[0][0])
    if not low > worth.floor:
        flat = Undecided(task=test.task, why=Missing.NO_SKILL, n=n, low=low, floor=worth.floor)
        return _undecided(test, flat)
    margin = min(rule.margin, (1 - rule.retain) * (low - worth.floor))
    return _enough(replace(test, margin=margin))


def restricted(test: Primary, items: Mask, alpha: float, enough: bool = True) -> Primary:
    """The same test on some of its items (N,), at another one-sided error and its own margin.

    `enough`: it cannot be made where a copy would not pass on so few.
    """
    items = test.items & items
    part = replace(test, items=items, alpha=alpha)
    if not items.any():
        return _undecided(part, Undecided(task=test.task, why=Missing.NO_BASELINE))
    worth = of_metric(test.curve, items) if test.curve.frame.graded else test.utility
    intact = worth.intact(items, test.curve.frame.cluster)
    part = replace(part, utility=worth, intact=float(intact.mean[0]))
    return _enough(part) if enough else part


def _enough(test: Primary) -> Primary:
    """The test, undecided where even an identical copy would not pass on its items."""
    assert test.margin is not None
    n = int(test.items.sum())
    few = too_few(test.task, test.change, n, test.margin, test.alpha)
    return test if few is None else _undecided(test, few)


def _undecided(test: Primary, why: Undecided) -> Primary:
    """A test that cannot be made."""
    return replace(test, margin=None, undecided=why)


def too_few(task: str, change: Strata, n: int, margin: float, alpha: float) -> Undecided | None:
    """Why even an identical copy would not pass; None where it would.

    `change` gives the units.
    """
    times = copy_times(change.unchanged, margin, alpha)
    if times < 1:
        return None
    needed = ceil(n * times * (1 + 1e-9)) if n * times < HUGE else None
    return Undecided(task=task, why=Missing.TOO_FEW, n=n, needed=needed)


class Outlook(NamedTuple):
    """What a test that did not pass could have shown."""

    power: float | None
    provable: float | None
    needed: int | None


def outlook(test: Primary, at: int) -> Outlook:
    """Power had nothing changed, the smallest margin that passes, and items for a power of 80 %.

    Power and items by the score test's variance under the margin and the variance seen. Items are
    those that the change seen needs, or no change where it is a gain; None where it lies beyond
    the margin.
    """
    if test.margin is None or test.absent[at] > ABSENT:
        return Outlook(None, None, None)
    change, n = test.change.take(np.array([at])), int(test.items.sum())
    value, margin = float(change.mean[0]), test.margin
    z = float(-ndtri(test.alpha))
    reached = float(-ndtri(min(float(score_p(change, -margin)[0]), 1 - 1e-12)))
    under = (value + margin) / reached if reached and value + margin > 0 else None
    each = (change.counts * change.values).sum(-1) / change.n
    spread = (change.counts * (change.values - each[..., None]) ** 2).sum(-1) / change.n
    seen = float(np.sqrt((change.weights**2 * spread / change.n).sum()))
    provable = max(0.0, -float(test.bounds[0][at]))
    if under is None:
        return Outlook(None, provable, None)
    power = float(ndtr((margin - z * under) / seen)) if seen else float(margin > z * under)
    times = times_needed(margin + min(0.0, value), under, seen, test.alpha, TARGET)
    needed = ceil(n * max(times, 1.0)) if times * n < HUGE else None
    return Outlook(power, provable, needed)
