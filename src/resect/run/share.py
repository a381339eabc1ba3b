"""Sweeps shared out: split where workers outnumber them, taken up again where one was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from resect.errors import RunError
from resect.run.walk import Answered, Event, Finished, Sweep

TRIES = 3
"""How often a sweep may lose its worker before it is given up."""


def split(sweeps: Sequence[Sweep], workers: int) -> list[Sweep]:
    """At least `workers` sweeps where levels allow: the one with most to ask is halved by levels.

    Going straight to a level equals walking to it, so parts give what the whole would.
    """
    found = list(sweeps)
    while len(found) < workers:
        largest = max(found, key=lambda sweep: (len(_levels(sweep)) > 1, _size(sweep)))
        if len(_levels(largest)) < 2:
            break
        at = found.index(largest)
        found[at : at + 1] = _halves(largest)
    return found


def _levels(sweep: Sweep) -> list[tuple[float | None, str]]:
    return list(dict.fromkeys((cell.level, cell.recipe) for cell in sweep.cells))


def _size(sweep: Sweep) -> int:
    return sum(len(cell.missing) for cell in sweep.cells)


def _halves(sweep: Sweep) -> list[Sweep]:
    """Lower and higher levels, with about as many answers to ask."""
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
    """A sweep that a worker has, and what came of it so far."""

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
        """What another worker has to take up; None where nothing is left.

        Raises `RunError` where the sweep has lost its worker too often.
        """
        cells = []
        for cell in self.sweep.cells:
            got = self.answered.get(cell.spec.id, set())
            missing = frozenset(row for row in cell.missing if cell.items[row].key not in got)
            if cell.spec.id not in self.ended:
                cells.append(replace(cell, missing=missing))
        if not cells:
            return None
        if self.tries >= TRIES:
            raise RunError(
                f"the worker of {self.sweep.model}, {self.sweep.recipe.name} ended "
                f"{self.tries} times, as it does where memory is short: what is stored is kept."
            )
        return Taken(replace(self.sweep, cells=tuple(cells)), self.tries + 1)
