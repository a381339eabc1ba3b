"""How far next tokens are from the intact model's: KL at the answer and in the prompt.

Shapes: N items, P places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from resect.findings.curves import Curve, Sampled
from resect.findings.estimates import estimate
from resect.findings.frame import Key, TaskFrame
from resect.findings.rows import Estimate, KlSpread, KlToIntact
from resect.record import Likely, unpacked
from resect.stats.design_effect import share
from resect.stats.intervals import Floats, Interval, intervals
from resect.stats.kl import Top, at_least, same_first
from resect.stats.ratios import ratio

TAIL = 0.999


@dataclass(frozen=True)
class Divergences:
    """KL (N, P) and whether the first token is the same, NaN where a place was not told.

    The answer is the first column.
    """

    kl: Floats
    same: Floats

    def row(self) -> KlToIntact | None:
        """Mean, median and tail of all items; None where no answer was told."""
        answer = _spread(self.kl[:, :1], self.same[:, :1])
        text = _spread(self.kl[:, 1:], self.same[:, 1:])
        return None if answer is None else KlToIntact(answer, text)


Told = list[tuple[Likely, ...]]
"""What one state tells of every item."""


def divergences(frame: TaskFrame, intact: Key, key: Key) -> Divergences | None:
    """From one state to another on the items of a task; None where one of them tells nothing."""
    return _between(_told(frame, intact), _told(frame, key))


def _told(frame: TaskFrame, key: Key) -> Told | None:
    """The likeliest tokens of a state, whatever the view; None where none are stored."""
    stored = frame.likely.get(key._replace(view="text"))
    return None if stored is None else [_read(content) for content in stored]


def _between(first: Told | None, second: Told | None) -> Divergences | None:
    if first is None or second is None:
        return None
    places: dict[int, list[tuple[int, Likely, Likely]]] = {}
    for item, (before, after) in enumerate(zip(first, second, strict=True)):
        here = {place.back: place for place in after}
        for place in before:
            if place.back in here:
                places.setdefault(place.back, []).append((item, place, here[place.back]))
    if 0 not in places:
        return None
    columns = sorted(places)
    kl = np.full((len(first), len(columns)), np.nan)
    same = kl.copy()
    for column, back in enumerate(columns):
        items, ps, qs = zip(*places[back], strict=True)
        p, q = _table(ps), _table(qs)
        kl[list(items), column] = at_least(p, q)
        same[list(items), column] = same_first(p, q)
    return Divergences(kl, same)


def along(curves: Sequence[Curve]) -> Iterator[list[Divergences | None]]:
    """Of every curve, from its first level, which has none, to each.

    The views of a sweep share them, and its intact model is read once.
    """
    known: dict[tuple[Key, ...], list[Divergences | None]] = {}
    for curve in curves:
        keys = tuple(key._replace(view="text") for key in curve.keys)
        if keys not in known:
            intact = _told(curve.frame, keys[0])
            later = (_between(intact, _told(curve.frame, key)) for key in keys[1:])
            known[keys] = [None, *later]
        yield known[keys]


def metrics(sampled: Sampled, far: Divergences) -> Mapping[str, Estimate]:
    """The means with their intervals, and the share of answers that begin with the same token."""
    told = ~np.isnan(far.kl)
    sums, counts = np.where(told, far.kl, 0.0), told.astype(float)
    table = {"kl": slice(0, 1), "kl_text": slice(1, None)}
    means = {
        name: estimate(_mean(sampled, sums[:, part].sum(axis=1), counts[:, part].sum(axis=1)))
        for name, part in table.items()
        if told[:, part].any()
    }
    cluster = sampled.curve.frame.cluster
    means["same_top"] = estimate(share(far.same[:, 0] == 1, told[:, 0], cluster))
    return means


def _mean(sampled: Sampled, top: Floats, bottom: Floats) -> Interval:
    everywhere = np.ones(len(top), dtype=bool)
    (mean,) = intervals(ratio(sampled.weights, top[None], bottom[None], everywhere))
    return mean


def _read(content: object) -> tuple[Likely, ...]:
    return unpacked(content) if isinstance(content, bytes) else ()


def _table(places: Sequence[Likely]) -> Top:
    """Places as arrays, as long as the shortest list."""
    width = min(len(place.ids) for place in places)
    ids = np.array([place.ids[:width] for place in places], dtype=np.int64)
    return Top(ids, np.array([place.logs[:width] for place in places]))


def _spread(kl: Floats, same: Floats) -> KlSpread | None:
    values = kl[~np.isnan(kl)]
    if not values.size:
        return None
    return KlSpread(
        n=int(values.size),
        mean=float(values.mean()),
        median=float(np.median(values)),
        p999=float(np.quantile(values, TAIL)),
        same_top=float(np.nanmean(same)),
    )
