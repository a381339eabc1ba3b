"""Reliability beside accuracy: the same choice when options move, answers that hang on the context.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from resect.analysis import skill as sk
from resect.analysis.curves import Curve, Sampled, describe, ratio, retention
from resect.analysis.intervals import NOTHING, Floats, Interval, intervals, wilson
from resect.analysis.variants import coded

ORDER = "order"
"""Tag of items that are one question with its options in other orders: parts of one parent."""


class Rate(NamedTuple):
    """A share by level: `top` of `bottom`, (L, N) each, and what guessing would get of it."""

    top: Floats
    bottom: Floats
    guess: float


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
    asked, answered = codes != sk.MISSING, codes >= 0
    k = frame.sizes.astype(float)
    moved = coded(frame, "permuted", curve.keys)
    if moved is not None:
        both = asked & (moved != sk.MISSING)
        kept = both & answered & (moved == codes)
        found["consistency"] = Rate(_f(kept), _f(both), _mean(1 / k, both[0]))
    swapped = coded(frame, "swapped", curve.keys)
    if swapped is not None:
        both = asked & (swapped != sk.MISSING)
        hangs = both & curve.right & (swapped != codes)
        found["grounding"] = Rate(_f(hangs), _f(both & curve.right), _mean(1 - 1 / k, both[0]))
        found["grounded"] = Rate(_f(hangs), _f(both), _mean((1 - 1 / k) / k, both[0]))
    orders = _orders(curve, k)
    if orders is not None:
        found["preference"] = orders
    return found


def _f(mask: np.ndarray) -> Floats:
    return np.asarray(mask, dtype=float)


def _mean(values: Floats, items: np.ndarray) -> float:
    return float(values[items].mean()) if items.any() else float("nan")


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
    top, bottom = np.zeros(curve.codes.shape), np.zeros(curve.codes.shape)
    for level, codes in enumerate(curve.codes):
        asked = member & (codes != sk.MISSING)
        right = np.bincount(frame.cluster, asked & (codes == frame.gold), len(count))
        seen = np.bincount(frame.cluster, asked, len(count))
        full = whole[seen[whole] == count[whole]]
        bottom[level, first[full]] = 1
        top[level, first[full]] = right[full] == count[full]
    guess = float(np.mean((1 / k[first[whole]]) ** count[whole])) if len(whole) else float("nan")
    return Rate(top, bottom, guess)


def above_guessing(sampled: Sampled, name: str) -> Floats | None:
    """A rate of the items asked at every level, (R + 1, L), with guessing at 0 and all at 1."""
    rate = rates(sampled.curve).get(name)
    if rate is None or not rate.bottom.any():
        return None
    found = ratio(sampled.weights, rate.top, rate.bottom, sampled.curve.shared)
    return np.asarray((found - rate.guess) / (1 - rate.guess))


def reliability(sampled: Sampled) -> list[dict[str, Any]]:
    """One row for each level with answers of a curve whose questions were asked again."""
    curve, found = sampled.curve, rates(sampled.curve)
    if not found:
        return []
    kept = {name: _kept(sampled, name) for name in found}
    rows = []
    for at in np.flatnonzero(curve.present):
        row = describe(curve, level=curve.levels[at])
        for name, rate in found.items():
            n = int(rate.bottom[at].sum())
            shown = wilson(int(rate.top[at].sum()), n)._asdict()
            row[name] = {**shown, "n": n, "guess": rate.guess, "kept": kept[name][at]._asdict()}
        rows.append(row)
    return rows


def _kept(sampled: Sampled, name: str) -> list[Interval]:
    """What share of the baseline's rate is kept, guessing being nothing."""
    values = above_guessing(sampled, name)
    share = None if values is None else retention(values)[0]
    blank = [NOTHING] * len(sampled.curve.levels)
    return blank if share is None else intervals(share)
