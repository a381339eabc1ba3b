"""Robustness: the area under a curve over its levels, of skill and of retention.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from resect.findings.curves import Curve, Draws, Sampled, axis, describe, thinned, unordered
from resect.stats.intervals import NOTHING, Floats, interval

KINDS = ("absolute", "retention")


def area(levels: Floats, values: Floats) -> Floats:
    """Trapezoid area (R + 1,) under values (R + 1, L) over levels (L,), in units of the level."""
    return np.asarray(np.trapezoid(values, levels, axis=1))


def areas(curve: Curve, draws: Draws, kind: str) -> tuple[Floats | None, str | None]:
    """Area over range of the curve, (R + 1,), or None and the reason why there is none.

    The mean height of the curve: 1 is an undamaged perfect (absolute) or unchanged (retention)
    model at every level, 0 is nothing kept.
    """
    reason = unordered(curve)
    values = draws.skill if kind == "absolute" else draws.retention
    if reason or values is None:
        return None, reason or draws.reason
    if np.isnan(values[0]).any():
        return None, draws.reason or "a level has no skill"
    levels = axis(curve)
    return area(levels, values) / (levels[-1] - levels[0]), None


def robustness(sampled: Sampled) -> list[dict[str, Any]]:
    """Both kinds of robustness of one curve, as rows of summary.json."""
    curve = sampled.curve
    rows = []
    for kind in KINDS:
        found, reason = areas(curve, sampled.draws, kind)
        value = NOTHING if found is None else interval(found)
        raw = None
        if value.value is not None:
            levels = axis(curve)
            raw = value.value * float(levels[-1] - levels[0])
            reason = thinned(curve, curve.shared, curve.asked)
        row = describe(curve, metric="skill", kind=kind, **value._asdict())
        rows.append(row | {"raw_area": raw, "reason": reason})
    return rows
