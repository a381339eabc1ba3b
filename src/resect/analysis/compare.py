"""Comparisons: one curve's area minus another's, over the same resamples of the same items.

Shapes: R + 1 rows (row 0 is the sample).
"""

from __future__ import annotations

from typing import Any

from resect.analysis.curves import Curve, Sampled, thinned
from resect.analysis.intervals import NOTHING, Interval, interval
from resect.analysis.robustness import KINDS, areas

A, B, NEITHER, DEPENDS = "a better", "b better", "no evidence", "depends on the measure"


def word(difference: Interval) -> str | None:
    """The verdict of one interval: which side of 0 it lies on, None where there is none."""
    if difference.low is None or difference.high is None:
        return None
    if difference.low > 0:
        return A
    return B if difference.high < 0 else NEITHER


def compare(left: Sampled, right: Sampled) -> list[dict[str, Any]]:
    """A minus b in both kinds of robustness, as rows of summary.json.

    Paired: both use the items asked at every level of both, under the same weights. A verdict is
    given where both kinds agree; where they do not it depends on the measure.
    """
    a, b = left.curve, right.curve
    items = a.shared & b.shared
    draws_a, draws_b = left.draws_over(items), right.draws_over(items)
    found = []
    for kind in KINDS:
        (area_a, why_a), (area_b, why_b) = areas(a, draws_a, kind), areas(b, draws_b, kind)
        why = _reasons(a, why_a, b, why_b)
        difference = NOTHING
        if not items.any():
            why = why or "the two models share no items"
        elif area_a is not None and area_b is not None:
            difference = interval(area_a - area_b)
        found.append((kind, difference, why))
    verdicts = _together([word(difference) for _, difference, _ in found])
    note = thinned(a, items, a.asked | b.asked)
    rows = []
    for kind, difference, why in found:
        reason = why or note
        if verdicts is None and reason is None:
            other = next(k for k, d, _ in found if d.value is None)
            reason = f"no verdict: the {other} comparison cannot be made"
        rows.append(_row(a, b, kind, difference, verdicts, reason))
    return rows


def _together(words: list[str | None]) -> str | None:
    """One verdict from the words of both kinds."""
    if None in words:
        return None
    return words[0] if words[0] == words[1] else DEPENDS


def _reasons(a: Curve, why_a: str | None, b: Curve, why_b: str | None) -> str | None:
    """Which of the two curves has no area, and why."""
    parts = [f"{c.model}: {why}" for c, why in ((a, why_a), (b, why_b)) if why]
    return "; ".join(parts) or None


def _row(
    a: Curve, b: Curve, kind: str, difference: Interval, verdict: str | None, reason: str | None
) -> dict[str, Any]:
    return {
        "task": a.frame.name,
        "view": a.view,
        "metric": "skill",
        "kind": kind,
        "treatment": a.treatment,
        "seed": a.seed,
        "a": a.model,
        "b": b.model,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "verdict": verdict,
        "reason": reason,
    }


def absent(present: Curve, a: str, b: str, lacking: str) -> list[dict[str, Any]]:
    """The rows of a comparison that cannot be made since one model has no such curve."""
    c = present
    reason = f"{lacking} was not asked under {c.treatment} on {c.frame.name} in the {c.view} view"
    row = _row(c, c, "", NOTHING, None, reason) | {"a": a, "b": b}
    return [row | {"kind": kind} for kind in KINDS]
