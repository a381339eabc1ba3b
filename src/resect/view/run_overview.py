"""The first page of the view: how far the run is, the matrix of its cells, its curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from resect.report.charts.axes import axis
from resect.report.charts.chart_data import Line, LineChart, Spot, bounds
from resect.report.charts.lines import line_chart
from resect.running.pace import Pace, duration, in_words, read
from resect.running.status import is_running
from resect.stats.intervals import wilson
from resect.view.answer_index import AnswerIndex, Filters, PlannedCell, parts


class Square(NamedTuple):
    """One cell of the matrix: how it ended, and the share right where there is one."""

    cell: PlannedCell
    right: float | None
    answers: int


class Sweep(NamedTuple):
    """One line of the matrix: a model under a recipe, on one task."""

    model: str
    recipe: str
    task: str
    seed: int
    squares: tuple[Square, ...]


class Overview(NamedTuple):
    """The first page."""

    state: str
    line: str
    done: int
    failed: int
    cells: int
    answers: int
    sweeps: tuple[Sweep, ...]
    curves: tuple[str, ...]
    running: bool


def overview(index: AnswerIndex, folder: Path) -> Overview:
    """How far the run in `folder` is, from its store and the file that a running one writes."""
    with index.lock:
        cells = index.cells
        counted = {cell.place: codes for cell, codes in index.counts(Filters())}
    ended = Counter(cell.status for cell in cells)
    running = is_running(folder)
    pace = read(folder) if running else None
    squares = [_square(cell, counted.get(cell.place, {})) for cell in cells]
    left = ended["missing"] + ended["failed"]
    state = "Running" if running else "Complete" if not left else "Not complete"
    return Overview(
        state=state,
        line="" if running and pace is None else _line(pace, ended),
        done=ended["success"] + ended["degraded"] + ended["skipped"],
        failed=ended["failed"],
        cells=len(cells),
        answers=sum(square.answers for square in squares),
        sweeps=_sweeps(squares),
        curves=_curves(squares),
        running=running,
    )


def _line(pace: Pace | None, ended: Mapping[str, int]) -> str:
    """What the run does now, in one sentence."""
    if pace is None:
        left = ended.get("missing", 0)
        return f"{left} cells were not run: the same command continues." if left else ""
    parts = [f"{pace.where or 'loading'}"]
    if pace.rate is not None and pace.left is not None:
        parts += [in_words(pace.rate), f"about {duration(pace.left)} left"]
    parts.append(f"{pace.done:,} of {pace.answers:,} answers of this run")
    return ", ".join(parts)


def _square(cell: PlannedCell, codes: Mapping[int, int]) -> Square:
    grades: Counter[str] = Counter()
    for code, number in codes.items():
        grades[parts(code)[1]] += number
    graded = grades["right"] + grades["wrong"]
    total = sum(codes.values())
    # a share of right answers means nothing where most are neither right nor wrong
    share = grades["right"] / total if total and graded > total / 2 else None
    return Square(cell, share, total)


def _sweeps(squares: Sequence[Square]) -> tuple[Sweep, ...]:
    """A line for each model, recipe and task, by task; every line starts at the intact model."""
    lines: dict[tuple[str, str, str, int], list[Square]] = {}
    intact: dict[tuple[str, str], list[Square]] = {}
    for square in squares:
        cell = square.cell
        if cell.recipe == "none":
            intact.setdefault((cell.model, cell.task), []).append(square)
        else:
            lines.setdefault((cell.model, cell.recipe, cell.task, cell.seed), []).append(square)
    swept = {(model, task) for model, _, task, _ in lines}
    for (model, task), own in intact.items():
        if (model, task) not in swept:
            lines[model, "none", task, 0] = own
    order = {task: n for n, task in enumerate(dict.fromkeys(s.cell.task for s in squares))}
    sweeps = []
    for key, own in sorted(lines.items(), key=lambda line: order[line[0][2]]):
        first = intact.get((key[0], key[2]), []) if key[1] != "none" else []
        sweeps.append(Sweep(*key, (*first, *own)))
    return tuple(sweeps)


def _curves(squares: Sequence[Square]) -> tuple[str, ...]:
    """A chart for each task and recipe: the share right by level, a line for each model."""
    models = {square.cell.model: square.cell.role for square in squares}
    single = len(set(models.values())) == len(models)
    charts: dict[tuple[str, str], list[Square]] = {}
    for square in squares:
        if square.cell.recipe != "none":
            charts.setdefault((square.cell.task, square.cell.recipe), []).append(square)
    drawn = []
    for (task, recipe), own in charts.items():
        names = {(square.cell.model, square.cell.runtime) for square in own}
        intact = [
            square
            for square in squares
            if (square.cell.task, square.cell.recipe) == (task, "none")
            and (square.cell.model, square.cell.runtime) in names
        ]
        levels = axis(square.cell.level for square in (*intact, *own))
        lines = [
            Line(
                role if single else model,
                slot,
                "text",
                _spots([*intact, *own], model, levels.positions),
            )
            for slot, (model, role) in enumerate(models.items())
        ]
        known = [line for line in lines if line.known]
        if known:
            chart = LineChart(task, recipe, levels, *bounds(known, 1.0), True, tuple(known))
            drawn.append(line_chart(chart))
    return tuple(drawn)


def _spots(
    squares: Sequence[Square], model: str, positions: Mapping[float | None, float]
) -> tuple[Spot, ...]:
    spots = []
    for square in squares:
        cell, share = square.cell, square.right
        if cell.model != model or share is None:
            continue
        ends = wilson(share * square.answers, square.answers)
        x = positions[cell.level]
        spots.append(Spot(cell.level, x, share, ends.low, ends.high, square.answers))
    return tuple(sorted(spots, key=lambda spot: spot.x))
