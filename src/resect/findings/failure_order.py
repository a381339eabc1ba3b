"""What fails first: half-levels of two quantities or more, compared over the same resamples.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from resect.findings.cliffs import refused
from resect.findings.curves import Curve, Sampled, axis, of_curve, of_sweep
from resect.findings.estimates import estimate, finite
from resect.findings.retention import (
    RELIABILITY,
    Retained,
    retained_reliability,
    retained_skill,
)
from resect.findings.rows import (
    BreaksFirst,
    Estimate,
    HalfLevel,
    Race,
    ReliabilityFirst,
    RetainedLevel,
)
from resect.stats.crossings import half_levels, on_grid
from resect.stats.intervals import HIGH, LOW, NOTHING, Floats, intervals

SKILL, RELIABLE = "skill", "reliability"
ANSWERING, BY_TEXT, BY_OPTIONS = "answering", "skill by text", "skill by options"


class Contestant(NamedTuple):
    """A quantity as the share retained, (R + 1, L) over levels (L,); or why there is none."""

    name: str
    levels: Floats | None
    share: Floats | None
    reason: str | None = None


def race(contestants: Sequence[Contestant]) -> Race:
    """Which half-level comes first, and by how much before the nearest other.

    `by` is in units of the level, `steps` in steps of the levels asked; without a value where no
    other breaks. A lead is clear where even the lower end of its interval is at least one step:
    between two levels nothing was asked. What never breaks comes after all that does.
    """
    ready = [c for c in contestants if c.share is not None and c.levels is not None]
    draws = {c.name: _halves(c) for c in ready}
    places = {c.name: _place(c, draws.get(c.name)) for c in contestants}
    if len(ready) < 2:
        why = "; ".join(f"{c.name}: {c.reason}" for c in contestants if c.reason)
        return _undecided(places, why or "fewer than two can be compared")
    order = sorted(draws, key=lambda name: float(draws[name][0]))
    levels = ready[0].levels
    assert levels is not None  # it is ready
    if not np.isfinite(draws[order[0]][0]):
        return _undecided(places, f"none is half gone through the last level, {levels[-1]:g}")
    with np.errstate(invalid="ignore"):
        lead = np.min([draws[name] for name in order[1:]], axis=0) - draws[order[0]]
    rest = lead[1:][~np.isnan(lead[1:])]
    if not rest.size:
        return _undecided(places, "no resample loses half of either")
    return _decided(places, order[0], float(lead[0]), rest, float(np.diff(levels).max()))


def _decided(
    places: Mapping[str, HalfLevel], first: str, lead: float, resampled: Floats, step: float
) -> Race:
    """The first and its lead, on the sample and on the resamples in which half of one is gone."""
    low, high = map(float, np.quantile(resampled, [LOW, HIGH], method="inverted_cdf"))
    clear = low >= step - 1e-9  # halfway between levels is no exact number
    return Race(
        places=places,
        first=first,
        by=finite(lead),
        low=finite(low),
        high=finite(high),
        steps=finite(lead / step),
        steps_low=finite(low / step),
        steps_high=finite(high / step),
        share=float(np.mean(resampled > 0)),
        clear=clear,
        reason=None if clear else "which is first is not clear: the lead may be below one step",
    )


def no_race(names: Sequence[str], reason: str | None) -> Race:
    """A race that cannot be held."""
    return _undecided({name: HalfLevel(None, None, None, False, reason) for name in names}, reason)


def _undecided(places: Mapping[str, HalfLevel], reason: str | None) -> Race:
    return Race(
        places=places, first=None, by=None, low=None, high=None, steps=None, steps_low=None,
        steps_high=None, share=None, clear=False, reason=reason,
    )  # fmt: skip


def _halves(contestant: Contestant) -> Floats:
    """Half-levels, (R + 1,)."""
    assert contestant.levels is not None
    assert contestant.share is not None
    return half_levels(contestant.levels, contestant.share)


def _place(contestant: Contestant, draws: Floats | None) -> HalfLevel:
    """Where half of one quantity is gone."""
    if draws is None or contestant.levels is None:
        return HalfLevel(None, None, None, False, contestant.reason)
    place = on_grid(contestant.levels, draws)
    if place.value is not None:
        return HalfLevel(*place, censored=False, reason=None)
    why = f"more than half is kept through the last level, {contestant.levels[-1]:g}"
    return HalfLevel(*place, censored=True, reason=why)


def _contestant(name: str, sampled: Sampled, retained: Retained) -> Contestant:
    """What is retained of one quantity of one curve."""
    reason = refused(sampled, retained)
    if reason or retained.share is None:
        return Contestant(name, None, None, reason)
    return Contestant(name, axis(sampled.curve), retained.share)


# ── skill against reliability ───────────────────────────────────────────────────────────────────


def reliability_first(sampled: Sampled) -> list[ReliabilityFirst]:
    """Skill against every reliability metric of one curve that a broken model has nothing of."""
    curve = sampled.curve
    if curve.recipe == "none" or not curve.frame.skilled:
        return []
    metrics = [name for name, row in RELIABILITY.items() if row.falls and name != "answered"]
    skill = retained_skill(sampled)
    return [
        ReliabilityFirst(
            **of_curve(curve),
            metric=metric.metric,
            levels=_levels(curve, skill.share, metric.share),
            race=race([_contestant(SKILL, sampled, skill), _contestant(RELIABLE, sampled, metric)]),
        )
        for metric in retained_reliability(sampled, metrics)
    ]


def _levels(curve: Curve, skill: Floats | None, metric: Floats | None) -> tuple[RetainedLevel, ...]:
    """What both retain of their baselines at every level that has answers."""
    utility, reliable = _shown(curve, skill), _shown(curve, metric)
    return tuple(
        RetainedLevel(level=curve.levels[at], utility=utility[at], reliability=reliable[at])
        for at in map(int, np.flatnonzero(curve.present))
    )


def _shown(curve: Curve, share: Floats | None) -> list[Estimate]:
    blank = [NOTHING] * len(curve.levels)
    return [estimate(x) for x in (blank if share is None else intervals(share))]


# ── answering, skill by text, skill by options ──────────────────────────────────────────────────


def breaks_first(sampled: Sequence[Sampled]) -> list[BreaksFirst]:
    """One row for each model, recipe and seed of one task, from its curves in both views."""
    sweeps: dict[tuple[str, str, int], list[Contestant]] = defaultdict(list)
    heads: dict[tuple[str, str, int], Curve] = {}
    for sample in sampled:
        curve = sample.curve
        if curve.recipe == "none":
            continue
        key = (curve.model, curve.recipe, curve.seed)
        heads.setdefault(key, curve)
        if curve.view == "text":
            answering = retained_reliability(sample, ("answered",))
            sweeps[key] += [_contestant(ANSWERING, sample, retained) for retained in answering]
        name = BY_TEXT if curve.view == "text" else BY_OPTIONS
        sweeps[key].append(_contestant(name, sample, retained_skill(sample)))
    return [
        BreaksFirst(**of_sweep(heads[key]), task=heads[key].frame.name, race=race(contestants))
        for key, contestants in sweeps.items()
    ]
