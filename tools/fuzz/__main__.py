"""Hostile input for every surface, counted: `python -m tools.fuzz [SURFACE...] [--minutes M]`.

Each surface gets its usual number of inputs, `--n`, or its share of `--minutes`. It ends by itself,
or at Ctrl-C, with one line a surface; exit code 1 where an input came to a traceback, took too
long, or was let through.
`tools/fuzz/{parse,recorded,store}.py` have more options of their own.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from tools.fuzz.trial import HANGS, Hang, Trial, bounded

ENDLESS = 10**9
SHOWN = 20
"""Failures of a surface that are shown."""

ROUND = 0.5
"""Rounds of this many times a hundred seconds."""


def _parse(count: int, seed: int) -> Iterator[Trial]:
    """Mutated texts, each given to one reader; the readers in turn."""
    parse = import_module("tools.fuzz.parse")
    dice, texts, counts = random.Random(seed), parse.corpus(None), Counter()
    for number in range(count):
        if number % len(parse.READERS) == 0:
            text = parse.mutated(texts, dice)
        name = list(parse.READERS)[number % len(parse.READERS)]
        wrong = list(parse.failures_of(name, text, 2.0, counts))
        yield Trial(name, "wrong" if wrong else "read", f"{wrong[:1]!s:.300}" if wrong else "")


def _recorded(count: int, seed: int) -> Iterator[Trial]:
    """Damaged recorded answers."""
    recorded = import_module("tools.fuzz.recorded")
    for trial in recorded.trials(count, seed):
        yield Trial(f"{trial.sample}, {trial.kind}", trial.outcome, trial.message)


def _store(count: int, seed: int) -> Iterator[Trial]:
    """Flipped bits, then cut ends, of a run's store, a hundred at a time."""
    store = import_module("tools.fuzz.store")
    with tempfile.TemporaryDirectory() as place:
        whole = store.filled(Path(place))
        for start in range(0, count, 100):
            some = min(100, count - start)
            cuts = max(1, some // 10)
            for trial in store.trials(whole, max(1, some - cuts), cuts, f"{seed} {start}"):
                failed = {"silent", "traceback"} & {trial.reading, trial.writing}
                outcome = "wrong" if failed else {"same": "read"}.get(trial.reading, trial.reading)
                yield Trial(trial.kind, outcome, trial.said)


def _own(name: str) -> Callable[[int, int], Iterator[Trial]]:
    """The trials of a module that is made of them."""

    def trials(count: int, seed: int) -> Iterator[Trial]:
        yield from import_module(f"tools.fuzz.{name}").trials(count, seed)

    return trials


class Surface(NamedTuple):
    """`usual`: inputs that take some ten seconds; `share`: seconds of each hundred that it gets."""

    trials: Callable[[int, int], Iterator[Trial]]
    usual: int
    share: int


SURFACES = {
    "terminal": Surface(_own("terminal"), 20_000, 4),
    "files": Surface(_own("files"), 3000, 12),
    "spec": Surface(_own("spec"), 2000, 12),
    "recorded": Surface(_recorded, 1000, 12),
    "parse": Surface(_parse, 2000, 40),
    "store": Surface(_store, 100, 6),
    "servers": Surface(_own("servers"), 100, 4),
    "model_folders": Surface(_own("model_folders"), 50, 6),
    "surfaces": Surface(_own("surfaces"), 10, 4),
    "shown": Surface(_own("shown"), 3, 4),
}
NEEDS = {"shown": ("chromium", "tmux")}
"""Programs without which a surface is left out."""


class Course:
    """The trials of one surface, what they came to so far, and how long they took."""

    def __init__(self, name: str, count: int, seed: int) -> None:
        self.name, self.outcomes, self.failures = name, Counter[str](), list[Trial]()
        self.seconds, self.over = 0.0, False
        self._trials = islice(SURFACES[name].trials(count, seed), count)

    def go_on(self, seconds: float) -> None:
        """Try one input after the other for some time."""
        started = time.monotonic()
        try:
            while not self.over and time.monotonic() - started < seconds:
                self._next()
        finally:
            self.seconds += time.monotonic() - started

    def _next(self) -> None:
        try:
            with bounded(2 * HANGS):
                trial = next(self._trials, None)
        except Hang as error:  # its generator ends with it
            trial, self._trials = Trial("", "slow", str(error)), islice((), 0)
        if trial is None:
            self.over = True
            return
        self.outcomes[trial.outcome] += 1
        if trial.failed:
            self.failures.append(trial)
            if len(self.failures) <= SHOWN:
                told = f"  {self.name}: {trial.kind} | {trial.outcome} | {trial.message[:300]}"
                print(ascii(told)[1:-1], flush=True)

    def line(self) -> str:
        """Its line of the table."""
        counts = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(self.outcomes.items()))
        return line(self.name, self.outcomes.total(), len(self.failures), self.seconds, counts)


def line(name: str, inputs: int, failures: int, seconds: float, outcomes: str = "") -> str:
    """One line of the table."""
    return f"{name:15}{inputs:>12,}{failures:>10}{seconds:>9.0f}  {outcomes}".rstrip()


def run(courses: list[Course], seconds: float) -> None:
    """Give each surface its share of the time, in rounds, so that a stop leaves counts of all."""
    ends = time.monotonic() + seconds
    while not all(course.over for course in courses) and time.monotonic() < ends:
        for course in courses:
            left = ends - time.monotonic()
            course.go_on(min(SURFACES[course.name].share * ROUND, max(0.0, left)))


def main() -> int:
    """Run the trials of some surfaces or of all, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("surface", nargs="*", help=f"Of {', '.join(SURFACES)}; all if none.")
    parser.add_argument("--n", type=int, help="Inputs for each surface.")
    parser.add_argument("--minutes", type=float, help="For all of them, whatever their inputs.")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if unknown := set(asked.surface) - set(SURFACES):
        parser.error(f"no surface {', '.join(unknown)}: give some of {', '.join(SURFACES)}")
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    courses = [
        Course(name, asked.n or (surface.usual if asked.minutes is None else ENDLESS), asked.seed)
        for name, surface in SURFACES.items()
        if name in (asked.surface or SURFACES) and all(map(shutil.which, NEEDS.get(name, ())))
    ]
    try:
        run(courses, 60 * (asked.minutes or ENDLESS))
    except KeyboardInterrupt:
        print("stopped")
    print(f"{'surface':15}{'inputs':>12}{'failures':>10}{'seconds':>9}  outcomes")
    for course in courses:
        print(course.line())
    failures = sum(len(course.failures) for course in courses)
    inputs = sum(course.outcomes.total() for course in courses)
    print(line("all", inputs, failures, sum(course.seconds for course in courses)))
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
