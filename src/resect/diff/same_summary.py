"""Whether two summaries agree: exact in every discrete field, close in every float."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeGuard

from resect.diff.row_names import NUMBER, Plain, pair
from resect.errors import RequestError

MACHINE = {
    "seconds", "peak_memory", "tokens_per_second", "prefill_tokens_per_second", "workload",
    "time_to_first_token", "seconds_per_answer", "joules_per_answer", "provenance",
}  # fmt: skip
"""Keys that depend on the machine and the day; left out wherever they stand."""

SummarySource = Mapping[str, Plain] | str | Path
"""A summary as plain data, its file, or the folder of its run."""


Kind = Literal["value", "first", "second", "order"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two summaries differ.

    `section` is the list it stands in (`curves`, `verdicts.tasks`) or a key of the summary, `row`
    the fields that name the row, `field` the path inside it (`metrics.skill.low`; empty: the
    whole row). `kind` is `value` for two values, `first` or `second` for what only that one has,
    `order` for rows of both in another order.
    """

    kind: Kind
    section: str
    row: Mapping[str, Plain]
    field: str
    first: Plain = None
    second: Plain = None


class Compared(NamedTuple):
    """Where two summaries differ, and how many rows of each list both have."""

    differences: list[Difference]
    shared: Counter[str]


def same_summary(a: SummarySource, b: SummarySource, tolerance: float = 1e-6) -> bool:
    """Whether two summaries (dicts, summary.json files or run folders) agree.

    Raises `RequestError` where a path holds no readable summary.
    """
    return not compared(load(a), load(b), tolerance).differences


def compared(a: Mapping[str, Plain], b: Mapping[str, Plain], tolerance: float = 1e-6) -> Compared:
    """Where two summaries differ, rows paired by what names them (`row_names.py`).

    Floats may be `tolerance` apart (absolute). In the headline and the sentences, which print the
    floats rounded, numbers may be one unit of their last digit apart.
    """
    shared: Counter[str] = Counter()
    differences = list(_differences(a, b, _Place("", {}, ""), tolerance, shared))
    return Compared(differences, shared)


def load(value: SummarySource) -> Mapping[str, Plain]:
    """A summary from a dict, a summary.json or a run folder."""
    if isinstance(value, Mapping):
        return value
    path = Path(value)
    path = path / "summary.json" if path.is_dir() else path
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RequestError(
            f"there is no readable summary at {path} ({error}): give a run folder or its "
            "summary.json."
        ) from None
    if not isinstance(data, dict):
        raise RequestError(f"{path} is no readable summary: give a run folder or its summary.json.")
    return data


class _Place(NamedTuple):
    """Where two values stand: the first fields of a `Difference`."""

    section: str
    row: Mapping[str, Plain]
    field: str

    def under(self, key: str) -> _Place:
        """The place of what stands under a key."""
        if not self.section:
            return _Place(key, self.row, "")
        return self._replace(field=f"{self.field}.{key}" if self.field else key)


def _differences(
    a: Plain, b: Plain, place: _Place, tolerance: float, shared: Counter[str]
) -> Iterator[Difference]:
    """Every difference between two values; counts the rows that both lists have in `shared`."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        yield from _of_fields(a, b, place, tolerance, shared)
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
        yield from _of_rows(a, b, place, tolerance, shared)
    elif not _equal(a, b, place.section, tolerance):
        yield Difference("value", *place, a, b)


def _of_fields(
    a: Mapping[str, Plain],
    b: Mapping[str, Plain],
    place: _Place,
    tolerance: float,
    shared: Counter[str],
) -> Iterator[Difference]:
    """Differences of two mappings, key by key, but for what depends on the machine."""
    for key in (key for key in dict.fromkeys([*a, *b]) if key not in MACHINE):
        inner = place.under(key)
        if key in a and key in b:
            yield from _differences(a[key], b[key], inner, tolerance, shared)
        else:
            yield Difference("first" if key in a else "second", *inner, a.get(key), b.get(key))


def _of_rows(
    a: Sequence[Plain], b: Sequence[Plain], place: _Place, tolerance: float, shared: Counter[str]
) -> Iterator[Difference]:
    """Differences of two lists: rows that one of them has alone, their order, and pair by pair."""
    section = f"{place.section}.{place.field}" if place.field else place.section
    paired = pair(a, b, section)
    shared[section] += len(paired.both)
    for name in paired.first:
        yield Difference("first", section, {**place.row, **dict(name)}, "")
    for name in paired.second:
        yield Difference("second", section, {**place.row, **dict(name)}, "")
    if not paired.in_order:
        yield Difference("order", section, place.row, "")
    for name, x, y in paired.both:
        inner = _Place(section, {**place.row, **dict(name)}, "")
        yield from _differences(x, y, inner, tolerance, shared)


def _equal(a: Plain, b: Plain, section: str, tolerance: float) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return a == b or (section.startswith(("verdict", "headline")) and _same_sentence(a, b))
    if not _is_number(a) or not _is_number(b):
        return type(a) is type(b) and a == b
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if math.isfinite(a) and math.isfinite(b):
        return bool(abs(a - b) <= tolerance)
    return bool(a == b or (math.isnan(a) and math.isnan(b)))


def _is_number(value: Plain) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_sentence(a: str, b: str) -> bool:
    """Equal words, and printed numbers at most one unit of their last digit apart."""
    if NUMBER.sub("#", a) != NUMBER.sub("#", b):
        return False
    for x, y in zip(NUMBER.findall(a), NUMBER.findall(b), strict=True):
        digits = max(len(n.partition(".")[2]) for n in (x, y))
        if round(abs(float(x) - float(y)) * 10**digits, 6) > (1 if digits else 0):
            return False
    return True
