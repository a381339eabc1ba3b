"""The local engine: courses one after another in this process, or tiny ones side by side."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

from resect.course import Course, Event, Notice, walk
from resect.errors import RunError

_ENOUGH = 4000  # missing answers from which a process of its own is worth its start


class Local:
    """Two verbs, as every engine: `submit` courses, `events` as they happen.

    A tiny model uses one core, so its courses run side by side, one process each, where there are
    cores and enough to ask; `workers` sets how many, None lets the engine decide.
    """

    def __init__(self, notice: Notice, workers: int | None = None) -> None:
        self.notice = notice
        self.workers = workers
        self.courses: list[Course] = []

    def submit(self, courses: list[Course]) -> None:
        """Take courses to run."""
        self.courses += courses

    def events(self) -> Iterator[Event]:
        """Run what was submitted."""
        wanted = self._wanted()
        if wanted > 1:
            yield from self._side_by_side(wanted)
            return
        while self.courses:
            yield from walk(self.courses.pop(0), self.notice)

    def _wanted(self) -> int:
        """How many processes; 1 means this one."""
        most = min(len(self.courses), self.workers or os.cpu_count() or 1)
        if self.workers is not None:
            return most
        missing = sum(len(cell.missing) for course in self.courses for cell in course.cells)
        tiny = all(course.tiny and course.device == "cpu" for course in self.courses)
        return most if tiny and missing >= _ENOUGH else 1

    def _side_by_side(self, count: int) -> Iterator[Event]:
        said: queue.Queue[tuple[_Worker, str, Any]] = queue.Queue()
        workers = [_Worker(said) for _ in range(count)]
        try:
            busy = 0
            for worker in workers:
                worker.take(self.courses.pop(0))
                busy += 1
            while busy:
                worker, kind, what = said.get()
                if kind == "event":
                    yield what
                elif kind == "notice":
                    self.notice(what)
                elif kind == "error":
                    raise what
                elif self.courses:
                    worker.take(self.courses.pop(0))
                else:
                    busy -= 1
        finally:
            for worker in workers:
                worker.stop()


class _Worker:
    """One `resect.sweep.worker` process, and the thread that reads what it says."""

    def __init__(self, said: queue.Queue[tuple[_Worker, str, Any]]) -> None:
        self.said = said
        self.process = subprocess.Popen(
            [sys.executable, "-m", "resect.sweep.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def take(self, course: Course) -> None:
        """Hand over a course."""
        assert self.process.stdin is not None
        pickle.dump(course, self.process.stdin)
        self.process.stdin.flush()

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while True:
            try:
                kind, what = pickle.load(self.process.stdout)
            except (EOFError, pickle.UnpicklingError, OSError):
                lost = RunError("a worker process ended: what is stored is kept, run again.")
                self.said.put((self, "error", lost))
                return
            self.said.put((self, kind, what))
