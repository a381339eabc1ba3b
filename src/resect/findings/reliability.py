"""Reliability beside accuracy: the same choice when options move, answers that hang on the context.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from resect.findings.curves import Curve, Sampled, describe
from resect.findings.variant_answers import coded
from resect.stats import skill as sk
from resect.stats.design_effect import share
from resect.stats.intervals import Floats, Mask, ratio

ORDER = "order"
"""Tag of items that are one question with its options in other orders: parts of one parent."""


class Rate(NamedTuple):
    """A share by level: `top` of `bottom`, (L, N) each, and what guessing would get of it.

    `score` (L, N) is made as skill is: 1 for an item of `top`, 0 for one without an answer, else
    minus g / (1 - g), g being the chance of guessing it: silence and guessing come to 0.
    """

    top: Floats
    bottom: Floats
    guess: float
    score: Floats


def _rate(
    top: Mask, bottom: Mask, chance: Floats, answered: Mask, among: Mask | None = None
) -> Rate:
    """The rate of `top` in `bottom`, (L, N) each; `chance` (N,) is of an item in `among`."""
    score = np.where(top, 1.0, np.where(answered, -chance / (1 - chance), 0.0)) * bottom
    items = (bottom if among is None else among).any(axis=0)
    guess = float(chance[items].mean()) if items.any() else float("nan")
    return Rate(top.astype(float), bottom.astype(float), guess, score)


def rates(curve: Curve) -> dict[str, Rate]:
    """The shares that this curve's items and variants give; all are 0 for a silent model.

    consistency  the same option is chosen where options were permuted (no answer is none)
    grounding    of the items first answered right, the answer is another one, or none, where the
                 context was swapped for another item's
    grounded     the same, of all items: guessing has little, and a constant answer nothing
    preference   right in every order of the options, of the questions asked in several orders
    """
    found: dict[str, Rate] = {}
    frame, codes = curve.frame, curve.codes
    if not frame.labels:
        return found
    asked, given = codes != sk.MISSING, codes >= 0
    k = frame.sizes.astype(float)
    moved = coded(frame, "permuted", curve.keys)
    if moved is not None:
        both = asked & (moved != sk.MISSING)
        kept = both & given & (moved == codes)
        found["consistency"] = _rate(kept, both, 1 / k, given & (moved >= 0))
    swapped = coded(frame, "swapped", curve.keys)
    if swapped is not None:
        both = asked & (swapped != sk.MISSING)
        hangs = both & curve.right & (swapped != codes)
        found["grounding"] = _rate(hangs, both & curve.right, 1 - 1 / k, given, both)
        found["grounded"] = _rate(hangs, both, (1 - 1 / k) / k, given)
    orders = _orders(curve, k)
    if orders is not None:
        found["preference"] = orders
    return found


def _orders(curve: Curve, k: Floats) -> Rate | None:
    """Questions asked in several orders: counted at their first item, right where all are."""
    frame = curve.frame
    ordered = np.array([ORDER in tags for tags in frame.tags], dtype=bool)
    if not ordered.any():
        return None
    first, count = np.full(frame.cluster.max() + 1, -1), np.zeros(frame.cluster.max() + 1)
    for item in np.flatnonzero(ordered)[::-1]:
        first[frame.cluster[item]] = item
        count[frame.cluster[item]] += 1
    whole = np.flatnonzero(count > 1)
    member = ordered & np.isin(frame.cluster, whole)
    top, bottom, given = (np.zeros(curve.codes.shape, dtype=bool) for _ in range(3))
    for level, codes in enumerate(curve.codes):
        asked = member & (codes != sk.MISSING)
        right, seen, said = (
            np.bincount(frame.cluster, part, len(count))
            for part in (asked & (codes == frame.gold), asked, asked & (codes >= 0))
        )
        full = whole[seen[whole] == count[whole]]
        bottom[level, first[full]] = True
        top[level, first[full]] = right[full] == count[full]
        given[level, first[full]] = said[full] == count[full]
    return _rate(top, bottom, (1 / k) ** count[frame.cluster], given)


def above_guessing(sampled: Sampled, name: str) -> Floats | None:
    """A rate's score over the items asked at every level, (R + 1, L): 1 is all, guessing is 0."""
    rate = rates(sampled.curve).get(name)
    if rate is None or not rate.bottom.any():
        return None
    return ratio(sampled.weights, rate.score, rate.bottom, sampled.curve.shared)


def reliability(sampled: Sampled) -> list[dict[str, Any]]:
    """One row for each level with answers of a curve whose questions were asked again."""
    curve, found = sampled.curve, rates(sampled.curve)
    if not found:
        return []
    rows = []
    for at in np.flatnonzero(curve.present):
        row = describe(curve, level=curve.levels[at])
        for name, rate in found.items():
            hits, among = rate.top[at] > 0, rate.bottom[at] > 0
            shown = share(hits, among, curve.frame.cluster)._asdict()
            row[name] = {**shown, "n": int(among.sum()), "guess": rate.guess}
        rows.append(row)
    return rows
