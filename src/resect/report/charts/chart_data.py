"""What a figure shows, as numbers ready to draw by charts.

Shares are in [0, 1]; what is missing is None, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from resect.report.charts.axes import Axis


class Spot(NamedTuple):
    """One cell on a line: its level, its position, a value with its interval, and n items."""

    level: float | None
    x: float
    value: float | None
    low: float | None
    high: float | None
    n: int | None = None
    status: str = "success"


class Line(NamedTuple):
    """One line: `slot` is its colour and marker, `spots` are in rising damage.

    Of several `seeds` a spot is their mean, and its interval reaches from the lowest of them to
    the highest; else the interval is that of the items. `reference` is a level line in its colour.
    """

    label: str
    slot: int
    view: str
    spots: tuple[Spot, ...]
    seeds: int = 1
    reference: float | None = None

    @property
    def known(self) -> list[Spot]:
        """The spots that have a value."""
        return [spot for spot in self.spots if spot.value is not None]


class Floor(NamedTuple):
    """A horizontal reference: a floor of these very items, or a landmark of the metric."""

    label: str
    value: float


class Mark(NamedTuple):
    """One finding on the axis of a sweep; `censored` where it lies beyond the last level."""

    slot: int
    view: str
    kind: str
    metric: str
    x: float
    low: float | None
    high: float | None
    censored: bool


class LineChart(NamedTuple):
    """Lines by level, with bands, floors and marks; `share` writes per cent."""

    title: str
    subtitle: str
    axis: Axis
    low: float
    high: float
    share: bool
    lines: tuple[Line, ...]
    floors: tuple[Floor, ...] = ()
    marks: tuple[Mark, ...] = ()
    note: str = ""
    tall: bool = False


class BarChart(NamedTuple):
    """Shares of each outcome by level, one model and task; `right` is accuracy by text."""

    title: str
    levels: tuple[float | None, ...]
    names: tuple[str, ...]
    shares: tuple[Mapping[str, float], ...]
    right: tuple[float | None, ...]


def bounds(lines: Sequence[Line], least: float) -> tuple[float, float]:
    """A range that holds every value, and reaches from 0 to `least` at the least."""
    values = [spot.value for line in lines for spot in line.spots if spot.value is not None]
    values += [line.reference for line in lines if line.reference is not None]
    low, high = min([0.0, *values]), max([least, *values])
    step = 0.1 if high - low <= 1.05 else 0.5
    return -step * -int(low / step - 0.999999), step * int(high / step + 0.999999)
