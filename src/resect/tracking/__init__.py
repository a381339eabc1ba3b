"""Send the scores of a run to an experiment tracker as they come, by transformers' own names."""

from __future__ import annotations

import contextlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from resect.errors import RequestError, unknown

TRACKERS: Mapping[str, str] = {
    "trackio": "resect.tracking.on_trackio",
    "wandb": "resect.tracking.on_wandb",
    "mlflow": "resect.tracking.on_mlflow",
}
"""Names that `--report-to` takes, and the adapter of each."""


class Tracker(Protocol):
    """One run of a study in a tracker."""

    def log(self, scores: Mapping[str, float], step: int) -> None:
        """Add scores by name, at a step."""
        ...

    def finish(self) -> None:
        """End the run."""
        ...


Start = Callable[[str, str, Mapping[str, Any]], Tracker]


def trackers(given: Sequence[str]) -> dict[str, Start]:
    """What starts each tracker named (`none` is nobody); `RequestError` for one that is not there.

    Nothing is sent before a tracker is started.
    """
    starts: dict[str, Start] = {}
    for name in given:
        if name == "none":
            continue
        if name not in TRACKERS:
            raise unknown("tracker", name, [*TRACKERS, "none"])
        try:
            starts[name] = import_module(TRACKERS[name]).start
        except ImportError as error:
            raise RequestError(
                f"{name} is not installed: pip install 'resect[{name}]' ({error})."
            ) from None
    return starts


def tracked(
    starts: Mapping[str, Start], study: Any, planned: Sequence[Any], events: Iterator[Any]
) -> Iterator[Any]:
    """Pass the events of a run on; a cell that ends is logged with the mean score of its answers.

    A score is named task/model/recipe; its step is the level in thousandths (bits: whole), so that
    a tracker draws the curve. Only answers of this run count, not those stored by an earlier one.
    """
    config = study.model_dump(mode="json")
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for results
        runs = [start("resect", study.name, config) for start in starts.values()]
    model = {cell.spec.id: sweep.model for sweep in planned for cell in sweep.cells}
    scores: dict[str, list[float]] = defaultdict(list)
    try:
        for event in events:
            yield event
            if hasattr(event, "answers"):
                graded = (answer.reading.score for answer in event.answers)
                scores[event.cell.spec.id] += [score for score in graded if score is not None]
            elif hasattr(event, "result") and (own := scores.pop(event.result.cell, None)):
                cell = event.result
                name = f"{cell.task}/{model.get(cell.cell, cell.model)}/{cell.recipe}"
                for run in runs:
                    run.log({name: sum(own) / len(own)}, step_of(cell.level))
    finally:
        with contextlib.redirect_stdout(sys.stderr):
            for run in runs:
                run.finish()


def step_of(level: float | None) -> int:
    """The step of a level: thousandths of a share, or bits."""
    return 0 if level is None else round(1000 * level) if level < 1 else round(level)
