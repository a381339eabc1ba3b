"""A summary as tables and sentences in a terminal; plain aligned text where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from resect.report import panels, reading, tables, text

COLUMNS = 6
"""Levels shown at most: the intact model, the last one, and others spread between them."""

WIDE = 200
"""Characters of a line where nobody watches."""

STYLES = ("bold blue", "bold dark_orange", "bold green", "bold magenta")
LIMIT = "Within the margin on these items is not clinical safety."


def renderables(
    summary: Mapping[str, Any], plain: bool = False, width: int = WIDE
) -> list[RenderableType]:
    """The verdict, one table of accuracies per treatment, half-levels, gaps and warnings.

    Cells are per cent with 95 % intervals. `plain` leaves out rules and boxes; `width`, in
    characters, decides how many levels are shown. Markup in names and sentences is not obeyed.
    """
    clean = text.without_nan(summary)
    verdict = clean.get("verdict") or {}
    found: list[RenderableType] = [
        Text(
            text.plain(verdict.get("headline") or "No verdict was computed for this run."),
            style="bold",
        )
    ]
    found += [Text(text.plain(one)) for one in verdict.get("sentences") or ()]
    found += [Text(LIMIT, style="dim"), Text("")]
    for treatment in reading.treatments(clean):
        found += [_accuracies(clean, treatment, plain, width), Text("")]
    found += [Text(text.plain(one), style="yellow") for one in tables.missing(clean)]
    found += [
        Text(f"warning: {text.plain(one)}", style="yellow") for one in clean.get("warnings") or ()
    ]
    return found


def show(summary: Mapping[str, Any], file: IO[str] | None = None) -> None:
    """Print the summary; without a terminal the lines are plain, uncut and wide as needed."""
    console = Console(file=file, highlight=False)
    plain = not console.is_terminal
    if plain:
        console = Console(file=file, highlight=False, width=WIDE, no_color=True)
    for one in renderables(summary, plain, console.width):
        console.print(one, soft_wrap=isinstance(one, Text))


def _accuracies(summary: Mapping[str, Any], treatment: str, plain: bool, width: int) -> Table:
    """Accuracy of every model, task and view at selected levels."""
    everything = [
        row for task in reading.tasks(summary) for row in reading.course(summary, task, treatment)
    ]
    positions = panels.axis([text.finite(row.get("level")) for row in everything]).positions
    levels = reading.selected(
        sorted(positions, key=lambda level: positions[level]),
        max(2, min((width - 62) // 19, COLUMNS)),
    )
    table = Table(
        title=None if plain else Text(f"Accuracy, % [95 % interval], {text.plain(treatment)}"),
        box=None if plain else box.SIMPLE_HEAD,
        title_justify="left",
        pad_edge=False,
    )
    for head in ("task", "model", "view"):
        table.add_column(head, no_wrap=True)
    for level in levels:
        table.add_column(text.level(level), justify="right", no_wrap=True)
    table.add_column("half of skill gone", no_wrap=True)
    for task in reading.tasks(summary):
        panel = panels.curve_panel(summary, task, treatment, "accuracy")
        for one in panel.series:
            known = {point.level: point for point in one.points}
            cells = [_cell(known.get(level)) for level in levels]
            cliff = panels.cliff(summary, one.model.name, task, treatment, one.view)
            name = Text(text.plain(one.model.label), style=STYLES[one.model.slot % len(STYLES)])
            row = [
                Text(text.plain(task)),
                name,
                Text(one.view),
                *map(Text, cells),
                Text(text.half(cliff)),
            ]
            table.add_row(*row)
        table.add_section()
    return table


def _cell(point: panels.Point | None) -> str:
    if point is None:
        return text.DASH
    shown = text.interval(point.value, point.low, point.high, share=True).replace(" %", "")
    mark = {"degraded": "*", "failed": " failed"}.get(point.status, "")
    return f"{shown}{mark}"
