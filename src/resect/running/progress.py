"""Progress bars with the time left, for the answers of a run and the steps of a training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from resect.report.cleaner import plain
from resect.running.walk import Answered, Event, Sweep

if TYPE_CHECKING:
    from resect.recover import trainer as trained


def _bar(unit: str, console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}, left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def watched(planned: list[Sweep], events: Iterator[Event], console: Console) -> Iterator[Event]:
    """Pass the events on, and show how many answers are done."""
    total = sum(len(cell.missing) for sweep in planned for cell in sweep.cells)
    model = {cell.spec.id: sweep.model for sweep in planned for cell in sweep.cells}
    with _bar("answers", console) as bar:
        shown = bar.add_task("loading", total=total)
        for event in events:
            if isinstance(event, Answered):
                cell = event.cell
                where = f"{model[cell.spec.id]}, {cell.recipe}"
                where += "" if cell.level is None else f" {cell.level:g}"
                bar.update(shown, advance=len(event.answers), description=plain(where))
            yield event


@contextlib.contextmanager
def training(loud: bool) -> Iterator[Callable[[trained.Progress], Any]]:
    """What shows the steps of a training, its loss and the time left on stderr, or nothing."""
    console = Console(stderr=True)
    if not (loud and console.is_terminal):
        yield lambda _: None
        return
    with _bar("steps", console) as bar:
        shown = bar.add_task("training", total=None)

        def show(progress: trained.Progress) -> None:
            text = "training" if progress.loss is None else f"loss {progress.loss:.3f}"
            bar.update(shown, completed=progress.done, total=progress.total, description=text)

        yield show
