"""Every version of a run by size or speed and quality: which passed, and which nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from resect.catalog import fragment
from resect.findings.choice import intact_in
from resect.findings.rows import CurvePoint, Measurement, Word
from resect.report import formatting as text
from resect.report.data.scope import Model, Scope
from resect.report.data.table import Table, columns

AXES = {
    "bytes_on_disk": fragment("bytes_on_disk"),
    "bytes_in_memory": fragment("bytes_in_memory"),
    "zeros": "share of all parameters that are zero (no version is smaller in bytes)",
    "tokens_per_second": f"{fragment('tokens_per_second')}, as a ratio to the same model intact",
    "left": "share of the intact model's parameters that is neither cut out nor zero",
}
By = Literal["size", "speed", "left"]
TITLES: dict[By, str] = {
    "size": "Size against quality",
    "speed": "Speed against quality",
    "left": "Parameters left against quality",
}


VersionKey = tuple[str, str, float | None]
"""Model, recipe and level."""


class Version(NamedTuple):
    """One measured version: what it costs, what it is worth, and whether anything beats it.

    `passed`: claimed by the verdict; None where no task could tell, and
    for the intact model itself. Of several `seeds` the costliest, their mean skill, and passed
    where each did. `degraded`: some cell of it fell back.
    """

    model: Model
    recipe: str
    level: float | None
    x: float
    quality: float
    passed: bool | None
    front: bool
    seeds: int
    degraded: bool

    @property
    def intact(self) -> bool:
        """Whether nothing was done to it."""
        return self.level == 0

    @property
    def called(self) -> str:
        """Its recipe, and how many seeds of it there are where that is more than one."""
        return f"{self.recipe}, {self.seeds} seeds" if self.seeds > 1 else self.recipe


class Front(NamedTuple):
    """All versions of a run on one axis; `rising` where more of x is better.

    `smallest` are the versions chosen, one for each model at most.
    """

    by: By
    axis: str
    rising: bool
    view: str
    versions: tuple[Version, ...]
    smallest: tuple[Version, ...]


def front(scope: Scope, by: By = "size") -> Front | None:
    """Mean skill over tasks against size, speed or parameters left; None where not measured.

    Parameters left compare what is zeroed with what is cut out: only where a run has both.
    """
    rows = list(scope.summary.measurements)
    if by == "left":  # a weight that was rounded to zero is not removed
        bits = {row.bits_per_weight for row in rows if row.level == 0}
        rows = [row for row in rows if row.bits_per_weight in bits]
    name = _axis(rows, by)
    if name is None:
        return None
    rising = name in ("zeros", "tokens_per_second")
    versions = _versions(scope, rows, name, rising)
    if len({v.x for v in versions}) < 2:
        return None
    ranked = tuple(_ranked(versions, rising))
    smallest = tuple(v for v in ranked if _is_smallest(scope, v, name))
    return Front(by, name, rising, scope.first_view, ranked, smallest)


def _versions(scope: Scope, rows: Sequence[Measurement], name: str, rising: bool) -> list[Version]:
    """Each measured version that has a skill on every task, with its place on the axis."""
    worth = _quality(scope)
    degraded = {_key(row) for row in scope.summary.curves if row.status == "degraded"}
    places: dict[VersionKey, list[float]] = {}
    for row in rows:
        x = _place(row, name)
        if x is not None:
            places.setdefault(_key(row), []).append(x)
    versions = []
    for key, xs in places.items():
        model, recipe, level = scope.by_name.get(key[0]), key[1], key[2]
        if model is not None and key in worth:
            x = min(xs) if rising else max(xs)
            passed = _passed(scope, model, recipe, level)
            seeds = len(xs)
            versions.append(
                Version(model, recipe, level, x, worth[key], passed, False, seeds, key in degraded)
            )
    return versions


def _key(row: CurvePoint | Measurement) -> VersionKey:
    """Which version a row is about; the intact model is that of every recipe."""
    return row.model, intact_in(row.runtime) if row.level == 0 else row.recipe, row.level


def _passed(scope: Scope, model: Model, recipe: str, level: float | None) -> bool | None:
    """Whether its sweep passed this level in the view that decides; of seeds, the worst."""
    row = None if level == 0 else scope.deciding(model.name, recipe)
    if row is None or (not row.passed and row.state is Word.UNDETERMINED):
        return None
    return level in row.passed


def _is_smallest(scope: Scope, v: Version, name: str) -> bool:
    """Whether a version is the one chosen for its model, by this size."""
    return any(
        row.chosen is not None
        and (row.model, row.by) == (v.model.name, name)
        and (row.chosen.recipe, row.chosen.level) == (v.recipe, v.level)
        for row in scope.summary.choice
    )


def _axis(rows: Sequence[Measurement], by: By) -> str | None:
    """What is measured; None where versions do not differ in it, or only by noise."""
    if by == "speed":  # zeros change no speed
        speeds = [(row.model, row.tokens_per_second) for row in rows]
        return "tokens_per_second" if _varies(speeds) else None
    disk = [(row.model, row.bytes_on_disk) for row in rows]
    memory = [(row.model, row.bytes_in_memory) for row in rows]
    size = "bytes_on_disk" if _varies(disk) else "bytes_in_memory" if _varies(memory) else None
    if by == "left":
        return "left" if size and _varies([(row.model, row.zeros) for row in rows]) else None
    return size or "zeros"


def _place(row: Measurement, name: str) -> float | None:
    """Where a version stands on the axis."""
    if name == "bytes_on_disk":
        return row.bytes_on_disk
    if name == "bytes_in_memory":
        return row.bytes_in_memory
    if name == "tokens_per_second":
        return row.ratios.get(name)
    zeros = row.zeros / row.parameters if row.zeros is not None and row.parameters else None
    ratio = row.ratios.get("parameters")
    if name == "zeros" or zeros is None or ratio is None:
        return zeros if name == "zeros" else None
    return ratio * (1 - zeros)


def _varies(sizes: Sequence[tuple[str, float | None]]) -> bool:
    """Whether any model's versions differ in this size, and all have it."""
    seen: dict[str, set[float]] = {}
    for model, size in sizes:
        if size is None:
            return False
        seen.setdefault(model, set()).add(size)
    return any(len(distinct) > 1 for distinct in seen.values())


def _quality(scope: Scope) -> dict[VersionKey, float]:
    """Mean skill over all tasks, where every task has a value; over seeds too."""
    skills: dict[VersionKey, dict[str, list[float]]] = {}
    for row in scope.summary.curves:
        if row.view == scope.first_view and row.skill is not None:
            skills.setdefault(_key(row), {}).setdefault(row.task, []).append(row.skill)
    return {
        key: sum(sum(v) / len(v) for v in by_task.values()) / len(scope.tasks)
        for key, by_task in skills.items()
        if len(by_task) == len(scope.tasks)
    }


def _ranked(versions: Sequence[Version], rising: bool) -> list[Version]:
    """The versions, each with whether no other is both better and cheaper."""
    sign = 1 if rising else -1

    def beaten(version: Version) -> bool:
        return any(
            (sign * v.x >= sign * version.x and v.quality >= version.quality)
            and (v.x != version.x or v.quality != version.quality)
            for v in versions
        )

    return [version._replace(front=not beaten(version)) for version in versions]


def front_table(front: Front) -> Table:
    """The versions that nothing in the run beats, from the best to the cheapest."""
    ordered = sorted((v for v in front.versions if v.front), key=lambda v: -v.quality)
    body = tuple(
        (v.model.label, "none" if v.intact else v.called, text.level(v.level),
         shown(front.axis, v.x), text.decimal(v.quality, 3), _word(v))
        for v in ordered
    )  # fmt: skip
    size = AXES[front.axis].split(" (")[0].capitalize()
    heads = ("Model", "Recipe", "Level", size, "Mean skill", "Verdict")
    return Table("On the front: no other version is both better and cheaper", columns(heads), body)


def _word(v: Version) -> str:
    if v.intact:
        return "intact"
    word = {True: "passed", False: "not passed", None: "undetermined"}[v.passed]
    return f"{word}, degraded" if v.degraded else word


def shown(name: str, value: float) -> str:
    """A value of an axis in words."""
    if name.startswith("bytes"):
        return text.size(value)
    return text.percent(value) if name in ("zeros", "left") else f"\u00d7{value:.2f}"
