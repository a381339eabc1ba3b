"""What the catalogue says of one metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "neither"]
Unit = Literal["share", "score", "ratio", "bits", "nats", "bytes", "tokens/s", "count", "J"]
Group = Literal["curve", "answer", "bias", "trust", "reliability", "published", "measured"]
Where = Literal["text", "options"]
BOTH: tuple[Where, ...] = ("text", "options")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One metric.

    `label` heads a column or an axis, `fragment` stands in a sentence. `better` is the direction,
    `of` what it is a share or mean of, `views` the views that have it. `explains` is one or two
    sentences for page and docs. `group` is the part of summary.json that holds it. `colour` is a
    fixed one (hex), where the quantity is drawn beside others of its group.
    """

    label: str
    fragment: str
    better: Better
    unit: Unit
    of: str
    explains: str
    group: Group = "curve"
    views: tuple[Where, ...] = BOTH
    colour: str | None = None

    @property
    def is_share(self) -> bool:
        """Whether it is shown in percent."""
        return self.unit == "share"
