"""Who and what a summary speaks of: its models, tasks, recipes and sweeps, each looked up once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from resect.findings.rows import (
    Bias,
    BreaksFirst,
    Cliff,
    CurvePoint,
    Summary,
    SweepVerdict,
    Task,
    Trust,
)
from resect.record import View

VIEWS: tuple[View, ...] = ("text", "options")

CLIFFS = (
    ("onset", "skill"),
    ("half", "skill"),
    ("steepest", "skill"),
    ("divergence", "answered"),
    ("divergence", "calibration"),
)
"""The cliffs that are shown, by kind and metric."""

Curve = TypeVar("Curve", CurvePoint, Bias, Trust)
T = TypeVar("T", bound=Hashable)


class Model(NamedTuple):
    """A model of the study: `slot` is its colour and marker, the same in every figure."""

    name: str
    role: str
    label: str
    slot: int


class Scope:
    """A summary with the models, tasks and recipes it has, and its rows by where they belong."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        named = {model.name: model.role for model in summary.models}
        for row in summary.curves:
            named.setdefault(row.model, row.role)
        self.models = _labelled(named)
        """Models as listed, then any that only curves name."""
        self.by_name = {model.name: model for model in self.models}
        self.recipes = _drawn_recipes(summary.curves)
        """Names of recipes with a curve; `none` only where there is nothing else."""
        self.tasks = _drawn_tasks(summary)
        """Names of tasks with a curve, in the order of the study."""
        self.views = tuple(sorted({row.view for row in summary.curves}, key=VIEWS.index))
        self._tasks = {task.name: task for task in reversed(summary.tasks)}
        self.seeded = _seeded(summary.curves)
        """The recipes that ran with several seeds."""
        self.headline = summary.headline.text or "No verdict was computed for this run."
        self._sweeps = _sweeps(summary.curves, self.recipes)
        self._bias = _sweeps(summary.bias, self.recipes)
        self._trust = _sweeps(summary.trust, self.recipes)
        self._cliffs: dict[tuple[str, ...], Cliff] = {
            (row.model, row.task, row.recipe, row.view, row.kind.value, row.metric): row
            for row in reversed(summary.cliffs)
        }
        self._breaks = {
            (row.model, row.task, row.recipe): row for row in reversed(summary.breaks_first)
        }

    def label(self, name: str) -> str:
        """What a model is called: its role where only one model has it."""
        return self.by_name[name].label if name in self.by_name else name

    def task(self, name: str) -> Task | None:
        """What the study says of a task."""
        return self._tasks.get(name)

    @property
    def first_view(self) -> View:
        """Text where it was asked, else options."""
        return self.views[0] if self.views else "text"

    def sweep(self, task: str, recipe: str) -> list[CurvePoint]:
        """Curve rows of one task and recipe, with the shared intact rows where it has none."""
        return self._sweeps.get((task, recipe), [])

    def bias(self, task: str, recipe: str) -> list[Bias]:
        """Rows of bias of a sweep's first seed, the shared intact rows among them."""
        return first_seed(self._bias.get((task, recipe), []), recipe)

    def trust(self, task: str, recipe: str) -> list[Trust]:
        """Rows of trust of a sweep's first seed, the shared intact rows among them."""
        return first_seed(self._trust.get((task, recipe), []), recipe)

    def cliff(
        self, model: str, task: str, recipe: str, view: str, kind: str = "half",
        metric: str = "skill",
    ) -> Cliff | None:  # fmt: skip
        """The cliff of one model, task, recipe, view, kind and metric, or None."""
        return self._cliffs.get((model, task, recipe, view, kind, metric))

    def breaks(self, model: str, task: str, recipe: str) -> BreaksFirst | None:
        """What breaks first on a task."""
        return self._breaks.get((model, task, recipe))

    def deciding(self, model: str, recipe: str) -> SweepVerdict | None:
        """The verdict on a sweep in the view that decides; the worst of several seeds."""
        rows = [
            row
            for row in self.summary.verdicts
            if (row.model, row.recipe) == (model, recipe) and row.default
        ]
        return min(rows, key=_how_far, default=None)


def _drawn_recipes(curves: Sequence[CurvePoint]) -> tuple[str, ...]:
    recipes = distinct(row.recipe for row in curves)
    return tuple(name for name in recipes if name != "none") or recipes


def _drawn_tasks(summary: Summary) -> tuple[str, ...]:
    drawn = distinct(row.task for row in summary.curves)
    place = {name: i for i, name in enumerate(distinct(t.name for t in summary.tasks))}
    return tuple(sorted(drawn, key=lambda name: place.get(name, len(place))))


def _seeded(curves: Sequence[CurvePoint]) -> frozenset[str]:
    ran = {(row.recipe, row.seed) for row in curves}
    sweeps = Counter(recipe for recipe, _ in ran)
    return frozenset(name for name, count in sweeps.items() if count > 1)


def _labelled(named: dict[str, str]) -> tuple[Model, ...]:
    order = {"specialist": 0, "base": 1}
    ordered = sorted(named.items(), key=lambda pair: order.get(pair[1], 2))
    roles = [role for _, role in ordered]
    return tuple(
        Model(name, role, role if role and roles.count(role) == 1 else name, slot)
        for slot, (name, role) in enumerate(ordered)
    )


def _sweeps(rows: Iterable[Curve], recipes: Sequence[str]) -> dict[tuple[str, str], list[Curve]]:
    """Rows by task and recipe; a sweep without its intact row has the one that sweeps share."""
    sweeps: dict[tuple[str, str], list[Curve]] = {}
    intact: dict[str, list[Curve]] = {}
    for row in rows:
        sweeps.setdefault((row.task, row.recipe), []).append(row)
        if row.level == 0:
            intact.setdefault(row.task, []).append(row)
    for task, shared in intact.items():
        shared.sort(key=lambda row: row.recipe != "none")
        for recipe in recipes:
            own = sweeps.get((task, recipe), [])
            have = {(row.model, row.view) for row in own if row.level == 0}
            where = {row.runtime for row in own}
            lent: list[Curve] = []
            for row in shared:
                if (row.model, row.view) not in have and (row.runtime in where or not where):
                    have.add((row.model, row.view))
                    lent.append(row)
            if own or lent:
                sweeps[task, recipe] = lent + own
    return sweeps


def first_seed(rows: list[Curve], recipe: str) -> list[Curve]:
    """The rows of a sweep's first seed, and the intact rows that sweeps share."""
    first = next((row.seed for row in rows if row.recipe == recipe), None)
    return [row for row in rows if row.seed == first or row.recipe != recipe]


def _how_far(row: SweepVerdict) -> int:
    """Orders sweeps by the number of levels passed."""
    return len(row.passed)


def distinct(values: Iterable[T]) -> tuple[T, ...]:
    """The values without repeats, in their order."""
    return tuple(dict.fromkeys(values))


def with_seeds(recipe: str, seeds: Sequence[int | None], many: Collection[str]) -> str:
    """A recipe, with these of its seeds where it is among the `many` that had several."""
    if recipe not in many:
        return recipe
    return f"{recipe}, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def selected(levels: Sequence[float | None], most: int) -> list[float | None]:
    """At most `most` levels: the first, the last, the others spread evenly by position."""
    if len(levels) <= most:
        return list(levels)
    steps = [round(i * (len(levels) - 1) / (most - 1)) for i in range(most)]
    return [levels[i] for i in dict.fromkeys(steps)]
