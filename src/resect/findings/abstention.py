"""Abstaining where there is no answer, against where there is one.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from resect.findings import rows
from resect.findings.curves import Retention, of_sweep, retention, unordered
from resect.findings.estimates import rate
from resect.findings.failure_order import RELIABLE, SKILL, Contestant, no_race, race
from resect.findings.frame import Level
from resect.findings.multi_task import Lent, common_levels, numbers, sweeps_of
from resect.stats.design_effect import share
from resect.stats.intervals import Floats, Interval, newcombe

Side = Literal["unanswerable", "answerable"]
SIDES: tuple[Side, ...] = ("unanswerable", "answerable")
Groups = Mapping[Side, Sequence[Lent]]


def abstention(lent: Sequence[Lent]) -> list[rows.Abstention]:
    """How much more often a sweep abstains where there is no answer than where there is one.

    J = abstains on the unanswerable minus abstains on the answerable, of all items that offer to
    abstain, over all tasks: 1 is ideal, 0 a model that always or never abstains (Youden 1950).
    `guess` is the J of a model that takes any option, which is not 0 where one side has more
    options to take; the race goes by what is above it, silence being nothing too.
    """
    findings = []
    for group in sweeps_of(lent):
        sides: Groups = {
            side: [member for member in group if side in member.declined] for side in SIDES
        }
        if all(sides.values()):
            findings.append(_sweep(sides, group[0]))
    return findings


def _sweep(sides: Groups, head: Lent) -> rows.Abstention:
    """One sweep over the tasks that offer to abstain."""
    levels = common_levels([*sides["unanswerable"], *sides["answerable"]])
    rates = {side: _rates(group, side, levels) for side, group in sides.items()}
    shown = (_level(sides, rates, level, i) for i, level in enumerate(levels))
    values = np.asarray(rates["unanswerable"].above - rates["answerable"].above)
    return rows.Abstention(
        **of_sweep(head.curve),
        view=head.curve.view,
        tasks={side: tuple(member.task for member in group) for side, group in sides.items()},
        levels=tuple(row for row in shown if row is not None),
        race=_race(sides["answerable"], levels, values),
    )


class Rates(NamedTuple):
    """Of one side over tasks, (R + 1, L) each: items, share by guessing, share beyond guessing."""

    given: Floats
    guess: Floats
    above: Floats


def _rates(group: Sequence[Lent], side: Side, levels: Sequence[Level]) -> Rates:
    declined, given, guessed, offered = (
        np.sum([member.at(member.declined[side][i], levels) for member in group], axis=0)
        for i in range(4)
    )
    with np.errstate(all="ignore"):
        return Rates(given, offered / given, (declined - guessed) / given)


def _level(
    sides: Groups, rates: Mapping[Side, Rates], level: Level, i: int
) -> rows.AbstentionLevel | None:
    """One level, None where a side has no items."""
    ends = [_declined(sides[side], side, level) for side in SIDES]
    counts = [int(rates[side].given[0, i]) for side in SIDES]
    if not all(counts):
        return None
    guesses = [float(rates[side].guess[0, i]) for side in SIDES]
    return rows.AbstentionLevel(
        level=level,
        unanswerable=rate(ends[0], n=counts[0]),
        answerable=rate(ends[1], n=counts[1]),
        j=rate(newcombe(*ends), guess=guesses[0] - guesses[1]),
    )


def _declined(group: Sequence[Lent], side: Side, level: Level) -> Interval:
    """The share declined of all answers of one side; those to one question hang together."""
    hits, clusters, before = [], [], 0
    for member in group:
        curve, frame = member.curve, member.curve.frame
        counts = frame.declined[side].get(curve.keys[curve.levels.index(level)])
        if counts is not None:
            declined, given = (part.astype(int) for part in counts[:2])
            item = np.repeat(np.arange(len(given)), given)
            place = np.arange(len(item)) - np.repeat(np.cumsum(given) - given, given)
            hits.append(place < declined[item])
            clusters.append(frame.cluster[item] + before)
            before += len(given)
    flags = np.concatenate(hits) if hits else np.zeros(0, dtype=bool)
    shared = np.concatenate(clusters) if hits else np.zeros(0, dtype=np.intp)
    return share(flags, np.ones(len(flags), dtype=bool), shared)


def _race(group: Sequence[Lent], levels: Sequence[Level], values: Floats) -> rows.Race:
    """J against the mean skill on the tasks that it was asked beside."""
    able = [member for member in group if member.skill is not None]
    reason = next((why for member in group if (why := unordered(member.curve))), None)
    if reason or not able or group[0].curve.recipe == "none":
        return no_race((SKILL, RELIABLE), reason or "nothing is swept")
    skill = np.mean(
        [member.at(member.skill, levels) for member in able if member.skill is not None], axis=0
    )
    utility = _retained(np.asarray(skill), "skill")
    reliable = _retained(values, "abstention")
    x = numbers(levels)
    return race(
        [
            Contestant(SKILL, x, utility.share, utility.reason),
            Contestant(RELIABLE, x, reliable.share, reliable.reason),
        ]
    )


def _retained(values: Floats, name: str) -> Retention:
    if np.isnan(values[0]).any():
        return Retention(None, f"{name} is not defined at every level")
    return retention(values, f"starts without {name}")
