"""What must hold of recorded rows before anything is written, and what a reader should be told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from resect.errors import RequestError
from resect.record import digest
from resect.recorded.row import Recorded
from resect.spec import level as exact


def checked(rows: Sequence[Recorded]) -> list[Recorded]:
    """The rows with exact levels and the baseline named `none`; one sentence where one is wrong."""
    if not rows:
        raise RequestError("no answer was recorded: the files hold no rows.")
    found = []
    seen: set[tuple[object, ...]] = set()
    for row in rows:
        if not row.gold.strip():
            raise RequestError(
                f"{row.source}: item {row.item} of {row.task} has no gold answer: add it, or "
                "leave the item out everywhere."
            )
        level = None if row.level is None else exact(row.level)
        baseline = level == 0 or row.treatment == "none"
        if row.treatment == "none" and level:
            raise RequestError(
                f"{row.source}: item {row.item} has treatment none and level {level:g}: name "
                "the treatment."
            )
        row = replace(row, treatment="none", level=0.0) if baseline else replace(row, level=level)
        if row.option_scores is not None and len(row.option_scores) != len(row.labels):
            raise RequestError(
                f"{row.source}: item {row.item} has {len(row.option_scores)} option scores for "
                f"{len(row.labels)} labels."
            )
        key = (row.model, row.treatment, row.level, row.task, row.item)
        if key in seen:
            at = "" if row.level is None else f" at {row.level:g}"
            raise RequestError(
                f"{row.source}: item {row.item} of {row.task} is answered twice by {row.model} "
                f"under {row.treatment}{at}: keep one answer an item."
            )
        seen.add(key)
        found.append(row)
    return found


def gaps(rows: Sequence[Recorded]) -> list[str]:
    """A sentence for each treatment whose levels rise evenly but for some that no model has."""
    levels: dict[str, set[float]] = defaultdict(lambda: {0.0})
    for row in rows:
        if row.level is not None and row.treatment != "none" and row.level < 1:
            levels[row.treatment].add(row.level)
    notes = []
    for treatment, got in levels.items():
        ordered = sorted(got)
        if len(ordered) < 5:
            continue
        step = min(b - a for a, b in pairwise(ordered))
        places = [round(x / step, 3) for x in ordered]
        lacking = [exact(i * step) for i in range(int(places[-1])) if i not in places]
        if all(p == int(p) for p in places) and 0 < len(lacking) <= len(ordered) // 4:
            shown = ", ".join(f"{x:g}" for x in lacking)
            notes.append(
                f"{treatment}: no model has answers at {shown}, though its levels rise by "
                f"{step:.3g}; the gap is bridged by a straight line and never counted as 0."
            )
    return notes


def identity(hashes: Sequence[str], row: Recorded) -> str:
    """Name of a model's state as its files recorded it."""
    return digest(["recorded", sorted(hashes), row.model, row.treatment, row.level])
