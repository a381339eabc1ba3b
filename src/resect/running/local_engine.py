"""The local engine: sweeps in this process, or in parallel, one per device or core."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import torch

from resect.errors import RequestError, RunError
from resect.models.devices import SPREAD
from resect.running.share import Taken, split
from resect.running.walk import Event, Notice, Sweep, walk

_ENOUGH = 4000  # missing answers that make starting more processes worthwhile


class Local:
    """Runs the sweeps that it was given, and yields their events.

    A tiny model uses one core, so its sweeps run in parallel processes if there are cores and
    enough questions; so do sweeps on several CUDA devices. `workers` sets the number of
    processes; None lets the engine decide.
    """

    def __init__(self, notice: Notice, workers: int | None = None) -> None:
        self.notice = notice
        self.workers = workers
        self.sweeps: list[Sweep] = []

    def submit(self, sweeps: list[Sweep]) -> None:
        """Take sweeps to run."""
        self.sweeps += sweeps

    def events(self) -> Iterator[Event]:
        """Run what was submitted."""
        places = self._places()
        if len(places) > 1:
            yield from self._side_by_side(places)
            return
        while self.sweeps:
            yield from walk(self.sweeps.pop(0), self.notice)

    def _places(self) -> list[str | None]:
        """The place of each worker process: a CUDA device, or None for the CPU.

        A single place means this process, as for models that need every device.
        """
        kinds = {sweep.device for sweep in self.sweeps}
        if SPREAD in kinds:
            return [None]
        if "cuda" in kinds:
            devices = list(map(str, range(torch.cuda.device_count())))
            return list(devices[: self.workers or len(devices)])
        missing = sum(len(cell.missing) for sweep in self.sweeps for cell in sweep.cells)
        tiny = kinds <= {"cpu"} and all(sweep.tiny for sweep in self.sweeps)
        if self.workers is None and not (tiny and missing >= _ENOUGH):
            return [None]
        return [None] * (self.workers or os.cpu_count() or 1)

    def _side_by_side(self, places: list[str | None]) -> Iterator[Event]:
        """One process for each place; if one dies, a new one continues its sweep."""
        news: queue.Queue[tuple[_Worker, str, Any]] = queue.Queue()
        waiting = [Taken(sweep) for sweep in split(self.sweeps, len(places))]
        self.sweeps = []
        busy = {}
        for place in places[: len(waiting)]:
            worker = _Worker(news, place)
            busy[worker] = worker.take(waiting.pop(0))
        try:
            while busy:
                worker, kind, what = news.get()
                if kind == "event":
                    busy[worker].note(what)
                    yield what
                elif kind == "notice":
                    self.notice(what)
                elif kind == "log":
                    name, level, text = what
                    logging.getLogger(name).log(level, "%s", text)
                elif kind == "refused":
                    raise RequestError(what)
                elif kind == "failed":
                    raise RunError(what)
                elif kind == "end":
                    del busy[worker]
                    if waiting:
                        busy[worker] = worker.take(waiting.pop(0))
                    else:
                        worker.stop()
                elif worker in busy:  # lost
                    worker.stop()
                    left = busy.pop(worker).rest()
                    if left is not None:
                        fresh = _Worker(news, worker.place)
                        busy[fresh] = fresh.take(left)
        finally:
            for worker in busy:
                worker.stop()


class _Worker:
    """One `resect.running.worker` process, and the thread that reads its messages."""

    def __init__(
        self, news: queue.Queue[tuple[_Worker, str, Any]], place: str | None = None
    ) -> None:
        self.news, self.place = news, place
        self.process = subprocess.Popen(
            [sys.executable, "-m", "resect.running.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for the driver, which ends its workers
            env=None if place is None else {**os.environ, "CUDA_VISIBLE_DEVICES": place},
        )
        threading.Thread(target=self._read, daemon=True).start()

    def take(self, taken: Taken) -> Taken:
        """Hand over a sweep; if the process is dead, its reader reports it as lost."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            pickle.dump(taken.sweep, self.process.stdin)
            self.process.stdin.flush()
        return taken

    def stop(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while True:
            try:
                kind, what = pickle.load(self.process.stdout)
            except Exception:  # what is cut off, or was never an event, can raise anything
                self.news.put((self, "lost", None))
                return
            self.news.put((self, kind, what))
