"""Hostile input for every surface, counted: `python -m tools.fuzz [SURFACE] [--n N] [--seed S]`.

Prints inputs and outcomes of each surface; exit code 1 where one was a traceback, took too long, or
was let through. `tools/fuzz/{parse,recorded,store}.py` have more options of their own.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from tools.fuzz.trial import Trial


def _parse(count: int, seed: int) -> Iterator[Trial]:
    """Mutated texts, each through every reader."""
    parse = import_module("tools.fuzz.parse")
    dice, texts, counts = random.Random(seed), parse.corpus(None), Counter()
    for _ in range(count):
        wrong = list(parse.failures(parse.mutated(texts, dice), 2.0, counts))
        yield Trial("text", "wrong" if wrong else "read", f"{wrong[:1]!s:.300}" if wrong else "")


def _recorded(count: int, seed: int) -> Iterator[Trial]:
    """Damaged recorded answers."""
    recorded = import_module("tools.fuzz.recorded")
    for trial in recorded.trials(count, seed):
        yield Trial(f"{trial.sample}, {trial.kind}", trial.outcome, trial.message)


def _store(count: int, seed: int) -> Iterator[Trial]:
    """Flipped bits and cut ends of a run's store."""
    store = import_module("tools.fuzz.store")
    with tempfile.TemporaryDirectory() as place:
        cuts = max(1, count // 10)
        whole = store.filled(Path(place))
        for trial in store.trials(whole, max(1, count - cuts), cuts, seed):
            failed = {"silent", "traceback"} & {trial.reading, trial.writing}
            outcome = "wrong" if failed else {"same": "read"}.get(trial.reading, trial.reading)
            yield Trial(trial.kind, outcome, trial.said)


def _own(name: str) -> Callable[[int, int], Iterator[Trial]]:
    """The trials of a module that is made of them."""
    return lambda count, seed: import_module(f"tools.fuzz.{name}").trials(count, seed)


SURFACES: dict[str, tuple[Callable[[int, int], Iterator[Trial]], int]] = {
    "parse": (_parse, 2000),
    "recorded": (_recorded, 2000),
    "spec": (_own("spec"), 2000),
    "store": (_store, 300),
    "servers": (_own("servers"), 300),
    "model_folders": (_own("model_folders"), 200),
    "surfaces": (_own("surfaces"), 60),
}
"""Every surface: its trials, and how many a run of about a minute has."""


def main() -> int:
    """Run the trials of one surface or of all, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("surface", nargs="?", choices=SURFACES)
    parser.add_argument("--n", type=int, help="Inputs for each surface.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1e9, help="For each surface, at most.")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    failed = 0
    for name in [asked.surface] if asked.surface else SURFACES:
        trials, usual = SURFACES[name]
        started, outcomes, failures = time.monotonic(), Counter(), []
        for trial in islice(trials(asked.n or usual, asked.seed), asked.n or usual):
            outcomes[trial.outcome] += 1
            failures += [trial] if trial.failed else []
            if time.monotonic() - started > asked.seconds:
                break
        counts = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(outcomes.items()))
        seconds = time.monotonic() - started
        print(f"{name}: {outcomes.total():,} inputs, {len(failures)} failures ({counts}), "
              f"{seconds:.0f} s", flush=True)  # fmt: skip
        for trial in failures[:10]:
            print("  failed:", trial.kind, "|", trial.outcome, "|", ascii(trial.message[:300]))
        failed += len(failures)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
