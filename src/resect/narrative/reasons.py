"""Levels, lists and degraded cells in words; the reasons of verdicts in summary.json."""

from __future__ import annotations

from collections.abc import Sequence

from resect.findings.curves import bits_in_words
from resect.findings.rows import DegradedCell


def at(level: float | None) -> str:
    """A level in words: `45 %`, `4 bits`, or `its only level`."""
    if level is None:
        return "its only level"
    return bits_in_words(level) if level >= 1 else f"{100 * level:.3g} %"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def degraded(cells: Sequence[DegradedCell]) -> str:
    """`degraded at 30 % and 50 % on t (prompts truncated)`, by reason; empty where nothing is."""
    reasons: dict[str, list[DegradedCell]] = {}
    for cell in cells:
        reasons.setdefault(cell.reason, []).append(cell)
    return "; ".join(
        f"degraded at {listed(list(dict.fromkeys(at(cell.level) for cell in group)))} "
        f"on {listed(list(dict.fromkeys(cell.task for cell in group)))} ({reason})"
        for reason, group in reasons.items()
    )
