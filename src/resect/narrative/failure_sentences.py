"""Sentences on what is half gone first: skill or reliability, medical or general tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

from resect.catalog import fragment
from resect.findings.rows import Abstention, Domains, Race, ReliabilityFirst, Summary
from resect.narrative.phrasing import ModelNames
from resect.narrative.reasons import listed

SweepRow = TypeVar("SweepRow", ReliabilityFirst, Abstention, Domains)


def failure_sentences(summary: Summary, called: ModelNames) -> Iterator[str]:
    """One clause for each race of one view that has a clear winner, the same under every seed."""
    races = summary.reliability_first
    texts = {_subject(row) for row in races if row.view == "text" and row.race.clear}
    for row, where in _agreed(races, _subject):
        if row.view == "text" or _subject(row) not in texts:
            clause = _reliability(called[row.model], row.race, row.metric)
            yield f"on {row.task} ({row.view}) {where}, {clause}"
    for abstention, where in _agreed(summary.abstention, _sweep):
        clause = _reliability(called[abstention.model], abstention.race, "abstention")
        yield f"{where} ({abstention.view}), {clause}"
    for domains, where in _agreed(summary.domains, _sweep):
        yield f"{where} ({domains.view}), {_domains(domains, called[domains.model])}"


def _agreed(
    rows: Sequence[SweepRow], subject: Callable[[SweepRow], Hashable]
) -> Iterator[tuple[SweepRow, str]]:
    """Of each sweep and view with a clear winner the row to tell, and `under wanda`.

    Of several seeds that agree it is the one with the smallest lead.
    """
    groups: dict[Hashable, list[SweepRow]] = {}
    for row in rows:
        groups.setdefault((subject(row), row.view), []).append(row)
    for group in groups.values():
        winners = {row.race.first if row.race.clear else None for row in group}
        if len(winners) == 1 and None not in winners:
            closest = min(group, key=lambda row: row.race.steps or math.inf)
            seeds = f", the closest of {len(group)} seeds" if len(group) > 1 else ""
            yield closest, f"under {closest.recipe}{seeds}"


def _subject(row: ReliabilityFirst) -> Hashable:
    return row.model, row.recipe, row.task, row.metric


def _sweep(row: Abstention | Domains) -> Hashable:
    return row.model, row.recipe


def _reliability(model: str, race: Race, metric: str) -> str:
    """`m loses half of its skill 0.5 levels [0.2, 0.9] before it is half as good at ...`."""
    ability = fragment(metric)
    if race.first == "reliability":
        clause = f"{model} is only half as good at {ability}"
        if race.steps is None:
            return f"{clause} at some level, but keeps more than half of its skill at every level"
        return f"{clause} {_lead(race)} before half of its skill is gone"
    clause = f"{model} loses half of its skill"
    if race.steps is None:
        return (
            f"{clause} at some level, but stays more than half as good at {ability} at every level"
        )
    return f"{clause} {_lead(race)} before it is only half as good at {ability}"


def _domains(row: Domains, model: str) -> str:
    """`m loses half of its skill on medical tasks (t) 0.4 levels [..] before general tasks (u)`."""
    general_first = row.race.first == "general"
    medical = f"medical tasks ({listed(row.tasks['medical'])})"
    general = f"general tasks ({listed(row.tasks['general'])})"
    first, second = (general, medical) if general_first else (medical, general)
    if row.race.steps is None:
        return f"{model} loses half of its skill on {first}, and on {second} at no level"
    return f"{model} loses half of its skill on {first} {_lead(row.race)} before {second}"


def _lead(race: Race) -> str:
    """By how many levels."""
    ends = ", ".join(
        "beyond" if x is None else f"{x:.1f}" for x in (race.steps_low, race.steps_high)
    )
    return f"{race.steps:.1f} levels [{ends}]"
