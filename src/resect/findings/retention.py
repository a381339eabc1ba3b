"""What share a curve retains of its baseline: skill, and reliability in a table to add to.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from resect.catalog import QUANTITIES
from resect.findings.curves import Sampled, retention
from resect.findings.part_metrics import METRICS
from resect.findings.reliability import above_guessing
from resect.record import View
from resect.stats.intervals import Floats
from resect.stats.ratios import ratio
from resect.stats.skill import MISSING


class Retained(NamedTuple):
    """One quantity of one curve as a share of its baseline, (R + 1, L), or None and a reason.

    `nothing`: the baseline has nothing of it that could be lost.
    """

    metric: str
    share: Floats | None
    reason: str | None
    nothing: bool = False


class Measure(NamedTuple):
    """A reliability metric: its value (R + 1, L) where 1 is best, and its refusal.

    `falls`: a model that knows nothing has 0 of it, so that half of it can be gone. Its views are
    the catalogue's.
    """

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


def told_apart(sampled: Sampled) -> Floats | None:
    """How well confidence tells right from wrong, (R + 1, L): 0 not at all, 1 always."""
    return None if sampled.auroc is None else 2 * sampled.auroc - 1


def calibrated(sampled: Sampled) -> Floats | None:
    """One minus the calibration error, (R + 1, L), None without probabilities."""
    error = sampled.calibration_error
    return None if error is None else 1 - error.draws


RELIABILITY: dict[str, Measure] = {
    "answered": Measure(answered, "starts without answers"),
    "calibration": Measure(calibrated, "starts without calibration", falls=False),
    "auroc": Measure(told_apart, "starts without telling its errors apart"),
    "consistency": Measure(
        lambda s: above_guessing(s, "consistency"), "starts without consistency"
    ),
    "grounded": Measure(lambda s: above_guessing(s, "grounded"), "starts ungrounded"),
    "preference": Measure(lambda s: above_guessing(s, "preference"), "starts without a preference"),
    "completeness": Measure(complete, "starts with everything omitted"),
}
"""What may fall before skill does: the function of each such metric of the catalogue, and what is
wrong where the baseline has nothing of it."""


def views_of(metric: str) -> tuple[View, ...]:
    """The views that have a metric."""
    return QUANTITIES[metric].views


def retained_skill(sampled: Sampled) -> Retained:
    """Retention of skill."""
    draws = sampled.draws
    return Retained("skill", draws.retention, draws.reason, draws.no_skill)


def retained_reliability(sampled: Sampled, metrics: Iterable[str] = RELIABILITY) -> list[Retained]:
    """What is retained of every reliability metric (of some `metrics`) that the view has."""
    rows = []
    for metric in metrics:
        measure = RELIABILITY[metric]
        if sampled.curve.view not in views_of(metric):
            continue
        values = measure.value(sampled)
        if values is None:
            continue
        if np.isnan(values[0, sampled.curve.present]).any():
            rows.append(Retained(metric, None, f"{metric} is not defined at every level"))
        else:
            rows.append(Retained(metric, *retention(values, measure.nothing)))
    return rows
