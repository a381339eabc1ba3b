"""Fewer questions for the same answer: levels chosen by what earlier ones showed.

`half` looks for the level at which half of the skill is gone: a third and two thirds of the grid
first, then the middle of what is left, until two neighbours of the grid enclose it. Every round is
an ordinary run into the same folder: stopped, it goes on. `passed` is one run that is asked in
looks: upward, each level no more than it takes, until one does not pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from resect.errors import RequestError, unknown
from resect.findings.rows import CurvePoint, Summary
from resect.findings.summary_file import from_data
from resect.findings.views import first_view
from resect.report.formatting import percent
from resect.running import study_run
from resect.running.folder import Run
from resect.running.resolve import as_swept
from resect.running.walk import Notice
from resect.spec import Recipe, Study

GOALS = ("half", "passed")
"""What can be searched for."""

AskedLevels = dict[tuple[str, int], list[float]]
"""Levels asked of each model (by role) under each recipe (by its place in the study)."""


class RunOptions(TypedDict, total=False):
    """What `resect.run` takes besides the study and the folder."""

    engine: str
    watch: study_run.Watch
    notice: Notice
    workers: int | None
    address: str | None
    gate: bool


def _points(summary: Summary, study: Study, role: str, number: int) -> list[CurvePoint]:
    """What the rounds so far show of a model (by role) under a recipe (by its place)."""
    model = next(model.name for model in summary.models if model.role == role)
    recipe = study.recipes[number]
    (stored,) = as_swept([recipe], study.models)  # rows have the name that the run stores
    sweep = (model, stored.name, study.seed_of(recipe))
    return [row for row in summary.curves if (row.model, row.recipe, row.seed) == sweep]


def search(study: Study, goal: str, out: Path | None = None, **options: Unpack[RunOptions]) -> Run:
    """Run rounds of `study` until the goal is reached; its levels are the grid.

    Raises `RequestError` for an unknown goal or a study that sweeps nothing.
    """
    if goal not in GOALS:
        raise unknown("search", goal, GOALS)
    if goal == "passed":
        return study_run.run(study.model_copy(update={"sequential": True}), out, **options)
    swept = [number for number, recipe in enumerate(study.recipes) if recipe.swept is not None]
    if not swept:
        raise RequestError("there is nothing to search: no recipe of the study sweeps levels.")
    asked: AskedLevels = {
        (role, number): [] for number in swept for role in roles_of(study, study.recipes[number])
    }
    run: Run | None = None
    while fresh := _round(study, asked, run):
        asked = {key: sorted([*levels, *fresh[key]]) for key, levels in asked.items()}
        run = study_run.run(narrowed(study, asked), out, **options)
    assert run is not None
    options.get("notice", print)(saved(study, asked))
    return run


def _round(study: Study, asked: AskedLevels, run: Run | None) -> AskedLevels:
    """The levels to ask next of every sweep; empty where none is left to ask."""
    summary = None if run is None else from_data(run.summary(), str(run.path))
    fresh = {}
    for (role, number), levels in asked.items():
        grid = grid_of(study.recipes[number])
        points = [] if summary is None else _points(summary, study, role, number)
        fresh[role, number] = _next_for_half(points, grid, levels)
    return fresh if any(fresh.values()) else {}


def narrowed(study: Study, asked: AskedLevels) -> Study:
    """The study with the levels asked so far, each recipe for each model on its own."""
    recipes = []
    for number, recipe in enumerate(study.recipes):
        if recipe.swept is None:
            recipes.append(recipe)
            continue
        recipes += [
            recipe.model_copy(update={"levels": tuple(asked[role, number]), "roles": (role,)})
            for role in roles_of(study, recipe)
            if asked[role, number]
        ]
    return Study.of(**{**study.model_dump(exclude={"recipes"}), "recipes": recipes})


def roles_of(study: Study, recipe: Recipe) -> list[str]:
    """The roles of the models that a recipe is for."""
    return [role for role in study.models if recipe.applies_to(role)]


def saved(study: Study, asked: AskedLevels) -> str:
    """How many levels were asked of those of the grid, the intact models not counted."""
    grid = sum(len(grid_of(study.recipes[number])) for _, number in asked)
    count = sum(len(levels) for levels in asked.values())
    share = percent(1 - count / grid, 0)
    return f"{count} of {grid} levels were asked, {share} of the questions saved."


def grid_of(recipe: Recipe) -> list[float]:
    """The damaged levels of a recipe, rising."""
    return [level for level in recipe.levels if level > 0]


def next_levels(retention: Mapping[float, float], grid: Sequence[float]) -> list[float]:
    """Levels to ask next, from the retention at those asked; none where neighbours enclose 1/2.

    The half-level lies behind the last level that keeps more than half before one that does not.
    """
    below = [level for level in sorted(retention) if retention[level] <= 0.5]
    high = grid.index(below[0]) if below else len(grid)
    above = [grid.index(level) for level in retention if not below or level < below[0]]
    low = max(above, default=-1)
    if not retention and len(grid) > 3:
        return [grid[len(grid) // 3], grid[2 * len(grid) // 3]]
    middle = (low + high) // 2
    return [grid[middle]] if low < middle < high else []


def _next_for_half(
    points: Sequence[CurvePoint], grid: Sequence[float], asked: Sequence[float]
) -> list[float]:
    """The next levels for every task; a task without skill has no half to look for."""
    if not asked:
        return next_levels({}, grid)
    retention: dict[str, dict[float, float]] = defaultdict(dict)
    for point in first_view(points):
        estimate = point.metrics.get("retention")
        if point.level and estimate and estimate.value is not None:
            retention[point.task][point.level] = estimate.value
    fresh = {level for levels in retention.values() for level in next_levels(levels, grid)}
    return sorted(fresh.difference(asked))
