"""Size and speed against quality: filled has passed, large is on the front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from resect.report import formatting as text
from resect.report.charts import svg
from resect.report.charts.axes import axis, ticks
from resect.report.charts.plot_frame import SOFT, Frame, frame, heading, value_grid
from resect.report.charts.svg import GREY, colour, el, slot_class
from resect.report.data.scope import Model
from resect.report.data.versions import AXES, TITLES, Front, Version, shown

WIDTH, LEFT, RIGHT, HEIGHT, ROW = 760.0, 46.0, 26.0, 236.0, 17.0
_WIDE = 6.2  # of a letter in the key, on average
_MOST = 56  # letters of a recipe in the key


class Look(NamedTuple):
    """Colour and marker of a sweep, as slots."""

    colour: int
    marker: int


class Key(NamedTuple):
    """One entry of the key; `named` writes it in its colour."""

    label: str
    look: Look
    named: bool


def scatter(front: Front) -> str:
    """A scatter of every version, sweeps joined, the front as a step line."""
    rows = list(_rows(_keys(front)))
    top = 42.0 + ROW * (len(rows) + 1)
    xs = [v.x for v in front.versions]
    pad = (max(xs) - min(xs)) * 0.04
    low, best = _quality_range(front)
    span = (min(xs) - pad, max(xs) + pad)
    plot = frame(LEFT, WIDTH - RIGHT, top, HEIGHT, span, (low, best), inset=0.0)
    title = TITLES[front.by]
    subtitle = f"mean skill over all tasks, by {front.view}; {AXES[front.axis]}"
    inner = [
        *heading(title, subtitle, width=WIDTH),
        *_key(rows),
        svg.text(0, top - 13, _legend(front), **SOFT),
        el("g", *value_grid(plot, low, best, share=False), *_cost_axis(front, plot), class_="axes"),
        _step(front, plot),
        *_sweeps(front, plot),
        *_named(front, plot),
    ]
    best_of = sum(v.front for v in front.versions)
    shape = f"{len(front.versions)} versions, {best_of} of them on the front"
    return svg.document(plot.bottom + 40, title, shape, *inner, width=WIDTH)


def _quality_range(front: Front) -> tuple[float, float]:
    """Where the versions are, with some room; a tenth at least, so that noise looks small."""
    values = [v.quality for v in front.versions]
    room = max(0.06 * (max(values) - min(values)), (0.1 - (max(values) - min(values))) / 2)
    return min(values) - room, max(values) + room


# ── colours, markers and the key ────────────────────────────────────────────────────────────────


def _models(front: Front) -> list[Model]:
    return list(dict.fromkeys(v.model for v in front.versions))


def _recipes(front: Front) -> list[str]:
    return list(dict.fromkeys(v.recipe for v in front.versions if not v.intact))


def _look(front: Front, model: Model, recipe: str) -> Look:
    """Models differ by colour, recipes by marker; with one model, recipes by both."""
    recipes = _recipes(front)
    slot = recipes.index(recipe) if recipe in recipes else 0
    if len(_models(front)) == 1 and len(recipes) > 1:
        return Look(slot, slot)
    return Look(model.slot, slot if len(recipes) > 1 else model.slot)


def _keys(front: Front) -> list[Key]:
    models, recipes = _models(front), _recipes(front)
    keys = []
    if len(models) > 1 or len(recipes) < 2:
        keys = [Key(m.label[:24], Look(m.slot, m.slot), True) for m in models]
    if len(recipes) > 1:
        for recipe in recipes:
            label = recipe if len(recipe) <= _MOST else recipe[: _MOST - 1] + "…"
            keys.append(Key(label, _look(front, models[0], recipe), len(models) == 1))
    return keys


def _rows(keys: Sequence[Key]) -> Iterator[list[tuple[float, Key]]]:
    """The key's entries with their places, as many in a row as there is room for."""
    row: list[tuple[float, Key]] = []
    x = 6.0
    for key in keys:
        wide = _WIDE * len(key.label) + 30
        if row and x + wide > WIDTH:
            yield row
            row, x = [], 6.0
        row.append((x, key))
        x += wide
    yield row


def _key(rows: Sequence[Sequence[tuple[float, Key]]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        y = 47.0 + ROW * number
        for x, key in row:
            shade = colour(key.look.colour) if key.named else GREY
            solid = "solid" if key.named else "soft"
            name = {"class_": "name", "font_weight": "600"} if key.named else {"class_": "soft"}
            sign = el("g", svg.marker(key.look.marker, x, y - 4, 3.6), fill=shade, class_=solid)
            word = svg.text(x + 9, y, key.label, fill=shade, **name)
            yield el("g", sign, word, class_=slot_class(key.look.colour))


def _legend(front: Front) -> str:
    filled = "on the front; whether any version passes is undetermined"
    if _assessed(front):
        filled = "passed (within the margin of its intact model), hollow: not passed"
    return f"filled: {filled}; large, on the grey line: no other version is better and cheaper"


def _assessed(front: Front) -> bool:
    return any(v.passed is not None for v in front.versions)


# ── the plot ────────────────────────────────────────────────────────────────────────────────────


def _cost_axis(front: Front, plot: Frame) -> Iterator[str]:
    """Ticks of size or speed, and which way is better."""
    xs = [v.x for v in front.versions]
    for value in ticks(min(xs), max(xs)):
        label = shown(front.axis, value)
        if front.axis in ("zeros", "left"):
            label = f"{value * 100:.0f} %"
        yield svg.text(plot.x(value), plot.bottom + 17, label, text_anchor="middle", **SOFT)
    better = "cheaper →" if front.axis == "zeros" else "faster →" if front.rising else "← smaller"
    anchor, x = ("end", plot.right) if front.rising else ("start", plot.left)
    yield svg.text(x, plot.bottom + 33, better, text_anchor=anchor, **SOFT)


def _step(front: Front, plot: Frame) -> str:
    ordered = sorted((v for v in front.versions if v.front), key=lambda v: v.x)
    spots: list[tuple[float, float]] = []
    for v in ordered:
        x, y = plot.x(v.x), plot.y(v.quality)
        if spots:
            spots.append((spots[-1][0], y) if front.rising else (x, spots[-1][1]))
        spots.append((x, y))
    if len(spots) < 2:
        return ""
    line = {"fill": "none", "stroke": GREY, "stroke_width": "6", "stroke_opacity": "0.22"}
    return el("path", d=svg.polyline(spots), class_="floor", stroke_linejoin="round", **line)


def _sweeps(front: Front, plot: Frame) -> Iterator[str]:
    for (model, recipe), versions in _grouped(front).items():
        look = _look(front, model, recipe)
        spots = [(plot.x(v.x), plot.y(v.quality)) for v in versions]
        thin = {"fill": "none", "stroke_width": "0.9", "stroke_opacity": "0.6"}
        dots = [
            _dot(front, v, look, x, y)
            for v, (x, y) in zip(versions, spots, strict=True)
            if not v.intact
        ]
        line = el("path", d=svg.polyline(spots), **thin)
        name = f"curve {slot_class(look.colour)}"
        yield el("g", line, *dots, stroke=colour(look.colour), stroke_width="1.2", class_=name)


def _dot(front: Front, v: Version, look: Look, x: float, y: float) -> str:
    """A version's marker: filled where it is within the margin, large where nothing beats it."""
    filled = v.passed if _assessed(front) else v.front
    side = {"fill": "#ffffff", "class_": "hollow"}
    if filled:
        side = {"fill": colour(look.colour), "class_": "solid"}
    sign = svg.marker(look.marker, x, y, 4.6 if v.front else 3.0)
    return el("g", el("title", svg.words(_words(front, v))), sign, **side)


def _words(front: Front, v: Version) -> str:
    """A version in words, shown where the pointer rests on it."""
    what = "intact" if v.intact else f"{v.called} {text.level(v.level)}"
    verdict = {True: ", passed", False: ", not passed", None: ""}
    size = f"{shown(front.axis, v.x)}, skill {text.decimal(v.quality, 3)}"
    degraded = ", degraded" if v.degraded else ""
    return f"{v.model.label}, {what}: {size}{verdict[v.passed]}{degraded}"


def _named(front: Front, plot: Frame) -> Iterator[str]:
    """The intact models and the smallest versions that passed by name, below their markers."""
    several = len(_models(front)) > 1
    for v in front.versions:
        if not v.intact and v not in front.smallest:
            continue
        who = f"{v.model.label}, " if several else ""
        level = "" if v.level is None else f" {text.level(v.level)}"
        notes = ", any seed" if v.seeds > 1 else ""
        notes += ", degraded" if v.degraded else ""
        label = (
            f"{who}intact" if v.intact else f"smallest that passed: {who}{v.recipe}{level}{notes}"
        )
        x, y = plot.x(v.x), plot.y(v.quality)
        if v.intact:
            coloured = several or len(_recipes(front)) < 2
            yield _intact_mark(front, v, v.model.slot if coloured else None, x, y)
        else:
            ring = {"fill": "none", "stroke": GREY, "stroke_width": "1.5", "class_": "floor"}
            yield el("circle", cx=x, cy=y, r=8.5, **ring)
        anchor = "end" if x > WIDTH / 2 else "start"
        place = {"text_anchor": anchor, "class_": "ink", "font_weight": "600"}
        yield svg.text(x, y + 23, label, **place)


def _intact_mark(front: Front, v: Version, slot: int | None, x: float, y: float) -> str:
    """The marker of an intact model, in its colour where one stands for it."""
    mark = {"class_": "ink"} if slot is None else {"fill": colour(slot), "class_": "solid"}
    name = None if slot is None else slot_class(slot)
    sign = svg.marker(slot or 0, x, y, 4.6)
    tip = el("title", svg.words(_words(front, v)))
    return el("g", el("g", tip, sign, **mark), class_=name)


def _grouped(front: Front) -> dict[tuple[Model, str], list[Version]]:
    """Versions by sweep in rising damage, the intact model first in each."""
    intact = {v.model: [v] for v in front.versions if v.intact}
    groups: dict[tuple[Model, str], list[Version]] = {}
    for v in front.versions:
        if not v.intact:
            groups.setdefault((v.model, v.recipe), []).append(v)
    for (model, recipe), versions in groups.items():
        order = axis(v.level for v in versions).positions
        versions.sort(key=lambda v: order[v.level])
        groups[model, recipe] = [*intact.get(model, []), *versions]
    swept = {model for model, _ in groups}
    return groups | {(model, "none"): vs for model, vs in intact.items() if model not in swept}
