"""What share a curve keeps of its baseline: skill, and reliability in a table to add to.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from resect.findings.confidence import calibrated, told_apart
from resect.findings.curves import Sampled, retention
from resect.findings.part_metrics import METRICS
from resect.findings.reliability import above_guessing
from resect.record import View
from resect.stats.intervals import Floats, ratio
from resect.stats.skill import MISSING


class Kept(NamedTuple):
    """One quantity of one curve as a share of its baseline, (R + 1, L), or None and a reason."""

    metric: str
    share: Floats | None
    reason: str | None


class Measure(NamedTuple):
    """A reliability metric: its views, its value (R + 1, L) where 1 is best, and its refusal.

    `falls`: a model that knows nothing has 0 of it, so that half of it can be gone.
    """

    views: tuple[View, ...]
    value: Callable[[Sampled], Floats | None]
    nothing: str
    falls: bool = True


def answered(sampled: Sampled) -> Floats:
    """Share of items that got an answer, (R + 1, L); of those asked at every level."""
    codes = sampled.curve.codes
    given, asked = (codes >= 0).astype(float), (codes != MISSING).astype(float)
    return ratio(sampled.weights, given, asked, sampled.curve.shared)


def complete(sampled: Sampled) -> Floats | None:
    """One minus the omission rate of free texts, None where nothing could be omitted."""
    omission = METRICS["omission"]
    if not any(omission.parts <= set(parts) for parts in sampled.curve.frame.parts.values()):
        return None
    return 1 - sampled.metric_over(omission, sampled.curve.shared)


_BOTH: tuple[View, ...] = ("text", "options")
RELIABILITY: dict[str, Measure] = {
    "answered": Measure(("text",), answered, "starts without answers"),
    "calibration": Measure(("options",), calibrated, "starts without calibration", falls=False),
    "auroc": Measure(("options",), told_apart, "starts without telling its errors apart"),
    "consistency": Measure(
        _BOTH, lambda s: above_guessing(s, "consistency"), "starts without consistency"
    ),
    "grounded": Measure(_BOTH, lambda s: above_guessing(s, "grounded"), "starts ungrounded"),
    "preference": Measure(
        _BOTH, lambda s: above_guessing(s, "preference"), "starts without a preference"
    ),
    "completeness": Measure(("text",), complete, "starts with everything omitted"),
}
"""What may fall before skill does. A new metric is one line: views, function, refusal."""


def skill_kept(sampled: Sampled) -> Kept:
    """Retention of skill."""
    return Kept("skill", sampled.draws.retention, sampled.draws.reason)


def reliability_kept(sampled: Sampled, names: Iterable[str] = RELIABILITY) -> list[Kept]:
    """What is kept of every reliability metric (of some `names`) that this curve's view has."""
    found = []
    for name in names:
        measure = RELIABILITY[name]
        if sampled.curve.view not in measure.views:
            continue
        values = measure.value(sampled)
        if values is None:
            continue
        if np.isnan(values[0, sampled.curve.present]).any():
            found.append(Kept(name, None, f"{name} is not defined at every level"))
        else:
            found.append(Kept(name, *retention(values, measure.nothing)))
    return found
