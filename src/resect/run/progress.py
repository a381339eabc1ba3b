"""Progress bars with the time left: over a run's events, and over the steps of a training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from resect.run.walk import Answered, Event, Sweep

if TYPE_CHECKING:
    from resect.recover import trainer as trained


def watched(planned: list[Sweep], events: Iterator[Event], console: Console) -> Iterator[Event]:
    """Pass the events on and show how many of the missing answers are there."""
    total = sum(len(cell.missing) for sweep in planned for cell in sweep.cells)
    model = {cell.spec.id: sweep.model for sweep in planned for cell in sweep.cells}
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
                where = f"{model[cell.spec.id]}, {cell.recipe}"
                where += "" if cell.level is None else f" {cell.level:g}"
                bar.update(shown, advance=len(event.answers), description=where)
            yield event


@contextlib.contextmanager
def training(loud: bool) -> Iterator[Callable[[trained.Progress], Any]]:
    """What shows the steps of a training, its loss and the time left on stderr, or nothing."""
    console = Console(stderr=True)
    if not (loud and console.is_terminal):
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps, left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        shown = bar.add_task("training", total=None)

        def show(at: trained.Progress) -> None:
            said = "training" if at.loss is None else f"loss {at.loss:.3f}"
            bar.update(shown, completed=at.done, total=at.total, description=said)

        yield show
