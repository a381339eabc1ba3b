"""Comparisons: one curve's area minus another's, over the same resamples of the same items.

Shapes: R + 1 rows (row 0 is the sample).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from resect.findings.comparability import too_few
from resect.findings.curves import Curve, Sampled, thinned
from resect.findings.robustness import KINDS, AreaKind, areas
from resect.findings.rows import Better, Comparison
from resect.findings.views import first_view
from resect.stats.intervals import NOTHING, Floats, Interval, Mask, interval
from resect.stats.multiplicity import ALPHA_TWO_SIDED, bootstrap_p, holm

ERRORS = 2.8
"""Standard errors of the smallest difference that a test at 0.05 finds four times in five."""


def word(difference: Interval) -> Better | None:
    """The verdict of one interval: which side of 0 it lies on, None where there is none."""
    if difference.low is None or difference.high is None:
        return None
    if difference.low > 0:
        return Better.A
    return Better.B if difference.high < 0 else Better.NEITHER


def detectable(draws: Floats) -> float | None:
    """The smallest difference the data could have shown: 2.8 standard errors.

    1.96 for the test and 0.84 for a power of 80 % (Bloom 1995, Evaluation Review 19:547). The
    standard error is the width of the 95 % interval over 3.92: that of a ratio whose
    denominator comes near 0 in a few resamples is not drawn out by these few. None where the
    interval has no width: two models that agree on everything show nothing of what a difference
    would look like.
    """
    _, low, high = interval(draws)
    if low is None or high is None or low == high:
        return None
    return ERRORS * (high - low) / 3.92


class Difference(NamedTuple):
    """A minus b in one kind of robustness: draws (R + 1,), None where `reason` says why."""

    kind: AreaKind
    draws: Floats | None
    reason: str | None

    @property
    def interval(self) -> Interval:
        """The difference with its interval."""
        return NOTHING if self.draws is None else interval(self.draws)


def compare(left: Sampled, right: Sampled) -> list[Comparison]:
    """A minus b in both kinds of robustness.

    Paired: both use the items asked at every level of both, under the same weights. A verdict is
    given where both kinds agree; where they do not it depends on the measure. There is none, and
    no p-value, where the items are too few.
    """
    left, right, levels_note = _common(left, right)
    a, b = left.curve, right.curve
    items = a.shared & b.shared
    differences = _differences(left, right, items)
    few, lack = _lacking(a, b, items, differences)
    verdict = None if lack else _together([word(each.interval) for each in differences])
    notes = (lack and f"no verdict: {lack}", levels_note, thinned(a, items, a.asked | b.asked))
    note = "; ".join(filter(None, notes)) or None
    return [
        replace(
            _compared(a, b, each, tested=few is None),
            verdict=verdict,
            undecided=None if each.reason else lack,
            reason=each.reason or note,
        )
        for each in differences
    ]


def _lacking(
    a: Curve, b: Curve, items: Mask, differences: Sequence[Difference]
) -> tuple[str | None, str | None]:
    """Why the items are too few to be tested, and why no verdict can be given; None where not."""
    absent = [each.kind for each in differences if each.draws is None]
    few = too_few(a, b, items) if len(absent) < len(differences) else None
    made = f"the {' and '.join(absent)} comparison cannot be made" if absent else None
    return few, few or made


def _compared(a: Curve, b: Curve, difference: Difference, tested: bool) -> Comparison:
    """The row of one kind, without any word; p where the items are enough to be `tested`."""
    row = _row(a, b.model, difference.kind, difference.interval, difference.reason)
    if difference.draws is None:
        return row
    p = bootstrap_p(difference.draws) if tested else None
    return replace(row, p=p, detectable=detectable(difference.draws))


def _differences(left: Sampled, right: Sampled, items: Mask) -> list[Difference]:
    """Both kinds of a minus b over some items (N,)."""
    a, b = left.curve, right.curve
    draws_a, draws_b = left.draws_over(items), right.draws_over(items)
    differences = []
    for kind in KINDS:
        (area_a, why_a), (area_b, why_b) = areas(a, draws_a, kind), areas(b, draws_b, kind)
        reasons = [f"{c.model}: {why}" for c, why in ((a, why_a), (b, why_b)) if why]
        reason = "; ".join(reasons) or None
        draws = None
        if not items.any():
            reason = reason or "the two models share no items"
        elif area_a is not None and area_b is not None:
            draws = np.asarray(area_a - area_b)
        differences.append(Difference(kind, draws, reason))
    return differences


def _common(left: Sampled, right: Sampled) -> tuple[Sampled, Sampled, str | None]:
    """Both curves on the levels that both were asked at, and a sentence where these are fewer."""
    a, b = left.curve, right.curve
    if a.levels == b.levels:
        return left, right, None
    levels = [x for x in a.levels if x in b.levels]
    note = f"areas are over the {len(levels)} levels that both were asked at"
    first, second = (Sampled(c.at_levels(levels), s.weights) for c, s in ((a, left), (b, right)))
    return first, second, note


def _together(words: Sequence[Better | None]) -> Better | None:
    """One verdict from the words of both kinds."""
    if None in words:
        return None
    return words[0] if len(set(words)) == 1 else Better.DEPENDS


def _row(a: Curve, b: str, kind: AreaKind, area: Interval, reason: str | None) -> Comparison:
    """The row of a comparison of curve `a` with the model `b`, without any word."""
    return Comparison(
        task=a.frame.name,
        view=a.view,
        metric="skill",
        kind=kind,
        recipe=a.recipe,
        seed=a.seed,
        a=a.model,
        b=b,
        difference=area.value,
        low=area.low,
        high=area.high,
        detectable=None,
        verdict=None,
        verdict_holm=None,
        p=None,
        p_holm=None,
        family=None,
        reason=reason,
    )


def absent(present: Curve, a: str, b: str, lacking: str) -> list[Comparison]:
    """The rows of a comparison that cannot be made since one model has no such curve."""
    c = present
    reason = f"{lacking} was not asked under {c.recipe} on {c.frame.name} in the {c.view} view"
    return [replace(_row(c, b, kind, NOTHING, reason), a=a) for kind in KINDS]


# ── Holm's correction ───────────────────────────────────────────────────────────────────────────


def adjusted(rows: Sequence[Comparison]) -> list[Comparison]:
    """The rows of all tasks with p-values, families and verdicts after Holm's correction.

    The word of one kind is its side of 0 where its adjusted p-value is at most 0.05 and its
    interval leaves 0 out; both kinds have to agree as before. With both kinds in one family,
    "depends on the measure" is as rare by chance as a side.
    """
    corrected = _corrected(rows)
    words: dict[tuple[str | int, ...], list[Better | None]] = defaultdict(list)
    for row in corrected:
        words[_pair(row)].append(_sure_word(row))
    return [
        replace(row, verdict_holm=row.verdict and _together(words[_pair(row)])) for row in corrected
    ]


def _pair(row: Comparison) -> tuple[str | int, ...]:
    """What both kinds of one comparison share."""
    return row.a, row.b, row.recipe, row.seed, row.view, row.task


def _sure_word(row: Comparison) -> Better | None:
    """The word of one kind, a side only where its adjusted p-value is small."""
    raw = word(Interval(row.difference, row.low, row.high))
    sure = row.p_holm is not None and row.p_holm <= ALPHA_TWO_SIDED
    return raw if raw is None or sure else Better.NEITHER


def _corrected(rows: Sequence[Comparison]) -> list[Comparison]:
    """The rows with `p_holm` and `family`.

    A family is what is read together: both kinds of all tasks, pairs of models, recipes and seeds
    in the view that is read first; the other views are a family of their own. Rows without a
    p-value are in no family.
    """
    corrected = list(rows)
    for family in _families(rows):
        p = holm([p for _, p in family])
        for (place, _), p_holm in zip(family, p, strict=True):
            corrected[place] = replace(rows[place], p_holm=p_holm, family=len(family))
    return corrected


def _families(rows: Sequence[Comparison]) -> Iterable[list[tuple[int, float]]]:
    """Places and p-values of the rows that are corrected together."""
    first = {(row.task, row.a, row.b, row.view) for row in first_view(rows)}
    families: dict[bool, list[tuple[int, float]]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row.p is not None:
            families[(row.task, row.a, row.b, row.view) in first].append((place, row.p))
    return families.values()
