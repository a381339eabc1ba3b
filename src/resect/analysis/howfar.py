"""Sentences on the safe level: how far a model can be cut, what stops it, and at what power."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from resect.analysis.words import TESTS, at, points, sentence

Row = Mapping[str, Any]


def headline(summary: Row, called: Mapping[str, str]) -> str:
    """The clause on how far each model stays within the margin; empty where nothing can be said."""
    by_treatment: dict[str, list[Row]] = defaultdict(list)
    for row in summary["safety"]:
        if row["default"] and row["state"] != "not assessable":
            by_treatment[row["treatment"]].append(row)
    parts = []
    for treatment, rows in by_treatment.items():
        clauses = [_far(row, called, first=i == 0) for i, row in enumerate(rows)]
        parts.append(f"under {treatment}, {', '.join(clauses)}")
    return "; ".join(parts)


def _far(row: Row, called: Mapping[str, str], first: bool) -> str:
    """`the specialist stays within 5 points of its uncut self up to 45 % (on 3 of 3 tasks)`."""
    model = called.get(row["model"], row["model"])
    total = len(row["assessable"]) + len(row["not_assessable"])
    where = f"(on the {len(row['assessable'])} of {total} tasks that are assessable)"
    if len(row["assessable"]) == total:
        where = f"(on all {total} tasks)" if total > 1 else f"(on {row['assessable'][0]})"
    within = _within(row)
    if row["state"] == "none":
        first_level = row["limiting"]["level"]
        if not first:
            return f"{model} is not shown to at any level {where}"
        return f"{model} is not shown to stay {within} even at {at(first_level)} {where}"
    if row["safe_level"] is None:
        return f"{model} stays {within} {where}" if first else f"{model} too {where}"
    reach = f"up to {at(row['safe_level'])} {where}"
    return f"{model} stays {within} {reach}" if first else f"{model} {reach}"


def _within(row: Row) -> str:
    if row["margin"] is None:
        return "within each task's margin of its uncut self"
    return f"within {points(row['margin'])} points of its uncut self"


def sentences(summary: Row, called: Mapping[str, str]) -> list[str]:
    """One sentence for each course in the view that decides, and the smallest safe version."""
    found = [sentence(_course(row, called)) for row in summary["safety"] if row["default"]]
    found += [
        sentence(_smallest(row, called))
        for row in summary["smallest_safe"] if row["treatments"] > 1
    ]  # fmt: skip
    return found


def _course(row: Row, called: Mapping[str, str]) -> str:
    model = called.get(row["model"], row["model"])
    where = f"under {row['treatment']}"
    blind = "; ".join(
        f"{one['task']} is not assessable because {one['reason']}" for one in row["not_assessable"]
    )
    if row["state"] == "not assessable":
        why = blind or row["reason"]
        return f"{where}, how far {model} can be cut safely cannot be said: {why}"
    parts = [f"{where}, {_far(row, called, first=True)}, at one-sided alpha {row['alpha']:g}"]
    if row["limiting"] is None:
        parts.append("no level asked was stopped, so the limit lies beyond")
    else:
        parts.append(_stopped(row["limiting"]))
    return "; ".join([*parts, *([blind] if blind else [])])


def _stopped(limit: Row) -> str:
    """Which task and test stopped the course, and what the data could have proven."""
    where = f"at {at(limit['level'])}"
    if "difference" not in limit:
        return f"{where} it is stopped since {limit['reason']}"
    change = f"{points(limit['difference'], True)} points"
    ends = f"[{points(limit['low'], True)}, {points(limit['high'], True)}]"
    proven = points(limit["provable_margin"])
    text = (
        f"{where} it is stopped by {TESTS[limit['test']]} on {limit['task']}: {change} {ends}, "
        f"margin {points(limit['margin'])}; the smallest margin these {limit['n']} items could "
        f"have proven is {proven} points, their power if nothing had changed {limit['power']:.2f}"
    )
    if limit["items_needed"] is None:
        return f"{text}, and more items would not help since {limit['reason']}"
    return f"{text}, and {limit['items_needed']} items would be needed"


def _smallest(row: Row, called: Mapping[str, str]) -> str:
    model = called.get(row["model"], row["model"])
    many = f"{row['treatments']} treatments, each at alpha {row['alpha_each']:g}"
    if row["treatment"] is None:
        return f"no smallest safe version of {model} is named among {many}: {row['reason']}"
    what = f"{row['treatment']} at {at(row['level'])}"
    by = f"by {row['by'].replace('_', ' ')}" if row["by"] else ""
    note = f" ({row['reason']})" if row["reason"] else ""
    return f"the smallest safe version of {model} among {many}, is {what}, {by}{note}"
