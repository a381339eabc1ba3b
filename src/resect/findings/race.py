"""Which breaks first, utility or reliability, and by how many levels: half-levels compared.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from resect.findings.cliffs import crossing, falling, refused
from resect.findings.curves import Curve, Sampled, axis, describe
from resect.findings.retention import RELIABILITY, reliability_kept, skill_kept
from resect.stats.changepoint import ordered
from resect.stats.intervals import HIGH, LOW, NOTHING, Floats, intervals

UTILITY, RELIABLE = "utility", "reliability"


def races(sampled: Sampled) -> list[dict[str, Any]]:
    """Skill against every reliability metric of one curve that a broken model has nothing of."""
    curve = sampled.curve
    if curve.recipe == "none" or not curve.frame.skilled:
        return []
    names = [name for name, one in RELIABILITY.items() if one.falls and name != "answered"]
    skill = skill_kept(sampled)
    rows = []
    for kept in reliability_kept(sampled, names):
        why = refused(sampled, skill) or refused(sampled, kept)
        row = describe(curve, metric=kept.metric)
        row |= {"levels": _levels(curve, skill.share, kept.share)}
        if why or skill.share is None or kept.share is None:
            rows.append(row | race(None, None, None, why))
        else:
            rows.append(row | race(axis(curve), skill.share, kept.share, None))
    return rows


def _levels(curve: Curve, *shares: Floats | None) -> list[dict[str, Any]]:
    """What both keep of their baselines at every level that has answers."""
    blank = [NOTHING] * len(curve.levels)
    shown = [blank if share is None else intervals(share) for share in shares]
    return [
        {"level": curve.levels[at], UTILITY: shown[0][at]._asdict(),
         RELIABLE: shown[1][at]._asdict()}
        for at in np.flatnonzero(curve.present)
    ]  # fmt: skip


def race(
    levels: Floats | None,
    one: Floats | None,
    other: Floats | None,
    reason: str | None,
    names: tuple[str, str] = (UTILITY, RELIABLE),
) -> dict[str, Any]:
    """Half-levels of two, (R + 1, L) shares kept over levels (L,), and by how much one leads.

    `by` is in units of the level, above 0 where the `other` breaks first; `steps` the same in
    steps of the levels asked. What never breaks comes after all that does.
    """
    blank: dict[str, Any] = {
        **dict.fromkeys(names), "first": None, "by": None, "low": None,
        "high": None, "steps": None, "steps_low": None, "steps_high": None, "share": None,
        "clear": False, "reason": reason,
    }  # fmt: skip
    if levels is None or one is None or other is None:
        return blank
    draws = [crossing(levels, falling(values)) for values in (one, other)]
    found = blank | {name: _half(half) for name, half in zip(names, draws, strict=True)}
    with np.errstate(invalid="ignore"):
        lead = draws[0] - draws[1]  # never minus never is no number
    rest = lead[1:][~np.isnan(lead[1:])]
    if np.isnan(lead[0]) or not rest.size:
        return found | {"reason": f"neither is half gone through the last level, {levels[-1]:g}"}
    low, high = np.quantile(rest, [LOW, HIGH], method="inverted_cdf")
    three = [float(x) if np.isfinite(x) else None for x in (lead[0], low, high)]
    step = float(np.diff(levels).mean())
    sooner = bool(lead[0] > 0)
    clear = bool(low > 0 or high < 0)
    return found | {
        "first": names[1] if sooner else names[0] if lead[0] < 0 else None,
        **dict(zip(("by", "low", "high"), three, strict=True)),
        **{f"steps{end}": None if x is None else x / step
           for end, x in zip(("", "_low", "_high"), three, strict=True)},
        "share": float(np.mean(rest > 0 if sooner else rest < 0)),
        "clear": clear,
        "reason": None if clear else "which is first is not clear: the interval holds 0",
    }  # fmt: skip


def _half(draws: Floats) -> dict[str, Any]:
    found = ordered(draws)
    return {"level": found.value, "low": found.low, "high": found.high,
            "censored": not np.isfinite(draws[0])}  # fmt: skip
