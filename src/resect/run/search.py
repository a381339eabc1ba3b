"""Fewer questions for the same answer: levels chosen by what earlier ones showed.

`half` looks for the level at which half of the skill is left: a third and two thirds of the grid
first, then the middle of what is left, until two neighbours of the grid enclose it. `safe` goes up
and stops at the first level that fails, so that the fixed sequence and its alpha hold. Every round
is an ordinary run into the same folder: stopped, it goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resect.errors import RequestError, unknown
from resect.run import study_run
from resect.run.folder import Run
from resect.spec import Recipe, Study

GOALS = ("half", "safe")

Asked = dict[tuple[str, int], list[float]]
"""Levels asked of each model (by role) under each recipe (by its place in the study)."""


def search(study: Study, goal: str, out: Path | None = None, **how: Any) -> Run:
    """Run rounds of `study` until the goal is found; its levels are the grid.

    `how` goes to `resect.run`. Raises `RequestError` for an unknown goal or a study that sweeps
    nothing.
    """
    if goal not in GOALS:
        raise unknown("search", goal, GOALS)
    swept = [number for number, one in enumerate(study.recipes) if one.swept is not None]
    if not swept:
        raise RequestError("there is nothing to search: no recipe of the study is swept.")
    following = {"half": _for_half, "safe": _for_safe}[goal]
    asked: Asked = {
        (role, number): [] for number in swept for role in roles_of(study, study.recipes[number])
    }
    found: Run | None = None
    while True:
        summary = found.summary() if found else None
        fresh = {
            (role, number): following(summary, study, role, number, levels)
            for (role, number), levels in asked.items()
        }
        if not any(fresh.values()):
            break
        asked = {key: sorted([*levels, *fresh[key]]) for key, levels in asked.items()}
        found = study_run.run(narrowed(study, asked), out, **how)
    assert found is not None
    how.get("notice", print)(saved(study, asked))
    return found


def narrowed(study: Study, asked: Asked) -> Study:
    """The study with the levels asked so far, each recipe for each model on its own."""
    recipes = []
    for number, one in enumerate(study.recipes):
        if one.swept is None:
            recipes.append(one)
            continue
        recipes += [
            one.model_copy(update={"levels": tuple(asked[role, number]), "roles": (role,)})
            for role in roles_of(study, one)
            if asked[role, number]
        ]
    return Study.of(**{**study.model_dump(exclude={"recipes"}), "recipes": recipes})


def roles_of(study: Study, recipe: Recipe) -> list[str]:
    """The roles of the models that a recipe is for."""
    return [role for role in study.models if recipe.applies_to(role)]


def saved(study: Study, asked: Asked) -> str:
    """How many levels were asked of those of the grid, the intact models not counted."""
    grid = sum(len(grid_of(study.recipes[number])) for _, number in asked)
    count = sum(len(levels) for levels in asked.values())
    return f"{count} of {grid} levels were asked, {1 - count / grid:.0%} of the questions saved."


def grid_of(recipe: Recipe) -> list[float]:
    """The damaged levels of a recipe, rising."""
    return [level for level in recipe.levels if level > 0]


def between(kept: Mapping[float, float], grid: Sequence[float]) -> list[float]:
    """Levels to ask next, from the share kept at those asked; none where neighbours enclose 1/2.

    The half-level lies behind the last level that keeps more than half before one that does not.
    """
    below = [level for level in sorted(kept) if kept[level] <= 0.5]
    high = grid.index(below[0]) if below else len(grid)
    above = [grid.index(level) for level in kept if not below or level < below[0]]
    low = max(above, default=-1)
    if not kept and len(grid) > 3:
        return [grid[len(grid) // 3], grid[2 * len(grid) // 3]]
    middle = (low + high) // 2
    return [grid[middle]] if low < middle < high else []


def _for_half(
    summary: Mapping[str, Any] | None, study: Study, role: str, number: int, asked: list[float]
) -> list[float]:
    """The next levels for every task; a task without skill has no half to look for."""
    grid = grid_of(study.recipes[number])
    if summary is None:
        return between({}, grid)
    found: set[float] = set()
    for task in study.tasks:
        rows = _rows(summary["curves"], study, summary, role, number, task=task)
        views = {row["view"] for row in rows}
        view = "text" if "text" in views else "options"
        kept = {
            row["level"]: row["metrics"]["retention"]["value"]
            for row in rows
            if row["view"] == view and row["level"] and _value(row) is not None
        }
        if kept:
            found |= {level for level in between(kept, grid) if level not in asked}
    return sorted(found)


def _value(row: Mapping[str, Any]) -> float | None:
    found: float | None = (row.get("metrics") or {}).get("retention", {}).get("value")
    return found


def _for_safe(
    summary: Mapping[str, Any] | None, study: Study, role: str, number: int, asked: list[float]
) -> list[float]:
    """The next level up, unless one has failed or nothing can be said."""
    grid = grid_of(study.recipes[number])
    left = [level for level in grid if level not in asked]
    if summary is None:
        return left[:1]
    rows = [r for r in _rows(summary["safety"], study, summary, role, number) if r["default"]]
    passed = bool(rows) and all(row["state"] == "all" for row in rows)
    return left[:1] if passed else []


def _rows(
    rows: Sequence[Mapping[str, Any]],
    study: Study,
    summary: Mapping[str, Any],
    role: str,
    number: int,
    **also: Any,
) -> list[Mapping[str, Any]]:
    """Rows of a list in the summary that speak of one model under one recipe and its seed."""
    model = next(one["name"] for one in summary["models"] if one["role"] == role)
    names = {_bare(t["name"]) for t in summary["study"]["recipes"]}
    recipe = study.recipes[number]
    name, seed = _bare(recipe.name), study.seed_of(recipe)
    assert name in names
    return [
        row
        for row in rows
        if (row["model"], _bare(row["recipe"]), row["seed"]) == (model, name, seed)
        and all(row[key] == value for key, value in also.items())
    ]


def _bare(name: str) -> str:
    """A recipe's name without what a sweep adds to it."""
    return name.replace(",inputs=dense", "")
