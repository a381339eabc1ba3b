"""Whether two summaries agree: exact in every discrete field, close in every float."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeGuard

from resect.diff.row_names import NUMBER, Name, Plain, pair
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

    Floats may be `tolerance` apart (absolute). In the sentences of the verdict, which print the
    floats rounded, numbers may be one unit of their last digit apart.
    """
    result = Compared([], Counter())
    for section in (key for key in dict.fromkeys([*a, *b]) if key not in MACHINE):
        _Walk(section, {}, tolerance, result).key(a, b, section, "")
    return result


def load(value: SummarySource) -> Mapping[str, Plain]:
    """A summary from a dict, a summary.json or a run folder."""
    if isinstance(value, Mapping):
        return value
    path = Path(value)
    path = path / "summary.json" if path.is_dir() else path
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"no readable summary at {path} ({error}).") from None
    if not isinstance(data, dict):
        raise RequestError(f"no readable summary at {path} (it is no object).")
    return data


@dataclass(frozen=True)
class _Walk:
    """A walk through one row of both summaries, writing what differs into `result`."""

    section: str
    row: Mapping[str, Plain]
    tolerance: float
    result: Compared

    def key(self, a: Mapping[str, Plain], b: Mapping[str, Plain], key: str, field: str) -> None:
        """Compare what two objects hold under a key."""
        if key in a and key in b:
            self.value(a[key], b[key], field)
        elif key in a:
            self._add("first", field, a[key], None)
        else:
            self._add("second", field, None, b[key])

    def value(self, a: Plain, b: Plain, field: str) -> None:
        """Compare two values, whatever they are."""
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            for key in dict.fromkeys([*a, *b]):
                if key not in MACHINE:
                    self.key(a, b, key, f"{field}.{key}" if field else str(key))
        elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
            self._rows(a, b, field)
        elif not _equal(a, b, self.section, self.tolerance):
            self._add("value", field, a, b)

    def _rows(self, a: Sequence[Plain], b: Sequence[Plain], field: str) -> None:
        section = f"{self.section}.{field}" if field else self.section
        paired = pair(a, b, section)
        self.result.shared[section] += len(paired.both)
        for name in paired.first:
            self._into(section, name)._add("first", "", None, None)
        for name in paired.second:
            self._into(section, name)._add("second", "", None, None)
        if not paired.in_order:
            _Walk(section, self.row, self.tolerance, self.result)._add("order", "", None, None)
        for name, x, y in paired.both:
            self._into(section, name).value(x, y, "")

    def _into(self, section: str, name: Name) -> _Walk:
        return _Walk(section, {**self.row, **dict(name)}, self.tolerance, self.result)

    def _add(self, kind: Kind, field: str, a: Plain, b: Plain) -> None:
        self.result.differences.append(Difference(kind, self.section, self.row, field, a, b))


def _equal(a: Plain, b: Plain, section: str, tolerance: float) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return a == b or (section.startswith("verdict") and _same_sentence(a, b))
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
