"""Many cells: a study planned to sweeps, run by an engine, written by the one driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from resect.errors import RequestError, unknown
from resect.run.local_engine import Local
from resect.run.plan import due, sweeps
from resect.run.ray_engine import OnRay
from resect.run.resolve import Resolved, resolve
from resect.run.walk import Answered, Event, Finished, Measured, Notice, Sweep
from resect.store.sqlite import Store

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Takes sweeps and says what happens; where they run is its business."""

    def submit(self, sweeps: list[Sweep]) -> None:
        """Take sweeps to run."""
        ...

    def events(self) -> Iterator[Event]:
        """Events of all sweeps, each sweep's in its order."""
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


def drive(
    resolved: Resolved,
    store: Store,
    engine: Engine,
    watch: Callable[[list[Sweep], Iterator[Event]], Iterator[Event]],
    facts: dict[str, Any],
) -> None:
    """Run what the store lacks; every event is stored as it comes.

    `watch` is handed the sweeps to run and the events, and passes the events on.
    """
    planned = sweeps(resolved)
    store.put_study(
        _models(resolved),
        resolved.infos,
        resolved.items,
        [cell.result(sweep, "success", None, None) for sweep in planned for cell in sweep.cells],
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


__all__ = ["ENGINES", "Engine", "drive", "engine_of", "resolve"]
