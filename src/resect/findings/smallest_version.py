"""The smallest version of a model that passed, among its recipes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from resect.findings.curves import damage
from resect.findings.evidence import Evidence
from resect.findings.frame import Level
from resect.findings.rows import DegradedCell, PickedBy, SmallestSafe
from resect.findings.safety import by_sweep, degraded_cells, passed_levels

RULE = "alpha divided by the number of recipes, every seed of which has to pass"

Seeds = dict[int, list[Evidence]]
"""The tasks of one model under one recipe, by seed."""


class Size(NamedTuple):
    """Measured bytes of a version, and where they were counted."""

    by: PickedBy
    bytes: float


Sizes = Mapping[tuple[str, str, Level], Size]
"""Model, recipe and level to what was measured: the largest of the seeds'."""


class Candidate(NamedTuple):
    """A version that passed."""

    recipe: str
    level: Level
    seeds: tuple[int, ...]
    degraded: tuple[DegradedCell, ...]
    size: Size | None


def smallest_safe(gathered: Sequence[Evidence], alpha: float, sizes: Sizes) -> list[SmallestSafe]:
    """The smallest safe version of every model among its T recipes, each tested at alpha / T.

    Bonferroni over recipes, fixed sequence within: the chance that any unsafe version is named
    is at most alpha, so no items need to be held back. A recipe with several seeds passes a
    level where every seed does, so that choosing a seed is no choice that costs alpha
    (intersection-union, Berger 1982). The smallest of all passed levels is taken, and of equals
    the most damaged. Where bytes are missing, or never fall, levels decide within one recipe: a
    fifth of the neurons and a fifth of the weights are not to be ranked.
    """
    models: dict[str, dict[str, Seeds]] = defaultdict(lambda: defaultdict(dict))
    sweeps = by_sweep(gathered)
    for key, tasks in sweeps.items():
        if key.view == "text" or key._replace(view="text") not in sweeps:
            models[key.model][key.recipe][key.seed] = tasks
    return [_smallest(model, recipes, alpha, sizes) for model, recipes in models.items()]


def _smallest(model: str, recipes: Mapping[str, Seeds], alpha: float, sizes: Sizes) -> SmallestSafe:
    each = alpha / len(recipes)
    candidates = [
        _candidate(seeds, recipe, level, sizes.get((model, recipe, level)))
        for recipe, seeds in recipes.items()
        for level in min((passed_levels(tasks, each) for tasks in seeds.values()), key=len)
    ]
    whole = sizes.get((model, "none", 0.0))
    curve = next(iter(next(iter(recipes.values())).values()))[0].curve
    row = SmallestSafe(
        model=model,
        role=curve.role,
        view=curve.view,
        recipes=len(recipes),
        alpha=alpha,
        alpha_each=each,
        rule=RULE,
        recipe=None,
        seed=None,
        seeds=(),
        level=None,
        by=None,
        bytes=None,
        baseline_bytes=None if whole is None else whole.bytes,
        candidates=len(candidates),
        degraded=(),
        reason="no damaged version passes at this alpha",
    )
    return _picked(row, candidates, whole) if candidates else row


def _candidate(seeds: Seeds, recipe: str, level: Level, size: Size | None) -> Candidate:
    """A passed version, with its cells that fell back: those of any seed."""
    cells = [cell for tasks in seeds.values() for cell in degraded_cells(tasks, [level])]
    return Candidate(recipe, level, tuple(sorted(seeds)), tuple(dict.fromkeys(cells)), size)


def _picked(row: SmallestSafe, candidates: Sequence[Candidate], whole: Size | None) -> SmallestSafe:
    """The smallest candidate by measured bytes, else by level, else a reason."""
    sized = [
        (c.size.bytes, c)
        for c in candidates
        if c.size is not None and whole is not None and c.size.by == whole.by
    ]
    if len(sized) == len(candidates) and whole is not None:
        least = min(size for size, _ in sized)
        if least < whole.bytes:
            smallest = [c for size, c in sized if size == least][-1]
            return _named(row, smallest, whole.by, None)
    missing = len(sized) < len(candidates)
    why = "bytes were not measured at every level" if missing else "no version is smaller in bytes"
    if len({c.recipe for c in candidates}) > 1:
        return replace(row, reason=f"{why}, and levels of different recipes cannot be ranked")
    most_cut = max(candidates, key=lambda c: damage(c.level))
    return _named(row, most_cut, PickedBy.LEVEL, f"{why}: the most cut is taken")


def _named(row: SmallestSafe, picked: Candidate, by: PickedBy, reason: str | None) -> SmallestSafe:
    """The row with the version that was picked."""
    return replace(
        row,
        recipe=picked.recipe,
        seed=picked.seeds[0] if len(picked.seeds) == 1 else None,
        seeds=picked.seeds,
        level=picked.level,
        by=by,
        bytes=None if picked.size is None else picked.size.bytes,
        degraded=picked.degraded,
        reason=reason,
    )
