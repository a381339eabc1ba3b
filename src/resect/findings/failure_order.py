"""Which breaks first: answering, what is right by text, or what is right by options.

Shapes: R + 1 rows (row 0 is the sample).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from resect.findings.cliffs import crossing, falling, refused
from resect.findings.curves import Sampled, axis
from resect.findings.retention import Kept, reliability_kept, skill_kept
from resect.stats.changepoint import ordered
from resect.stats.intervals import Floats, Interval

ANSWERING, TEXT, OPTIONS = "answering", "skill by text", "skill by options"


class Broken(NamedTuple):
    """The half-level draws (R + 1,) of one of the three, None with a reason where refused."""

    what: str
    draws: Floats | None
    last: float | None
    reason: str | None


def breaks_first(sampled: Sequence[Sampled]) -> list[dict[str, Any]]:
    """One row for each model, recipe and seed of one task, from its curves in both views.

    By half-levels over the same resamples. `by` is how many units of the level lie between the
    first and the second; `clear` says whether its interval leaves 0 out. What is never half gone
    comes last; where only one breaks, `by` has no value and `share` says how often it was first.
    """
    sweeps: dict[tuple[str, str, int], list[Broken]] = defaultdict(list)
    heads: dict[tuple[str, str, int], Sampled] = {}
    for one in sampled:
        curve = one.curve
        if curve.recipe == "none":
            continue
        key = (curve.model, curve.recipe, curve.seed)
        heads.setdefault(key, one)
        if curve.view == "text":
            answering = reliability_kept(one, ("answered",))
            sweeps[key] += [_broken(one, kept, ANSWERING) for kept in answering]
        what = TEXT if curve.view == "text" else OPTIONS
        sweeps[key].append(_broken(one, skill_kept(one), what))
    return [_row(heads[key], found) for key, found in sweeps.items()]


def _broken(sampled: Sampled, kept: Kept, what: str) -> Broken:
    reason = refused(sampled, kept)
    if reason or kept.share is None:
        return Broken(what, None, None, reason)
    levels = axis(sampled.curve)
    return Broken(what, crossing(levels, falling(kept.share)), float(levels[-1]), None)


def _row(head: Sampled, found: Sequence[Broken]) -> dict[str, Any]:
    curve = head.curve
    known = [b for b in found if b.draws is not None]
    order = sorted(known, key=lambda b: float(b.draws[0]) if b.draws is not None else np.inf)
    row: dict[str, Any] = {
        "model": curve.model, "role": curve.role, "recipe": curve.recipe,
        "seed": curve.seed, "task": curve.frame.name,
        "order": [_entry(b) for b in (*order, *(b for b in found if b.draws is None))],
        "first": None, "by": None, "low": None, "high": None, "share": None, "clear": False,
        "reason": None,
    }  # fmt: skip
    if len(order) < 2:
        why = "; ".join(f"{b.what}: {b.reason}" for b in found if b.reason)
        return row | {"reason": why or "fewer than two of the three can be compared"}
    draws = np.stack([b.draws for b in order if b.draws is not None])  # (2 or 3, R + 1)
    if not np.isfinite(draws[0, 0]):
        return row | {"reason": f"none is half gone through the last level, {order[0].last:g}"}
    row |= {"first": order[0].what} | _lead(draws)
    if not row["clear"]:
        row["reason"] = "which is first is not clear: the interval of the lead holds 0"
    return row


def _lead(draws: Floats) -> dict[str, Any]:
    """By how much row 0 comes before all others, over (2 or 3, R + 1) half-levels."""
    with np.errstate(invalid="ignore"):
        lead = draws[1:].min(axis=0) - draws[0]  # infinite where only one breaks
    rest = lead[1:][~np.isnan(lead[1:])]
    if not rest.size:
        return {}
    low, high = np.quantile(rest, [0.025, 0.975], method="inverted_cdf")
    shown = [float(x) if np.isfinite(x) else None for x in (lead[0], low, high)]
    share = float(np.mean(rest > 0))
    return {"by": shown[0], "low": shown[1], "high": shown[2], "share": share,
            "clear": bool(low > 0)}  # fmt: skip


def _entry(b: Broken) -> dict[str, Any]:
    at = Interval(None, None, None) if b.draws is None else ordered(b.draws)
    censored = b.draws is not None and at.value is None
    reason = b.reason
    if censored:
        reason = f"more than half is kept through the last level, {b.last:g}"
    return {
        "what": b.what, "level": at.value, "low": at.low, "high": at.high,
        "censored": censored, "reason": reason,
    }  # fmt: skip
