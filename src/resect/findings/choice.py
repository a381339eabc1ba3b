"""Select, then confirm: the smallest version that passes on items that did not select it.

With one recipe nothing is selected: the last level claimed in fixed sequence is the choice. With
several, versions of all recipes are looked at on one seeded half of the items, as often as one
likes. Those that look good there are tested on the other half, the smallest first: at three fifths
of alpha, then at three fifths of what is left, so that all of them err at most at alpha.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from resect.findings.curves import damage
from resect.findings.frame import Level
from resect.findings.item_order import halves
from resect.findings.looks import last_level
from resect.findings.primary_test import Rule
from resect.findings.rows import (
    Candidate,
    Choice,
    ChosenBy,
    DegradedCell,
    PickedBy,
    Stop,
    TaskVerdict,
    Unchosen,
    Word,
)
from resect.findings.verdicts import Sweep, SweepKey, degraded_cells, stop
from resect.record import TRANSFORMERS
from resect.stats.intervals import Mask

SPENT = 0.6
"""The share of the alpha left that each candidate is tested at."""

LENIENT = 0.05
"""One-sided error at which a version has to pass on the items that select: where more versions are
let through, those at the margin use up the alpha of those that would have passed.
"""


def alpha_of(tried: int, alpha: float) -> float:
    """The one-sided error of the test that follows `tried` others."""
    return float(alpha * SPENT * (1 - SPENT) ** tried)


def confirming_level(alpha: float) -> float:
    """The one-sided level of the last look at the first version that is confirmed.

    It is what half of the items must be enough for.
    """
    return last_level(alpha_of(0, alpha))


class Size(NamedTuple):
    """Measured bytes of a version, and where they were counted."""

    by: PickedBy
    bytes: float


Sizes = Mapping[tuple[str, str, Level], Size]
"""Model, recipe and level to what was measured: the largest of the seeds'."""

Recipes = Mapping[str, Mapping[int, Sweep]]
"""The sweeps of one model by recipe and seed."""

Split = Mapping[str, tuple[Mask, Mask]]
"""Task to the items that select and those that confirm."""


@dataclass(frozen=True, eq=False)
class Version:
    """One recipe at one level, with the sweeps of all its seeds."""

    recipe: str
    level: Level
    seeds: Mapping[int, Sweep]
    size: Size | None

    @property
    def fallen_back(self) -> tuple[DegradedCell, ...]:
        """Its cells that fell back, of any seed."""
        cells = [c for sweep in self.seeds.values() for c in degraded_cells(sweep, [self.level])]
        return tuple(dict.fromkeys(cells))


def choices(
    judged: Mapping[SweepKey, Sequence[Sweep]],
    rule: Rule,
    sizes: Sizes,
    seed: int,
    holds_back: bool = False,
) -> list[Choice]:
    """The smallest version that passed of every model, among its recipes and levels.

    `holds_back`: even a single recipe was selected on one half of the items only.
    """
    models: dict[str, dict[str, dict[int, Sweep]]] = defaultdict(lambda: defaultdict(dict))
    for key, views in judged.items():
        for sweep in views:
            if sweep.default:
                models[key.model][key.recipe][key.seed] = sweep
    frames = {
        name: e.test.curve.frame
        for views in judged.values() for sweep in views for name, e in sweep.tasks.items()
    }  # fmt: skip
    split = {name: halves(frame, seed) for name, frame in frames.items()}
    return [
        _choice(model, recipes, rule, sizes, split, holds_back) for model, recipes in models.items()
    ]


def intact_in(runtime: str) -> str:
    """How sizes name the intact model in a runtime."""
    return "none" if runtime == TRANSFORMERS else f"none in {runtime}"


def _choice(
    model: str, recipes: Recipes, rule: Rule, sizes: Sizes, split: Split, holds_back: bool
) -> Choice:
    every = [
        Version(recipe, level, seeds, sizes.get((model, recipe, level)))
        for recipe, seeds in recipes.items()
        for level in _levels(seeds)
    ]
    sweep = next(iter(next(iter(recipes.values())).values()))
    runtimes = {s.first.curve.runtime for seeds in recipes.values() for s in seeds.values()}
    runtime = next(iter(runtimes)) if len(runtimes) == 1 else TRANSFORMERS
    whole = sizes.get((model, intact_in(runtime), 0.0))
    blank = Choice(
        model=model,
        role=sweep.first.curve.role,
        view=sweep.view,
        how=ChosenBy.HELD_BACK,
        alpha=rule.alpha,
        explored=len(every),
        plausible=0,
        tried=(),
        chosen=None,
        by=None,
        baseline_bytes=None if whole is None else whole.bytes,
        degraded=(),
        why=None,
    )
    if len(recipes) == 1 and not holds_back:
        return _last_claimed(replace(blank, how=ChosenBy.SEQUENCE), every, rule.alpha, whole)
    plausible = _plausible(every, recipes, rule._replace(alpha=LENIENT), split)
    blank = replace(blank, plausible=len(plausible))
    if not plausible:
        return replace(blank, why=Unchosen.NONE_PLAUSIBLE)
    by = _ranked_by(plausible, whole)
    if by is None:
        return replace(blank, why=Unchosen.UNRANKED)
    return _confirmed(replace(blank, by=by), _ordered(plausible, by), rule, split)


def _levels(seeds: Mapping[int, Sweep]) -> list[Level]:
    """The levels that every seed has."""
    first, *others = [sweep.levels for sweep in seeds.values()]
    return [level for level in first if all(level in levels for levels in others)]


def _last_claimed(
    row: Choice, versions: Sequence[Version], alpha: float, whole: Size | None
) -> Choice:
    """The last level of one recipe that every seed claims; no recipe was picked among others."""
    seeds = list(versions[0].seeds.values()) if versions else []
    count = min((len(sweep.claimed) for sweep in seeds), default=0)
    if not count:
        words = {sweep.judged[0].word for sweep in seeds if sweep.judged}
        blind = Word.UNDETERMINED in words
        return replace(row, why=Unchosen.UNDETERMINED if blind else Unchosen.NONE_PASSED)
    version = versions[count - 1]
    smaller = version.size is not None and whole is not None and version.size.bytes < whole.bytes
    rows = [test for sweep in seeds for test in sweep.claimed[count - 1].tests]
    chosen = _candidate(version, alpha, Word.PASSED, None, rows)
    by = version.size.by if version.size is not None and smaller else PickedBy.LEVEL
    return replace(row, chosen=chosen, by=by, degraded=version.fallen_back)


def _candidate(
    version: Version, alpha: float, word: Word, stopped: Stop | None, rows: Sequence[TaskVerdict]
) -> Candidate:
    return Candidate(
        recipe=version.recipe,
        level=version.level,
        seeds=tuple(sorted(version.seeds)),
        bytes=None if version.size is None else version.size.bytes,
        alpha=alpha,
        word=word,
        stopped_by=stopped,
        tasks=tuple(rows),
    )


def _plausible(
    versions: Sequence[Version], recipes: Recipes, rule: Rule, split: Split
) -> list[Version]:
    """The versions of which every seed passes on the items that select."""
    explored = {
        recipe: [on_half(sweep, rule, split, 0) for sweep in seeds.values()]
        for recipe, seeds in recipes.items()
    }
    return [
        v for v in versions if all(s.at(v.level).word is Word.PASSED for s in explored[v.recipe])
    ]


def on_half(sweep: Sweep, rule: Rule, split: Split, half: int) -> Sweep:
    """A sweep on the items that select (0) or confirm (1); margins are those of all items."""
    tasks = {name: e.on(split[name][half], rule.alpha) for name, e in sweep.tasks.items()}
    return replace(sweep, tasks=tasks)


def _ranked_by(versions: Sequence[Version], whole: Size | None) -> PickedBy | None:
    """What versions are ranked by: bytes where all have them and some are smaller, else levels.

    Levels of different recipes cannot be ranked: a fifth of the neurons, a fifth of the weights.
    """
    sizes = [v.size for v in versions]
    known = [s.bytes for s in sizes if s is not None and whole is not None and s.by is whole.by]
    if whole is not None and len(known) == len(sizes) and min(known) < whole.bytes:
        return whole.by
    return PickedBy.LEVEL if len({v.recipe for v in versions}) == 1 else None


def _ordered(versions: Sequence[Version], by: PickedBy) -> list[Version]:
    """The smallest first; of equals the most damaged."""
    most_cut = sorted(versions, key=lambda v: damage(v.level), reverse=True)
    if by is PickedBy.LEVEL:
        return most_cut
    return sorted(most_cut, key=lambda v: v.size.bytes if v.size is not None else np.inf)


def _confirmed(row: Choice, ordered: Sequence[Version], rule: Rule, split: Split) -> Choice:
    """Test the versions in their order until one passes."""
    tried: list[Candidate] = []
    for version in ordered:
        each = alpha_of(len(tried), rule.alpha)
        candidate = _tested(version, rule._replace(alpha=each), split)
        tried.append(candidate)
        if candidate.word is Word.PASSED:
            return replace(row, tried=tuple(tried), chosen=candidate, degraded=version.fallen_back)
        if candidate.word is Word.UNDETERMINED:
            return replace(row, tried=tuple(tried), why=Unchosen.UNDETERMINED)
    return replace(row, tried=tuple(tried), why=Unchosen.NONE_PASSED)


def _tested(version: Version, rule: Rule, split: Split) -> Candidate:
    """One version on the items held back: every seed has to pass."""
    word, stopped, rows = Word.PASSED, None, []
    for sweep in version.seeds.values():
        part = on_half(sweep, rule, split, 1)
        judged = part.at(version.level)
        rows += judged.tests
        if judged.word is not Word.PASSED and word is Word.PASSED:
            word, stopped = judged.word, stop(part, judged)
    return _candidate(version, rule.alpha, word, stopped, rows)
