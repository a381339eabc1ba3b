"""Sweeps for several workers: split if there are too few, resumed if a worker dies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from resect.errors import RunError
from resect.running.walk import Answered, Event, Finished, Sweep

TRIES = 3
"""How many workers a sweep may lose before the run fails."""


def split(sweeps: Sequence[Sweep], workers: int) -> list[Sweep]:
    """At least `workers` sweeps if there are enough levels: the largest is halved by levels.

    Going straight to a level equals walking to it, so the parts give the same results.
    """
    parts = list(sweeps)
    while len(parts) < workers:
        largest = max(parts, key=lambda sweep: (len(_levels(sweep)) > 1, _size(sweep)))
        if len(_levels(largest)) < 2:
            break
        index = parts.index(largest)
        parts[index : index + 1] = _halves(largest)
    return parts


def _levels(sweep: Sweep) -> list[tuple[float | None, str]]:
    return list(dict.fromkeys((cell.level, cell.recipe) for cell in sweep.cells))


def _size(sweep: Sweep) -> int:
    return sum(len(cell.missing) for cell in sweep.cells)


def _halves(sweep: Sweep) -> list[Sweep]:
    """The lower and the higher levels, with about the same number of questions."""
    levels = _levels(sweep)
    ask = [sum(len(c.missing) for c in sweep.cells if (c.level, c.recipe) == x) for x in levels]
    gaps = [abs(sum(ask[:cut]) - sum(ask[cut:])) for cut in range(1, len(levels))]
    low = set(levels[: 1 + gaps.index(min(gaps))])
    parts = [
        tuple(c for c in sweep.cells if ((c.level, c.recipe) in low) == wanted)
        for wanted in (True, False)
    ]
    return [replace(sweep, cells=cells) for cells in parts]


class Taken:
    """A sweep that a worker runs, and the events received so far."""

    def __init__(self, sweep: Sweep, tries: int = 1) -> None:
        self.sweep, self.tries = sweep, tries
        self.ended: set[str] = set()
        self.answered: dict[str, set[str]] = {}

    def note(self, event: Event) -> None:
        """Remember an event that was passed on."""
        if isinstance(event, Finished):
            self.ended.add(event.result.cell)
        elif isinstance(event, Answered):
            keys = {answer.item for answer in event.answers}
            self.answered.setdefault(event.cell.spec.id, set()).update(keys)

    def rest(self) -> Taken | None:
        """What is left for another worker, or None.

        Raises `RunError` if the sweep has lost its worker too often.
        """
        cells = []
        for cell in self.sweep.cells:
            answered = self.answered.get(cell.spec.id, set())
            missing = frozenset(row for row in cell.missing if cell.items[row].key not in answered)
            if cell.spec.id not in self.ended:
                cells.append(replace(cell, missing=missing))
        if not cells:
            return None
        if self.tries >= TRIES:
            raise RunError(
                f"the worker for {self.sweep.model}, {self.sweep.recipe.name} ended {self.tries} "
                "times, perhaps for lack of memory. Stored results are kept."
            )
        return Taken(replace(self.sweep, cells=tuple(cells)), self.tries + 1)
