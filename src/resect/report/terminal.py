"""A summary in a terminal: the answer, the matrix, the tasks; plain text where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from resect.findings.rows import Summary
from resect.report import formatting as text
from resect.report.data.matrix import Matrix, Square, matrices, unread
from resect.report.data.overview import Standing, standings
from resect.report.data.scope import Scope, selected
from resect.report.data.tables import missing, troubled_table

WIDE = 80
"""Characters of a line where the output is no terminal."""

NAME = 24
"""The most characters of a recipe's or a task's name."""

CELL, SIZED = 9, 17
"""Characters of a cell of the matrix with the space before it, without and with a size."""

MOST = 12
"""The most recipes of a matrix."""

STYLES = {"pass": "green", "fail": "red", "open": "yellow", "none": "dim", "plain": "", "": "dim"}
LIMIT = "Within the margin on these items is not clinical safety."
KEY = "✓ passed  ? not proven  ✗ failed  ○ undetermined  [ ] the version that passed"


def renderables(summary: Summary, plain: bool = False, width: int = WIDE) -> list[RenderableType]:
    """The headline with its lines, a matrix per model, the tasks, and what there is to warn of.

    `plain` leaves out rules and boxes; `width` is that of a line. Markup in names and sentences
    is not obeyed.
    """
    scope = Scope(summary)
    parts: list[RenderableType] = [Text(text.plain(scope.headline), style="bold")]
    parts += [Text(text.plain(line), style=_tone(scope, line)) for line in summary.headline.lines]
    if not any("clinical safety" in line for line in summary.headline.lines):
        parts.append(Text(LIMIT, style="dim"))
    for model in scope.models:
        for drawn in matrices(scope, model, unread(scope)):
            parts += [Text(""), *_matrix(drawn, len(scope.models) > 1, width)]
    if any(row.default for row in summary.verdicts):
        parts.append(Text(KEY, style="dim"))
    tasks = standings(scope)
    if tasks:
        parts += [Text(""), _tasks(tasks, plain)]
    elif not scope.recipes:
        parts += [Text(text.plain(line), style="yellow") for line in missing(scope)]
    warnings, troubled = len(summary.warnings), len(troubled_table(scope).body)
    if warnings or troubled:
        line = f"{warnings} warnings and {troubled} degraded or failed cells: see report.html."
        parts += [Text(""), Text(line, style="yellow")]
    return parts


def show(summary: Summary, file: IO[str] | None = None) -> None:
    """Print the summary; without a terminal as plain text in lines of `WIDE` characters."""
    console = Console(file=file, highlight=False)
    plain = not console.is_terminal
    if plain:
        console = Console(file=file, highlight=False, width=WIDE, no_color=True)
    for part in renderables(summary, plain, console.width):
        console.print(part)


def _tone(scope: Scope, line: str) -> str:
    """Caveats are yellow."""
    caveats = scope.summary.headline.caveats
    return "yellow" if caveats and line == " ".join(caveats) else ""


def cut(name: str, most: int = NAME) -> str:
    """A name in one line, its middle left out where it is too long."""
    shown = text.plain(name)
    if len(shown) <= most:
        return shown
    return f"{shown[: most // 2]}…{shown[len(shown) - (most - most // 2 - 1) :]}"


# ── the matrix ──────────────────────────────────────────────────────────────────────────────────


def _matrix(matrix: Matrix, named: bool, width: int) -> list[RenderableType]:
    """A title, and a line per recipe with as many levels as fit."""
    lines = matrix.lines[:MOST]
    longest = max(len(cut(line.name)) for line in lines)
    room = width - max(longest, 6)
    sized = len(matrix.levels) * SIZED <= room
    places = _shown_levels(matrix, max(2, room // CELL))
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True)
    grid.add_column("", no_wrap=True)
    for place in places:
        grid.add_column(matrix.levels[place], justify="right", no_wrap=True, min_width=CELL - 1)
    for line in lines:
        cells = [_cell(line.squares[place], sized) for place in places]
        grid.add_row(Text(cut(line.name)), *cells)
    title = f"{text.plain(matrix.model.label)}: " if named else ""
    title += f"{text.plain(matrix.task)}, " if matrix.task else ""
    title += matrix.says + (f"; intact {matrix.intact}" if matrix.intact else "")
    parts: list[RenderableType] = [Text(title[:1].upper() + title[1:], style="bold"), grid]
    left = {"levels": len(matrix.levels) - len(places), "recipes": len(matrix.lines) - len(lines)}
    more = " and ".join(f"{n} more {what}" for what, n in left.items() if n)
    if more:
        parts.append(Text(f"{more} in report.html.", style="dim"))
    return parts


def _cell(square: Square, sized: bool) -> Text:
    if not square.tone:
        return Text("–", style="dim")
    size = f" {square.size}" if sized and square.size else ""
    if square.winner:
        return Text(f"[{square.mark}{square.value}{size}]", style="bold reverse green")
    return Text(f"{square.mark} {square.value}{size}".strip(), style=STYLES[square.tone])


def _shown_levels(matrix: Matrix, most: int) -> list[int]:
    """The places of at most `most` levels: where a word changes first, then evenly spread."""
    places = list(range(len(matrix.levels)))
    if len(places) <= most:
        return places
    edges = [
        place
        for line in matrix.lines
        for place in places[1:]
        if line.squares[place].tone != line.squares[place - 1].tone or line.squares[place].winner
        for place in (place - 1, place)
    ]
    winners = [p for line in matrix.lines for p in places if line.squares[p].winner]
    wanted = list(dict.fromkeys([*winners, *edges]))[: max(2, most - 2)]
    for size in range(2, len(places) + 1):
        spread = [int(p or 0) for p in selected([float(p) for p in places], size)]
        more = sorted({*wanted, *spread})
        if len(more) > most:
            break
        chosen = more
    return chosen


# ── the tasks ───────────────────────────────────────────────────────────────────────────────────


def _tasks(rows: Sequence[Standing], plain: bool) -> Table:
    """On what, and how sure: items, the intact model's number and floor, what the version lost."""
    table = Table(
        box=None if plain else box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True,
        padding=(0, 1, 0, 0),
    )  # fmt: skip
    lost = any(row.lost for row in rows)
    for head in ("task", "items", "model", "intact [95 %]", "floor", "that version lost"):
        if head != "that version lost" or lost:
            table.add_column(head, no_wrap=True, justify="right" if head == "items" else "left")
    last = ""
    for row in rows:
        again = row.task == last
        task, n = ("", "") if again else (cut(row.task, 20), row.n)
        cells = [
            task,
            n,
            cut(row.model.label, 12),
            row.intact,
            row.floor,
            *([row.lost] if lost else []),
        ]
        table.add_row(*map(Text, cells))
        last = row.task
    return table
