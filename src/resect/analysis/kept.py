"""What share a curve keeps of its baseline: skill, answering, calibration; a table to add to.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from resect.analysis.calibration import calibrated
from resect.analysis.curves import Mask, Sampled, ratio, retention
from resect.analysis.intervals import Floats
from resect.analysis.skill import MISSING
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


def answered(sampled: Sampled, items: Mask | None = None) -> Floats:
    """Share of items (N,) that got an answer, (R + 1, L); of those asked at every level."""
    codes = sampled.curve.codes
    given, asked = (codes >= 0).astype(float), (codes != MISSING).astype(float)
    return ratio(sampled.weights, given, asked, sampled.curve.shared if items is None else items)


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
