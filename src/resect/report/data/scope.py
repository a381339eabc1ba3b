"""Who and what a summary speaks of: its models, tasks, recipes and sweeps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Summary = Mapping[str, Any]
Row = Mapping[str, Any]


class Model(NamedTuple):
    """A model of the study: `slot` is its colour and marker, the same in every figure."""

    name: str
    role: str
    label: str
    slot: int


def rows(summary: Summary, key: str) -> list[Row]:
    """The rows of a list in the summary; empty where the key is missing or null."""
    return [row for row in summary.get(key) or () if isinstance(row, Mapping)]


def models(summary: Summary) -> tuple[Model, ...]:
    """Models as listed, then any that only curves name; labelled by role where roles are unique."""
    named: dict[str, str] = {}
    for row, key in [(m, "name") for m in rows(summary, "models")] + [
        (c, "model") for c in rows(summary, "curves")
    ]:
        name = str(row.get(key))
        named[name] = named.get(name) or str(row.get("role") or "")
    order = {"specialist": 0, "base": 1}
    unique = sorted(named.items(), key=lambda pair: order.get(pair[1], 2))
    roles = [role for _, role in unique]
    return tuple(
        Model(name, role, role if role and roles.count(role) == 1 else name, slot)
        for slot, (name, role) in enumerate(unique)
    )


def distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """The values without repeats, in their order."""
    return tuple(dict.fromkeys(values))


def tasks(summary: Summary) -> tuple[str, ...]:
    """Names of tasks with a curve, in the order of the study."""
    named = [str(row.get("name")) for row in rows(summary, "tasks")]
    drawn = distinct(str(row.get("task")) for row in rows(summary, "curves"))
    return tuple(t for t in distinct(named) if t in drawn) + tuple(
        t for t in drawn if t not in named
    )


def recipes(summary: Summary) -> tuple[str, ...]:
    """Names of recipes with a curve; `none` only where there is nothing else."""
    found = distinct(str(row.get("recipe")) for row in rows(summary, "curves"))
    return tuple(t for t in found if t != "none") or found


def seeded(summary: Summary) -> frozenset[str]:
    """The recipes that ran with several seeds."""
    found = {(str(row.get("recipe")), row.get("seed")) for row in rows(summary, "curves")}
    names = [name for name, _ in found]
    return frozenset(name for name in names if names.count(name) > 1)


def roles_of(recipe: Any, seeds: Sequence[Any], many: Collection[str]) -> str:
    """A recipe, with these of its seeds where it is among the `many` that had several."""
    name = str(recipe)
    if name not in many:
        return name
    return f"{name}, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def sweep(summary: Summary, task: str, recipe: str) -> list[Row]:
    """Curve rows of one task and recipe, the shared baseline added where a sweep lacks it."""
    mine = [row for row in rows(summary, "curves") if str(row.get("task")) == task]
    found = [row for row in mine if str(row.get("recipe")) == recipe]
    have = {(row.get("model"), row.get("view")) for row in found if row.get("level") == 0}
    baseline: dict[tuple[Any, Any], Row] = {}
    for row in sorted(mine, key=lambda row: row.get("recipe") != "none"):
        key = row.get("model"), row.get("view")
        if row.get("level") == 0 and key not in have:
            baseline.setdefault(key, row)
    return [*baseline.values(), *found]


def selected(levels: Sequence[float | None], most: int) -> list[float | None]:
    """At most `most` levels: the first, the last, the others spread evenly by position."""
    if len(levels) <= most:
        return list(levels)
    steps = [round(i * (len(levels) - 1) / (most - 1)) for i in range(most)]
    return [levels[i] for i in dict.fromkeys(steps)]
