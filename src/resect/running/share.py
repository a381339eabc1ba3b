"""Sweeps for several workers: split if there are too few, resumed if a worker dies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from resect.errors import RunError
from resect.record import Answer
from resect.running.walk import Answered, Event, Finished, Sweep

TRIES = 3
"""How many workers a sweep may lose before the run fails."""


def split(sweeps: Sequence[Sweep], workers: int) -> list[Sweep]:
    """At least `workers` sweeps if there are enough levels: the largest is halved by levels.

    Going straight to a level equals walking to it, so the parts give the same results.
    """
    parts = list(sweeps)
    while len(parts) < workers:
        largest = max(parts, key=lambda sweep: (_divisible(sweep), _size(sweep)))
        if not _divisible(largest):
            break
        index = parts.index(largest)
        parts[index : index + 1] = _halves(largest)
    return parts


def _divisible(sweep: Sweep) -> bool:
    """Whether levels may be asked apart; in looks each depends on those before it."""
    return sweep.plan is None and len(_levels(sweep)) > 1


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
        self.answered: dict[str, dict[str, Answer]] = {}

    def note(self, event: Event) -> None:
        """Remember an event that was passed on."""
        if isinstance(event, Finished):
            self.ended.add(event.result.cell)
        elif isinstance(event, Answered):
            answers = {answer.item: answer for answer in event.answers}
            self.answered.setdefault(event.cell.spec.id, {}).update(answers)

    def rest(self) -> Taken | None:
        """What is left for another worker, or None.

        Raises `RunError` if the sweep has lost its worker too often.
        """
        cells, left, plan = [], False, self.sweep.plan
        for cell in self.sweep.cells:
            answered = self.answered.get(cell.spec.id, {})
            missing = frozenset(row for row in cell.missing if cell.keys[row] not in answered)
            left |= cell.spec.id not in self.ended
            if cell.spec.id not in self.ended or plan is not None:
                cells.append(replace(cell, missing=missing))
        if not left:
            return None
        if plan is not None:  # what came decides how it goes on
            came = {name: tuple(answers.values()) for name, answers in self.answered.items()}
            held = {name: plan.held.get(name, ()) + came.get(name, ()) for name in plan.held}
            plan = replace(plan, held=held)
        if self.tries >= TRIES:
            raise RunError(
                f"the worker for {self.sweep.model}, {self.sweep.recipe.name} ended {self.tries} "
                "times, perhaps for lack of memory. Stored results are kept."
            )
        return Taken(replace(self.sweep, cells=tuple(cells), plan=plan), self.tries + 1)
