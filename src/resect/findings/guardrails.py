"""Guardrails: quantities beside the primary test that may not get clearly worse.

Shapes: N items, L levels. A guardrail trips where its rise is beyond its cap and more than noise:
a copy of the intact model trips none, whatever the number of items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from resect.findings.curves import Curve
from resect.findings.frame import Level
from resect.findings.primary_test import Primary
from resect.findings.rows import Guardrail, GuardrailKind
from resect.findings.slices import FEWEST, tags_of
from resect.record import TaskInfo, View
from resect.stats import skill as sk
from resect.stats.design_effect import design_effect
from resect.stats.intervals import Floats, Mask
from resect.stats.multiplicity import holm

NOISE = 0.05
"""One-sided error of the guardrails of one level, after Holm's correction."""

CAPS: Mapping[str, float] = {
    GuardrailKind.NO_ANSWER: 0.05,
    GuardrailKind.MISSED: 0.10,
    GuardrailKind.WRONGLY: 0.10,
    GuardrailKind.CONFIDENT: 0.05,
    GuardrailKind.FLIPS: 0.10,
    GuardrailKind.SUBGROUP: 0.10,
}
"""How much each may rise, as shares of its items; a task's `caps` stand in for them."""


class Watched(NamedTuple):
    """A bad thing at every level, (L, N) from 0 to 1, over some items (N,)."""

    kind: GuardrailKind
    of: str | None
    view: View
    bad: Floats
    items: Mask


def watched(test: Primary, options: Curve | None, info: TaskInfo) -> list[Watched]:
    """Everything that is watched on one task; `options` is the same sweep in the options view."""
    return list(_watched(test, options, info))


def _watched(test: Primary, options: Curve | None, info: TaskInfo) -> Iterator[Watched]:
    curve, items = test.curve, test.items
    frame, codes, view = curve.frame, curve.codes, curve.view
    if view == "text" and (frame.labels or any(frame.outcomes.get(key) for key in curve.keys)):
        yield Watched(GuardrailKind.NO_ANSWER, None, view, (codes < 0).astype(float), items)
    for code, label in enumerate(frame.labels):
        own = frame.gold == code
        wrong = (codes != code).astype(float)
        yield Watched(GuardrailKind.MISSED, label, view, wrong, items & own)
        yield Watched(
            GuardrailKind.WRONGLY, label, view, (codes == code).astype(float), items & ~own
        )
    beliefs = None if options is None else options.beliefs
    if beliefs is not None:
        bold = (beliefs.sure & ~beliefs.right).astype(float)
        scored = (beliefs.known | (beliefs.codes == sk.NO_ANSWER)).all(axis=0)
        yield Watched(GuardrailKind.CONFIDENT, None, "options", bold, items & scored)
    lost = 1 - (item_scores(curve) if frame.graded else test.utility.values)
    if not frame.graded:
        flipped = (curve.right[0] & ~curve.right).astype(float)
        yield Watched(GuardrailKind.FLIPS, None, view, flipped, items)
    for tag, members in tags_of(frame).items():
        for value, inside in members.items():
            yield Watched(GuardrailKind.SUBGROUP, f"{tag}: {value}", view, lost, items & inside)


def item_scores(curve: Curve) -> Floats:
    """What each item scores by itself in a metric that is a ratio of sums, (L, N).

    1 where there was nothing to find and nothing was found; 0 where a level lacks the item. Not its
    influence on the ratio of all items, which moves with what happens to the others.
    """
    assert curve.frame.headline is not None
    top, bottom = curve.sums(curve.frame.headline)
    with np.errstate(all="ignore"):
        score = np.where(bottom == 0, 1.0, top / bottom)
    return np.where(np.isnan(score) | (curve.codes == sk.MISSING), 0.0, score)


def guardrails(tasks: Mapping[str, tuple[Primary, list[Watched], TaskInfo]], level: Level
               ) -> list[Guardrail]:  # fmt: skip
    """The guardrails of all tasks at one level, with p-values after Holm's correction."""
    rows = [row for parts in tasks.values() for row in estimated(*parts, level)]
    adjusted = holm([guard.p for guard in rows])
    return [_judged(guard, p) for guard, p in zip(rows, adjusted, strict=True)]


def estimated(
    test: Primary, everything: Sequence[Watched], info: TaskInfo, level: Level
) -> list[Guardrail]:
    """The guardrails of one task at one level, before correction; none where it lacks answers."""
    if level not in test.curve.levels or test.missing(test.curve.levels.index(level)):
        return []
    at = test.curve.levels.index(level)
    return [
        row(test.task, seen, level, at, info, test.curve)
        for seen in everything
        if seen.items.sum() >= FEWEST
    ]


def _judged(guard: Guardrail, p_holm: float) -> Guardrail:
    """A guardrail with its adjusted p-value."""
    trips = guard.rise > guard.cap and p_holm <= NOISE
    return replace(guard, p_holm=p_holm, tripped=trips)


def row(task: str, seen: Watched, level: Level, at: int, info: TaskInfo, curve: Curve) -> Guardrail:
    """One guardrail at one level, before correction."""
    bad, clusters = seen.bad[:, seen.items], curve.frame.cluster[seen.items]
    intact, value = float(bad[0].mean()), float(bad[at].mean())
    cap = info.caps.get(seen.kind, CAPS[seen.kind])
    if seen.kind is GuardrailKind.FLIPS:
        rise, p = value, _beyond(bad[at], cap, clusters)
        start = None
    else:
        rise, p = value - intact, _worse(bad[at] - bad[0], clusters)
        start = intact
    return Guardrail(
        task=task, kind=seen.kind, of=seen.of, view=seen.view, level=level, n=int(seen.items.sum()),
        intact=start, value=value, rise=rise, cap=cap, p=p, p_holm=p, tripped=False,
    )  # fmt: skip


def _worse(change: Floats, clusters: NDArray[np.intp]) -> float:
    """One-sided exact sign test that more items got worse than better; parents where shared."""
    sums = np.bincount(clusters, change)
    worse, better = int((sums > 1e-12).sum()), int((sums < -1e-12).sum())
    return _tail(worse, worse + better, 0.5)


def _beyond(lost: Floats, cap: float, clusters: NDArray[np.intp]) -> float:
    """One-sided exact test that a share is beyond its cap, of counts over the design effect."""
    deff = design_effect(lost, np.ones(len(lost), dtype=bool), clusters).deff
    return _tail(float(lost.sum()) / deff, len(lost) / deff, cap)


def _tail(hits: float, n: float, share: float) -> float:
    """P(Binomial(n, share) >= hits)."""
    return 1.0 if hits <= 0 else float(betainc(hits, n - hits + 1, share))
