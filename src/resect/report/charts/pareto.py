"""Size and speed against quality as a figure: filled is safe, large is on the front."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from resect.report import formatting as text
from resect.report.charts import svg
from resect.report.charts.svg import COLOURS, GREY, Scale, colour, el, scale
from resect.report.data.scope import Model
from resect.report.data.versions import AXES, TITLES, Front, Version, front, shown, table

__all__ = ["TITLES", "Front", "Version", "draw", "front", "table"]

WIDTH, LEFT, RIGHT, PLOT, ROW = 760.0, 46.0, 26.0, 236.0, 17.0
_WIDE = 6.2  # of a letter in the key, on average
_MOST = 56  # letters of a recipe in the key


class Look(NamedTuple):
    """Colour and marker of a sweep, as slots."""

    colour: int
    marker: int


class Key(NamedTuple):
    """One entry of the key; `looks` is None for an entry without a marker."""

    said: str
    look: Look
    named: bool


def draw(given: Front) -> str:
    """A scatter of every version, sweeps joined, the front as a step line."""
    rows = list(_rows(_keys(given)))
    top = 42.0 + ROW * (len(rows) + 1)
    xs = [v.x for v in given.versions]
    pad = (max(xs) - min(xs)) * 0.04
    x = scale(min(xs) - pad, max(xs) + pad, LEFT, WIDTH - RIGHT)
    best = max(0.1, *[v.quality for v in given.versions])
    low = min(0.0, *[v.quality for v in given.versions])
    y = scale(low, best * 1.06, top + PLOT, top)
    title = TITLES[given.by]
    inner = [
        svg.text(0, 13, title, font_size="14", font_weight="600", class_="ink"),
        svg.text(0, 30, f"mean skill over all tasks, by {given.view}; {AXES[given.axis]}",
                 font_size="11", fill=GREY, class_="soft"),
        *_key(rows),
        svg.text(0, top - 13, _legend(given), fill=GREY, class_="soft"),
        _frame(given, x, y, (low, best), top + PLOT),
        _step(given, x, y),
        *_sweeps(given, x, y),
        *_named(given, x, y),
    ]  # fmt: skip
    says = f"{len(given.versions)} versions; those on the front are in the table below"
    return svg.document(WIDTH, top + PLOT + 40, title, says, *inner)


# ── colours, markers and the key ────────────────────────────────────────────────────────────────


def _models(given: Front) -> list[Model]:
    return list(dict.fromkeys(v.model for v in given.versions))


def _recipes(given: Front) -> list[str]:
    return list(dict.fromkeys(v.recipe for v in given.versions if not v.intact))


def _look(given: Front, model: Model, recipe: str) -> Look:
    """Models differ by colour, recipes by marker; with one model, recipes by both."""
    recipes = _recipes(given)
    place = recipes.index(recipe) if recipe in recipes else 0
    if len(_models(given)) == 1 and len(recipes) > 1:
        return Look(place, place)
    return Look(model.slot, place if len(recipes) > 1 else model.slot)


def _keys(given: Front) -> list[Key]:
    models, recipes = _models(given), _recipes(given)
    found = []
    if len(models) > 1 or len(recipes) < 2:
        looks = [Look(model.slot, model.slot) for model in models]
        found = [Key(m.label[:24], look, True) for m, look in zip(models, looks, strict=True)]
    if len(recipes) > 1:
        for recipe in recipes:
            said = recipe if len(recipe) <= _MOST else recipe[: _MOST - 1] + "…"
            found.append(Key(said, _look(given, models[0], recipe), len(models) == 1))
    return found


def _rows(keys: Sequence[Key]) -> Iterator[list[tuple[float, Key]]]:
    """The key's entries with their places, as many in a row as there is room for."""
    row: list[tuple[float, Key]] = []
    at = 6.0
    for key in keys:
        wide = _WIDE * len(key.said) + 30
        if row and at + wide > WIDTH:
            yield row
            row, at = [], 6.0
        row.append((at, key))
        at += wide
    yield row


def _key(rows: Sequence[Sequence[tuple[float, Key]]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        y = 47.0 + ROW * number
        for at, key in row:
            shade = colour(key.look.colour) if key.named else GREY
            solid = "solid" if key.named else "soft"
            name = {"class_": "name", "font_weight": "600"} if key.named else {"class_": "soft"}
            sign = el("g", svg.marker(key.look.marker, at, y - 4, 3.6), fill=shade, class_=solid)
            said = svg.text(at + 9, y, key.said, fill=shade, **name)
            yield el("g", sign, said, class_=f"m{key.look.colour % len(COLOURS)}")


def _legend(given: Front) -> str:
    judged = any(v.safe is not None for v in given.versions)
    filled = "within the margin of its intact self, hollow: not shown to be" if judged else (
        "nothing beats it; what is safe could not be assessed"
    )  # fmt: skip
    return f"filled: {filled}; large, joined by the grey line: nothing is both better and cheaper"


# ── the plot ────────────────────────────────────────────────────────────────────────────────────


def _frame(given: Front, x: Scale, y: Scale, ends: tuple[float, float], bottom: float) -> str:
    parts = []
    for value in _ticks(*ends):
        at = y(value)
        bar = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": at, "y2": at}
        parts.append(el("line", class_="grid", stroke="#e3e6ea", **bar))
        label = f"{value:.2f}".replace("-", "\u2212")
        parts.append(
            svg.text(LEFT - 7, at + 3.8, label, text_anchor="end", fill=GREY, class_="soft")
        )
    xs = [v.x for v in given.versions]
    for value in _ticks(min(xs), max(xs)):
        said = f"{value * 100:.0f} %" if given.axis in ("zeros", "left") else None
        place = {"text_anchor": "middle", "fill": GREY, "class_": "soft"}
        parts.append(svg.text(x(value), bottom + 17, said or shown(given.axis, value), **place))
    better = "cheaper →" if given.axis == "zeros" else "faster →" if given.rising else "← smaller"
    anchor, where = ("end", WIDTH - RIGHT) if given.rising else ("start", LEFT)
    parts.append(svg.text(where, bottom + 33, better, text_anchor=anchor, fill=GREY, class_="soft"))
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


def _sweeps(given: Front, x: Scale, y: Scale) -> Iterator[str]:
    judged = any(v.safe is not None for v in given.versions)
    for (model, recipe), mine in _grouped(given).items():
        look = _look(given, model, recipe)
        spots = [(x(v.x), y(v.quality)) for v in mine]
        thin = {"fill": "none", "stroke_width": "0.9", "stroke_opacity": "0.6"}
        dots = []
        for v, (at_x, at_y) in zip(mine, spots, strict=True):
            if v.intact:
                continue
            sign = svg.marker(look.marker, at_x, at_y, 4.6 if v.front else 3.0)
            filled = v.safe if judged else v.front
            side = (
                {"fill": colour(look.colour), "class_": "solid"}
                if filled
                else {"fill": "#ffffff", "class_": "hollow"}
            )
            dots.append(el("g", el("title", svg.words(_said(given, v))), sign, **side))
        line = el("path", d=svg.polyline(spots), **thin)
        name = f"curve m{look.colour % len(COLOURS)}"
        yield el("g", line, *dots, stroke=colour(look.colour), stroke_width="1.2", class_=name)


def _said(given: Front, v: Version) -> str:
    """A version in words, shown where the pointer rests on it."""
    what = "intact" if v.intact else f"{v.called} {text.level(v.level)}"
    safe = {True: ", within the margin", False: ", not shown to be within the margin", None: ""}
    size = f"{shown(given.axis, v.x)}, skill {text.decimal(v.quality, 3)}"
    fell = ", degraded" if v.degraded else ""
    return f"{v.model.label}, {what}: {size}{safe[v.safe]}{fell}"


def _named(given: Front, x: Scale, y: Scale) -> Iterator[str]:
    """The intact models and the smallest safe versions by name, below their markers."""
    several, plain = len(_models(given)) > 1, len(_recipes(given)) < 2
    for v in given.versions:
        if not v.intact and v not in given.smallest:
            continue
        who = f"{v.model.label}, " if several else ""
        level = "" if v.level is None else f" {text.level(v.level)}"
        notes = ", any seed" if v.seeds > 1 else ""
        notes += ", degraded" if v.degraded else ""
        said = f"{who}intact" if v.intact else f"smallest safe: {who}{v.recipe}{level}{notes}"
        at_x, at_y = x(v.x), y(v.quality)
        anchor = "end" if at_x > WIDTH / 2 else "start"
        place = {"text_anchor": anchor, "class_": "ink", "font_weight": "600"}
        if v.intact:
            look = Look(v.model.slot, v.model.slot) if several or plain else None
            mark = {"fill": colour(look.colour), "class_": "solid"} if look else {"class_": "ink"}
            name = f"m{look.colour % len(COLOURS)}" if look else None
            sign = svg.marker(look.marker if look else 0, at_x, at_y, 4.6)
            told = el("title", svg.words(_said(given, v)))
            yield el("g", el("g", told, sign, **mark), class_=name)
        else:
            ring = {"fill": "none", "stroke": GREY, "stroke_width": "1.5", "class_": "floor"}
            yield el("circle", cx=at_x, cy=at_y, r=8.5, **ring)
        yield svg.text(at_x, at_y + 23, said, **place)


def _grouped(given: Front) -> dict[tuple[Model, str], list[Version]]:
    """Versions by sweep, the intact model first in each."""
    whole = {v.model: v for v in given.versions if v.intact}
    found: dict[tuple[Model, str], list[Version]] = {}
    for v in given.versions:
        if not v.intact:
            found.setdefault((v.model, v.recipe), [])
            found[v.model, v.recipe].append(v)
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
