"""What fails first: half-levels of named quantities, compared over the same resamples.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np

from resect.findings.cliffs import refused
from resect.findings.curves import Curve, Sampled, axis, of_curve, of_sweep
from resect.findings.estimates import estimate
from resect.findings.retention import (
    RELIABILITY,
    Retained,
    retained_reliability,
    retained_skill,
)
from resect.findings.rows import (
    BreaksFirst,
    Domain,
    DomainRace,
    Estimate,
    Failing,
    FailingPart,
    HalfLevel,
    ReliabilityFirst,
    RetainedLevel,
    UtilityRace,
)
from resect.stats.intervals import NOTHING, Floats, Interval, intervals, quantile_interval
from resect.stats.isotonic import half_levels
from resect.stats.lag import Lag, lag

UTILITY, RELIABLE = "utility", "reliability"
MEDICAL: Domain = "medical"
GENERAL: Domain = "general"


class LeadKeys(TypedDict):
    """The fields of a race (`rows.Race`)."""

    first: str | None
    by: float | None
    low: float | None
    high: float | None
    steps: float | None
    steps_low: float | None
    steps_high: float | None
    share: float | None
    clear: bool
    reason: str | None


class Shares(NamedTuple):
    """Two quantities as shares retained (R + 1, L) over levels (L,)."""

    levels: Floats
    a: Floats
    b: Floats


# ── two quantities ──────────────────────────────────────────────────────────────────────────────


def utility_race(shares: Shares | None, reason: str | None = None) -> UtilityRace:
    """Utility (a) against reliability (b)."""
    utility, reliable = _halves(shares)
    lead = _lead(shares, (UTILITY, RELIABLE), reason)
    return UtilityRace(**lead, utility=utility, reliability=reliable)


def domain_race(shares: Shares | None, reason: str | None = None) -> DomainRace:
    """Medical (a) against general tasks (b)."""
    medical, general = _halves(shares)
    lead = _lead(shares, (MEDICAL, GENERAL), reason)
    return DomainRace(**lead, medical=medical, general=general)


def _halves(shares: Shares | None) -> tuple[HalfLevel | None, HalfLevel | None]:
    """Where half of each is gone."""
    if shares is None:
        return None, None
    half_a, half_b = (
        HalfLevel(*quantile_interval(draws), censored=not np.isfinite(draws[0]))
        for draws in _half_draws(shares)
    )
    return half_a, half_b


def _half_draws(shares: Shares) -> tuple[Floats, Floats]:
    """Half-levels of both, (R + 1,)."""
    return half_levels(shares.levels, shares.a), half_levels(shares.levels, shares.b)


def _lead(shares: Shares | None, names: tuple[str, str], reason: str | None) -> LeadKeys:
    """By how much a comes after b; without shares the row says why there is no race.

    `by` is in units of the level, above 0 where b breaks first; `steps` the same in
    steps of the levels asked. What never breaks comes after all that does.
    """
    if shares is None:
        return _led(None, None, None, reason)
    draws_a, draws_b = _half_draws(shares)
    gap = lag(draws_b, draws_a)
    if gap is None:
        why = f"neither is half gone through the last level, {shares.levels[-1]:g}"
        return _led(None, None, None, why)
    first = names[1] if gap.value > 0 else names[0] if gap.value < 0 else None
    unclear = None if gap.clear else "which is first is not clear: the interval holds 0"
    return _led(gap, first, float(np.diff(shares.levels).mean()), unclear)


def _led(gap: Lag | None, first: str | None, step: float | None, reason: str | None) -> LeadKeys:
    by, low, high = NOTHING if gap is None else gap.interval
    steps = [x / step if x is not None and step else None for x in (by, low, high)]
    share = None
    if gap is not None:
        share = gap.before if gap.value > 0 else gap.after
    return {
        "first": first,
        "by": by,
        "low": low,
        "high": high,
        "steps": steps[0],
        "steps_low": steps[1],
        "steps_high": steps[2],
        "share": share,
        "clear": gap is not None and gap.clear,
        "reason": reason,
    }


def reliability_first(sampled: Sampled) -> list[ReliabilityFirst]:
    """Skill against every reliability metric of one curve that a broken model has nothing of."""
    curve = sampled.curve
    if curve.recipe == "none" or not curve.frame.skilled:
        return []
    metrics = [name for name, row in RELIABILITY.items() if row.falls and name != "answered"]
    skill = retained_skill(sampled)
    return [
        _reliability_row(sampled, skill, metric)
        for metric in retained_reliability(sampled, metrics)
    ]


def _reliability_row(sampled: Sampled, skill: Retained, metric: Retained) -> ReliabilityFirst:
    curve = sampled.curve
    reason = refused(sampled, skill) or refused(sampled, metric)
    shares = None
    if not reason and skill.share is not None and metric.share is not None:
        shares = Shares(axis(curve), skill.share, metric.share)
    utility, reliable = _halves(shares)
    return ReliabilityFirst(
        **of_curve(curve),
        metric=metric.metric,
        levels=_levels(curve, skill.share, metric.share),
        utility=utility,
        reliability=reliable,
        **_lead(shares, (UTILITY, RELIABLE), reason),
    )


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


class Part(NamedTuple):
    """The half-level draws (R + 1,) of one of the three, None with a reason where refused."""

    what: FailingPart
    draws: Floats | None
    last: float | None
    reason: str | None


def breaks_first(sampled: Sequence[Sampled]) -> list[BreaksFirst]:
    """One row for each model, recipe and seed of one task, from its curves in both views.

    By half-levels over the same resamples. `by` is how many units of the level lie between the
    first and the second; `clear` says whether its interval leaves 0 out. What is never half gone
    comes last; where only one breaks, `by` has no value and `share` says how often it was first.
    """
    sweeps: dict[tuple[str, str, int], list[Part]] = defaultdict(list)
    heads: dict[tuple[str, str, int], Curve] = {}
    for sample in sampled:
        curve = sample.curve
        if curve.recipe == "none":
            continue
        key = (curve.model, curve.recipe, curve.seed)
        heads.setdefault(key, curve)
        if curve.view == "text":
            answering = retained_reliability(sample, ("answered",))
            sweeps[key] += [_part(sample, retained, "answering") for retained in answering]
        what: FailingPart = "skill by text" if curve.view == "text" else "skill by options"
        sweeps[key].append(_part(sample, retained_skill(sample), what))
    return [_first_row(heads[key], parts) for key, parts in sweeps.items()]


def _part(sampled: Sampled, retained: Retained, what: FailingPart) -> Part:
    reason = refused(sampled, retained)
    if reason or retained.share is None:
        return Part(what, None, None, reason)
    levels = axis(sampled.curve)
    return Part(what, half_levels(levels, retained.share), float(levels[-1]), None)


def _first_row(curve: Curve, parts: Sequence[Part]) -> BreaksFirst:
    known = [(part, part.draws) for part in parts if part.draws is not None]
    known.sort(key=lambda entry: float(entry[1][0]))
    unknown = [part for part in parts if part.draws is None]
    first, gap, reason = _leader(known, parts)
    by, low, high = NOTHING if gap is None else gap.interval
    clear = gap is not None and gap.low > 0
    if first is not None and not clear:
        reason = "which is first is not clear: the interval of the lead holds 0"
    return BreaksFirst(
        **of_sweep(curve),
        task=curve.frame.name,
        order=tuple(_failing(part) for part in (*(part for part, _ in known), *unknown)),
        first=first,
        by=by,
        low=low,
        high=high,
        share=None if gap is None else gap.before,
        clear=clear,
        reason=reason,
    )


def _leader(
    known: Sequence[tuple[Part, Floats]], parts: Sequence[Part]
) -> tuple[str | None, Lag | None, str | None]:
    """Which part comes first, by how much it comes before all others, or why none does."""
    if len(known) < 2:
        why = "; ".join(f"{part.what}: {part.reason}" for part in parts if part.reason)
        return None, None, why or "fewer than two of the three can be compared"
    first, draws = known[0]
    if not np.isfinite(draws[0]):
        return None, None, f"none is half gone through the last level, {first.last:g}"
    with np.errstate(invalid="ignore"):
        others = np.min(np.stack([other for _, other in known[1:]]), axis=0)
    return first.what, lag(draws, others), None


def _failing(part: Part) -> Failing:
    place = Interval(None, None, None) if part.draws is None else quantile_interval(part.draws)
    censored = part.draws is not None and place.value is None
    reason = part.reason
    if censored:
        reason = f"more than half is kept through the last level, {part.last:g}"
    return Failing(
        what=part.what,
        level=place.value,
        low=place.low,
        high=place.high,
        censored=censored,
        reason=reason,
    )
