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


class Tracking:
    """A run of a study in several trackers; it may have several rounds.

    A cell that ends is logged with the mean score of its answers, under task/model/recipe. The step
    is the level in thousandths (bits: whole), so that a tracker draws the curve. Only answers of
    this run count, not those stored by an earlier one.
    """

    def __init__(self, starts: Mapping[str, Start], study: Any) -> None:
        self.starts, self.study = starts, study
        self.runs: list[Tracker] = []

    def watch(self, planned: Sequence[Any], events: Iterator[Any]) -> Iterator[Any]:
        """Pass the events of a round on, and log them; the first round starts the trackers."""
        if not self.runs and planned:
            config = self.study.model_dump(mode="json")
            with contextlib.redirect_stdout(sys.stderr):  # stdout is for results
                self.runs = [s("resect", self.study.name, config) for s in self.starts.values()]
        scores: dict[str, list[float]] = defaultdict(list)
        for event in events:
            yield event
            if hasattr(event, "answers"):
                graded = (answer.reading.score for answer in event.answers)
                scores[event.cell.spec.id] += [score for score in graded if score is not None]
            elif hasattr(event, "result") and (own := scores.pop(event.result.cell, None)):
                cell = event.result
                name = f"{cell.task}/{cell.model}/{cell.recipe}"
                with contextlib.redirect_stdout(sys.stderr):
                    for run in self.runs:
                        run.log({name: sum(own) / len(own)}, step_of(cell.level))

    def finish(self) -> None:
        """End the run in every tracker."""
        with contextlib.redirect_stdout(sys.stderr):
            for run in self.runs:
                run.finish()


def step_of(level: float | None) -> int:
    """The step of a level: thousandths of a share, or bits."""
    return 0 if level is None else round(1000 * level) if level < 1 else round(level)
