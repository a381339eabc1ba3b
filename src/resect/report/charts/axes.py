"""Axes: the levels of a sweep in rising damage as positions on a line, and round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from resect.report.formatting import level


class Axis(NamedTuple):
    """The levels of a sweep on a line: `ticks` are (position, label), `kind` says the unit."""

    kind: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    positions: Mapping[float | None, float]


def axis(levels: Iterable[float | None]) -> Axis:
    """The axis of these levels: linear for fractions removed, else one step per level of damage."""
    distinct = set(levels)
    known = sorted(x for x in distinct if x is not None)
    unswept = None in distinct
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


def place(axis: Axis, wanted: float | None) -> float | None:
    """Where a level stands on the axis, between its neighbours; None where it is not on it."""
    if wanted is None:
        return axis.positions.get(None)
    if axis.kind == "fraction":
        return min(max(wanted, axis.low), axis.high)
    if wanted in axis.positions:
        return axis.positions[wanted]
    known = [(x, position) for x, position in axis.positions.items() if x is not None and x >= 1]
    for (above, left), (below, right) in pairwise(known):
        if above > wanted > below:
            return left + (right - left) * (above - wanted) / (above - below)
    return None


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values from low to high, at most `most` of them."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    sizes = [n * power for n in (1, 2, 2.5, 5, 10, 20, 25, 50)]
    step = next(size for size in sizes if span / size <= most - 1 + 1e-9)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]
