"""Size and speed against quality: every version in the run, and those that nothing beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from resect.report import reading, svg, text
from resect.report.reading import Model, Row, Summary
from resect.report.rows import Table, columns
from resect.report.svg import COLOURS, GREY, Scale, colour, el, scale
from resect.report.text import finite

WIDTH, LEFT, RIGHT, TOP, PLOT = 760.0, 46.0, 26.0, 50.0, 236.0
AXES = {
    "bytes_on_disk": "size on disk",
    "bytes_in_memory": "size in memory",
    "zeros": "share of all parameters that are zero (no version is smaller in bytes)",
    "tokens_per_second": "tokens per second, as a ratio to the same model uncut",
    "left": "share of the uncut model's parameters that is neither cut out nor zero",
}
By = Literal["size", "speed", "left"]
TITLES: dict[By, str] = {
    "size": "Size against quality",
    "speed": "Speed against quality",
    "left": "Parameters left against quality",
}


class Version(NamedTuple):
    """One measured version: what it costs, what it is worth, and whether anything beats it."""

    model: Model
    treatment: str
    level: float | None
    x: float
    quality: float
    front: bool


class Front(NamedTuple):
    """All versions of a run on one axis; `rising` where more of x is better."""

    by: By
    axis: str
    rising: bool
    view: str
    versions: tuple[Version, ...]


def front(summary: Summary, by: By = "size") -> Front | None:
    """Mean skill over tasks against size, speed or parameters left; None where not measured.

    Parameters left compare what is zeroed with what is cut out: only where a run has both.
    """
    found = reading.rows(summary, "measurements")
    name = _axis(found, by)
    if name is None:
        return None
    views = {row.get("view") for row in reading.rows(summary, "curves")}
    view = "text" if "text" in views else "options"
    worth = _quality(summary, view)
    versions = []
    by_name = {model.name: model for model in reading.models(summary)}
    for row in found:
        x = _place(row, name)
        model = by_name.get(str(row.get("model")))
        level = finite(row.get("level"))
        treatment = "none" if level == 0 else str(row.get("treatment"))
        quality = worth.get((str(row.get("model")), treatment, level))
        if x is not None and quality is not None and model is not None:
            versions.append(Version(model, treatment, level, x, quality, False))
    rising = name in ("zeros", "tokens_per_second")
    if len({v.x for v in versions}) < 2:
        return None
    unique = list(dict.fromkeys(versions))
    return Front(by, name, rising, view, tuple(_judged(unique, rising)))


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


def _quality(summary: Summary, view: str) -> dict[tuple[str, str, float | None], float]:
    """Mean skill over all tasks, where every task has a value; over seeds too."""
    tasks = reading.tasks(summary)
    found: dict[tuple[str, str, float | None], dict[str, list[float]]] = {}
    for row in reading.rows(summary, "curves"):
        skill = finite(row.get("skill"))
        if row.get("view") == view and skill is not None:
            level = finite(row.get("level"))
            treatment = "none" if level == 0 else str(row.get("treatment"))
            key = str(row.get("model")), treatment, level
            found.setdefault(key, {}).setdefault(str(row.get("task")), []).append(skill)
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
        (v.model.label, "none" if v.level == 0 else v.treatment, text.level(v.level),
         _shown(given.axis, v.x), text.decimal(v.quality, 3))
        for v in kept
    )  # fmt: skip
    heads = (
        "Model",
        "Treatment",
        "Level",
        AXES[given.axis].split(" (")[0].capitalize(),
        "Mean skill",
    )
    return Table("On the front: no other version is both better and cheaper", columns(heads), body)


def _shown(name: str, value: float) -> str:
    if name.startswith("bytes"):
        return text.size(value)
    return text.percent(value) if name in ("zeros", "left") else f"\u00d7{value:.2f}"


def draw(given: Front) -> str:
    """A scatter of every version, courses joined, the front as a step line."""
    xs = [v.x for v in given.versions]
    pad = (max(xs) - min(xs)) * 0.04
    x = scale(min(xs) - pad, max(xs) + pad, LEFT, WIDTH - RIGHT)
    top = max(0.1, *[v.quality for v in given.versions])
    low = min(0.0, *[v.quality for v in given.versions])
    y = scale(low, top * 1.06, TOP + PLOT, TOP)
    title = TITLES[given.by]
    inner = [
        svg.text(0, 13, title, font_size="14", font_weight="600", class_="ink"),
        svg.text(0, 30, f"mean skill over all tasks, by {given.view}; {AXES[given.axis]}",
                 font_size="11", fill=GREY, class_="soft"),
        _frame(given, x, y, low, top),
        _step(given, x, y),
        *_courses(given, x, y),
        _key(given),
    ]  # fmt: skip
    says = f"{len(given.versions)} versions; those on the front are in the table below"
    return svg.document(WIDTH, TOP + PLOT + 40, title, says, *inner)


def _frame(given: Front, x: Scale, y: Scale, low: float, top: float) -> str:
    parts = []
    for value in _ticks(low, top):
        at = y(value)
        bar = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": at, "y2": at}
        parts.append(el("line", class_="grid", stroke="#e3e6ea", **bar))
        label = f"{value:.2f}".replace("-", "\u2212")
        parts.append(
            svg.text(LEFT - 7, at + 3.8, label, text_anchor="end", fill=GREY, class_="soft")
        )
    xs = [v.x for v in given.versions]
    for value in _ticks(min(xs), max(xs)):
        said = (
            f"{value * 100:.0f} %" if given.axis in ("zeros", "left") else _shown(given.axis, value)
        )
        place = {"text_anchor": "middle", "fill": GREY, "class_": "soft"}
        parts.append(svg.text(x(value), TOP + PLOT + 17, said, **place))
    better = "cheaper →" if given.axis == "zeros" else "faster →" if given.rising else "← smaller"
    anchor, where = ("end", WIDTH - RIGHT) if given.rising else ("start", LEFT)
    parts.append(
        svg.text(where, TOP + PLOT + 33, better, text_anchor=anchor, fill=GREY, class_="soft")
    )
    return el("g", *parts, class_="axes")


def _ticks(low: float, high: float) -> list[float]:
    """Round values from low to high, about five."""
    rough = (high - low) / 5 or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((n * power for n in (1, 2, 2.5, 5) if n * power >= rough), 10 * power)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _step(given: Front, x: Scale, y: Scale) -> str:
    kept = sorted((v for v in given.versions if v.front), key=lambda v: v.x)
    spots: list[tuple[float, float]] = []
    for v in kept:
        if spots:
            corner = (spots[-1][0], y(v.quality)) if given.rising else (x(v.x), spots[-1][1])
            spots.append(corner)
        spots.append((x(v.x), y(v.quality)))
    if len(spots) < 2:
        return ""
    line = {"fill": "none", "stroke": GREY, "stroke_width": "6", "stroke_opacity": "0.22"}
    return el("path", d=svg.polyline(spots), class_="floor", stroke_linejoin="round", **line)


def _courses(given: Front, x: Scale, y: Scale) -> list[str]:
    parts = []
    for (model, treatment), mine in _grouped(given).items():
        shade = colour(model.slot)
        spots = [(x(v.x), y(v.quality)) for v in mine]
        thin = {"fill": "none", "stroke_width": "0.9", "stroke_opacity": "0.6"}
        dots = []
        for v, (at_x, at_y) in zip(mine, spots, strict=True):
            said = f"{model.label}, {treatment} {text.level(v.level)}: "
            said += f"{_shown(given.axis, v.x)}, skill {text.decimal(v.quality, 3)}"
            sign = svg.marker(model.slot, at_x, at_y, 4.2 if v.front else 2.6)
            side = (
                {"fill": shade, "class_": "solid"}
                if v.front
                else {"fill": "#ffffff", "class_": "hollow"}
            )
            dots.append(el("g", el("title", svg.words(said)), sign, **side))
        lines = el("path", d=svg.polyline(spots), **thin)
        name = f"curve m{model.slot % len(COLOURS)}"
        parts.append(el("g", lines, *dots, stroke=shade, stroke_width="1.2", class_=name))
    return parts


def _grouped(given: Front) -> dict[tuple[Model, str], list[Version]]:
    """Versions by course, the uncut model first in each."""
    whole = {v.model: v for v in given.versions if v.level == 0}
    found: dict[tuple[Model, str], list[Version]] = {}
    for v in given.versions:
        if v.level != 0:
            found.setdefault((v.model, v.treatment), [])
            found[v.model, v.treatment].append(v)
    for (model, _), mine in found.items():
        mine.sort(
            key=lambda v: v.level if v.level is not None else 0.0,
            reverse=any((v.level or 0) > 1 for v in mine),
        )
        if model in whole:
            mine.insert(0, whole[model])
    for model, v in whole.items():
        if not any(one == model for one, _ in found):
            found[model, "none"] = [v]
    return found


def _key(given: Front) -> str:
    parts, at = [], WIDTH - RIGHT
    for model in reversed(list(dict.fromkeys(v.model for v in given.versions))):
        shade, name = colour(model.slot), model.label[:24]
        said = {"fill": shade, "font_weight": "600", "text_anchor": "end", "class_": "name"}
        sign = el(
            "g",
            svg.marker(model.slot, at - 7.2 * len(name) - 8, 9, 3.4),
            fill=shade,
            class_="solid",
        )
        parts.append(
            el("g", svg.text(at, 13, name, **said), sign, class_=f"m{model.slot % len(COLOURS)}")
        )
        at -= 7.2 * len(name) + 28
    return el("g", *parts)
