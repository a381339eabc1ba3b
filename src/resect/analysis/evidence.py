"""What a safe level is judged by: four paired tests of one task, through the levels of one curve.

Shapes: N items, L levels. Each test asks whether a good thing became rarer than before the
damage: a right answer, any answer, a positive found, an item without a confident error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from resect.analysis import skill as sk
from resect.analysis.calibration import beliefs
from resect.analysis.curves import ONE_LABEL, Curve, Mask, Sampled, say
from resect.analysis.frame import Level, TaskFrame
from resect.analysis.intervals import Floats, Interval, interval, wilson
from resect.analysis.paired import (
    Pairs,
    design_effect,
    items_needed,
    non_inferior,
    pairs,
    power,
    tango,
)
from resect.record import TaskInfo

ACCURACY, NO_ANSWER, MISS, CONFIDENT = "accuracy", "no_answer", "miss", "confident_error"

PRACTICALLY = "the estimate lies practically at the margin"

ABSENT = 0.01
"""A level that lacks more than this share of the items asked at level 0 counts as missing."""


@dataclass(frozen=True, eq=False)
class Test:
    """One test at every level: the paired table (L,) of the good thing, and the p-value (L,).

    `good` is its share of the items asked at level 0, (L,): one that a level lacks has lost it.
    `table` counts items; the tests read it divided by `effect` (L,), which is above 1 where
    items share a parent. `absent` is the share of the items that a level lacks, (L,); beyond
    1 % it is missing and passes nothing. `reason` says why the test could not fail or cannot be
    made, None where it is assessable.
    """

    name: str
    view: str
    margin: float
    table: Pairs
    p: Floats
    good: Floats
    baseline: Floats
    effect: Floats
    absent: Floats
    reason: str | None

    def at(self, level: int) -> tuple[float, float, float]:
        """Losses, gains and items of one level as the tests read them."""
        b, c, n = (float(x[level] / self.effect[level]) for x in self.table)
        return b, c, n

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
    """The tests of one task in one view of one course; `reason` where it is not assessable."""

    curve: Curve
    skill: Interval
    tests: tuple[Test, ...]
    reason: str | None


def evidence(sampled: Sampled, options: Curve | None, info: TaskInfo, margin: float) -> Evidence:
    """Gather the tests of one curve; `options` is the same course in the options view, if any.

    A task is assessable only if the lower bound of its baseline's skill (of its accuracy where
    it has no labels) is at least twice the margin, and a further test only if the lower bound of
    its good share at level 0 is: a test that could not fail is no pass.
    """
    curve = sampled.curve
    frame, codes = curve.frame, curve.codes
    asked = codes != sk.MISSING
    right = codes == frame.gold
    few = ONE_LABEL if frame.labels and int(sk.present_labels(sampled.counts)[0]) == 1 else None
    tests = [_test(frame, ACCURACY, curve.view, margin, right, asked)]
    if frame.labels:
        start = interval(sk.skill(sampled.counts)[:, 0])
        if curve.view == "text":
            silence = info.margin_no_answer
            tests.append(_test(frame, NO_ANSWER, "text", silence, codes >= 0, asked))
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
    else:
        start = wilson(int((right & asked)[0].sum()), int(asked[0].sum()))
    return Evidence(curve, start, tuple(tests), few or _unassessable(start, margin))


def _unassessable(start: Interval, margin: float) -> str | None:
    if start.value is None or start.low is None or start.high is None:
        return "the uncut model has no answers"
    if start.low >= 2 * margin:
        return None
    return (
        f"the uncut model's skill is {start.value:.2f} [{start.low:.2f}, {start.high:.2f}], and "
        f"its lower end is below twice the margin ({2 * margin:g})"
    )


def _test(frame: TaskFrame, name: str, view: str, margin: float, good: Mask, asked: Mask) -> Test:
    """The paired table of `good` (L, N) over the items asked at level 0.

    An item that a level lacks counts as lost there: survivors alone must not pass. Where more
    than 1 % are lacking the level is missing, with a table of nothing.
    """
    total = int(asked[0].sum())
    absent = (total - (asked & asked[0]).sum(axis=1)) / max(total, 1)
    here = asked[0] & (absent <= ABSENT)[:, None]  # (L, N)
    good = good & asked
    table = pairs(good[0], good, here)
    effect = design_effect(good[0], good, here, frame.cluster)
    with np.errstate(all="ignore"):
        after = (good & here).sum(axis=1) / table.n
        before = (good[0] & here).sum(axis=1) / table.n
    p = non_inferior(table.b / effect, table.c / effect, table.n / effect, margin)
    reason = None
    if name != ACCURACY:
        start = wilson(int((good & asked)[0].sum()), int(asked[0].sum()))
        if start.low is None:
            reason = "no items at level 0"
        elif start.low < 2 * margin:
            reason = (
                f"at level 0 the share without it is {start.value:.2f}, its lower end "
                f"{start.low:.2f} below twice the margin ({2 * margin:g}): the test could not fail"
            )
    return Test(name, view, margin, table, p, after, before, effect, absent, reason)


def row(task: str, test: Test, at: int, level: Level, alpha: float) -> dict[str, Any]:
    """One test at one level as data, in its own direction: a share of errors may not rise."""
    b, c, n = (float(x[at]) for x in test.table)
    low, high = (float(x) for x in tango(*test.at(at), alpha))
    change = (c - b) / n if n else None
    after, before = float(test.good[at]), float(test.baseline[at])
    if test.name != ACCURACY:  # the good thing turned round
        low, high = -high, -low
        change = None if change is None else -change
        after, before = 1 - after, 1 - before
    return {
        "task": task,
        "test": test.name,
        "view": test.view,
        "level": level,
        "margin": test.margin,
        "n": int(n),
        "lost": int(b),
        "gained": int(c),
        "baseline": before,
        "value": after,
        "difference": change,
        "low": low,
        "high": high,
        "p": float(test.p[at]),
        "passed": bool(test.passes(alpha)[at]),
        "design_effect": float(test.effect[at]),
    }


def shortfall(test: Test, at: int, alpha: float) -> dict[str, Any]:
    """Why one test at one level did not pass: its power, what it could prove, items it needs.

    `power` is of this many items at the observed discordance if nothing had changed;
    `provable_margin` the smallest margin that these answers would have passed; `items_needed`
    for a power of 80 % if the observed change is the true one (no change where it is a gain).
    All of them for items that share parents as these do.
    """
    b, c, n = test.at(at)
    if not n:
        return {"power": None, "provable_margin": None, "items_needed": None,
                "reason": "no answers at this level"}  # fmt: skip
    discordance, change = (b + c) / n, min(0.0, (c - b) / n)
    needed = items_needed(test.margin, alpha, discordance, change)
    low = float(tango(b, c, n, alpha)[0])
    far = test.margin + change <= 0
    why = "the estimate itself is beyond the margin" if far else PRACTICALLY
    return {
        "power": power(test.margin, alpha, n, discordance),
        "provable_margin": max(0.0, -low),
        "items_needed": None if needed is None else round(needed * float(test.effect[at])),
        "reason": None if needed else why,
    }


def joint(passes: Mask) -> Any:
    """How many levels pass in a row from the first, over (..., T, L) tests and levels.

    Fixed sequence: a level counts only if every test passes there and at every level before it
    (Maurer, Hothorn and Lehmacher 1995), so each course as a whole errs at most at alpha; all
    tests must pass, so none of them is corrected (intersection-union, Berger 1982).
    """
    return np.logical_and.accumulate(passes.all(axis=-2), axis=-1).sum(axis=-1)
