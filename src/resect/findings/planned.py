"""Which curves there ought to be: sweeps, planned levels, and how each cell went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast

import pandas as pd

from resect.findings.curve_rows import CellState, States
from resect.findings.curves import Curve, build
from resect.findings.frame import Level, TaskFrame, clean_level
from resect.findings.rows import Model, StudyRecipe
from resect.record import TRANSFORMERS, Status


class Sweep(NamedTuple):
    """One model under one recipe with one seed."""

    model: str
    recipe: str
    seed: int
    runtime: str = TRANSFORMERS


class CellRow(NamedTuple):
    """One row of `cells`, cleaned."""

    model: str
    role: str
    recipe: str
    level: Level
    seed: int
    task: str
    status: Status
    reason: str | None
    runtime: str = TRANSFORMERS


def cell_rows(cells: pd.DataFrame) -> list[CellRow]:
    """The cells frame as tuples."""
    if not len(cells):
        return []
    cells = cells if "runtime" in cells else cells.assign(runtime=TRANSFORMERS)
    columns = [cells[name] for name in CellRow._fields]
    return [
        CellRow(
            str(model), str(role), str(recipe), clean_level(recipe, level), int(seed),
            str(task), cast(Status, str(status)), None if pd.isna(reason) else str(reason),
            str(runtime),
        )
        for model, role, recipe, level, seed, task, status, reason, runtime
        in zip(*columns, strict=True)
    ]  # fmt: skip


def roles(models: Sequence[Model], cells: Sequence[CellRow]) -> dict[str, str]:
    """Model name to role, in the order of `models`, then of the cells."""
    role_of = {model.name: model.role or model.name for model in models}
    for cell in cells:
        role_of.setdefault(cell.model, cell.role)
    return role_of


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
    frame: TaskFrame,
    cells: Sequence[CellRow],
    recipes: Sequence[StudyRecipe],
    role_of: Mapping[str, str],
) -> list[Curve]:
    """All curves of one task: by model, recipe, seed, then view.

    A level that was planned for a model (its cells, or the study's recipe) and has no answers
    is a gap; one that only another model was asked at is not. A model asked only as it is gets
    a curve of its baseline alone.
    """
    planned = [cell for cell in cells if cell.task == frame.name]
    levels = _levels(frame, planned, recipes, role_of)
    order = {name: place for place, name in enumerate(role_of)}
    sweeps = {Sweep(k.model, k.recipe, k.seed, k.runtime) for k in frame.codes}
    sweeps |= {Sweep(cell.model, cell.recipe, cell.seed, cell.runtime) for cell in planned}
    skipped = _skipped(planned)
    curves = []
    for s in sorted(_shown(sweeps), key=lambda s: (order.get(s.model, len(order)), s)):
        role = role_of.get(s.model, s.model)
        due = levels[s.model, s.recipe] - skipped.get(s, set())
        curves += build(frame, role, s.model, s.recipe, s.seed, due, s.runtime)
    return curves


def _shown(sweeps: Iterable[Sweep]) -> list[Sweep]:
    """The sweeps without baselines that are level 0 of another curve, or one of several."""
    every = sorted(sweeps)
    place = {sweep: (sweep.model, sweep.runtime) for sweep in every}
    swept = {place[sweep] for sweep in every if sweep.recipe != "none"}
    first = {place[sweep]: sweep for sweep in reversed(every)}
    return [
        s for s in every
        if s.recipe != "none" or (place[s] not in swept and first[place[s]] == s)
    ]  # fmt: skip


def _skipped(cells: Sequence[CellRow]) -> Mapping[Sweep, set[Level]]:
    """The levels of every sweep that were not asked, since the verdict did not need them."""
    levels: dict[Sweep, set[Level]] = defaultdict(set)
    for cell in cells:
        if cell.status == "skipped":
            levels[Sweep(cell.model, cell.recipe, cell.seed, cell.runtime)].add(cell.level)
    return levels


def _levels(
    frame: TaskFrame,
    cells: Sequence[CellRow],
    recipes: Sequence[StudyRecipe],
    role_of: Mapping[str, str],
) -> Mapping[tuple[str, str], set[Level]]:
    """The levels planned for each model and recipe."""
    levels: dict[tuple[str, str], set[Level]] = defaultdict(set)
    for key in frame.codes:
        levels[key.model, key.recipe].add(key.level)
    for cell in cells:
        levels[cell.model, cell.recipe].add(cell.level)
    for recipe in recipes:
        for model, role in role_of.items():
            meant = not recipe.roles or role in recipe.roles
            if meant and (model, recipe.name) in levels:
                levels[model, recipe.name] |= {clean_level(recipe.name, x) for x in recipe.levels}
    return levels


def states_of(cells: Sequence[CellRow], task: str) -> States:
    """How each cell of a task went."""
    return {
        (c.model, c.recipe, c.seed, c.level, c.runtime): CellState(c.status, c.reason)
        for c in cells
        if c.task == task
    }


def degraded(curve: Curve, states: States) -> dict[Level, str]:
    """The levels of a curve at which the model or its prompts fell back, with the reason."""
    reasons = {}
    for level, key in zip(curve.levels, curve.keys, strict=True):
        state = states.get((key.model, key.recipe, key.seed, level, key.runtime))
        if state is not None and state.status == "degraded":
            reasons[level] = state.reason or "no reason"
    return reasons
