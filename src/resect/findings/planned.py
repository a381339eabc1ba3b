"""Which curves there ought to be: sweeps, planned levels, cell status, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from resect.findings.curve_rows import Status
from resect.findings.curves import Curve, build, damage, say
from resect.findings.frame import Level, TaskFrame, clean_level


class Sweep(NamedTuple):
    """One model under one recipe with one seed."""

    model: str
    recipe: str
    seed: int


class CellRow(NamedTuple):
    """One row of `cells`, cleaned."""

    model: str
    role: str
    recipe: str
    level: Level
    seed: int
    task: str
    status: str
    reason: str | None


def cell_rows(cells: pd.DataFrame) -> list[CellRow]:
    """The cells frame as tuples."""
    if not len(cells):
        return []
    columns = [cells[name] for name in CellRow._fields]
    return [
        CellRow(
            str(model), str(role), str(recipe), clean_level(recipe, level), int(seed),
            str(task), str(status), None if pd.isna(reason) else str(reason),
        )
        for model, role, recipe, level, seed, task, status, reason in zip(*columns, strict=True)
    ]  # fmt: skip


def roles(models: Sequence[Mapping[str, Any]], rows: Sequence[CellRow]) -> dict[str, str]:
    """Model name to role, in the order of `models`, then of the cells."""
    found = {str(m["name"]): str(m.get("role") or m["name"]) for m in models}
    for row in rows:
        found.setdefault(row.model, row.role)
    return found


def pairs(role_of: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which models are compared: each of them, a specialist first, with the base.

    The base is the first model of that role. Without one the second model is compared with.
    """
    names = sorted(role_of, key=lambda name: role_of[name] != "specialist")
    if len(names) < 2:
        return []
    bases = [name for name in names if role_of[name] == "base"]
    base = bases[0] if bases else list(role_of)[1]
    if not bases and base == names[0]:  # the second model is the only specialist
        base = next(iter(role_of))
    return [(name, base) for name in names if name != base]


def curves_of(
    frame: TaskFrame, rows: Sequence[CellRow], study: Mapping[str, Any], role_of: Mapping[str, str]
) -> list[Curve]:
    """All curves of one task: by model, recipe, seed, then view.

    A level that was planned for a model (its cells, or the study's recipe) and has no answers
    is a gap; one that only another model was asked at is not. A model asked only as it is gets
    a curve of its baseline alone.
    """
    mine = [row for row in rows if row.task == frame.name]
    sweeps = {Sweep(k.model, k.recipe, k.seed) for k in frame.codes}
    sweeps |= {Sweep(row.model, row.recipe, row.seed) for row in mine}
    planned: dict[tuple[str, str], set[Level]] = defaultdict(set)
    for key in frame.codes:
        planned[key.model, key.recipe].add(key.level)
    for row in mine:
        planned[row.model, row.recipe].add(row.level)
    for recipe in study.get("recipes") or []:
        if isinstance(recipe, Mapping):
            name, roles = str(recipe.get("name")), recipe.get("roles") or []
            treated = {model for model, role in role_of.items() if not roles or role in roles}
            for both in [b for b in planned if b[1] == name and b[0] in treated]:
                planned[both] |= {clean_level(name, x) for x in recipe.get("levels") or []}
    cut = {sweep.model for sweep in sweeps if sweep.recipe != "none"}
    order = {name: i for i, name in enumerate(role_of)}
    found = []
    for c in sorted(sweeps, key=lambda c: (order.get(c.model, len(order)), c)):
        if c.recipe == "none" and c.model in cut:
            continue  # the baseline is level 0 of the other curves
        if c.recipe == "none" and any(o.model == c.model and o < c for o in sweeps):
            continue  # one baseline is enough
        role = role_of.get(c.model, c.model)
        found += build(frame, role, c.model, c.recipe, c.seed, planned[c.model, c.recipe])
    return found


def status_of(rows: Sequence[CellRow], task: str) -> Status:
    """How each cell of a task went."""
    return {
        (r.model, r.recipe, r.seed, r.level): (r.status, r.reason) for r in rows if r.task == task
    }


def degraded(curve: Curve, status: Status) -> dict[Level, str]:
    """The levels of a curve at which the model or its prompts fell back, with the reason."""
    found = {}
    for level, key in zip(curve.levels, curve.keys, strict=True):
        state, reason = status.get((key.model, key.recipe, key.seed, level), ("", None))
        if state == "degraded":
            found[level] = reason or "no reason"
    return found


def cell_warnings(rows: Sequence[CellRow]) -> list[str]:
    """A sentence for each run of degraded or failed cells with one reason."""
    groups: dict[tuple[str, str, str, str, str | None], list[Level]] = defaultdict(list)
    for row in rows:
        if row.status != "success":
            key = (row.model, row.recipe, row.task, row.status, row.reason)
            groups[key].append(row.level)
    found = []
    for (model, recipe, task, status, reason), levels in groups.items():
        at = ", ".join(say(x) for x in sorted(set(levels), key=damage))
        found.append(f"{model}, {recipe} on {task}: {status} at {at} ({reason or 'no reason'}).")
    return found


def curve_warnings(frame: TaskFrame, curves: Sequence[Curve], status: Status) -> list[str]:
    """A sentence for each missing view, missing level, lone cluster and uneven set of items."""
    found = []
    views = frame.views()
    if len(frame.items) > 1 and len(set(frame.clusters)) == 1:
        found.append(
            f"{frame.name}: all {len(frame.items)} items hang together (one parent), so intervals "
            "from resampling have no width and say nothing; ask more."
        )
    if frame.labels and views and "options" not in views:
        found.append(
            f"{frame.name}: no options view, so forgetting and losing the format "
            "cannot be told apart."
        )
    for model in dict.fromkeys(c.model for c in curves):
        for view in views:
            if view not in frame.views(model):
                found.append(f"{frame.name}: {model} has no {view} view.")
    for c in curves:
        where = f"{c.model}, {c.recipe} on {frame.name} ({c.view})"
        failed = {
            level
            for level, k in zip(c.levels, c.keys, strict=True)
            if status.get((k.model, k.recipe, k.seed, level), ("", ""))[0] == "failed"
        }
        gaps = [level for level in c.missing if level not in failed]
        if gaps:
            found.append(f"{where}: no answers at {', '.join(say(x) for x in gaps)}.")
        if c.present.any() and not (c.shared == c.asked).all():
            found.append(
                f"{where}: only {int(c.shared.sum())} of {int(c.asked.sum())} items "
                "were asked at every level; paired findings use those."
            )
    return found
