"""The Ray engine: one actor per device runs whole sweeps; only the driver writes to the store.

`address=None` starts Ray on this machine, listening on loopback alone; `auto` or an address joins a
running cluster.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from resect.errors import RequestError, RunError
from resect.models.devices import SPREAD, kind
from resect.running.share import Taken, split
from resect.running.walk import Event, Notice, Sweep, walk

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

LOOK = 30.0
"""Seconds without an event after which the workers are looked at."""


class OnRay:
    """Runs the sweeps that it was given, and yields their events.

    `workers` defaults to one per GPU (per machine if a model is spread over its GPUs), or per CPU.
    If a worker dies, a new one continues its sweep after the last answers received.
    """

    def __init__(
        self, notice: Notice, workers: int | None = None, address: str | None = None
    ) -> None:
        if address is None:  # read when Ray is imported; the name is older than what it does now
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        try:
            import ray
        except ImportError as error:
            raise RequestError(
                f"the ray engine needs Ray: pip install 'resect[ray]' ({error})."
            ) from None
        self.ray: Any = ray
        self.notice, self.workers, self.address = notice, workers, address
        self.sweeps: list[Sweep] = []

    def submit(self, sweeps: list[Sweep]) -> None:
        """Take sweeps to run."""
        self.sweeps += sweeps

    def events(self) -> Iterator[Event]:
        """Run what was submitted, on all workers at once."""
        if not self.sweeps:
            return
        started = self._connect()
        try:
            yield from self._run()
        finally:
            if started:
                self.ray.shutdown()

    def _connect(self) -> bool:
        """Join or start Ray; whether it was started here."""
        if self.ray.is_initialized():
            return False
        quiet = {"log_to_driver": False, "logging_level": "error"}
        try:
            if self.address:
                self.ray.init(address=self.address, **quiet)
            else:
                self.ray.init(
                    include_dashboard=False,
                    num_cpus=self.workers,
                    **quiet,
                )
        except (ConnectionError, ValueError, RuntimeError) as error:
            where = self.address or "this machine"
            raise RequestError(
                f"Ray cannot be reached at {where} ({error}): check --address."
            ) from None
        return True

    def _run(self) -> Iterator[Event]:
        gpus = self._gpus()
        have = self.ray.cluster_resources().get("GPU" if gpus else "CPU", 1)
        count = self.workers or max(1, int(have // (gpus or 1)))
        waiting = [Taken(sweep) for sweep in split(self.sweeps, count)]
        busy: dict[Any, tuple[Any, Taken]] = {}  # the stream of a worker, the worker, its sweep
        self.sweeps = []
        for _ in range(min(count, len(waiting))):
            self._give(busy, self._worker(gpus), waiting.pop(0))
        while busy:
            ready, _ = self.ray.wait(list(busy), num_returns=1, timeout=LOOK)
            if not ready:
                self._look()
                continue
            stream = ready[0]
            worker, taken = busy[stream]
            try:
                kind, what = self.ray.get(next(stream))
            except StopIteration:
                del busy[stream]
                if waiting:
                    self._give(busy, worker, waiting.pop(0))
                else:
                    self.ray.kill(worker)
            except self.ray.exceptions.RayTaskError as error:
                raise _own(error) from None
            except self.ray.exceptions.RayError:  # the worker or its machine is gone
                del busy[stream]
                waiting[:0] = self._left(taken)
                if waiting:
                    self._give(busy, self._worker(gpus), waiting.pop(0))
            else:
                yield from self._passed_on(taken, kind, what)

    def _left(self, taken: Taken) -> list[Taken]:
        """What a worker that is gone left of its sweep, for another one."""
        left = taken.rest()
        if left is None:
            return []
        self.notice(f"a worker ended; another one continues with {taken.sweep.model}.")
        return [left]

    def _passed_on(self, taken: Taken, kind: str, what: Any) -> Iterator[Event]:
        """What a worker sends: a notice, or an event of its sweep."""
        if kind == "notice":
            self.notice(what)
        else:
            taken.note(what)
            yield what

    def _look(self) -> None:
        """Raise `RunError` where Ray itself is gone: its workers would be waited for for ever."""
        try:
            alive = any(node["Alive"] for node in self.ray.nodes())
        except Exception as error:  # whatever a client without its server raises
            raise RunError(
                f"Ray no longer answers ({type(error).__name__}): run it again."
            ) from None
        if not alive:
            raise RunError("all machines of the Ray cluster are gone: run the same command again.")

    def _gpus(self) -> int:
        """How many GPUs a worker takes: one, or all of a machine where a model needs them."""
        if all(kind(sweep.device) == "cpu" for sweep in self.sweeps):
            return 0
        if all(sweep.device != SPREAD for sweep in self.sweeps):
            return 1
        return max(int(node["Resources"].get("GPU", 0)) for node in self.ray.nodes()) or 1

    def _worker(self, gpus: int) -> Any:
        actor = self.ray.remote(num_cpus=1, num_gpus=gpus)(_Worker)
        return actor.remote()

    def _give(self, busy: dict[Any, tuple[Any, Taken]], worker: Any, taken: Taken) -> None:
        stream = worker.run.options(num_returns="streaming").remote(taken.sweep)
        busy[stream] = (worker, taken)


class _Worker:
    """What runs in an actor."""

    def run(self, sweep: Sweep) -> Iterator[tuple[str, Any]]:
        """Events of a sweep, and notices between them."""
        notices: list[str] = []
        for event in walk(sweep, notices.append):
            yield from (("notice", text) for text in notices)
            notices.clear()
            yield "event", event
        yield from (("notice", text) for text in notices)


def _own(error: Any) -> Exception:
    """What a sweep raised, as it raised it."""
    cause = error.cause if isinstance(getattr(error, "cause", None), Exception) else error
    return cause if isinstance(cause, RequestError | RunError) else RunError(str(cause))
