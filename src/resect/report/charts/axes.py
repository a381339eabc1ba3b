"""The axis of a sweep: levels in rising damage as positions on a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from resect.report.formatting import finite, level


class Axis(NamedTuple):
    """The levels of a sweep on a line: `ticks` are (position, label), `kind` says the unit."""

    kind: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    positions: Mapping[float | None, float]


def axis(levels: Iterable[float | None]) -> Axis:
    """The axis of these levels: linear for fractions removed, else one step per level of damage."""
    found = list(levels)
    known = sorted({x for x in map(finite, found) if x is not None})
    unswept = any(x is None for x in found)
    if known and known[-1] < 1 and not unswept:
        return _fraction_axis(known)
    order: list[float | None] = [x for x in known if x < 1]
    order += sorted((x for x in known if x >= 1), reverse=True)
    order += [None] if unswept else []
    ticks = tuple((float(i), level(x)) for i, x in enumerate(order))
    positions: dict[float | None, float] = {x: float(i) for i, x in enumerate(order)}
    return Axis("steps", -0.5, len(order) - 0.5, ticks, positions)


def _fraction_axis(known: list[float]) -> Axis:
    high = known[-1] or 1.0
    step = next((s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if high / s <= 5.5), 0.25)
    ticks = []
    for i in range(int(high / step + 1e-9) + 1):
        ticks.append((i * step, f"{i * step * 100:.0f} %"))
    return Axis("fraction", 0.0, high, tuple(ticks), {x: x for x in known})


def place(at: Axis, wanted: float | None) -> float | None:
    """Where a level stands on the axis, between its neighbours; None where it is not on it."""
    if wanted is None:
        return at.positions.get(None)
    if at.kind == "fraction":
        return min(max(wanted, at.low), at.high)
    if wanted in at.positions:
        return at.positions[wanted]
    known = [(x, where) for x, where in at.positions.items() if x is not None and x >= 1]
    for (above, left), (below, right) in pairwise(known):
        if above > wanted > below:
            return left + (right - left) * (above - wanted) / (above - below)
    return None
