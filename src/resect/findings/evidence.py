"""What a safe level is judged by: five paired tests of one task, through the levels of one curve.

Shapes: N items, L levels. Each test asks whether a good thing became rarer than before the
damage: a right answer, a right answer with every gold label counting the same, any answer, a
positive found, an item without a confident error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from resect.findings.confidence import beliefs
from resect.findings.curves import ONE_LABEL, Curve, Sampled, say
from resect.findings.frame import Level, TaskFrame
from resect.record import TaskInfo
from resect.stats import skill as sk
from resect.stats.balanced import Balanced, balanced, beyond_guessing
from resect.stats.design_effect import share, too_few
from resect.stats.intervals import Floats, Interval, Mask, interval
from resect.stats.paired_change import Change, Counts, Means

ACCURACY, BALANCED = "accuracy", "balanced_accuracy"
NO_ANSWER, MISS, CONFIDENT = "no_answer", "miss", "confident_error"
ERRORS = (NO_ANSWER, MISS, CONFIDENT)
"""Tests of a share of errors, which may not rise; every other one is of how much is right
(accuracy, balanced accuracy, strict_f1, ...), which may not fall."""

NO_SKILL = "it has no skill that a damaged model could lose: it is shown and never judged"
PRACTICALLY = "the estimate lies practically at the margin"

ABSENT = 0.01
"""A level that lacks more than this share of the items asked at level 0 counts as missing."""


@dataclass(frozen=True, eq=False)
class Test:
    """One test at every level: the paired change of the good thing, and the p-value (L,).

    An item that a level lacks has lost it. `absent` is the share of the items that a level lacks,
    (L,); beyond 1 % it is missing and passes nothing. `reason` says why the test could not fail
    or cannot be made, None where it is assessable.
    """

    name: str
    view: str
    margin: float
    change: Change
    p: Floats
    absent: Floats
    reason: str | None

    @property
    def main(self) -> bool:
        """Whether it is a test of how much is right, which may not fall."""
        return self.name not in ERRORS

    def lacking(self, task: str, at: int | None, level: Level) -> str | None:
        """Why the test cannot be made at a level, in words; None where it can."""
        what = "option scores" if self.name == CONFIDENT else f"answers in the {self.view} view"
        ending = f"so the {self.name.replace('_', '-')} test cannot be made"
        if at is None or self.absent[at] == 1:
            return f"{task} has no {what} at {say(level)}, {ending}"
        if self.absent[at] > ABSENT:
            share = f"{100 * self.absent[at]:.0f} % of the items"
            return f"{task} lacks {what} for {share} at {say(level)}, {ending}"
        return None

    def passes(self, alpha: float) -> Mask:
        """Which levels pass, (L,); a level without answers does not."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.p < alpha)


@dataclass(frozen=True, eq=False)
class Evidence:
    """The tests of one task in one view of one sweep; `reason` where it is not assessable.

    `degraded` says why the cells of some levels are.
    """

    curve: Curve
    skill: Interval
    tests: tuple[Test, ...]
    reason: str | None
    degraded: Mapping[Level, str] = field(default_factory=dict)


def evidence(sampled: Sampled, options: Curve | None, info: TaskInfo, margin: float) -> Evidence:
    """Gather the tests of one curve; `options` is the same sweep in the options view, if any.

    A task is assessable only if the lower bound of its baseline's skill (of its accuracy where
    it has no labels) is at least twice the margin, and a further test only if the lower bound of
    its good share at level 0 is: a test that could not fail is no pass. Items that share parents
    have to have enough of them. With two gold labels or more balanced accuracy must hold too, so
    that a model that fell to one answer, and with it to a skill of 0, has lost (K-1)/K x twice
    the margin, which is the margin or more.
    """
    curve = sampled.curve
    frame, codes = curve.frame, curve.codes
    if not frame.skilled:
        return Evidence(curve, Interval(None, None, None), (), NO_SKILL)
    asked = codes != sk.MISSING
    labels = int(sk.present_labels(sampled.counts)[0]) if frame.labels else 0
    main = ACCURACY if frame.labels else frame.primary
    tests = [
        _graded(curve, margin, asked)
        if frame.graded
        else _test(frame, main, curve.view, margin, curve.right, asked)
    ]
    even = balanced(curve.codes, frame.gold, asked, margin) if labels > 1 else None
    if even is not None:
        tests.append(_balanced(curve, margin, even, asked))
    read = frame.labels or any(frame.outcomes.get(key) for key in curve.keys)
    if curve.view == "text" and read:
        tests.append(_test(frame, NO_ANSWER, "text", info.margin_no_answer, codes >= 0, asked))
    if frame.headline is not None:
        start = interval(sampled.metric_over(frame.headline, asked[0])[:, 0])
        if not frame.graded:
            start = share(curve.right[0], asked[0], frame.cluster)
        reason = tests[0].reason or _unassessable(start, margin)
        return Evidence(curve, start, tuple(tests), reason)
    start = interval(sampled.skill[:, 0])
    if info.positive in frame.labels:
        yes = frame.labels.index(info.positive)
        good, sick = codes == yes, asked & (frame.gold == yes)
        tests.append(_test(frame, MISS, curve.view, info.margin_miss, good, sick))
    belief = None if options is None else beliefs(options)
    if belief is not None:
        bold = belief.sure & ~belief.right
        scored = belief.known | (belief.codes == sk.NO_ANSWER)  # broken scores choose nothing
        bound = info.margin_confident_error
        tests.append(_test(frame, CONFIDENT, "options", bound, ~bold, scored))
    reason = ONE_LABEL if labels == 1 else tests[0].reason or _unassessable(start, margin)
    if even is not None and reason is None:
        start = interval(beyond_guessing(even, sampled.weights, asked[0]))
        reason = _unassessable(start, margin)
    return Evidence(curve, start, tuple(tests), reason)


def _unassessable(start: Interval, margin: float) -> str | None:
    if start.value is None or start.low is None or start.high is None:
        return "the intact model has no answers"
    if start.low >= 2 * margin:
        return None
    return (
        f"the intact model's skill is {start.value:.2f} [{start.low:.2f}, {start.high:.2f}], and "
        f"its lower end is below twice the margin ({2 * margin:g})"
    )


def _here(asked: Mask) -> tuple[Mask, Floats]:
    """Items that a level's test is over, (L, N), and the share that each level lacks, (L,).

    An item that a level lacks counts as lost there: survivors alone must not pass. Where more
    than 1 % are lacking the level is missing, with a table of nothing.
    """
    total = int(asked[0].sum())
    absent = (total - (asked & asked[0]).sum(axis=1)) / max(total, 1)
    return asked[0] & (absent <= ABSENT)[:, None], absent


def _test(frame: TaskFrame, name: str, view: str, margin: float, good: Mask, asked: Mask) -> Test:
    """The paired counts of `good` (L, N) over the items asked at level 0."""
    here, absent = _here(asked)
    good = good & asked
    change = Counts.of(good[0], good, here, frame.cluster)
    reason = too_few(asked[0], frame.cluster)
    if reason is None and name in ERRORS:
        start = share(good[0], asked[0], frame.cluster)
        if start.low is None:
            reason = "no items at level 0"
        elif start.low < 2 * margin:
            reason = (
                f"at level 0 the share without it is {start.value:.2f}, its lower end "
                f"{start.low:.2f} below twice the margin ({2 * margin:g}): the test could not fail"
            )
    return Test(name, view, margin, change, change.p(margin), absent, reason)


def _graded(curve: Curve, margin: float, asked: Mask) -> Test:
    """The paired change of a metric of which items can have a part."""
    frame = curve.frame
    assert frame.headline is not None
    here, absent = _here(asked)
    top, bottom = curve.sums(frame.headline)
    bottom = np.where(asked, bottom, bottom[0])  # what a level lacks counts, and earned nothing
    change = Means.of(top, bottom, here, frame.cluster)
    reason = too_few(asked[0], frame.cluster)
    return Test(frame.primary, curve.view, margin, change, change.p(margin), absent, reason)


def _balanced(curve: Curve, margin: float, even: Balanced, asked: Mask) -> Test:
    """The paired change of balanced accuracy."""
    here, absent = _here(asked)
    ones = np.ones_like(even.scores)
    change = Means.of(even.scores, ones, here, curve.frame.cluster, even.group)
    return Test(BALANCED, curve.view, margin, change, change.p(margin), absent, None)


def row(task: str, test: Test, at: int, level: Level, alpha: float) -> dict[str, Any]:
    """One test at one level as data, in its own direction: a share of errors may not rise."""
    change, n = float(test.change.value[at]), int(test.change.n[at])
    low, high = test.change.bounds(at, alpha)
    before = float(test.change.before[at])
    after = before + change
    if not test.main:  # the good thing turned round
        low, high, change = -high, -low, -change
        after, before = 1 - after, 1 - before
    lost, gained = test.change.counts(at)
    return {
        "task": task,
        "test": test.name,
        "main": test.main,
        "view": test.view,
        "level": level,
        "margin": test.margin,
        "n": n,
        "lost": lost,
        "gained": gained,
        "baseline": before,
        "value": after,
        "difference": change if n else None,
        "low": low,
        "high": high,
        "p": float(test.p[at]),
        "passed": bool(test.passes(alpha)[at]),
        "design_effect": float(test.change.effect[at]),
    }


def shortfall(test: Test, at: int, alpha: float) -> dict[str, Any]:
    """Why one test at one level did not pass: its power, what it could prove, items it needs.

    `power` is of this many items at the observed discordance if nothing had changed;
    `provable_margin` the smallest margin that these answers would have passed; `items_needed`
    for a power of 80 % if the observed change is the true one (no change where it is a gain).
    All of them for items that share parents as these do.
    """
    if not test.change.n[at]:
        return {"power": None, "provable_margin": None, "items_needed": None,
                "reason": "no answers at this level"}  # fmt: skip
    change = min(0.0, float(test.change.value[at]))
    needed = test.change.needed(at, test.margin, alpha)
    far = test.margin + change <= 0
    why = "the estimate itself is beyond the margin" if far else PRACTICALLY
    return {
        "power": test.change.power(at, test.margin, alpha),
        "provable_margin": test.change.provable(at, alpha),
        "items_needed": needed,
        "reason": None if needed else why,
    }


def joint(passes: Mask) -> Any:
    """How many levels pass in a row from the first, over (..., T, L) tests and levels.

    Fixed sequence: a level counts only if every test passes there and at every level before it
    (Maurer, Hothorn and Lehmacher 1995), so each sweep as a whole errs at most at alpha; all
    tests must pass, so none of them is corrected (intersection-union, Berger 1982).
    """
    return np.logical_and.accumulate(passes.all(axis=-2), axis=-1).sum(axis=-1)
