"""Small pieces of SVG text. Attributes only, no style, so that a saved figure stands alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from html import escape
from itertools import pairwise

from resect.report.formatting import plain

COLOURS = ("#0067b1", "#b84a00", "#087a5d", "#a3559e", "#6b6b6b", "#8c6d00")
"""Specialist, base, further models: distinct in the common kinds of colour blindness."""

_CORNERS = (
    ((0, -1.25), (1.15, 0.85), (-1.15, 0.85)),
    ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    ((0, 1.25), (1.15, -0.85), (-1.15, -0.85)),
    ((1.25, 0), (-0.85, 1.15), (-0.85, -1.15)),
    ((-1.5, -0.6), (1.5, -0.6), (1.5, 0.6), (-1.5, 0.6)),
    ((-1.25, 0), (0.85, 1.15), (0.85, -1.15)),
)
"""Triangle, diamond, triangles that point down and right, bar, triangle that points left; corners
in units of the radius. A circle and a square come before them."""

Scale = Callable[[float], float]
"""A value to a coordinate."""

WIDTH = 424.0
GREY = "#6a737d"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def number(value: float) -> str:
    """A coordinate with at most one decimal."""
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def el(name: str, *children: str, **attributes: object) -> str:
    """One element: `stroke_width` becomes `stroke-width`, `class_` becomes `class`, None goes.

    Children are SVG text already; use `words` for anything that is not.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None:
            continue
        shown = number(value) if isinstance(value, float) else words(value)
        parts.append(f'{_attribute(key)}="{shown}"')
    head = " ".join(parts)
    return f"<{head}>{''.join(children)}</{name}>" if children else f"<{head}/>"


@cache
def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


@lru_cache(maxsize=8192)
def words(value: object) -> str:
    """Any text, escaped for XML, with unseen characters visible."""
    return escape(plain(value))


def text(x: float, y: float, value: object, **attributes: object) -> str:
    """A `text` element at x, y."""
    return el("text", words(value), x=float(x), y=float(y), **attributes)


def polyline(points: Sequence[tuple[float, float]]) -> str:
    """The `d` of an open path through the points."""
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def marker(slot: int, x: float, y: float, r: float = 2.6) -> str:
    """The marker of a slot, centred at x, y; fill and stroke come from the group around it."""
    shape = slot % (len(_CORNERS) + 2)
    if shape == 0:
        return el("circle", cx=float(x), cy=float(y), r=float(r))
    if shape == 1:
        s = r * 0.9
        return el("rect", x=float(x - s), y=float(y - s), width=float(2 * s), height=float(2 * s))
    return el(
        "path", d=polyline([(x + dx * r, y + dy * r) for dx, dy in _CORNERS[shape - 2]]) + "Z"
    )


def document(
    height: float, title: str, description: str, *children: str, width: float = WIDTH
) -> str:
    """A whole SVG that draws on its own and, inside a page, is one labelled image."""
    description += "; the numbers are in the table below"
    return el(
        "svg",
        el("title", words(title)),
        el("desc", words(description)),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=f"{title}. {description}",
        font_family=FONT,
        font_size="11",
        fill="#24292f",
        class_="figure",
    )


def spread(
    wanted: Sequence[float], widths: Sequence[float], low: float, high: float
) -> list[float]:
    """Centres near the wanted ones, within low..high, so far apart that no widths overlap."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    gaps = [(widths[i] + widths[j]) / 2 for i, j in pairwise(order)]
    placed: list[float] = []
    for i, gap in zip(order, [0.0, *gaps], strict=False):
        placed.append(max(wanted[i], placed[-1] + gap if placed else low))
    limit = high
    for k, gap in zip(reversed(range(len(order))), [*reversed(gaps), 0.0], strict=False):
        placed[k] = min(placed[k], limit)
        limit = placed[k] - gap
    centres = dict(zip(order, placed, strict=True))
    return [centres[i] for i in range(len(wanted))]


def slot_class(slot: int) -> str:
    """The class by which a page repaints what has a slot's colour."""
    return f"m{slot % len(COLOURS)}"


def colour(slot: int) -> str:
    """The colour of a model's slot."""
    return COLOURS[slot % len(COLOURS)]


def scale(low: float, high: float, start: float, end: float) -> Scale:
    """The line from values low..high to coordinates start..end; values beyond stay at the ends."""
    span = (high - low) or 1.0
    return lambda value: start + (min(max(value, low), high) - low) / span * (end - start)


def reading_aid(xs: Sequence[float], top: float, bottom: float) -> str:
    """The hidden cursor of a figure and the places where it may stop, for a page's script."""
    hidden = {"class_": "cursor", "visibility": "hidden", "stroke": GREY}
    line = el("line", x1=0.0, x2=0.0, y1=top, y2=bottom, **hidden)
    return line + el("g", class_="stops", data_x=" ".join(map(number, xs)))
