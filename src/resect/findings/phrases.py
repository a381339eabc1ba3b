"""Phrases of levels and degraded cells, where a finding still carries its reason as text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def at(level: float | None) -> str:
    """A level in words: `45 %`, `4 bits`, or that nothing was swept."""
    if level is None:
        return "its only level"
    return f"{level:g} bits" if level >= 1 else f"{100 * level:.3g} %"


def degraded(rows: Sequence[Row]) -> str:
    """`degraded at 30 % and 50 % on t (prompts truncated)`, by reason; empty where nothing is."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["reason"]].append(row)
    return "; ".join(
        f"degraded at {listed(list(dict.fromkeys(at(row['level']) for row in mine)))} "
        f"on {listed(list(dict.fromkeys(row['task'] for row in mine)))} ({reason})"
        for reason, mine in groups.items()
    )


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
