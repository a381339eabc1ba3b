"""The local engine: courses one after another in this process."""

from __future__ import annotations

from collections.abc import Iterator

from resect.course import Course, Event, Notice, walk


class Local:
    """Two verbs, as every engine: `submit` courses, `events` as they happen."""

    def __init__(self, notice: Notice) -> None:
        self.notice = notice
        self.courses: list[Course] = []

    def submit(self, courses: list[Course]) -> None:
        """Take courses to run."""
        self.courses += courses

    def events(self) -> Iterator[Event]:
        """Run what was submitted."""
        while self.courses:
            yield from walk(self.courses.pop(0), self.notice)
