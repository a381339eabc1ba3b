"""The cliffs of a curve: half-level, onset, steepest drop and divergence.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from resect.findings.curves import Sampled, axis, items_used, of_curve, thinned, unordered
from resect.findings.retention import (
    RELIABILITY,
    Retained,
    retained_reliability,
    retained_skill,
)
from resect.findings.rows import Cliff, CliffKind, StepShare
from resect.stats.changepoint import FEWEST, first_below, onset, steepest
from resect.stats.crossings import envelope, half_level, recovery
from resect.stats.intervals import NOTHING, Floats, Interval, bounds


def cliffs(sampled: Sampled) -> list[Cliff]:
    """Every cliff of one curve: of skill, and of the reliability metrics of its view."""
    skill = retained_skill(sampled)
    rows = [_half(sampled, skill), _onset(sampled, skill), _steepest(sampled, skill)]
    for metric in retained_reliability(sampled):
        if RELIABILITY[metric.metric].falls:  # the others have no half
            rows += [_half(sampled, metric), _onset(sampled, metric)]
        rows.append(_divergence(sampled, metric, skill))
    return rows


def half_of_skill(rows: Sequence[Cliff]) -> float | None:
    """The half-level of skill among the cliffs of one curve."""
    return next(row.level for row in rows if row.kind is CliffKind.HALF and row.metric == "skill")


def refused(sampled: Sampled, retained: Retained) -> str | None:
    """Why no cliff of `retained` can be looked for, or None."""
    return unordered(sampled.curve) or retained.reason


def _half(sampled: Sampled, retained: Retained) -> Cliff:
    """Censored where the curve stays above one half through the last level."""
    if refused(sampled, retained) or retained.share is None:
        return _refused(sampled, retained, CliffKind.HALF)
    levels = axis(sampled.curve)
    place = half_level(levels, retained.share)
    notes = [_thinned(sampled)]
    if place.value is None:
        notes.append(f"more than half is kept through the last level, {levels[-1]:g}")
    again = recovery(levels, retained.share[0])
    row = _cliff(sampled, retained, CliffKind.HALF, place, [*notes, _beyond(levels, place)])
    return row if again is None else replace(row, recovers_at=again[0], recovers_to=again[1])


def _onset(sampled: Sampled, retained: Retained) -> Cliff:
    """Censored where nothing is clearly lost through the last level, or no fit bends down."""
    if refused(sampled, retained) or retained.share is None:
        return _refused(sampled, retained, CliffKind.ONSET)
    levels = axis(sampled.curve)
    bend = onset(levels, retained.share, envelope(retained.share))
    if not bend.fitted:
        why = f"fewer than {FEWEST} levels before nothing is left: no two lines fit"
        return replace(_refused(sampled, retained, CliffKind.ONSET), reason=why)
    notes = [_thinned(sampled)]
    if bend.place.value is None:
        notes.append(f"no bend down is seen through the last level, {levels[-1]:g}")
    notes.append(_beyond(levels, bend.place))
    return _cliff(sampled, retained, CliffKind.ONSET, bend.place, notes)


def _steepest(sampled: Sampled, retained: Retained) -> Cliff:
    """Refused like the others; a curve that nowhere falls is censored."""
    if refused(sampled, retained) or retained.share is None:
        return _refused(sampled, retained, CliffKind.STEEPEST)
    fall = steepest(axis(sampled.curve), retained.share)
    if fall.drop <= 0:
        why = ["it falls between no two levels"]
        return _cliff(sampled, retained, CliffKind.STEEPEST, NOTHING, why)
    row = _cliff(sampled, retained, CliffKind.STEEPEST, fall.level, [_thinned(sampled)])
    shares = tuple(StepShare(*step) for step in fall.falls)
    return replace(row, to=fall.to, drop=fall.drop, shares=shares)


def _divergence(sampled: Sampled, retained: Retained, skill: Retained) -> Cliff:
    """Where a reliability metric retains clearly less of its baseline than skill does."""
    reason = refused(sampled, retained) or refused(sampled, skill)
    if reason or retained.share is None or skill.share is None:
        return replace(_refused(sampled, retained, CliffKind.DIVERGENCE), reason=reason)
    levels = axis(sampled.curve)
    gap = retained.share - skill.share
    place, at = first_below(levels, gap)
    if at is None:
        why = (
            f"{retained.metric} keeps less than skill at no two levels in a row through the last "
            f"level, {levels[-1]:g}, nor at that one"
        )
        return _cliff(sampled, retained, CliffKind.DIVERGENCE, place, [why])
    low, high = (float(x[at]) for x in bounds(gap[1:]))
    row = _cliff(sampled, retained, CliffKind.DIVERGENCE, place, [_beyond(levels, place)])
    return replace(row, gap=float(gap[0, at]), gap_low=low, gap_high=high)


def _thinned(sampled: Sampled) -> str | None:
    return thinned(sampled.curve, sampled.curve.shared, sampled.curve.asked)


def _beyond(levels: Floats, place: Interval) -> str | None:
    """What is said of an interval without an upper end."""
    if place.value is None or place.high is not None:
        return None
    return f"the interval reaches beyond the last level, {levels[-1]:g}"


def _refused(sampled: Sampled, retained: Retained, kind: CliffKind) -> Cliff:
    """The row of a cliff that was not looked for."""
    swept = unordered(sampled.curve) is None
    return replace(
        _cliff(sampled, retained, kind, NOTHING, [refused(sampled, retained)]),
        censored=False,
        last_level=None,
        no_skill=swept and retained.nothing and retained.metric == "skill",
        items=None,
    )


def _cliff(
    sampled: Sampled,
    retained: Retained,
    kind: CliffKind,
    place: Interval,
    notes: Sequence[str | None],
) -> Cliff:
    """The row of a cliff at `place`, censored where there is none; `notes` make the reason."""
    curve = sampled.curve
    last = curve.levels[-1]
    return Cliff(
        **of_curve(curve),
        metric=retained.metric,
        kind=kind,
        level=place.value,
        low=place.low,
        high=place.high,
        censored=place.value is None,
        reason="; ".join(note for note in notes if note) or None,
        last_level=last if place.value is None else None,
        items=items_used(curve),
    )
