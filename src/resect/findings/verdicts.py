"""The verdict on every sweep: levels upward, each passed, not proven, undetermined or failed.

All tasks must pass a level, so none is corrected for the others (intersection-union, Berger 1982),
and a level is claimed only after all before it, so that a sweep as a whole errs at most at alpha
(fixed sequence; Maurer, Hothorn and Lehmacher 1995).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import NamedTuple

from resect.findings.curve_rows import States
from resect.findings.curves import Curve, damage, of_sweep
from resect.findings.frame import Level
from resect.findings.guardrails import guardrails, watched
from resect.findings.looks import Evidence, Looks
from resect.findings.planned import degraded
from resect.findings.primary_test import Primary, Rule, outlook, primary
from resect.findings.rows import (
    DegradedCell,
    Guardrail,
    LevelVerdict,
    Missing,
    Stop,
    SweepVerdict,
    TaskVerdict,
    Undecided,
    Word,
)
from resect.record import TaskInfo, View


class SweepKey(NamedTuple):
    """One sweep."""

    model: str
    recipe: str
    seed: int


@dataclass(frozen=True, eq=False)
class Sweep:
    """One sweep in one view: its judged tasks by name, and those that were never asked in it.

    With `looks` a level counts by the last look at its items, and a level that did not pass stopped
    the tasks that had not been asked.
    """

    view: View
    default: bool
    tasks: Mapping[str, Evidence]
    absent: tuple[str, ...]
    looks: Looks | None = None

    @property
    def first(self) -> Primary:
        """The test of any of its tasks."""
        return next(iter(self.tasks.values())).test

    @cached_property
    def levels(self) -> list[Level]:
        """The damaged levels, rising."""
        every = {x for e in self.tasks.values() for x in e.test.curve.levels[1:]}
        return sorted(every, key=damage)

    @cached_property
    def undetermined(self) -> tuple[Undecided, ...]:
        """The tasks that cannot be judged at any level."""
        own = (e.test.undecided for e in self.tasks.values())
        never = (Undecided(task=name, why=Missing.NOT_ASKED) for name in self.absent)
        return (*(row for row in own if row is not None), *never)

    @cached_property
    def judged(self) -> list[Judged]:
        """What is said of every level."""
        return [self.at(level) for level in self.levels]

    @property
    def claimed(self) -> list[Judged]:
        """The levels that passed in fixed sequence."""
        return list(takewhile(lambda level: level.word is Word.PASSED, self.judged))

    @property
    def stopped(self) -> Judged | None:
        """The first level that did not pass."""
        return next(iter(self.judged[len(self.claimed) :]), None)

    @property
    def margins(self) -> dict[str, float]:
        """The margin of each task that has one."""
        margins = {name: e.test.margin for name, e in self.tasks.items()}
        return {name: margin for name, margin in margins.items() if margin is not None}

    def asked(self, level: Level) -> Mapping[str, Evidence]:
        """The evidence at one level: of all items, or of those that were looked at."""
        if self.looks is None:
            return self.tasks
        return {name: self.looks.last(e, level) for name, e in self.tasks.items()}

    def at(self, level: Level) -> Judged:
        """What all tests and guardrails say of one level."""
        tasks = self.asked(level)
        guards = guardrails(tasks, level)
        rows = [
            e.test.row(
                e.test.curve.levels.index(level),
                sum(g.tripped for g in guards if g.task == name),
            )
            for name, e in tasks.items()
            if level in e.test.curve.levels
        ]
        stopped = self.looks is not None and any(row.word is not Word.PASSED for row in rows)
        complete = (len(rows) == len(self.tasks) or stopped) and not self.absent
        return Judged(level, rows, guards, complete)


class Judged(NamedTuple):
    """One level: the tests and guardrails of all tasks; `complete` where every task has a test."""

    level: Level
    tests: list[TaskVerdict]
    guards: list[Guardrail]
    complete: bool

    @property
    def word(self) -> Word:
        """The worst word of all tasks."""
        words = {row.word for row in self.tests}
        if not self.complete:
            words.add(Word.UNDETERMINED)
        return next((word for word in reversed(Word) if word in words), Word.UNDETERMINED)

    @property
    def worst(self) -> TaskVerdict | None:
        """The task of the worst word that lost most, measured by its margin."""
        rows = [row for row in self.tests if row.word is self.word] or self.tests
        told = [row for row in rows if row.change is not None]
        return min(told or rows, key=_room, default=None)


def _room(row: TaskVerdict) -> float:
    """How far the lower bound of a change lies above the margin, in margins."""
    if row.low is None or not row.margin:
        return row.change or 0.0
    return (row.low + row.margin) / row.margin


def sweeps(
    gathered: Sequence[Evidence], tasks: Sequence[str], looks: Looks | None = None
) -> dict[SweepKey, list[Sweep]]:
    """Every sweep, first in the view that decides, then by options where texts decide.

    Each task counts by its text, or by its options where it has no text. `tasks` are those that
    have to be judged; `looks` those of a study that was asked in looks.
    """
    table: dict[SweepKey, dict[View, dict[str, Evidence]]] = defaultdict(lambda: defaultdict(dict))
    for evidence in gathered:
        c = evidence.test.curve
        if c.recipe != "none":
            table[SweepKey(c.model, c.recipe, c.seed)][c.view][c.frame.name] = evidence
    return {key: list(_views(by_view, tasks, looks)) for key, by_view in table.items()}


def _views(
    by_view: Mapping[View, dict[str, Evidence]], tasks: Sequence[str], looks: Looks | None
) -> list[Sweep]:
    texts, options = by_view.get("text", {}), by_view.get("options", {})

    def sweep(view: View, default: bool, evidence: Mapping[str, Evidence]) -> Sweep:
        ordered = {name: evidence[name] for name in tasks if name in evidence}
        absent = tuple(x for x in tasks if x not in evidence)
        return Sweep(view, default, ordered, absent, looks)

    deciding = sweep("text" if texts else "options", True, {**options, **texts})
    others = [sweep("options", False, options)] if texts and options else []
    return [view for view in (deciding, *others) if view.tasks]


def verdicts(
    judged: Mapping[SweepKey, Sequence[Sweep]], alpha: float, shown_only: Sequence[str]
) -> list[SweepVerdict]:
    """The verdict on every sweep in every view."""
    return [_verdict(s, alpha, tuple(shown_only)) for views in judged.values() for s in views]


def _verdict(sweep: Sweep, alpha: float, shown_only: tuple[str, ...]) -> SweepVerdict:
    """One sweep in one view."""
    claimed, stopped = sweep.claimed, sweep.stopped
    last = claimed[-1] if claimed else stopped
    reached = [*claimed[-1:], *([stopped] if stopped else [])]
    return SweepVerdict(
        **of_sweep(sweep.first.curve),
        view=sweep.view,
        default=sweep.default,
        alpha=alpha,
        margins=sweep.margins,
        state=last.word if last else Word.UNDETERMINED,
        passed=tuple(level.level for level in claimed),
        passed_level=claimed[-1].level if claimed else None,
        stopped_by=None if stopped is None else stop(sweep, stopped),
        levels=tuple(_level(level, i < len(claimed)) for i, level in enumerate(sweep.judged)),
        tasks=tuple(row for level in sweep.judged for row in level.tests),
        guardrails=tuple(guard for level in reached for guard in level.guards),
        undetermined=sweep.undetermined,
        shown_only=shown_only,
        degraded=degraded_cells(sweep, [level.level for level in [*claimed, *reached[-1:]]]),
    )


def _level(judged: Judged, claimed: bool) -> LevelVerdict:
    worst = judged.worst
    return LevelVerdict(
        level=judged.level,
        word=judged.word,
        claimed=claimed,
        task=None if worst is None else worst.task,
        change=None if worst is None else worst.change,
        low=None if worst is None else worst.low,
        high=None if worst is None else worst.high,
    )


def stop(sweep: Sweep, judged: Judged) -> Stop:
    """What kept a level from passing: a guardrail or test that failed, else what is missing."""
    tripped = [guard for guard in judged.guards if guard.tripped]
    short = [row for row in judged.tests if row.word is not Word.PASSED]
    others = tuple(dict.fromkeys(row.task for row in short))
    beyond = [row for row in short if row.high is not None and row.margin is not None
              and row.high < -row.margin]  # fmt: skip
    if beyond:
        return _by_test(sweep, judged, min(beyond, key=_room), others)
    if tripped:
        worst = max(tripped, key=lambda g: g.rise - g.cap)
        return Stop(
            task=worst.task, level=judged.level, word=judged.word, guardrail=worst,
            others=tuple(x for x in others if x != worst.task),
        )  # fmt: skip
    if judged.word is Word.UNDETERMINED:
        return _by_absence(sweep, judged, others)
    return _by_test(sweep, judged, min(short, key=_room), others)


def _by_test(sweep: Sweep, judged: Judged, row: TaskVerdict, others: tuple[str, ...]) -> Stop:
    """Stopped by a primary test: what these items could have shown, and how many it takes."""
    test = sweep.asked(judged.level)[row.task].test
    power, provable, needed = outlook(test, test.curve.levels.index(judged.level))
    return Stop(
        task=row.task,
        level=judged.level,
        word=judged.word,
        test=row,
        others=tuple(x for x in others if x != row.task),
        power=power,
        provable_margin=provable,
        items_needed=needed,
    )


def _by_absence(sweep: Sweep, judged: Judged, others: tuple[str, ...]) -> Stop:
    """Stopped by a task without evidence."""
    lacking = list(sweep.undetermined)
    for name, e in sweep.tasks.items():
        levels = e.test.curve.levels
        gap = e.test.missing(levels.index(judged.level)) if judged.level in levels else None
        if gap is None and judged.level not in levels and sweep.looks is None:
            gap = Undecided(task=name, why=Missing.NO_ANSWERS, level=judged.level)
        if gap is not None and gap not in lacking:
            lacking.append(gap)
    first = lacking[0]
    return Stop(
        task=first.task, level=judged.level, word=judged.word, undecided=first,
        others=tuple(x for x in others if x != first.task),
    )  # fmt: skip


def degraded_cells(sweep: Sweep, levels: Sequence[Level]) -> tuple[DegradedCell, ...]:
    """The cells that fell back, among the intact one and `levels`."""
    return tuple(
        DegradedCell(level=level, task=name, reason=e.test.degraded[level])
        for level in dict.fromkeys((0.0, *levels))
        for name, e in sweep.tasks.items()
        if level in e.test.degraded
    )


def evidence(
    curves: Sequence[Curve], info: TaskInfo, rule: Rule, states: States
) -> Iterator[Evidence]:
    """What one task says of every sweep; nothing of a task that is shown and never judged.

    Confident errors are looked for in the options view.
    """
    options = {(c.model, c.recipe, c.seed): c for c in curves if c.view == "options"}
    for curve in curves:
        test = primary(curve, info, rule, degraded(curve, states))
        if test is not None:
            beside = options.get((curve.model, curve.recipe, curve.seed))
            yield Evidence(test, watched(test, beside, info), info)
