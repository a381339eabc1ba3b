"""Sentences on the safe level: how far a model can be cut, what stops it, and at what power."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from resect.findings.rows import DegradedCell
from resect.narrative.phrasing import called_test, points, removed, sentence
from resect.narrative.reasons import at, degraded, listed

Row = Mapping[str, Any]


EACH = "(each on its own; choosing between them is the smallest safe version's question)"


def headline(summary: Row, called: Mapping[str, str]) -> str:
    """The clause on how far each model stays within the margin; empty where nothing can be said.

    Of a recipe with several seeds each model's worst is told.
    """
    groups: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in summary["safety"]:
        if row["default"] and row["state"] != "not assessable":
            groups[row["recipe"]][row["model"]].append(row)
    parts = []
    for recipe, models in groups.items():
        seeds = len({row["seed"] for rows in models.values() for row in rows})
        where = f"under {recipe}" + (f", the worst of {seeds} seeds" if seeds > 1 else "")
        worst = [min(rows, key=lambda row: len(row["passed"])) for rows in models.values()]
        clauses = [_far(row, called, first=i == 0) for i, row in enumerate(worst)]
        parts.append(f"{where}, {', '.join(clauses)}")
    ending = f" {EACH}" if len(parts) > 1 else ""
    return "; ".join(parts) + ending


def _far(row: Row, called: Mapping[str, str], first: bool) -> str:
    """`the specialist stays within 5 points of its intact self up to 45 % (on all 3 tasks)`."""
    model = called.get(row["model"], row["model"])
    within = _within(row)
    if row["state"] == "none":
        return f"{model} {_none(row, first)}"
    where = _where(row, [_stopper(row), _fell(row)])
    if row["safe_level"] is None:
        return f"{model} stays {within} {where}" if first else f"{model} too {where}"
    way = "down" if row["safe_level"] >= 1 else "up"
    reach = f"{way} to {at(row['safe_level'])}"
    if first:
        gone = removed(row["safe_level"], row["recipe"])
        return f"{model} stays {within} {reach}{gone} {where}"
    return f"{model} {reach} {where}"


def _none(row: Row, first: bool) -> str:
    """What is said of a sweep whose first level failed: lost, not judged, or not shown."""
    limit = row["limiting"]
    level = at(limit["level"])
    if limit["difference"] is None:
        return f"cannot be judged at {level}, since {limit['reason']} {_where(row, [_fell(row)])}"
    lost = beyond(limit)
    if lost and limit["main"]:
        of = "" if limit["test"] == "accuracy" else f" of {called_test(limit['test'])}"
        much = f"more than {points(limit['margin'])} points{of}"
        return f"loses {much} already at {level} {_where(row, [_fell(row)])}"
    if lost:
        much = f"more than {points(limit['margin'])} points"
        where = _where(row, [_fell(row)])
        return f"raises {called_test(limit['test'])} by {much} already at {level} {where}"
    where = _where(row, [_stopper(row), _fell(row)])
    items = f"with these {limit['n']} items"
    if not first:
        return f"cannot be shown to even at {level} {items} {where}"
    return f"cannot be shown to stay {_within(row)} even at {level} {items} {where}"


def beyond(limit: Row) -> bool:
    """Whether the whole interval of the test that stopped a sweep lies past its margin."""
    if limit["main"]:
        return bool(limit["high"] < -limit["margin"])
    return bool(limit["low"] > limit["margin"])


def _stopper(row: Row) -> str:
    """The test that stopped a sweep, where accuracy alone would not have."""
    limit = row["limiting"]
    if limit is None or "accuracy" in {limit["test"], *(one["test"] for one in limit["others"])}:
        return ""
    return f"stopped by {called_test(limit['test'])}"


def _fell(row: Row) -> str:
    """At which levels of its claim a sweep is degraded; the sentences say why."""
    limit = row["limiting"] if row["state"] == "none" else None
    claimed = (0.0, *row["passed"], *([limit["level"]] if limit else []))
    levels = dict.fromkeys(one["level"] for one in row["degraded"] if one["level"] in claimed)
    if not levels:
        return ""
    where = listed([at(x) for x in levels]) if len(levels) < 4 else f"{len(levels)} levels"
    return f"degraded at {where}"


def _where(row: Row, more: Sequence[str] = ()) -> str:
    """`(on 1 of 2 tasks; the other is not assessable)`."""
    ready, out = len(row["assessable"]), len(row["not_assessable"])
    if out:
        rest = "the other is" if out == 1 else f"the other {out} are"
        where = f"on {ready} of {ready + out} tasks; {rest} not assessable"
    else:
        where = f"on all {ready} tasks" if ready > 1 else f"on {row['assessable'][0]}"
    return f"({'; '.join([where, *(part for part in more if part)])})"


def seeded(summary: Row) -> frozenset[str]:
    """The recipes that were run with several seeds."""
    seeds: dict[str, set[int]] = defaultdict(set)
    for row in summary["safety"]:
        seeds[row["recipe"]].add(row["seed"])
    return frozenset(name for name, found in seeds.items() if len(found) > 1)


def under(row: Row, many: frozenset[str]) -> str:
    """`under wanda`, with the seed where there are several."""
    seed = f" with seed {row['seed']}" if row["recipe"] in many else ""
    return f"under {row['recipe']}{seed}"


def _within(row: Row) -> str:
    if row["margin"] is None:
        return "within each task's margin of its intact self"
    return f"within {points(row['margin'])} points of its intact self"


def sentences(summary: Row, called: Mapping[str, str]) -> list[str]:
    """One sentence for each sweep in the view that decides, and the smallest safe version."""
    many = seeded(summary)
    found = [sentence(_sweep(row, called, many)) for row in summary["safety"] if row["default"]]
    found += [
        sentence(_smallest(row, called, bool(many)))
        for row in summary["smallest_safe"] if row["recipes"] > 1 or len(row["seeds"]) > 1
    ]  # fmt: skip
    return found


def _sweep(row: Row, called: Mapping[str, str], many: frozenset[str]) -> str:
    model = called.get(row["model"], row["model"])
    where = under(row, many)
    blind = "; ".join(
        f"{one['task']} is not assessable because {one['reason']}" for one in row["not_assessable"]
    )
    if row["state"] == "not assessable":
        why = blind or row["reason"]
        return f"{where}, how far {model} can be cut safely cannot be said: {why}"
    parts = [f"{where}, {_far(row, called, first=True)}, at one-sided alpha {row['alpha']:g}"]
    if row["limiting"] is None and row["passed"] == [None]:
        parts.append("it has no other level, so nothing is said of stronger ones")
    elif row["limiting"] is None:
        parts.append("no level asked was stopped, so the limit lies beyond")
    else:
        parts.append(_stopped(row["limiting"]))
    fell = degraded([DegradedCell(**cell) for cell in row["degraded"]])
    return "; ".join(part for part in (*parts, fell, blind) if part)


def _stopped(limit: Row) -> str:
    """Which task and test stopped the sweep, and what the data could have proven."""
    where = f"at {at(limit['level'])}"
    if limit["difference"] is None:
        return f"{where} it is stopped since {limit['reason']}"
    change = f"{points(limit['difference'], True)} points"
    ends = f"[{points(limit['low'], True)}, {points(limit['high'], True)}]"
    text = (
        f"{where} it is stopped by {called_test(limit['test'])} on {limit['task']}: {change} "
        f"{ends}, margin {points(limit['margin'])}"
    )
    if beyond(limit):
        return f"{text}, so the loss is clear and more items would not help"
    text += (
        f"; the smallest margin these {limit['n']} items could have proven is "
        f"{points(limit['provable_margin'])} points, their power if nothing had changed "
        f"{limit['power']:.2f}"
    )
    if limit["items_needed"] is None:
        return f"{text}, and more items would not help since {limit['reason']}"
    return f"{text}, and {limit['items_needed']} items would be needed"


def _smallest(row: Row, called: Mapping[str, str], seeds: bool) -> str:
    model = called.get(row["model"], row["model"])
    count = row["recipes"]
    many = f"{count} recipes, each" if count > 1 else "the levels of 1 recipe, tested"
    many += f" at alpha {row['alpha_each']:g}{' with every seed' if seeds else ''}"
    if row["recipe"] is None:
        return f"no smallest safe version of {model} is named among {many}: {row['reason']}"
    what = f"{row['recipe']} at {at(row['level'])}"
    if len(row["seeds"]) > 1:
        what += f" with any of the seeds {listed([str(seed) for seed in row['seeds']])}"
    if row["by"] == "level":
        return f"the most cut safe version of {model} among {many}, is {what} ({row['reason']})"
    note = f" ({row['reason']})" if row["reason"] else ""
    by = row["by"].replace("_", " ")
    return f"the smallest safe version of {model} among {many}, is {what}, by {by}{note}"
