"""Trust: whether answers stay the same, and whether the model knows when it is wrong.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from resect.findings import confidence as cal
from resect.findings.curves import Curve, Sampled, describe
from resect.stats import skill as sk
from resect.stats.design_effect import share
from resect.stats.intervals import intervals
from resect.stats.paired_change import Counts

NO_CHANCES = "no option probabilities are kept"


def trust(sampled: Sampled) -> list[dict[str, Any]]:
    """One row for each level with answers: changes since level 0 and the level before, belief."""
    curve = sampled.curve
    belief = _belief(sampled)
    here = [int(i) for i in np.flatnonzero(curve.present)]
    rows = []
    for place, at in enumerate(here):
        before = here[place - 1] if place else None
        rows.append(
            describe(
                curve,
                level=curve.levels[at],
                n=int((curve.codes[at] != sk.MISSING).sum()),
                since_baseline=changes(curve, 0, at) if at and curve.present[0] else None,
                since_previous=None if before is None else changes(curve, before, at),
                **belief[at],
            )
        )
    return rows


def changes(curve: Curve, before: int, after: int) -> dict[str, Any]:
    """The paired table of two levels: lost b, gained c, flips (b + c) / n, McNemar p.

    Flips: Dutta et al. 2024 (arXiv:2407.09141). `changed` counts every other answer given, also
    from wrong to wrong; only labels can be told to be other ones. Items that can be right in part
    are neither lost nor gained.
    """
    one, two = curve.codes[before], curve.codes[after]
    asked = (one != sk.MISSING) & (two != sk.MISSING)
    gold, cluster = curve.frame.gold, curve.frame.cluster
    found = Counts.of(one == gold, (two == gold)[None], asked[None], cluster)
    b, c, n = (int(x[0]) for x in found.table)
    return {
        "level": curve.levels[before],
        "n": n,
        "lost": b,
        "gained": c,
        "flips": (b + c) / n if n else None,
        "accuracy_change": (c - b) / n if n else None,
        "p": found.unequal(0),
        "changed": float(np.mean((one != two)[asked])) if n and curve.frame.labels else None,
    }


def _belief(sampled: Sampled) -> list[dict[str, Any]]:
    """Calibration, Brier, risk-coverage and confident errors of every level."""
    curve = sampled.curve
    found = cal.beliefs(curve)
    names = ("brier", "risk_coverage", "auroc")
    if found is None:
        shares = ("confident", "wrong_and_confident", "wrong_if_confident")
        reason = NO_CHANCES if curve.view == "options" else "read in the options view"
        blank = {**dict.fromkeys(("calibration_error", *names, *shares)), "reason": reason}
        return [dict(blank) for _ in curve.levels]
    draws = (
        cal.brier_score(sampled.weights, found),
        cal.risk_coverage(sampled.weights, found),
        cal.auroc_of(sampled, found),
    )
    errors, scored = cal.error_of(sampled, found).sizes, [intervals(values) for values in draws]
    rows = []
    for at in range(len(curve.levels)):
        row: dict[str, Any] = {"calibration_error": errors[at]._asdict()}
        row |= {name: values[at]._asdict() for name, values in zip(names, scored, strict=True)}
        rows.append(row | confident(found, at, curve.frame.cluster))
    return rows


def confident(found: cal.Beliefs, at: int, clusters: NDArray[np.intp]) -> dict[str, Any]:
    """Confident answers and errors of one level, with Wilson intervals.

    `wrong_and_confident` is a share of all items, `wrong_if_confident` of the confident ones
    only, and `confident` their coverage: the second alone can fall while the first rises.
    """
    known, sure = found.known[at], found.sure[at]
    bad = sure & ~found.right[at]
    among = share(bad, sure, clusters)
    return {
        "confident": share(sure, known, clusters)._asdict(),
        "wrong_and_confident": share(bad, known, clusters)._asdict(),
        "wrong_if_confident": {**among._asdict(), "n": int(sure.sum())},
        "reason": None,
    }
