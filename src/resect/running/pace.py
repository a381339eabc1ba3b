"""How fast a run goes: what is done of what it set out to do, its rate, and the time left.

A run writes it into `progress.json` of its folder, for `resect status` and `resect view`. No torch.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from resect.report.cleaner import plain

FILE = "progress.json"
_KNOWN = 5.0
"""Seconds before a rate is told."""


@dataclass(slots=True)
class Pace:
    """Answers and cells done of those that this run has to ask; `now` and `started` in seconds.

    `where` is the cell that was asked last.
    """

    answers: int
    cells: int
    done: int = 0
    ended: int = 0
    where: str = ""
    started: float = field(default_factory=time.time)
    now: float = field(default_factory=time.time)

    @property
    def rate(self) -> float | None:
        """Answers a second over the whole run, loading included; None before it can be told."""
        seconds = self.now - self.started
        return self.done / seconds if self.done and seconds >= _KNOWN else None

    @property
    def left(self) -> float | None:
        """Seconds to go at that rate, so that one slow cell does not move it much."""
        return None if self.rate is None else (self.answers - self.done) / self.rate

    def line(self) -> str:
        """One line: the cell, what is done of all, the rate, the time left."""
        parts = [
            f"{self.ended:,} of {self.cells:,} cells",
            f"{self.done:,} of {self.answers:,} answers",
        ]
        if self.rate is not None and self.left is not None:
            parts += [in_words(self.rate), f"about {duration(self.left)} left"]
        else:
            parts.append(f"{duration(self.now - self.started)} so far")
        return plain(f"{self.where or 'loading'}: {', '.join(parts)}")

    def write(self, folder: Path) -> None:
        """Write it into a run folder, whole."""
        place = folder / f".{FILE}"
        place.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(place, folder / FILE)


def read(folder: Path) -> Pace | None:
    """The pace that a run last wrote; None where there is none, or it cannot be read."""
    try:
        return Pace(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def duration(seconds: float) -> str:
    """A time in the unit that a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def in_words(each_second: float) -> str:
    """A rate in answers a second, or a minute where it is slow."""
    if each_second >= 1:
        return f"{each_second:,.0f} answers a second"
    return f"{60 * each_second:.2g} answers a minute"
