"""One sweep: load a model once, walk through the levels of a recipe, ask at each.

`walk` yields answers, measurements and finished cells; it stores nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from transformers import PreTrainedModel

from resect.ask import Asker, Batch, Budget
from resect.ask.batch_check import batching_error
from resect.deploy import endpoint
from resect.deploy.deployed import deployed, removed
from resect.errors import RequestError, RunError
from resect.models import loading
from resect.models.loading import Loaded
from resect.record import (
    TRANSFORMERS,
    Answer,
    CellResult,
    Item,
    Measurement,
    Status,
    TaskInfo,
)
from resect.running.gauge import Gauge
from resect.running.sequential import LOOKS, Course, Plan, Stage
from resect.running.standing import Place, Standing, stand
from resect.spec import (
    Calibration,
    CellSpec,
    Measure,
    ModelRef,
    Recipe,
    Runtime,
)
from resect.tasks import readers
from resect.tasks.contract import chosen

if TYPE_CHECKING:
    from resect.deploy.http_asker import HttpAsker
    from resect.deploy.openai_asker import OpenAiAsker

    AnyAsker = Asker | HttpAsker | OpenAiAsker


@dataclass(frozen=True)
class Cell:
    """A cell to run: its spec, where it belongs, its items, and which of them are missing."""

    spec: CellSpec
    recipe: str
    level: float | None
    info: TaskInfo
    items: tuple[Item, ...]
    missing: frozenset[int]
    runtime: str = TRANSFORMERS

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its items (hashes: once, not once an answer)."""
        return self.spec.items

    def result(
        self,
        sweep: Sweep,
        status: Status,
        reason: str | None,
        seconds: float | None,
        items: tuple[str, ...] | None = None,
    ) -> CellResult:
        """The row that says how this cell of `sweep` ended; `items` it was asked, None for all."""
        return CellResult(
            cell=self.spec.id,
            asking=self.spec.asking,
            state=self.spec.state.id,
            model=sweep.model,
            role=sweep.ref.role,
            recipe=self.recipe,
            level=self.level,
            seed=sweep.seed,
            task=self.spec.task,
            status=status,
            reason=reason,
            items=self.spec.items if items is None else items,
            spec=self.spec.model_dump(mode="json"),
            seconds=seconds,
            runtime=self.runtime,
        )


@dataclass(frozen=True)
class Sweep:
    """The unit of scheduling. `cells` in rising order of level; those at level 0 come first.

    `tiny`: the model is so small that one core is all it can use. With a `plan` every level is
    asked in looks, and the sweep ends at one that does not pass. `lean`: likeliest tokens are told
    at the answer only.
    """

    ref: ModelRef
    model: str
    recipe: Recipe
    seed: int
    device: str
    batch_tokens: int
    measure: Measure
    calibration: Calibration | None
    data_dir: Path | None
    runtime: Runtime
    tiny: bool
    cells: tuple[Cell, ...]
    plan: Plan | None = None
    lean: bool = False


class Answered(NamedTuple):
    """A batch of answers to one cell."""

    cell: Cell
    answers: list[Answer]


class Finished(NamedTuple):
    """A cell that has all its answers, or failed."""

    result: CellResult


class Measured(NamedTuple):
    """The model at one level."""

    measurement: Measurement


Event = Answered | Finished | Measured
Notice = Callable[[str], None]


def walk(sweep: Sweep, notice: Notice) -> Iterator[Event]:
    """Run a sweep's cells, level by level; answers come batch by batch."""
    if endpoint.is_address(sweep.ref.id):
        yield from _at_address(sweep)
        return
    loaded = loading.load(sweep.ref, sweep.device, notice)
    by_level: dict[Place, list[Cell]] = {}
    for cell in sweep.cells:
        by_level.setdefault(Place(cell.level, cell.recipe, cell.runtime), []).append(cell)
    ended: set[str] = set()
    course = None if sweep.plan is None else Course(sweep.plan)
    try:
        with loading.threads(loaded.model):
            for event in _levels(sweep, loaded, by_level, course, notice):
                if isinstance(event, Finished):
                    ended.add(event.result.cell)
                yield event
        if course is not None and course.stopped:
            for cell in sweep.cells:
                if cell.spec.id not in ended:
                    yield Finished(cell.result(sweep, "skipped", course.stopped, None, ()))
    except RunError as error:
        # No further level can be reached (an update that does not converge, say).
        for cell in sweep.cells:
            if cell.spec.id not in ended:
                yield Finished(cell.result(sweep, "failed", str(error), None))


def _at_address(sweep: Sweep) -> Iterator[Event]:
    """Ask the cells of a model that somebody else serves."""
    try:
        server = endpoint.at(sweep.ref.id, sweep.ref.served, patient=True)
    except RequestError as error:  # it was there when the study was checked
        for cell in sweep.cells:
            yield Finished(cell.result(sweep, "failed", str(error), None))
        return
    if sweep.cells:
        yield Measured(server.measured(sweep.cells[0].spec.state.id))
    for cell in sweep.cells:
        asking = server.asker(cell.items, cell.info)
        yield from _in_full([_Asking(sweep, cell, server, asking, [])])


def _levels(
    sweep: Sweep,
    loaded: Loaded,
    by_level: dict[Place, list[Cell]],
    course: Course | None,
    notice: Notice,
) -> Iterator[Event]:
    askers = _Askers(sweep, loaded, notice)
    gauge = Gauge(sweep.measure, loaded.model, notice)
    for standing in stand(sweep, loaded, list(by_level), notice):
        cells = by_level[standing.place]
        # before it is asked: packed weights may be laid out anew when they are first used
        measurement = gauge.read(cells[0].spec.state.id, standing)
        yield Measured(measurement)
        if course is not None:
            course.measured(measurement.tokens_per_second)
        level = askers.level(standing, cells)
        if course is None:
            yield from _in_full(level)
        elif not course.stopped:
            yield from _in_looks(level, course)
        if deployed(standing.model):
            removed(standing.model).close()
        if course is not None and course.stopped:
            return
        del standing, level  # the next level is made without this one's model in memory


def asker(
    loaded: Loaded, info: TaskInfo, items: Sequence[Item], budget: Budget | None = None
) -> Asker:
    """Tokenize a task's items for a model; raises `RequestError` where they do not fit."""
    room = loading.positions(loaded.model)
    return Asker(loaded.tokenizer, items, info.max_new_tokens, info.stop, budget, room)


def http_asker(
    loaded: Loaded, info: TaskInfo, items: Sequence[Item], budget: Budget | None = None
) -> HttpAsker:
    """As `asker`, for a file in its server."""
    from resect.deploy.http_asker import HttpAsker

    room = loading.positions(loaded.model)
    return HttpAsker(loaded.tokenizer, items, info.max_new_tokens, info.stop, room)


def _batches(
    model: PreTrainedModel | endpoint.AtAddress, asker: AnyAsker, missing: set[int]
) -> Iterator[Batch]:
    """The answers of a model, wherever it is asked."""
    file = deployed(model)
    if file is None:
        assert isinstance(asker, Asker)
        assert isinstance(model, PreTrainedModel)
        return asker.ask(model, missing)
    assert not isinstance(asker, Asker), "a file is asked in its server"
    asker.verify(file.connect(asker.room))
    return asker.ask(file.connect, missing)


@dataclass
class _Asking:
    """One cell being asked; what was `done` otherwise than asked makes it degraded.

    `answers` are those that it had and those that came; `asked` the keys of its items so far.
    """

    sweep: Sweep
    cell: Cell
    model: PreTrainedModel | endpoint.AtAddress
    asker: AnyAsker
    done: Sequence[str]
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    seconds: float = 0.0

    def ask(self, rows: Iterable[int]) -> Iterator[Event]:
        """Ask those of some items that miss an answer. Raises `RunError`."""
        missing = self.cell.missing.intersection(rows) - self._had
        if not missing:
            return
        started, cell = time.perf_counter(), self.cell
        reader, keys = readers.of(cell.info), cell.keys
        for batch in _batches(self.model, self.asker, set(missing)):
            answers = []
            for row, raw in zip(batch.rows, batch.answers, strict=True):
                item = cell.items[row]
                reading = reader.answer(raw, item)
                best = chosen(item, raw.option_scores, cell.info.scored)
                asking = cell.spec.asking
                answers.append(Answer(asking, keys[row], raw, reading, reader.version, best))
            self.answers |= {answer.item: answer for answer in answers}
            yield Answered(cell, answers)
        self.seconds += time.perf_counter() - started

    @property
    def _had(self) -> set[int]:
        """The rows that came already."""
        return {row for row, key in enumerate(self.cell.keys) if key in self.answers}

    def failed(self, error: RunError) -> Finished:
        """The cell could not be asked."""
        return Finished(self.cell.result(self.sweep, "failed", str(error), None))

    def finished(self) -> Finished:
        """The cell has been asked enough."""
        notes = [*self.done, *self.asker.notes()]
        status: Status = "degraded" if notes else "success"
        reason = "; ".join(notes) or None
        return Finished(self.cell.result(self.sweep, status, reason, self.seconds, self.asked))


class _Askers:
    """The askers of a sweep: each task is tokenized once for the model, and once for its files."""

    def __init__(self, sweep: Sweep, loaded: Loaded, notice: Notice) -> None:
        self.sweep, self.loaded = sweep, loaded
        self.budget = Budget(sweep.batch_tokens, notice)
        self.by_task: dict[tuple[str, bool], AnyAsker] = {}
        self.batching: list[str] | None = None

    def level(self, standing: Standing, cells: Sequence[Cell]) -> list[_Asking]:
        """The cells of one level, ready to be asked of the model as it stands."""
        served = deployed(standing.model) is not None
        notes = [note for report in standing.reports for note in report.notes]
        notes += [] if served else self._batching_errors(standing.model)
        return [
            _Asking(self.sweep, cell, standing.model, self._asker(cell, served), notes)
            for cell in cells
        ]

    def _asker(self, cell: Cell, served: bool) -> AnyAsker:
        key = (cell.info.name, served)
        if key not in self.by_task:
            make = http_asker if served else asker
            asking = make(self.loaded, cell.info, cell.items, self.budget)
            if self.sweep.lean and not isinstance(asking, Asker):
                asking.places = (0,)
            self.by_task[key] = asking
        return self.by_task[key]

    def _batching_errors(self, model: PreTrainedModel) -> list[str]:
        """Why batches of the model do not give what single prompts give; looked at once."""
        if self.batching is None:
            error = batching_error(model)
            self.batching = [error] if error else []
        return self.batching


def _in_full(level: Sequence[_Asking]) -> Iterator[Event]:
    """Ask every cell of a level all its items."""
    for asking in level:
        try:
            yield from asking.ask(range(len(asking.cell.items)))
            asking.asked = asking.cell.keys
        except RunError as error:
            yield asking.failed(error)
        else:
            yield asking.finished()


def _in_looks(level: Sequence[_Asking], course: Course) -> Iterator[Event]:
    """Ask the judged cells of a level stage by stage, look by look, until one has not passed.

    The others are asked where all judged ones have passed.
    """
    judged = [asking for asking in level if course.judges(asking.cell)]
    for asking in judged:
        held = course.plan.held.get(asking.cell.spec.id, ())
        asking.answers |= {answer.item: answer for answer in held}
    for stage in course.plan.stages:
        try:
            yield from _stage(judged, course, stage)
        except RunError as error:
            yield from (asking.failed(error) for asking in judged)
            return
        if course.stopped:
            break
    yield from (asking.finished() for asking in judged if asking.asked)
    if not course.stopped:
        yield from _in_full([asking for asking in level if not course.judges(asking.cell)])


def _stage(judged: Sequence[_Asking], course: Course, stage: Stage) -> Iterator[Event]:
    """One stage of the cells of a level. Raises `RunError`."""
    left, before = list(judged), {id(asking): asking.asked for asking in judged}
    for look in LOOKS:
        for asking in list(left):
            rows = course.due(asking.cell, stage, look)
            yield from asking.ask(rows)
            came = tuple(asking.cell.keys[row] for row in rows)
            asking.asked = (*before[id(asking)], *came)
            if course.decided(asking.cell, list(asking.answers.values()), stage, look):
                left.remove(asking)
            if course.stopped:
                return
    course.end_stage()
