"""Sentences on what clearly breaks first: reliability or utility, medical or general tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from resect.narrative.reasons import listed

Row = Mapping[str, Any]

MEASURES = {
    "auroc": "telling its errors apart",
    "consistency": "choosing the same option wherever it stands",
    "grounded": "answering from the context",
    "preference": "preferring the true answer to a made-up one",
    "completeness": "saying what the reference says",
    "abstention": "abstaining only where there is no answer",
}


def reliability(summary: Row, called: Mapping[str, str]) -> Iterator[str]:
    """One sentence for each race of one view that has a clear winner, the same under every seed."""
    found = summary["reliability_first"]
    texts = {_who(row) for row in found if row["view"] == "text" and row["clear"]}
    for row, where in _settled(found, lambda row: row):
        if row["view"] == "text" or _who(row) not in texts:
            model = called.get(row["model"], row["model"])
            said = _told(model, row, MEASURES[row["metric"]])
            yield f"on {row['task']} ({row['view']}) {where}, {said}"
    for row, where in _settled(summary["abstention"], lambda row: row["first"]):
        model = called.get(row["model"], row["model"])
        yield f"{where} ({row['view']}), {_told(model, row['first'], MEASURES['abstention'])}"
    for row, where in _settled(summary["domains"], lambda row: row["first"]):
        yield _domains(row, where, called)


def _settled(rows: Sequence[Row], race: Callable[[Row], Row]) -> Iterator[tuple[Row, str]]:
    """Of each sweep with a clear winner the row to tell, and `under wanda`.

    Of several seeds that agree it is the one with the smallest lead.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((_who(row), row["view"]), []).append(row)
    for group in groups.values():
        firsts = {race(row)["first"] if race(row)["clear"] else None for row in group}
        if len(firsts) == 1 and None not in firsts:
            one = min(group, key=lambda row: abs(race(row)["steps"] or math.inf))
            many = f", the closest of {len(group)} seeds" if len(group) > 1 else ""
            yield one, f"under {one['recipe']}{many}"


def _who(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(key) for key in ("model", "recipe", "task", "metric"))


def _told(model: str, race: Row, measure: str) -> str:
    """`half of the specialist's skill is gone 0.5 levels [0.2, 0.9] before ...`."""
    skill, other = f"the skill of {model}", f"what {model} had of {measure}"
    first, second = (other, skill) if race["first"] == "reliability" else (skill, other)
    if race["steps"] is None:
        return f"half of {first} is gone, and of {second} nowhere up to the last level"
    return f"half of {first} is gone {_steps(race)} before half of {second}"


def _domains(row: Row, where: str, called: Mapping[str, str]) -> str:
    model, race = called.get(row["model"], row["model"]), row["first"]
    other = "general" if race["first"] == "medical" else "medical"
    tasks = {name: listed(row["tasks"][name]) for name in ("medical", "general")}
    where = f"{where} ({row['view']}), {model}"
    first, second = (f"{n} tasks ({tasks[n]})" for n in (race["first"], other))
    if race["steps"] is None:
        return f"{where} loses half of its skill on {first}, and on {second} at no level"
    return f"{where} loses half of its skill on {first} {_steps(race)} before {second}"


def _steps(race: Row) -> str:
    """By how many levels, above 0."""
    three = [race["steps"], race["steps_low"], race["steps_high"]]
    if three[0] < 0:
        three = [None if x is None else -x for x in (three[0], three[2], three[1])]
    ends = ", ".join("beyond" if x is None else f"{x:.1f}" for x in three[1:])
    return f"{three[0]:.1f} levels [{ends}]"
