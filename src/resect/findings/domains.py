"""Medical against general tasks: what share of its skill each sweep retains on either.

Shapes: R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from resect.findings import rows
from resect.findings.curves import of_sweep, unordered
from resect.findings.estimates import estimate
from resect.findings.failure_order import Contestant, no_race, race
from resect.findings.frame import Level
from resect.findings.multi_task import Lent, common_levels, numbers, sweeps_of
from resect.findings.robustness import area
from resect.stats.intervals import NOTHING, Floats, interval, intervals

MEDICAL: rows.Domain = "medical"
GENERAL: rows.Domain = "general"
DOMAINS: tuple[rows.Domain, ...] = (MEDICAL, GENERAL)
Means = Mapping[rows.Domain, Floats]
"""Of each domain the mean share retained, (R + 1, L)."""


def domains(lent: Sequence[Lent]) -> list[rows.Domains]:
    """What share of its skill each sweep retains on medical and on general tasks.

    The mean over the tasks of a domain that start with skill, at every level that all were asked
    at; `difference` is medical minus general in the area under these shares over the range of
    levels. A sweep without tasks of both domains is left out.
    """
    findings = []
    for group in sweeps_of(lent):
        parts = {name: [member for member in group if member.domain == name] for name in DOMAINS}
        if group[0].curve.recipe != "none" and all(parts.values()):
            findings.append(_domains(parts))
    return findings


def _domains(parts: Mapping[rows.Domain, Sequence[Lent]]) -> rows.Domains:
    """One sweep on tasks of both domains."""
    ready = {
        name: [member for member in group if member.retention is not None]
        for name, group in parts.items()
    }
    curve = parts[MEDICAL][0].curve
    both = [member for group in ready.values() for member in group]
    row = rows.Domains(
        **of_sweep(curve),
        view=curve.view,
        tasks={name: tuple(member.task for member in group) for name, group in ready.items()},
        levels=(),
        difference=estimate(NOTHING),
        race=no_race(DOMAINS, None),
        reason=_lacking(ready),
    )
    if row.reason:
        return row
    levels = common_levels(both)
    x = numbers(levels)
    means = {name: _mean(group, levels) for name, group in ready.items()}
    return replace(
        row,
        levels=_levels(levels, means),
        difference=_difference(x, means),
        race=race([Contestant(name, x, means[name]) for name in DOMAINS]),
    )


def _lacking(ready: Mapping[rows.Domain, Sequence[Lent]]) -> str | None:
    """Why the domains cannot be compared, None where they can."""
    without = [name for name, group in ready.items() if not group]
    if without:
        return f"no {' and no '.join(without)} task starts with skill"
    both = [member for group in ready.values() for member in group]
    gaps = [f"{member.task}: {why}" for member in both if (why := unordered(member.curve))]
    if gaps:
        return "; ".join(gaps)
    return "fewer than 2 levels in common" if len(common_levels(both)) < 2 else None


def _mean(group: Sequence[Lent], levels: Sequence[Level]) -> Floats:
    """The mean share retained over tasks, (R + 1, L)."""
    shares = [
        member.at(member.retention, levels) for member in group if member.retention is not None
    ]
    return np.asarray(np.mean(shares, axis=0))


def _levels(levels: Sequence[Level], means: Means) -> tuple[rows.DomainLevel, ...]:
    medical, general = intervals(means[MEDICAL]), intervals(means[GENERAL])
    return tuple(
        rows.DomainLevel(level=level, medical=estimate(medical[i]), general=estimate(general[i]))
        for i, level in enumerate(levels)
    )


def _difference(x: Floats, means: Means) -> rows.Estimate:
    """Medical minus general in the mean height of the curves."""
    medical, general = (area(x, means[name]) / (x[-1] - x[0]) for name in DOMAINS)
    return estimate(interval(medical - general))
