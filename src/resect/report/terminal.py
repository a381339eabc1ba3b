"""A summary as a headline and one compact table in a terminal; plain text where there is none."""

from __future__ import annotations

from typing import IO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from resect.findings.rows import Summary
from resect.report import formatting as text
from resect.report.data.overview import glance
from resect.report.data.scope import Scope
from resect.report.data.tables import missing, troubled_table

WIDE = 200
"""Characters of a line where the output is no terminal."""

MOST = 3
"""Recipes with a table of their own."""

NARROW = 110
"""Characters of a line below which intervals are left out, and `or more` is +."""

STYLES = ("bold blue", "bold dark_orange", "bold green", "bold magenta")
LIMIT = "Within the margin on these items is not clinical safety."


def renderables(summary: Summary, plain: bool = False, width: int = WIDE) -> list[RenderableType]:
    """The headline, the limit, a compact table per recipe, and how much there is to warn of.

    `plain` leaves out rules and boxes; `width`, in characters, decides whether intervals are
    shown. Markup in names and sentences is not obeyed.
    """
    scope = Scope(summary)
    parts: list[RenderableType] = [
        Text(text.plain(scope.headline), style="bold"), Text(LIMIT, style="dim"), Text("")
    ]  # fmt: skip
    parts += [_table(scope, recipe, plain, width) for recipe in scope.recipes[:MOST]]
    if len(scope.recipes) > MOST:
        parts.append(Text(f"{len(scope.recipes) - MOST} more recipes are in report.html."))
    if not scope.recipes:
        parts += [Text(text.plain(line), style="yellow") for line in missing(scope)]
    warnings, troubled = len(summary.warnings), len(troubled_table(scope).body)
    if warnings or troubled:
        line = f"{warnings} warnings and {troubled} degraded or failed cells: see report.html."
        parts.append(Text(line, style="yellow"))
    return parts


def show(summary: Summary, file: IO[str] | None = None) -> None:
    """Print the summary; without a terminal as plain text in lines of `WIDE` characters."""
    console = Console(file=file, highlight=False)
    plain = not console.is_terminal
    if plain:
        console = Console(file=file, highlight=False, width=WIDE, no_color=True)
    for part in renderables(summary, plain, console.width):
        console.print(part, soft_wrap=isinstance(part, Text))


def _table(scope: Scope, recipe: str, plain: bool, width: int) -> Table:
    """A line for each task and model: intact accuracy, passed level, half-levels, comparison."""
    table = Table(
        title=Text(text.plain(recipe)),
        box=None if plain else box.SIMPLE_HEAD,
        title_justify="left",
        pad_edge=False,
        collapse_padding=True,
    )
    heads = ("task", "model", "intact", "passed up to", "half-level text", "options", "more robust")
    for head in heads:
        table.add_column(head.replace(" ", "\n", 1), no_wrap=head in ("task", "model"))
    last = ""
    for row in glance(scope, recipe):
        name = Text(text.plain(row.model.label), style=STYLES[row.model.slot % len(STYLES)])
        cells = [row.intact, row.passed, row.half, row.half_options]
        if width < NARROW:
            cells = [cell.partition(" [")[0].replace(" or more", "+") for cell in cells]
        again = row.task == last
        task, better = ("", "") if again else (row.task, row.verdict.replace(" better", ""))
        table.add_row(
            Text(text.plain(task)), name, *(Text(text.plain(cell)) for cell in (*cells, better))
        )
        last = row.task
    return table
