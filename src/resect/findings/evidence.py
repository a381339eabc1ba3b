"""What a safe level is judged by: five paired tests of one task, through the levels of one curve.

Shapes: N items, L levels. Each test asks whether a good thing became rarer than before the
damage: a right answer, a right answer with every gold label counting the same, any answer, a
positive found, an item without a confident error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from resect.catalog import ERRORS
from resect.findings.curves import ONE_LABEL, Curve, Sampled, say
from resect.findings.frame import Level
from resect.record import TaskInfo, View
from resect.stats import skill as sk
from resect.stats.balanced import Balanced, balanced, beyond_guessing
from resect.stats.design_effect import FEWEST, TooFewParents, share, too_few_parents
from resect.stats.intervals import NOTHING, Floats, Interval, Mask, interval
from resect.stats.paired_change import Change, PairedCounts, PairedMeans

ACCURACY, BALANCED = "accuracy", "balanced_accuracy"
NO_ANSWER, MISS, CONFIDENT = "no_answer", "miss", "confident_error"

NO_SKILL = "it has no skill that a damaged model could lose: it is shown and never judged"

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
    view: View
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
    if not curve.frame.skilled:
        return Evidence(curve, NOTHING, (), NO_SKILL)
    even = _even(sampled, margin)
    tests = [_main_test(curve, margin)]
    if even is not None:
        tests.append(_balanced(curve, margin, even))
    tests += _error_tests(curve, options, info)
    start, reason = _start(sampled, margin, even, tests[0].reason)
    return Evidence(curve, start, tuple(tests), reason)


def _asked(curve: Curve) -> Mask:
    """Items asked at each level, (L, N)."""
    return np.asarray(curve.codes != sk.MISSING)


def _gold_labels(sampled: Sampled) -> int:
    """How many gold labels the items of level 0 have; 0 for a task without labels."""
    return int(sk.present_labels(sampled.counts)[0]) if sampled.curve.frame.labels else 0


def _even(sampled: Sampled, margin: float) -> Balanced | None:
    """Balanced accuracy, where there are two gold labels or more."""
    curve = sampled.curve
    if _gold_labels(sampled) < 2:
        return None
    return balanced(curve.codes, curve.frame.gold, _asked(curve), margin)


def _error_tests(curve: Curve, options: Curve | None, info: TaskInfo) -> list[Test]:
    """The tests of shares of errors that the task and the view have."""
    frame, codes, asked = curve.frame, curve.codes, _asked(curve)
    tests = []
    read = frame.labels or any(frame.outcomes.get(key) for key in curve.keys)
    if curve.view == "text" and read:
        tests.append(_test(curve, NO_ANSWER, "text", info.margin_no_answer, codes >= 0, asked))
    if not frame.labels:
        return tests
    if info.positive in frame.labels:
        code = frame.labels.index(info.positive)
        sick = asked & (frame.gold == code)
        tests.append(_test(curve, MISS, curve.view, info.margin_miss, codes == code, sick))
    beliefs = None if options is None else options.beliefs
    if beliefs is not None:
        bold = beliefs.sure & ~beliefs.right
        scored = beliefs.known | (beliefs.codes == sk.NO_ANSWER)  # broken scores choose nothing
        bound = info.margin_confident_error
        tests.append(_test(curve, CONFIDENT, "options", bound, ~bold, scored))
    return tests


def _start(
    sampled: Sampled, margin: float, even: Balanced | None, reason: str | None
) -> tuple[Interval, str | None]:
    """The intact model's skill (its metric without labels), and why it cannot be judged.

    `reason` is what stands against its main test. Skill first, then what is beyond guessing of
    balanced accuracy: both have to be high enough.
    """
    curve = sampled.curve
    frame, asked = curve.frame, _asked(curve)
    if frame.headline is not None:
        start = interval(sampled.metric_over(frame.headline, asked[0])[:, 0])
        if not frame.graded:
            start = share(curve.right[0], asked[0], frame.cluster)
        return start, reason or _unassessable(start, margin)
    start = interval(sampled.skill[:, 0])
    if _gold_labels(sampled) == 1:
        return start, ONE_LABEL
    reason = reason or _unassessable(start, margin)
    if even is not None and reason is None:
        start = interval(beyond_guessing(even, sampled.weights, asked[0]))
        reason = _unassessable(start, margin)
    return start, reason


def _unassessable(start: Interval, margin: float) -> str | None:
    if start.value is None or start.low is None or start.high is None:
        return "the intact model has no answers"
    if start.low >= 2 * margin:
        return None
    return (
        f"the intact model's skill is {start.value:.2f} [{start.low:.2f}, {start.high:.2f}], and "
        f"its lower end is below twice the margin ({2 * margin:g})"
    )


def _tested(asked: Mask) -> tuple[Mask, Floats]:
    """Items that a level's test is over, (L, N), and the share that each level lacks, (L,).

    An item that a level lacks counts as lost there: survivors alone must not pass. Where more
    than 1 % are lacking the level is missing, with a table of nothing.
    """
    total = int(asked[0].sum())
    absent = (total - (asked & asked[0]).sum(axis=1)) / max(total, 1)
    return asked[0] & (absent <= ABSENT)[:, None], absent


def _main_test(curve: Curve, margin: float) -> Test:
    """The test of accuracy, or of the task's own metric."""
    if curve.frame.graded:
        return _graded(curve, margin)
    name = ACCURACY if curve.frame.labels else curve.frame.primary
    return _test(curve, name, curve.view, margin, curve.right, _asked(curve))


def _test(curve: Curve, name: str, view: View, margin: float, good: Mask, asked: Mask) -> Test:
    """The paired counts of `good` (L, N) over the items asked at level 0."""
    cluster = curve.frame.cluster
    tested, absent = _tested(asked)
    good = good & asked
    change = PairedCounts.of(good[0], good, tested, cluster)
    reason = _few_parents(asked[0], curve)
    if reason is None and name in ERRORS:
        start = share(good[0], asked[0], cluster)
        if start.low is None:
            reason = "no items at level 0"
        elif start.low < 2 * margin:
            reason = (
                f"at level 0 the share without it is {start.value:.2f}, its lower end "
                f"{start.low:.2f} below twice the margin ({2 * margin:g}): the test could not fail"
            )
    return Test(name, view, margin, change, change.p(margin), absent, reason)


def _few_parents(items: Mask, curve: Curve) -> str | None:
    """Why no test can be made of items (N,) that share so few parents; None where it can."""
    few = too_few_parents(items, curve.frame.cluster)
    return None if few is None else in_words(few)


def in_words(few: TooFewParents) -> str:
    """Too few parents as a reason."""
    named = f"{few.parents} parents" if few.parents > 1 else "one parent"
    equal = ""
    if few.effective < few.parents - 0.05:
        equal = f", no more than {few.effective:.1f} of equal size,"
    return f"its {few.items} items come from {named}{equal} and at least {FEWEST} are needed"


def _graded(curve: Curve, margin: float) -> Test:
    """The paired change of a metric of which items can have a part."""
    frame, asked = curve.frame, _asked(curve)
    assert frame.headline is not None
    tested, absent = _tested(asked)
    top, bottom = curve.sums(frame.headline)
    bottom = np.where(asked, bottom, bottom[0])  # what a level lacks counts, and earned nothing
    change = PairedMeans.of(top, bottom, tested, frame.cluster)
    reason = _few_parents(asked[0], curve)
    return Test(frame.primary, curve.view, margin, change, change.p(margin), absent, reason)


def _balanced(curve: Curve, margin: float, even: Balanced) -> Test:
    """The paired change of balanced accuracy."""
    tested, absent = _tested(_asked(curve))
    ones = np.ones_like(even.scores)
    change = PairedMeans.of(even.scores, ones, tested, curve.frame.cluster, even.group)
    return Test(BALANCED, curve.view, margin, change, change.p(margin), absent, None)
