"""Progress of a run: a bar on a terminal, a line every 30 seconds elsewhere, a file for readers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from resect.report.cleaner import plain
from resect.running.pace import FILE, Pace, duration
from resect.running.run_log import NOTICES
from resect.running.walk import Answered, Event, Finished, Sweep

if TYPE_CHECKING:
    from resect.recover import trainer as trained

EVERY = 30.0
"""Seconds between two lines where there is no terminal."""
_BEAT = 1.0
"""Seconds between two looks at a run."""


def watched(
    planned: list[Sweep],
    events: Iterator[Event],
    console: Console | None,
    folder: Path | None = None,
    every: float = EVERY,
) -> Iterator[Event]:
    """Pass the events on, and show how far the run is: on `console`, and in a file of `folder`.

    Lines come by the clock, so that a model that takes long to load or to answer has them too.
    """
    pace = Pace(
        answers=sum(len(cell.missing) for sweep in planned for cell in sweep.cells),
        cells=sum(len(sweep.cells) for sweep in planned),
    )
    model = {cell.spec.id: sweep.model for sweep in planned for cell in sweep.cells}
    with _shown(pace, console, every), _written(pace, folder):
        for event in events:
            if isinstance(event, Answered):
                cell = event.cell
                level = "" if cell.level is None else f" {cell.level:g}"
                pace.where = f"{model[cell.spec.id]}, {cell.recipe}{level}, {cell.spec.task}"
                pace.done += len(event.answers)
            elif isinstance(event, Finished):
                pace.ended += 1
            yield event


@contextlib.contextmanager
def _shown(pace: Pace, console: Console | None, every: float) -> Iterator[None]:
    """Show the pace while the block runs: a bar where there is a terminal, else lines."""
    if console is None or not pace.cells:
        yield
        return
    if not console.is_terminal:

        def say() -> None:
            NOTICES.info(pace.line())
            console.print(pace.line(), soft_wrap=True, markup=False, highlight=False)

        with _ticking(every, pace, say):
            yield
        return
    columns = (*_COLUMNS, TextColumn("{task.fields[left]}", markup=False))
    with Progress(*columns, console=console, transient=True) as bar:
        shown = bar.add_task("loading", total=pace.answers, left="")

        def draw() -> None:
            left = "" if pace.left is None else f"about {duration(pace.left)} left"
            where = plain(pace.where or "loading")
            bar.update(shown, completed=pace.done, description=where, left=left)

        with _ticking(0.2, pace, draw):
            yield


@contextlib.contextmanager
def _written(pace: Pace, folder: Path | None) -> Iterator[None]:
    """Keep the pace in a file of the run folder while the block runs."""
    if folder is None:
        yield
        return

    def write() -> None:
        with contextlib.suppress(OSError):  # the run itself says when the disk is full
            pace.write(folder)

    try:
        with _ticking(_BEAT, pace, write):
            yield
    finally:
        (folder / FILE).unlink(missing_ok=True)


@contextlib.contextmanager
def _ticking(every: float, pace: Pace, act: Callable[[], Any]) -> Iterator[None]:
    """Call `act` every so many seconds while the block runs, in a thread."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(every):
            pace.now = time.time()
            act()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


_COLUMNS = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())


@contextlib.contextmanager
def training(loud: bool) -> Iterator[Callable[[trained.Progress], Any]]:
    """What shows the steps of a training, its loss and the time left on stderr, or nothing."""
    console = Console(stderr=True)
    if not (loud and console.is_terminal):
        yield lambda _: None
        return
    columns = (*_COLUMNS, TextColumn("steps, left"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        shown = bar.add_task("training", total=None)

        def show(progress: trained.Progress) -> None:
            text = "training" if progress.loss is None else f"loss {progress.loss:.3f}"
            bar.update(shown, completed=progress.done, total=progress.total, description=text)

        yield show
