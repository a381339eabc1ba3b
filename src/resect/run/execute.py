"""Many cells: a study planned to courses, run by an engine, written by the one driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from resect.errors import RequestError, unknown
from resect.run.local_engine import Local
from resect.run.plan import courses, due
from resect.run.ray_engine import OnRay
from resect.run.resolve import Resolved, resolve
from resect.run.walk import Answered, Course, Event, Finished, Measured, Notice
from resect.store.sqlite import Store

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Takes courses and says what happens; where they run is its business."""

    def submit(self, courses: list[Course]) -> None:
        """Take courses to run."""
        ...

    def events(self) -> Iterator[Event]:
        """Events of all courses, each course's in its order."""
        ...


def engine_of(
    name: str, notice: Notice, workers: int | None = None, address: str | None = None
) -> Engine:
    """The engine called `name`; `workers` None lets it decide how many processes it uses.

    `address` is the Ray cluster to join, None starts one here.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    if workers is not None and workers < 1:
        raise RequestError(f"{workers} workers: give at least 1.")
    return OnRay(notice, workers, address) if name == "ray" else Local(notice, workers)


def execute(
    resolved: Resolved,
    store: Store,
    engine: Engine,
    watch: Callable[[list[Course], Iterator[Event]], Iterator[Event]],
    facts: dict[str, Any],
) -> None:
    """Run what the store lacks; every event is stored as it comes.

    `watch` is handed the courses to run and the events, and passes the events on.
    """
    planned = courses(resolved)
    store.put_study(
        _models(resolved),
        resolved.infos,
        resolved.items,
        [cell.result(course, "success", None, None) for course in planned for cell in course.cells],
        {"warnings": resolved.warnings(), **facts},
    )
    left = due(planned, store)
    engine.submit(left)
    for event in watch(left, engine.events()):
        if isinstance(event, Answered):
            store.put_answers(event.answers)
        elif isinstance(event, Measured):
            store.put_measurement(event.measurement)
        elif isinstance(event, Finished):
            store.put_cell(event.result)


def _models(resolved: Resolved) -> list[dict[str, Any]]:
    rows = []
    for role, ref in resolved.study.models.items():
        identity = resolved.identities[role]
        rows.append(
            {
                "name": resolved.names[role],
                "role": role,
                "id": ref.id,
                "revision": identity.revision,
                "fingerprint": identity.fingerprint,
                "dtype": identity.dtype,
                "parent": identity.parent,
            }
        )
    return rows


__all__ = ["ENGINES", "Engine", "engine_of", "execute", "resolve"]
