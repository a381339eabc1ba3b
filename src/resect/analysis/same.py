"""Whether two summaries agree: exact in every discrete field, close in every float."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resect.errors import RequestError

MACHINE = {
    "seconds", "peak_memory", "tokens_per_second", "prefill_tokens_per_second", "workload",
    "time_to_first_token", "seconds_per_answer", "joules_per_answer", "provenance",
}  # fmt: skip
"""Keys that depend on the machine and the day; left out wherever they stand."""

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
Summary = Mapping[str, Any] | str | Path


def same_summary(a: Summary, b: Summary, tolerance: float = 1e-6) -> bool:
    """Whether two summaries (dicts, summary.json files or run folders) agree.

    Raises `RequestError` where a path holds no readable summary.
    """
    return not differences(a, b, tolerance)


def differences(a: Summary, b: Summary, tolerance: float = 1e-6) -> list[str]:
    """Where two summaries differ, one sentence each, by path (`curves[3].skill: 0.5 and 0.4`).

    Floats may be `tolerance` apart (absolute). In the sentences of the verdict, which print the
    floats rounded, numbers may be one unit of their last digit apart.
    """
    found: list[str] = []
    _walk(_load(a), _load(b), "", tolerance, found)
    return found


def _load(value: Summary) -> Any:
    if isinstance(value, Mapping):
        return value
    path = Path(value)
    path = path / "summary.json" if path.is_dir() else path
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"no readable summary at {path} ({error}).") from None


def _walk(a: Any, b: Any, path: str, tolerance: float, found: list[str]) -> None:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in sorted({*map(str, a), *map(str, b)} - MACHINE):
            where = f"{path}.{key}" if path else key
            if key not in a or key not in b:
                found.append(f"{where}: only in the {'first' if key in a else 'second'}")
            else:
                _walk(a[key], b[key], where, tolerance, found)
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            found.append(f"{path}: {len(a)} and {len(b)} entries")
            return
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            _walk(x, y, f"{path}[{i}]", tolerance, found)
    elif not _equal(a, b, path, tolerance):
        found.append(f"{path}: {a!r} and {b!r}")


def _equal(a: Any, b: Any, path: str, tolerance: float) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return a == b or (path.startswith("verdict.") and _same_sentence(a, b))
    if isinstance(a, bool) or isinstance(b, bool) or not _numbers(a, b):
        return type(a) is type(b) and bool(a == b)
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if math.isfinite(a) and math.isfinite(b):
        return bool(abs(a - b) <= tolerance)
    return bool(a == b or (math.isnan(a) and math.isnan(b)))


def _numbers(a: Any, b: Any) -> bool:
    return isinstance(a, int | float) and isinstance(b, int | float)


def _same_sentence(a: str, b: str) -> bool:
    """Equal words, and printed numbers at most one unit of their last digit apart."""
    if NUMBER.sub("#", a) != NUMBER.sub("#", b):
        return False
    for x, y in zip(NUMBER.findall(a), NUMBER.findall(b), strict=True):
        digits = max(len(n.partition(".")[2]) for n in (x, y))
        if round(abs(float(x) - float(y)) * 10**digits, 6) > (1 if digits else 0):
            return False
    return True
