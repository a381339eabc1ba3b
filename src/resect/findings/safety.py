"""How far a sweep stays within its margins: the levels that pass, and the test that stopped it.

Shapes: T tests, L levels. Tests come from `evidence`; this file walks them upward.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from resect.findings.curves import Curve, damage, of_sweep, say
from resect.findings.estimates import finite
from resect.findings.evidence import NO_SKILL, Evidence, Test
from resect.findings.frame import Level
from resect.findings.rows import (
    DegradedCell,
    Limiting,
    Safety,
    SafetyTest,
    SweepState,
    TaskReason,
    TestName,
    TestReason,
)
from resect.record import View
from resect.stats.intervals import Mask
from resect.stats.multiplicity import fixed_sequence

PRACTICALLY = "the estimate lies practically at the margin"


class SweepKey(NamedTuple):
    """One sweep in one view."""

    model: str
    recipe: str
    seed: int
    view: View


class Ready(NamedTuple):
    """A test that counts, with the curve that it is of."""

    curve: Curve
    test: Test

    @property
    def task(self) -> str:
        """The task's name."""
        return self.curve.frame.name

    def place(self, level: Level) -> int | None:
        """Where a level stands in the curve, None where it has none."""
        return self.curve.levels.index(level) if level in self.curve.levels else None

    def passes(self, level: Level, alpha: float) -> bool:
        """Whether the test passes at a level; not where the curve lacks it."""
        at = self.place(level)
        return at is not None and bool(self.test.passes(alpha)[at])


def safety(gathered: Sequence[Evidence], alpha: float, tasks: Sequence[str]) -> list[Safety]:
    """How far every sweep stays within its margins, in every view.

    `default` marks the view that the verdict reads: text, or options where there is no text.
    `tasks` are the study's: one that a sweep was never asked is not assessable in it.
    """
    sweeps = by_sweep(gathered)
    unskilled = {e.curve.frame.name for e in gathered if not e.curve.frame.skilled}
    rows = []
    for key, evidence in sweeps.items():
        asked = {e.curve.frame.name for e in evidence}
        absent = [
            TaskReason(
                task=task,
                reason=NO_SKILL
                if task in unskilled
                else f"it was not asked in the {key.view} view",
            )
            for task in tasks
            if task not in asked
        ]
        default = key.view == "text" or key._replace(view="text") not in sweeps
        rows.append(_sweep(evidence, alpha, default, absent))
    return rows


def by_sweep(gathered: Iterable[Evidence]) -> dict[SweepKey, list[Evidence]]:
    """The tasks of every sweep and view, without models that were asked only as they are."""
    sweeps: dict[SweepKey, list[Evidence]] = defaultdict(list)
    for evidence in gathered:
        c = evidence.curve
        if c.recipe != "none":
            sweeps[SweepKey(c.model, c.recipe, c.seed, c.view)].append(evidence)
    return dict(sweeps)


def levels_of(tasks: Sequence[Evidence]) -> list[Level]:
    """The damaged levels of a sweep, rising; every task has the same ones or lacks answers."""
    return sorted({level for e in tasks for level in e.curve.levels[1:]}, key=damage)


def passed_levels(tasks: Sequence[Evidence], alpha: float) -> list[Level]:
    """The levels that pass in fixed sequence; none where no task is assessable."""
    levels, ready = levels_of(tasks), _ready(tasks)
    if not ready or not levels:
        return []
    passes = np.stack([_along(entry, levels, alpha) for entry in ready])  # (T, L)
    return levels[: int(fixed_sequence(passes))]


def _ready(tasks: Sequence[Evidence]) -> list[Ready]:
    """The tests that count: assessable ones of assessable tasks."""
    return [
        Ready(e.curve, t) for e in tasks if e.reason is None for t in e.tests if t.reason is None
    ]


def _along(ready: Ready, levels: Sequence[Level], alpha: float) -> Mask:
    """Which levels of a sweep one test passes, (L,)."""
    return np.array([ready.passes(level, alpha) for level in levels], dtype=bool)


def _sweep(
    tasks: Sequence[Evidence], alpha: float, default: bool, absent: Sequence[TaskReason]
) -> Safety:
    """One sweep in one view: how far it is safe, and which task and test stopped it."""
    ready, levels = _ready(tasks), levels_of(tasks)
    passed = passed_levels(tasks, alpha)
    margins = {e.curve.frame.name: e.tests[0].margin for e in tasks if e.tests}
    reached = levels[: len(passed) + 1] if ready else []
    stopped = bool(ready) and len(passed) < len(levels)
    limiting = _limiting(ready, levels[len(passed)], alpha) if stopped else None
    unassessable = [TaskReason(task=e.curve.frame.name, reason=e.reason) for e in tasks if e.reason]
    return Safety(
        **of_sweep(tasks[0].curve),
        view=tasks[0].curve.view,
        default=default,
        margin=next(iter(margins.values())) if len(set(margins.values())) == 1 else None,
        margins=margins,
        alpha=alpha,
        state=_state(ready, levels, passed),
        safe_level=(passed[-1] if passed else 0.0) if ready and levels else None,
        passed=tuple(passed),
        limiting_task=None if limiting is None else limiting.task,
        limiting_test=None if limiting is None else limiting.test,
        limiting=limiting,
        assessable=tuple(dict.fromkeys(entry.task for entry in ready)),
        not_assessable=(*unassessable, *absent),
        tests_not_assessable=_tests_not_assessable(tasks),
        tests=_tests(ready, reached, alpha),
        degraded=degraded_cells(tasks, reached),
        reason=_notes(tasks, ready),
    )


def _tests_not_assessable(tasks: Sequence[Evidence]) -> tuple[TestReason, ...]:
    """The further tests of assessable tasks that could not fail or cannot be made."""
    return tuple(
        TestReason(task=e.curve.frame.name, test=t.name, reason=t.reason)
        for e in tasks
        if e.reason is None
        for t in e.tests
        if t.reason
    )


def _tests(ready: Sequence[Ready], levels: Sequence[Level], alpha: float) -> tuple[SafetyTest, ...]:
    """Every test that counts at every level reached."""
    return tuple(
        test_row(entry, at, level, alpha)
        for level in levels
        for entry in ready
        if (at := entry.place(level)) is not None
    )


def _state(ready: Sequence[Ready], levels: Sequence[Level], passed: Sequence[Level]) -> SweepState:
    """No task assessable, nothing passed, everything passed, or up to a level."""
    if not ready or not levels:
        return SweepState.NOT_ASSESSABLE
    if not passed:
        return SweepState.NONE
    return SweepState.ALL if len(passed) == len(levels) else SweepState.UP_TO


# ── the test that stopped a sweep ───────────────────────────────────────────────────────────────


def _limiting(ready: Sequence[Ready], level: Level, alpha: float) -> Limiting:
    """The test that stopped the sweep: of those that failed one of how much is right before the
    others, and of these the one furthest from passing. The others are listed by task and test.
    """
    failed = [entry for entry in ready if not entry.passes(level, alpha)]
    worst = max(failed, key=lambda entry: (entry.test.main, _p(entry, level)))
    others = tuple(
        TestName(task=entry.task, test=entry.test.name)
        for entry in failed
        if entry.test is not worst.test
    )
    at = worst.place(level)
    if at is None or not worst.test.change.n[at]:
        return _not_tested(worst, at, level, others)
    return _shortfall(worst, at, test_row(worst, at, level, alpha), alpha, others)


def _p(ready: Ready, level: Level) -> float:
    """The p-value of a test at a level, infinite where there is none."""
    at = ready.place(level)
    return np.inf if at is None or np.isnan(ready.test.p[at]) else float(ready.test.p[at])


def _not_tested(
    ready: Ready, at: int | None, level: Level, others: tuple[TestName, ...]
) -> Limiting:
    """A test that lacks its answers."""
    lacking = ready.test.lacking(ready.task, at, level)
    return Limiting(
        task=ready.task,
        test=ready.test.name,
        main=ready.test.main,
        level=level,
        others=others,
        reason=lacking or f"{ready.task} has no items for the test at {say(level)}",
        view=None,
        margin=None,
        n=None,
        lost=None,
        gained=None,
        baseline=None,
        value=None,
        difference=None,
        low=None,
        high=None,
        p=None,
        passed=None,
        design_effect=None,
        power=None,
        provable_margin=None,
        items_needed=None,
    )


def _shortfall(
    ready: Ready, at: int, row: SafetyTest, alpha: float, others: tuple[TestName, ...]
) -> Limiting:
    """A test that did not pass: its power, what it could prove, and the items it needs.

    `power` is of this many items at the observed discordance if nothing had changed;
    `provable_margin` the smallest margin that these answers would have passed; `items_needed`
    for a power of 80 % if the observed change is the true one (no change where it is a gain).
    All of them for items that share parents as these do.
    """
    test = ready.test
    needed = test.change.needed(at, test.margin, alpha)
    far = test.margin + min(0.0, float(test.change.value[at])) <= 0
    why = "the estimate itself is beyond the margin" if far else PRACTICALLY
    return Limiting(
        task=row.task,
        test=row.test,
        main=row.main,
        level=row.level,
        others=others,
        reason=None if needed else why,
        view=row.view,
        margin=row.margin,
        n=row.n,
        lost=row.lost,
        gained=row.gained,
        baseline=row.baseline,
        value=row.value,
        difference=row.difference,
        low=row.low,
        high=row.high,
        p=row.p,
        passed=row.passed,
        design_effect=row.design_effect,
        power=finite(test.change.power(at, test.margin, alpha)),
        provable_margin=finite(test.change.provable(at, alpha)),
        items_needed=needed,
    )


def test_row(ready: Ready, at: int, level: Level, alpha: float) -> SafetyTest:
    """One test at one level, in its own direction: a share of errors may not rise."""
    test, n = ready.test, int(ready.test.change.n[at])
    change, before = float(test.change.value[at]), float(test.change.before[at])
    low, high = test.change.bounds(at, alpha)
    after = before + change
    if not test.main:  # the good thing turned round
        low, high, change = -high, -low, -change
        after, before = 1 - after, 1 - before
    lost, gained = test.change.counts(at)
    return SafetyTest(
        task=ready.task,
        test=test.name,
        main=test.main,
        view=test.view,
        level=level,
        margin=test.margin,
        n=n,
        lost=lost,
        gained=gained,
        baseline=finite(before),
        value=finite(after),
        difference=finite(change) if n else None,
        low=finite(low),
        high=finite(high),
        p=finite(float(test.p[at])),
        passed=ready.passes(level, alpha),
        design_effect=float(test.change.deff[at]),
    )


# ── what to know beside it ──────────────────────────────────────────────────────────────────────


def degraded_cells(tasks: Sequence[Evidence], levels: Sequence[Level]) -> tuple[DegradedCell, ...]:
    """The cells of the assessable tasks that fell back, among the intact one and `levels`."""
    return tuple(
        DegradedCell(level=level, task=e.curve.frame.name, reason=e.degraded[level])
        for level in (0.0, *levels)
        for e in tasks
        if e.reason is None and level in e.degraded
    )


def _notes(tasks: Sequence[Evidence], ready: Sequence[Ready]) -> str | None:
    """What to know about the tests of this sweep."""
    notes = [] if ready else ["no task is assessable"]
    for e in tasks:
        frame = e.curve.frame
        if len(set(frame.clusters)) < len(frame.items):
            notes.append(f"{frame.name}: the tests allow for items that share a parent")
    return "; ".join(notes) or None
