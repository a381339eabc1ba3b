"""What share a curve keeps of its baseline: skill, answering, calibration; a table to add to.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from resect.analysis.calibration import calibrated
from resect.analysis.curves import Sampled, retention
from resect.analysis.intervals import Floats
from resect.record import View


class Kept(NamedTuple):
    """One quantity of one curve as a share of its baseline, (R + 1, L), or None and a reason."""

    metric: str
    share: Floats | None
    reason: str | None


class Measure(NamedTuple):
    """A reliability metric: its view, its value (R + 1, L) where 1 is best, and its refusal."""

    view: View
    value: Callable[[Sampled], Floats | None]
    nothing: str


def answered(sampled: Sampled) -> Floats:
    """Share of the items asked at every level that got an answer, (R + 1, L)."""
    t = sampled.counts_over(sampled.curve.shared)
    with np.errstate(all="ignore"):
        return np.asarray(t.answered.sum(axis=0) / t.asked.sum(axis=0))


RELIABILITY: dict[str, Measure] = {
    "answered": Measure("text", answered, "starts without answers"),
    "calibration": Measure("options", calibrated, "starts without calibration"),
}
"""What may fall before skill does. A new metric is one line: view, function, refusal."""


def skill_kept(sampled: Sampled) -> Kept:
    """Retention of skill."""
    return Kept("skill", sampled.draws.retention, sampled.draws.reason)


def reliability_kept(sampled: Sampled) -> list[Kept]:
    """What is kept of every reliability metric that this curve's view has."""
    found = []
    for name, measure in RELIABILITY.items():
        if measure.view != sampled.curve.view:
            continue
        values = measure.value(sampled)
        if values is not None:
            found.append(Kept(name, *retention(values, measure.nothing)))
    return found
