"""Sentences on the safe level: how far a model can be cut, what stops it, and at what power."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from resect.catalog import fragment
from resect.findings.rows import Limiting, PickedBy, Safety, SmallestSafe, Summary, SweepState
from resect.narrative.phrasing import (
    ModelNames,
    change,
    changes,
    levels_of,
    points,
    removed,
    sentence,
)
from resect.narrative.reasons import at, degraded, listed

SEPARATE = "(each tested on its own; the smallest safe version chooses among them)"


class Words(NamedTuple):
    """How sentences call models, and what the level of each recipe is a fraction of."""

    models: ModelNames
    parts: Mapping[str, str]

    @classmethod
    def of(cls, summary: Summary) -> Words:
        """The words of one summary."""
        return cls(ModelNames.of(summary), levels_of(summary))


class Stop(NamedTuple):
    """The numbers of the test that stopped a sweep, all there."""

    test: str
    main: bool
    margin: float
    n: int
    difference: float
    low: float | None
    high: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the whole interval lies past the margin."""
        if self.main:
            return self.high is not None and self.high < -self.margin
        return self.low is not None and self.low > self.margin

    @classmethod
    def of(cls, limit: Limiting) -> Stop | None:
        """None where no test was made."""
        if limit.difference is None or limit.margin is None or limit.n is None:
            return None
        return cls(
            limit.test, limit.main, limit.margin, limit.n, limit.difference, limit.low, limit.high
        )


# ── the headline ────────────────────────────────────────────────────────────────────────────────


def safety_headline(summary: Summary, words: Words) -> str:
    """The clause on how far each model stays within the margin; empty where none is assessable.

    Of a recipe with several seeds each model's worst is told.
    """
    recipes: dict[str, dict[str, list[Safety]]] = defaultdict(lambda: defaultdict(list))
    for row in summary.safety:
        if row.default and row.state is not SweepState.NOT_ASSESSABLE:
            recipes[row.recipe][row.model].append(row)
    parts = []
    for recipe, models in recipes.items():
        seeds = len({row.seed for rows in models.values() for row in rows})
        where = f"under {recipe}" + (f", the worst of {seeds} seeds" if seeds > 1 else "")
        worst = [min(rows, key=lambda row: len(row.passed)) for rows in models.values()]
        clauses = [_reach(row, words, first=i == 0) for i, row in enumerate(worst)]
        parts.append(f"{where}, {', '.join(clauses)}")
    ending = f" {SEPARATE}" if len(parts) > 1 else ""
    return "; ".join(parts) + ending


def _reach(row: Safety, words: Words, first: bool) -> str:
    """`the specialist stays within 5 points of its intact self up to 45 % (on all 3 tasks)`."""
    model = words.models[row.model]
    if row.state is SweepState.NONE and row.limiting is not None:
        return f"{model} {_nothing_passed(row, row.limiting, first)}"
    where = _scope(row, [_stopper(row), _fallen_back(row)])
    within = _within(row)
    if row.safe_level is None:
        return f"{model} stays {within} {where}" if first else f"{model} too {where}"
    way = "down" if row.safe_level >= 1 else "up"
    reach = f"{way} to {at(row.safe_level)}"
    if first:
        part = removed(row.safe_level, words.parts.get(row.recipe))
        return f"{model} stays {within} {reach}{part} {where}"
    return f"{model} {reach} {where}"


def _nothing_passed(row: Safety, limit: Limiting, first: bool) -> str:
    """A sweep whose first level failed: lost, not judged, or not shown."""
    level, stop = at(limit.level), Stop.of(limit)
    where = _scope(row, [_fallen_back(row)])
    if stop is None:
        return f"cannot be judged at {level}, because {limit.reason} {where}"
    if stop.is_clear:
        loss = f"more than {points(stop.margin)} points"
        if not stop.main:
            return f"raises {fragment(stop.test)} by {loss} already at {level} {where}"
        test = "" if stop.test == "accuracy" else f" of {fragment(stop.test)}"
        return f"loses {loss}{test} already at {level} {where}"
    where = _scope(row, [_stopper(row), _fallen_back(row)])
    items = f"with these {stop.n} items"
    if not first:
        return f"cannot be shown to even at {level} {items} {where}"
    return f"cannot be shown to stay {_within(row)} even at {level} {items} {where}"


def _stopper(row: Safety) -> str:
    """The test that stopped a sweep, where accuracy alone would not have."""
    limit = row.limiting
    if limit is None or "accuracy" in {limit.test, *(other.test for other in limit.others)}:
        return ""
    return f"stopped by {fragment(limit.test)}"


def _fallen_back(row: Safety) -> str:
    """At which levels of its claim a sweep is degraded; the sentences say why."""
    limit = row.limiting if row.state is SweepState.NONE else None
    claimed = (0.0, *row.passed, *([limit.level] if limit else []))
    levels = list(dict.fromkeys(at(x.level) for x in row.degraded if x.level in claimed))
    if not levels:
        return ""
    return f"degraded at {listed(levels) if len(levels) < 4 else f'{len(levels)} levels'}"


def _scope(row: Safety, notes: Sequence[str]) -> str:
    """`(on 1 of 2 tasks; the other is not assessable)`, with the notes that are not empty."""
    ready, out = len(row.assessable), len(row.not_assessable)
    if out:
        rest = "the other is" if out == 1 else f"the other {out} are"
        where = f"on {ready} of {ready + out} tasks; {rest} not assessable"
    else:
        where = f"on all {ready} tasks" if ready > 1 else f"on {row.assessable[0]}"
    return f"({'; '.join([where, *filter(None, notes)])})"


def _within(row: Safety) -> str:
    if row.margin is None:
        return "within each task's margin of its intact self"
    return f"within {points(row.margin)} points of its intact self"


# ── the sentences ───────────────────────────────────────────────────────────────────────────────


def seeded(summary: Summary) -> frozenset[str]:
    """The recipes that were run with several seeds."""
    seeds: dict[str, set[int]] = defaultdict(set)
    for row in summary.safety:
        seeds[row.recipe].add(row.seed)
    return frozenset(recipe for recipe, ran in seeds.items() if len(ran) > 1)


def under(recipe: str, seed: int, several: frozenset[str]) -> str:
    """`under wanda`, with the seed where there are several."""
    return f"under {recipe} with seed {seed}" if recipe in several else f"under {recipe}"


def safety_sentences(summary: Summary, words: Words) -> list[str]:
    """One sentence for each sweep in the view that decides, and the smallest safe version."""
    several = seeded(summary)
    sweeps = [sentence(_sweep(row, words, several)) for row in summary.safety if row.default]
    smallest = [
        sentence(_smallest(row, words.models[row.model], bool(several)))
        for row in summary.smallest_safe if row.recipes > 1 or len(row.seeds) > 1
    ]  # fmt: skip
    return sweeps + smallest


def _sweep(row: Safety, words: Words, several: frozenset[str]) -> str:
    where = under(row.recipe, row.seed, several)
    blind = "; ".join(
        f"{entry.task} is not assessable because {entry.reason}" for entry in row.not_assessable
    )
    if row.state is SweepState.NOT_ASSESSABLE:
        model = words.models[row.model]
        return f"{where}, it is not known how far {model} can be cut: {blind or row.reason}"
    parts = [f"{where}, {_reach(row, words, first=True)}, at one-sided alpha {row.alpha:g}"]
    if row.limiting is not None:
        parts.append(_stopped(row.limiting))
    elif row.passed == (None,):
        parts.append("it has only this level, so more damage was not tested")
    else:
        parts.append("every level asked passed, so the limit lies beyond them")
    return "; ".join(filter(None, (*parts, degraded(row.degraded), blind)))


def _stopped(limit: Limiting) -> str:
    """Which task and test stopped the sweep, and what the data could have proven."""
    where, stop = f"at {at(limit.level)}", Stop.of(limit)
    if stop is None:
        return f"{where} it is stopped because {limit.reason}"
    text = (
        f"{where} it is stopped by {fragment(stop.test)} on {limit.task}: "
        f"{change(stop.difference)} points {changes(stop.low, stop.high)}, "
        f"margin {points(stop.margin)}"
    )
    if stop.is_clear:
        return f"{text}, so the loss is clear and more items would not help"
    if limit.provable_margin is not None and limit.power is not None:
        text += (
            f"; the smallest margin that these {stop.n} items could have proven is "
            f"{points(limit.provable_margin)} points; had nothing changed, their power would be "
            f"{limit.power:.2f}"
        )
    if limit.items_needed is None:
        return f"{text}; more items would not help because {limit.reason}"
    return f"{text}; it would take {limit.items_needed} items"


def _smallest(row: SmallestSafe, model: str, seeded: bool) -> str:
    recipes = (
        f"{row.recipes} recipes, each" if row.recipes > 1 else "the levels of 1 recipe, tested"
    )
    among = f"{recipes} at alpha {row.alpha_each:g}{' with every seed' if seeded else ''}"
    if row.recipe is None:
        return f"no smallest safe version of {model} is named among {among}: {row.reason}"
    version = f"{row.recipe} at {at(row.level)}"
    if len(row.seeds) > 1:
        version += f" with any of the seeds {listed([str(seed) for seed in row.seeds])}"
    note = f" ({row.reason})" if row.reason else ""
    if row.by is None or row.by is PickedBy.LEVEL:
        return f"the most cut safe version of {model} among {among}, is {version}{note}"
    by = fragment(row.by)
    return f"the smallest safe version of {model} among {among}, is {version}, by {by}{note}"
