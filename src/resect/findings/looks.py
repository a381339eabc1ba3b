"""Asking in looks: when a task has been asked enough at one level.

Group-sequential with alpha spending (`resect.stats.alpha_spending`): each look tests all items so
far at its own part of alpha, so that stopping early errs no more often; giving up is not binding.
Shapes: N items, L levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from resect.findings.frame import Level, TaskFrame
from resect.findings.guardrails import Watched, estimated
from resect.findings.item_order import look_numbers
from resect.findings.primary_test import ABSENT, Primary, restricted
from resect.findings.rows import Word
from resect.record import TaskInfo
from resect.stats import skill as sk
from resect.stats.alpha_spending import futile, levels
from resect.stats.intervals import Mask

SHARES = (0.25, 0.5, 0.75, 1.0)
"""The share of the items that is asked by each look."""

BETA = 0.1
"""Looks give up so seldom that an effect found with power 0.9 is lost at most this often."""


def last_level(alpha: float) -> float:
    """The one-sided level of the last look, which is what a sample must be large enough for."""
    return levels(alpha, SHARES)[-1]


class Evidence(NamedTuple):
    """What one task says of one sweep in one view."""

    test: Primary
    watched: list[Watched]
    info: TaskInfo

    def on(self, items: Mask, alpha: float, enough: bool = True) -> Evidence:
        """The same on some items (N,) at another one-sided error; margins are those of all items.

        `enough` asks too whether a copy could pass on so few.
        """
        if self.test.margin is None:
            return self
        seen = [w._replace(items=w.items & items) for w in self.watched]
        return Evidence(restricted(self.test, items, alpha, enough), seen, self.info)


@dataclass(frozen=True, eq=False)
class Looks:
    """The looks of a study: the look at which each item is first asked, (N,), of every task."""

    numbers: Mapping[str, NDArray[np.intp]]

    @classmethod
    def of(cls, frames: Mapping[str, TaskFrame], seed: int) -> Looks:
        """The looks at the items of these tasks."""
        return cls({name: look_numbers(frame, seed, SHARES) for name, frame in frames.items()})

    def done(self, evidence: Evidence, at: int) -> int:
        """The last look whose items the level at a place has; 0 where it has none."""
        numbers, items = self.numbers[evidence.test.task], evidence.test.items
        asked = evidence.test.curve.codes[at] != sk.MISSING
        for look in range(len(SHARES), 0, -1):
            due = items & (numbers <= look)
            if due.any() and 1 - asked[due].mean() <= ABSENT:
                return look
        return 0

    def at(self, evidence: Evidence, look: int) -> Evidence:
        """The evidence of one look, at its part of alpha."""
        items = self.numbers[evidence.test.task] <= look
        level = levels(evidence.test.alpha, SHARES)[look - 1]
        return evidence.on(items, level, enough=look == len(SHARES))

    def last(self, evidence: Evidence, level: Level) -> Evidence:
        """The evidence of the last look at one level; all of it where no look is complete."""
        if evidence.test.margin is None or level not in evidence.test.curve.levels:
            return evidence
        look = self.done(evidence, evidence.test.curve.levels.index(level))
        return self.at(evidence, look) if look else evidence

    def decision(self, evidence: Evidence, level: Level, look: int) -> Word | None:
        """What a look at one level decides; None where more has to be asked.

        A test passes early only where no guardrail's estimate is beyond its cap.
        """
        whole = evidence.test
        if whole.margin is None:
            return Word.UNDETERMINED
        part, place = self.at(evidence, look), whole.curve.levels.index(level)
        if look == len(SHARES):
            return part.test.word(place)
        p = float(part.test.p[place])
        if p < part.test.alpha:
            beyond = any(g.rise > g.cap for g in estimated(*part, level))
            return None if beyond else Word.PASSED
        if -ndtri(min(p, 1 - 1e-12)) <= futile(whole.alpha, BETA, SHARES)[look - 1]:
            return part.test.word(place)
        return None
