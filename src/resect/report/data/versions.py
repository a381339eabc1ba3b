"""Every version of a run by size or speed and quality: which are safe, and which nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from resect.report import formatting as text
from resect.report.data import scope as reading
from resect.report.data.annotations import deciding
from resect.report.data.scope import Model, Row, Summary
from resect.report.data.table import Table, columns
from resect.report.formatting import finite

AXES = {
    "bytes_on_disk": "size on disk",
    "bytes_in_memory": "size in memory",
    "zeros": "share of all parameters that are zero (no version is smaller in bytes)",
    "tokens_per_second": "tokens per second, as a ratio to the same model intact",
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

    `safe`: shown to stay within the margin of the intact model; None where no task could tell, and
    for the intact model itself. Of several `seeds` the costliest, their mean skill, and safe where
    each is. `degraded`: some cell of it fell back.
    """

    model: Model
    recipe: str
    level: float | None
    x: float
    quality: float
    safe: bool | None
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

    `smallest` are the smallest safe versions, each the claim of one model among its recipes.
    """

    by: By
    axis: str
    rising: bool
    view: str
    versions: tuple[Version, ...]
    smallest: tuple[Version, ...]


def front(summary: Summary, by: By = "size") -> Front | None:
    """Mean skill over tasks against size, speed or parameters left; None where not measured.

    Parameters left compare what is zeroed with what is cut out: only where a run has both.
    """
    found = reading.rows(summary, "measurements")
    if by == "left":  # a weight that was rounded to zero is not removed
        bits = {row.get("bits_per_weight") for row in found if row.get("level") == 0}
        found = [row for row in found if row.get("bits_per_weight") in bits]
    name = _axis(found, by)
    if name is None:
        return None
    views = {row.get("view") for row in reading.rows(summary, "curves")}
    view = "text" if "text" in views else "options"
    worth = _quality(summary, view)
    fell = {_key(r) for r in reading.rows(summary, "curves") if r.get("status") == "degraded"}
    rising = name in ("zeros", "tokens_per_second")
    by_name = {model.name: model for model in reading.models(summary)}
    places: dict[VersionKey, list[float]] = {}
    for row in found:
        x = _place(row, name)
        if x is not None:
            places.setdefault(_key(row), []).append(x)
    versions = []
    for key, xs in places.items():
        model, recipe, level = by_name.get(key[0]), key[1], key[2]
        if model is not None and key in worth:
            x = min(xs) if rising else max(xs)
            safe = _safe(summary, model, recipe, level)
            versions.append(
                Version(model, recipe, level, x, worth[key], safe, False, len(xs), key in fell)
            )
    if len({v.x for v in versions}) < 2:
        return None
    judged = tuple(_judged(versions, rising))
    smallest = tuple(v for v in judged if _is_smallest(summary, v, name))
    return Front(by, name, rising, view, judged, smallest)


def _key(row: Row) -> VersionKey:
    """Which version a row is about; the intact model is that of every recipe."""
    level = finite(row.get("level"))
    return str(row.get("model")), "none" if level == 0 else str(row.get("recipe")), level


def _safe(summary: Summary, model: Model, recipe: str, level: float | None) -> bool | None:
    """Whether its sweep passed this level in the view that decides; of seeds, the worst."""
    row = None if level == 0 else deciding(summary, model.name, recipe)
    if row is None or row.get("state") == "not assessable":
        return None
    return level in [finite(one) for one in row.get("passed") or ()]


def _is_smallest(summary: Summary, v: Version, name: str) -> bool:
    """Whether a version is what its model's claim of the smallest safe one names, by this size."""
    return any(
        (str(row.get("model")), row.get("recipe"), row.get("by")) == (v.model.name, v.recipe, name)
        and finite(row.get("level")) == v.level
        for row in reading.rows(summary, "smallest_safe")
        if row.get("default", True)
    )


def _axis(found: Sequence[Row], by: By) -> str | None:
    """What is measured; None where versions do not differ in it, or only by noise."""
    if by == "speed":  # zeros change no speed
        return "tokens_per_second" if _varies(found, "tokens_per_second") else None
    sizes = [key for key in ("bytes_on_disk", "bytes_in_memory") if _varies(found, key)]
    if by == "left":
        return "left" if sizes and _varies(found, "zeros") else None
    return sizes[0] if sizes else "zeros"


def _place(row: Row, name: str) -> float | None:
    """Where a version stands on the axis."""
    if name in ("bytes_on_disk", "bytes_in_memory"):
        return finite(row.get(name))
    ratios = row.get("ratios") or {}
    if name == "tokens_per_second":
        return finite(ratios.get(name))
    zeros, ratio = _share_of_zeros(row), finite(ratios.get("parameters"))
    if name == "zeros" or zeros is None or ratio is None:
        return zeros if name == "zeros" else None
    return ratio * (1 - zeros)


def _varies(found: Sequence[Row], key: str) -> bool:
    """Whether any model's versions differ in this size."""
    seen: dict[str, set[Any]] = {}
    for row in found:
        if finite(row.get(key)) is None:
            return False
        seen.setdefault(str(row.get("model")), set()).add(row.get(key))
    return any(len(sizes) > 1 for sizes in seen.values())


def _share_of_zeros(row: Row) -> float | None:
    zeros, whole = finite(row.get("zeros")), finite(row.get("parameters"))
    return None if zeros is None or not whole else zeros / whole


def _quality(summary: Summary, view: str) -> dict[VersionKey, float]:
    """Mean skill over all tasks, where every task has a value; over seeds too."""
    tasks = reading.tasks(summary)
    found: dict[VersionKey, dict[str, list[float]]] = {}
    for row in reading.rows(summary, "curves"):
        skill = finite(row.get("skill"))
        if row.get("view") == view and skill is not None:
            found.setdefault(_key(row), {}).setdefault(str(row.get("task")), []).append(skill)
    return {
        key: sum(sum(v) / len(v) for v in by_task.values()) / len(tasks)
        for key, by_task in found.items()
        if len(by_task) == len(tasks)
    }


def _judged(versions: Sequence[Version], rising: bool) -> list[Version]:
    sign = 1 if rising else -1

    def beaten(one: Version) -> bool:
        return any(
            (sign * v.x >= sign * one.x and v.quality >= one.quality)
            and (v.x != one.x or v.quality != one.quality)
            for v in versions
        )

    return [one._replace(front=not beaten(one)) for one in versions]


def table(given: Front) -> Table:
    """The versions that nothing in the run beats, from the best to the cheapest."""
    kept = sorted((v for v in given.versions if v.front), key=lambda v: -v.quality)
    body = tuple(
        (v.model.label, "none" if v.intact else v.called, text.level(v.level),
         shown(given.axis, v.x), text.decimal(v.quality, 3), _word(v))
        for v in kept
    )  # fmt: skip
    size = AXES[given.axis].split(" (")[0].capitalize()
    heads = ("Model", "Recipe", "Level", size, "Mean skill", "Safe")
    return Table("On the front: no other version is both better and cheaper", columns(heads), body)


def _word(v: Version) -> str:
    if v.intact:
        return "intact"
    said = {True: "within the margin", False: "not shown", None: "not assessable"}[v.safe]
    return f"{said}, degraded" if v.degraded else said


def shown(name: str, value: float) -> str:
    """A value of an axis in words."""
    if name.startswith("bytes"):
        return text.size(value)
    return text.percent(value) if name in ("zeros", "left") else f"\u00d7{value:.2f}"
