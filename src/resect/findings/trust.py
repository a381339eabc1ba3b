"""Trust: whether answers stay the same, and whether the model knows when it is wrong.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from resect.findings.curves import Curve, Sampled, of_curve
from resect.findings.estimates import distance, estimate, finite, rate
from resect.findings.rows import Changes, Trust
from resect.stats import skill as sk
from resect.stats.confidence import brier_score, risk_coverage
from resect.stats.design_effect import share
from resect.stats.intervals import intervals
from resect.stats.paired import pairs

NO_PROBABILITIES = "no option probabilities are kept"
OTHER_VIEW = "read in the options view"


def trust(sampled: Sampled) -> list[Trust]:
    """One row for each level with answers: changes since level 0 and the level before, belief."""
    curve = sampled.curve
    present = [int(at) for at in np.flatnonzero(curve.present)]
    rows = [
        _changed(curve, at, present[place - 1] if place else None)
        for place, at in enumerate(present)
    ]
    return _believed(sampled, rows, present)


def _changed(curve: Curve, at: int, before: int | None) -> Trust:
    """The answers of one level against those before it; belief is left blank."""
    return Trust(
        **of_curve(curve),
        level=curve.levels[at],
        n=int((curve.codes[at] != sk.MISSING).sum()),
        since_baseline=changes(curve, 0, at) if at and curve.present[0] else None,
        since_previous=None if before is None else changes(curve, before, at),
        calibration_error=None,
        brier=None,
        risk_coverage=None,
        auroc=None,
        confident=None,
        wrong_and_confident=None,
        wrong_if_confident=None,
        reason=NO_PROBABILITIES if curve.view == "options" else OTHER_VIEW,
    )


def changes(curve: Curve, before: int, after: int) -> Changes:
    """The paired table of two levels: lost b, gained c, flips (b + c) / n, McNemar p.

    Flips: Dutta et al. 2024 (arXiv:2407.09141). `changed` counts every other answer given, also
    from wrong to wrong; only labels can be told to be other ones. Items that can be right in part
    are neither lost nor gained.
    """
    first, second = curve.codes[before], curve.codes[after]
    asked = (first != sk.MISSING) & (second != sk.MISSING)
    gold, cluster = curve.frame.gold, curve.frame.cluster
    moved = pairs(first == gold, second == gold, asked, cluster)
    n, b, c, p = moved
    return Changes(
        level=curve.levels[before],
        n=n,
        lost=b,
        gained=c,
        flips=(b + c) / n if n else None,
        accuracy_change=finite(moved.change),
        p=finite(p),
        changed=float(np.mean((first != second)[asked])) if n and curve.frame.labels else None,
    )


def _believed(sampled: Sampled, rows: list[Trust], present: list[int]) -> list[Trust]:
    """The rows with calibration, Brier score, risk-coverage and confident errors.

    `wrong_and_confident` is a share of all items, `wrong_if_confident` of the confident ones
    only, and `confident` their coverage: the second alone can fall while the first rises.
    """
    curve, beliefs = sampled.curve, sampled.curve.beliefs
    if beliefs is None or sampled.auroc is None or sampled.calibration_error is None:
        return rows
    errors, auroc = sampled.calibration_error.sizes, intervals(sampled.auroc)
    brier = intervals(brier_score(sampled.weights, beliefs))
    risk = intervals(risk_coverage(sampled.weights, beliefs))
    cluster, believed = curve.frame.cluster, []
    for row, at in zip(rows, present, strict=True):
        known, sure = beliefs.known[at], beliefs.sure[at]
        wrong = sure & ~beliefs.right[at]
        believed.append(
            replace(
                row,
                calibration_error=distance(errors[at]),
                brier=estimate(brier[at]),
                risk_coverage=estimate(risk[at]),
                auroc=estimate(auroc[at]),
                confident=estimate(share(sure, known, cluster)),
                wrong_and_confident=estimate(share(wrong, known, cluster)),
                wrong_if_confident=rate(share(wrong, sure, cluster), n=int(sure.sum())),
                reason=None,
            )
        )
    return believed
