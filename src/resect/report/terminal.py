"""A summary as a headline and one compact table in a terminal; plain text where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from resect.report import formatting as text
from resect.report.data import overview as glance
from resect.report.data import scope as reading
from resect.report.data import tables

WIDE = 200
"""Characters of a line where nobody watches."""

MOST = 3
"""Recipes with a table of their own."""

NARROW = 110
"""Characters of a line below which intervals are left out."""

STYLES = ("bold blue", "bold dark_orange", "bold green", "bold magenta")
LIMIT = "Within the margin on these items is not clinical safety."


def renderables(
    summary: Mapping[str, Any], plain: bool = False, width: int = WIDE
) -> list[RenderableType]:
    """The headline, the limit, a compact table per recipe, and how much there is to warn of.

    `plain` leaves out rules and boxes; `width`, in characters, decides whether intervals are
    shown. Markup in names and sentences is not obeyed.
    """
    clean = text.without_nan(summary)
    verdict = clean.get("verdict") or {}
    said = text.plain(verdict.get("headline") or "No verdict was computed for this run.")
    found: list[RenderableType] = [Text(said, style="bold"), Text(LIMIT, style="dim"), Text("")]
    shown = reading.recipes(clean)
    for recipe in shown[:MOST]:
        found.append(_table(clean, recipe, plain, width))
    if len(shown) > MOST:
        found.append(Text(f"{len(shown) - MOST} more recipes are on the page."))
    if not shown:
        found += [Text(text.plain(one), style="yellow") for one in tables.missing(clean)]
    warnings = len(clean.get("warnings") or ())
    troubled = len(tables.troubled(clean).body)
    if warnings or troubled:
        said = f"{warnings} warnings and {troubled} degraded or failed cells are on the page:"
        found.append(Text(said, style="yellow"))
    return found


def show(summary: Mapping[str, Any], file: IO[str] | None = None) -> None:
    """Print the summary; without a terminal the lines are plain, intact and wide as needed."""
    console = Console(file=file, highlight=False)
    plain = not console.is_terminal
    if plain:
        console = Console(file=file, highlight=False, width=WIDE, no_color=True)
    for one in renderables(summary, plain, console.width):
        console.print(one, soft_wrap=isinstance(one, Text))


def _table(summary: Mapping[str, Any], recipe: str, plain: bool, width: int) -> Table:
    """Each task and model in one line: intact accuracy, safe level, half-levels, who is better."""
    table = Table(
        title=Text(text.plain(recipe)),
        box=None if plain else box.SIMPLE_HEAD,
        title_justify="left",
        pad_edge=False,
    )
    heads = ("task", "model", "intact", "safe up to", "half gone, text", "options", "better")
    for head in heads:
        table.add_column(head, no_wrap=head in ("task", "model"))
    last = ""
    for one in glance.glance(summary, recipe):
        name = Text(text.plain(one.model.label), style=STYLES[one.model.slot % len(STYLES)])
        cells = [one.intact, one.safe, one.half, one.half_options]
        if width < NARROW:
            cells = [cell.partition(" [")[0] for cell in cells]
        first = "" if one.task == last else text.plain(one.task)
        word = "" if one.task == last else one.verdict
        table.add_row(Text(first), name, *map(Text, cells), Text(word))
        last = one.task
    return table
