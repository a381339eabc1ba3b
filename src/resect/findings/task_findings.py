"""All findings of one task, from its curves under one matrix of item weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, TypeVar

from resect.findings import rows
from resect.findings.answer_bias import bias
from resect.findings.baseline_comparison import intact, runtime_steps
from resect.findings.cliffs import cliffs, half_of_skill
from resect.findings.comparisons import absent, compare
from resect.findings.curve_rows import States, points
from resect.findings.curves import Curve, Sampled
from resect.findings.divergence_from_intact import along
from resect.findings.divergences import divergences
from resect.findings.failure_order import breaks_first, reliability_first
from resect.findings.frame import TaskFrame
from resect.findings.looks import Evidence
from resect.findings.multi_task import Lent, lend
from resect.findings.primary_test import Rule
from resect.findings.reliability import reliability
from resect.findings.robustness import robustness
from resect.findings.slices import slices
from resect.findings.trust import trust
from resect.findings.verdicts import evidence
from resect.record import TaskInfo, View
from resect.stats.intervals import Weights

Row = TypeVar("Row")
Pairs = Sequence[tuple[str, str]]
"""The models that are compared."""


class Task(NamedTuple):
    """One task of the study, ready to be analysed."""

    info: TaskInfo
    frame: TaskFrame
    curves: Sequence[Curve]
    states: States
    rule: Rule
    judged: bool


class Place(NamedTuple):
    """What two models are compared under."""

    recipe: str
    seed: int
    view: View
    runtime: str


Table = dict[tuple[Place, str], Sampled]
"""Place and model to a curve."""


@dataclass(frozen=True, kw_only=True)
class TaskFindings:
    """The findings of one task, what its verdict is made of, and what it lends to others."""

    curves: tuple[rows.CurvePoint, ...] = ()
    robustness: tuple[rows.Robustness, ...] = ()
    comparisons: tuple[rows.Comparison, ...] = ()
    cliffs: tuple[rows.Cliff, ...] = ()
    breaks_first: tuple[rows.BreaksFirst, ...] = ()
    bias: tuple[rows.Bias, ...] = ()
    trust: tuple[rows.Trust, ...] = ()
    reliability: tuple[rows.Reliability, ...] = ()
    reliability_first: tuple[rows.ReliabilityFirst, ...] = ()
    slices: tuple[rows.Slice, ...] = ()
    divergences: tuple[rows.Divergence, ...] = ()
    intact: tuple[rows.IntactComparison, ...] = ()
    runtimes: tuple[rows.RuntimeStep, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    lent: tuple[Lent, ...] = ()

    def plus(self, other: TaskFindings) -> TaskFindings:
        """The findings of two tasks, or of several and one more."""
        return TaskFindings(
            curves=(*self.curves, *other.curves),
            robustness=(*self.robustness, *other.robustness),
            comparisons=(*self.comparisons, *other.comparisons),
            cliffs=(*self.cliffs, *other.cliffs),
            breaks_first=(*self.breaks_first, *other.breaks_first),
            bias=(*self.bias, *other.bias),
            trust=(*self.trust, *other.trust),
            reliability=(*self.reliability, *other.reliability),
            reliability_first=(*self.reliability_first, *other.reliability_first),
            slices=(*self.slices, *other.slices),
            divergences=(*self.divergences, *other.divergences),
            intact=(*self.intact, *other.intact),
            runtimes=(*self.runtimes, *other.runtimes),
            evidence=(*self.evidence, *other.evidence),
            lent=(*self.lent, *other.lent),
        )


def task_findings(task: Task, weights: Weights, pairs: Pairs) -> TaskFindings:
    """Every finding of one task; `weights` (R + 1, N) are shared by all of its curves."""
    frame, sampled = task.frame, [Sampled(curve, weights) for curve in task.curves]
    skilled = sampled if frame.skilled else []
    table = {(place_of(s.curve), s.curve.model): s for s in sampled}
    fallen = [cliffs(s) for s in skilled]
    halves = [half_of_skill(row) for row in fallen] if skilled else [None] * len(sampled)
    return TaskFindings(
        curves=_flat(
            points(s, task.states, far) for s, far in zip(sampled, along(task.curves), strict=True)
        ),
        robustness=_each(robustness, skilled),
        comparisons=tuple(_comparisons(table, pairs)) if skilled else (),
        cliffs=_flat(fallen),
        breaks_first=tuple(breaks_first(skilled)),
        bias=_each(lambda s: bias(s, task.info.positive), sampled if frame.labels else []),
        trust=_each(trust, [] if frame.graded else skilled),
        reliability=_each(reliability, sampled),
        reliability_first=_each(reliability_first, sampled),
        slices=_flat(slices(s, half) for s, half in zip(sampled, halves, strict=True)),
        divergences=tuple(_divergences(table, pairs)),
        intact=tuple(intact(frame, pairs)),
        runtimes=tuple(runtime_steps(frame, {c.model: c.role for c in task.curves})),
        evidence=_evidence(task),
        lent=tuple(lend(s, task.info) for s in sampled),
    )


def _evidence(task: Task) -> tuple[Evidence, ...]:
    """What the verdict on a task is made of; nothing where it is shown only."""
    if not task.judged:
        return ()
    return tuple(evidence(task.curves, task.info, task.rule, task.states))


def place_of(curve: Curve) -> Place:
    """What a curve can be compared under."""
    return Place(curve.recipe, curve.seed, curve.view, curve.runtime)


def _each(
    finding: Callable[[Sampled], Iterable[Row]], sampled: Sequence[Sampled]
) -> tuple[Row, ...]:
    """The rows of one finding of every curve."""
    return _flat(finding(s) for s in sampled)


def _flat(groups: Iterable[Iterable[Row]]) -> tuple[Row, ...]:
    return tuple(chain.from_iterable(groups))


def _comparisons(table: Table, pairs: Pairs) -> Iterator[rows.Comparison]:
    """Each pair for every recipe, seed and view that either was asked in."""
    for a, b in pairs:
        for place in _places(table, a, b):
            left, right = table.get((place, a)), table.get((place, b))
            if left and right:
                yield from compare(left, right)
            elif left:
                yield from absent(left.curve, a, b, lacking=b)
            elif right:
                yield from absent(right.curve, a, b, lacking=a)


def _divergences(table: Table, pairs: Pairs) -> Iterator[rows.Divergence]:
    """What either model of a pair keeps, in the text view, where both were asked."""
    for a, b in pairs:
        for place in _places(table, a, b):
            left, right = table.get((place, a)), table.get((place, b))
            if place.view == "text" and left and right:
                row = divergences(left.curve, right.curve)
                if row is not None:
                    yield row


def _places(table: Table, a: str, b: str) -> list[Place]:
    """Recipe, seed and view of every sweep that either of two models has."""
    places = dict.fromkeys(place for place, model in table if model in (a, b))
    return [place for place in places if place.recipe != "none"]
