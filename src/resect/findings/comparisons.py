"""Comparisons: one curve's area minus another's, over the same resamples of the same items.

Shapes: R + 1 rows (row 0 is the sample).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from resect.findings.curves import Curve, Sampled, thinned
from resect.findings.robustness import KINDS, areas
from resect.findings.sample_size import too_few
from resect.findings.views import first_view
from resect.stats.intervals import NOTHING, Floats, Interval, interval
from resect.stats.multiplicity import LEVEL, bootstrap_p, holm

A, B, NEITHER, DEPENDS = "a better", "b better", "no evidence", "depends on the measure"

NO_VERDICT = "no verdict: "
"""How the reason begins where there is a difference and no word on it."""

ERRORS = 2.8
"""Standard errors of the smallest difference that a test at 0.05 finds four times in five."""


def word(difference: Interval) -> str | None:
    """The verdict of one interval: which side of 0 it lies on, None where there is none."""
    if difference.low is None or difference.high is None:
        return None
    if difference.low > 0:
        return A
    return B if difference.high < 0 else NEITHER


def detectable(draws: Floats) -> float | None:
    """The smallest difference the data could have shown: 2.8 standard errors.

    1.96 for the test and 0.84 for a power of 80 % (Bloom 1995, Evaluation Review 19:547). The
    standard error is the width of the 95 % interval over 3.92: that of a ratio whose
    denominator comes near 0 in a few resamples is not drawn out by these few. None where the
    interval has no width: two models that agree on everything show nothing of what a difference
    would look like.
    """
    found = interval(draws)
    if found.low is None or found.high is None or found.low == found.high:
        return None
    return ERRORS * (found.high - found.low) / 3.92


def compare(left: Sampled, right: Sampled) -> list[dict[str, Any]]:
    """A minus b in both kinds of robustness, as rows of summary.json.

    Paired: both use the items asked at every level of both, under the same weights. A verdict is
    given where both kinds agree; where they do not it depends on the measure. There is none, and
    no p-value, where the items are too few.
    """
    left, right, apart = _common(left, right)
    a, b = left.curve, right.curve
    items = a.shared & b.shared
    draws_a, draws_b = left.draws_over(items), right.draws_over(items)
    found: list[tuple[str, Floats | None, Interval, str | None]] = []
    for kind in KINDS:
        (area_a, why_a), (area_b, why_b) = areas(a, draws_a, kind), areas(b, draws_b, kind)
        why = _reasons(a, why_a, b, why_b)
        drawn = None
        if not items.any():
            why = why or "the two models share no items"
        elif area_a is not None and area_b is not None:
            drawn = area_a - area_b
        found.append((kind, drawn, NOTHING if drawn is None else interval(drawn), why))
    absent = [kind for kind, drawn, _, _ in found if drawn is None]
    few = too_few(a, b, items) if len(absent) < len(found) else None
    lack = few or (f"the {' and '.join(absent)} comparison cannot be made" if absent else None)
    verdict = None if lack else _together([word(difference) for _, _, difference, _ in found])
    notes = (lack and NO_VERDICT + lack, apart, thinned(a, items, a.asked | b.asked))
    note = "; ".join(x for x in notes if x) or None
    rows = []
    for kind, drawn, difference, why in found:
        row = _row(a, b, kind, difference, why or note) | {"verdict": verdict}
        if drawn is not None:
            p = None if few else bootstrap_p(drawn)
            row |= {"p": p, "detectable": detectable(drawn)}
        rows.append(row)
    return rows


def _common(left: Sampled, right: Sampled) -> tuple[Sampled, Sampled, str | None]:
    """Both curves on the levels that both were asked at, and a sentence where these are fewer."""
    a, b = left.curve, right.curve
    if a.levels == b.levels:
        return left, right, None
    levels = [x for x in a.levels if x in b.levels]
    note = f"areas are over the {len(levels)} levels that both were asked at"
    first, second = (Sampled(c.at_levels(levels), s.weights) for c, s in ((a, left), (b, right)))
    return first, second, note


def adjusted(rows: Sequence[dict[str, Any]]) -> None:
    """Write the verdicts after Holm's correction into rows of all tasks.

    The word of one kind is its side of 0 where its adjusted p-value is at most 0.05 and its
    interval leaves 0 out; both kinds have to agree as before. With both kinds in one family,
    "depends on the measure" is as rare by chance as a side.
    """
    adjust(rows)
    pairs: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        keys = ("a", "b", "recipe", "seed", "view", "task")
        pairs[tuple(row[key] for key in keys)].append(row)
    for both in pairs.values():
        words = []
        for row in both:
            raw = word(Interval(row["difference"], row["low"], row["high"]))
            sure = row["p_holm"] is not None and row["p_holm"] <= LEVEL
            words.append(raw if raw is None or sure else NEITHER)
        for row in both:
            row["verdict_holm"] = row["verdict"] and _together(words)


def _together(words: list[str | None]) -> str | None:
    """One verdict from the words of both kinds."""
    if None in words:
        return None
    return words[0] if words[0] == words[1] else DEPENDS


def _reasons(a: Curve, why_a: str | None, b: Curve, why_b: str | None) -> str | None:
    """Which of the two curves has no area, and why."""
    parts = [f"{c.model}: {why}" for c, why in ((a, why_a), (b, why_b)) if why]
    return "; ".join(parts) or None


def _row(a: Curve, b: Curve, kind: str, difference: Interval, reason: str | None) -> dict[str, Any]:
    return {
        "task": a.frame.name,
        "view": a.view,
        "metric": "skill",
        "kind": kind,
        "recipe": a.recipe,
        "seed": a.seed,
        "a": a.model,
        "b": b.model,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "detectable": None,
        "verdict": None,
        "verdict_holm": None,
        "p": None,
        "p_holm": None,
        "family": None,
        "reason": reason,
    }


def absent(present: Curve, a: str, b: str, lacking: str) -> list[dict[str, Any]]:
    """The rows of a comparison that cannot be made since one model has no such curve."""
    c = present
    reason = f"{lacking} was not asked under {c.recipe} on {c.frame.name} in the {c.view} view"
    row = _row(c, c, "", NOTHING, reason) | {"a": a, "b": b}
    return [row | {"kind": kind} for kind in KINDS]


def adjust(rows: Sequence[dict[str, Any]]) -> None:
    """Write `p_holm` and `family` into comparison rows.

    A family is what is read together: both kinds of all tasks of one pair of models, recipe
    and seed, in the view that is read first; the other views are a family of their own. Rows
    without a p-value are in no family.
    """
    first = first_view(rows)
    families: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["p"] is not None:
            keys = ("a", "b", "recipe", "seed")
            families[(*(row[key] for key in keys), first(row))].append(row)
    for family in families.values():
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            row["p_holm"], row["family"] = p, len(family)
