"""What one curve lends to findings over several tasks, put together level by level.

Tasks are resampled apart from each other, so their draws are put together row by row. Shapes:
R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from resect.findings.curves import Curve, Sampled, damage
from resect.findings.frame import Level
from resect.findings.rows import Domain
from resect.record import TaskInfo, View
from resect.stats.intervals import Floats


class Lent(NamedTuple):
    """One curve of one task: skill (R + 1, L), share retained, declined items.

    `declined[side]` are weighted sums of the items declined, asked, declined by guessing
    as often as answered, and as often as asked, (R + 1, L) each.
    """

    curve: Curve
    domain: Domain | None
    skill: Floats | None
    retention: Floats | None
    declined: Mapping[str, tuple[Floats, ...]]

    @property
    def task(self) -> str:
        """The task's name."""
        return self.curve.frame.name

    def at(self, values: Floats, levels: Sequence[Level]) -> Floats:
        """The columns of values (R + 1, L) at some levels."""
        return values[:, [self.curve.levels.index(level) for level in levels]]


def lend(sampled: Sampled, info: TaskInfo) -> Lent:
    """The draws of one curve."""
    curve, frame = sampled.curve, sampled.curve.frame
    declined = {}
    blank = (np.zeros(len(frame.items)),) * 4
    weights = sampled.weights.astype(float)
    for side, table in frame.declined.items():
        if any(key in table for key in curve.keys):
            each = zip(*(table.get(key, blank) for key in curve.keys), strict=True)
            declined[side] = tuple(weights @ np.stack(part).T for part in each)
    if not frame.skilled:
        return Lent(curve, info.domain, None, None, declined)
    return Lent(curve, info.domain, sampled.draws.skill, sampled.draws.retention, declined)


def sweeps_of(lent: Iterable[Lent]) -> list[list[Lent]]:
    """The curves of each model, recipe, seed and view, over tasks."""
    groups: dict[tuple[str, str, int, View], list[Lent]] = defaultdict(list)
    for member in lent:
        c = member.curve
        groups[c.model, c.recipe, c.seed, c.view].append(member)
    return list(groups.values())


def common_levels(group: Sequence[Lent]) -> list[Level]:
    """The levels that every curve of a group has, in rising damage."""
    shared = set.intersection(*(set(member.curve.levels) for member in group))
    return sorted(shared, key=damage)


def numbers(levels: Sequence[Level]) -> Floats:
    """The levels as numbers, (L,)."""
    return np.array([0.0 if level is None else level for level in levels])
