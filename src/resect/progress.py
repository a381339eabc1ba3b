"""A progress bar over a run's events, with the time left."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from resect.course import Answered, Course, Event


def watched(planned: list[Course], events: Iterator[Event], console: Console) -> Iterator[Event]:
    """Pass the events on and show how many of the missing answers are there."""
    total = sum(len(cell.missing) for course in planned for cell in course.cells)
    model = {cell.spec.id: course.model for course in planned for cell in course.cells}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("answers, left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        shown = bar.add_task("loading", total=total)
        for event in events:
            if isinstance(event, Answered):
                cell = event.cell
                where = f"{model[cell.spec.id]}, {cell.treatment}"
                where += "" if cell.level is None else f" {cell.level:g}"
                bar.update(shown, advance=len(event.answers), description=where)
            yield event
