"""A finished run as if it had been asked in looks: the verdicts, and the questions saved.

`python benchmarks/replay_looks.py RUN [--json]`, RUN a folder of `resect run` or `resect audit`.
Its stored answers are looked at in the seeded order of `--sequential`; nothing is asked.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from resect.findings.frame import Level
from resect.findings.guardrails import guardrails
from resect.findings.looks import SHARES, Evidence, Looks
from resect.findings.rows import Summary, Word
from resect.findings.summary import judged_sweeps
from resect.findings.verdicts import Sweep, SweepKey
from resect.running.folder import Run


class Replay(NamedTuple):
    """One sweep: the last level claimed by all items and in looks, and the questions of each."""

    model: str
    recipe: str
    all_items: float | None
    in_looks: float | None
    asked: int
    planned: int


def judged_of(run: Run) -> tuple[Summary, Mapping[SweepKey, Sequence[Sweep]]]:
    """The summary of a run, and what is judged of every sweep on all its items."""
    summary, answers = run.analyse()
    with run.reading() as store:
        tasks, cells = store.tasks(), store.cells()
    study = replace(summary.study, choose=False)
    return summary, judged_sweeps(study, summary.models, tasks, answers, cells)


def replays(path: Path) -> Iterator[Replay]:
    """Every sweep of a run."""
    summary, judged = judged_of(Run(path))
    for key, (sweep, *_) in judged.items():
        by_task = {name: own.test.curve.frame for name, own in sweep.tasks.items()}
        claimed = sweep.claimed
        last, asked = _in_looks(sweep, Looks.of(by_task, summary.study.seed))
        whole = sum(len(frame.items) for frame in by_task.values()) * len(sweep.levels)
        yield Replay(
            key.model, key.recipe, claimed[-1].level if claimed else None, last, asked, whole
        )


def _in_looks(sweep: Sweep, looks: Looks) -> tuple[float | None, int]:
    """The last level that passes in looks, and the questions that it took to know."""
    last, asked = None, 0
    for level in sweep.levels:
        passed, taken = one_level(sweep.tasks, looks, level)
        asked += taken
        if not passed:
            break
        last = level
    return last, asked


def one_level(tasks: Mapping[str, Evidence], looks: Looks, level: Level) -> tuple[bool, int]:
    """Whether one level passes in looks, and the questions that it took to know."""
    left, taken = dict(tasks), dict.fromkeys(tasks, 0)
    passed: dict[str, Evidence] = {}
    for look in range(1, len(SHARES) + 1):
        for name, own in list(left.items()):
            taken[name] = int((own.test.items & (looks.numbers[name] <= look)).sum())
            word = looks.decision(own, level, look)
            if word is Word.PASSED:
                del left[name]
                passed[name] = looks.at(own, look)
            elif word is not None:
                return False, sum(taken.values())
    held = not any(guard.tripped for guard in guardrails(passed, level))
    return held, sum(taken.values())


def main() -> None:
    """Print every sweep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args()
    rows = list(replays(options.run))
    asked, whole = sum(row.asked for row in rows), sum(row.planned for row in rows)
    if options.json:
        print(json.dumps({
            "name": "replay_looks", "ratio": asked / whole, "peer": "all items",
            "machine": platform.platform(), "rows": [row._asdict() for row in rows],
        }))  # fmt: skip
        return
    print(f"{'model':24} {'recipe':12} {'all items':>10} {'in looks':>10} {'asked':>8} {'of':>8}")
    for row in rows:
        print(f"{row.model[:24]:24} {row.recipe[:12]:12} {_percent(row.all_items):>10} "
              f"{_percent(row.in_looks):>10} {row.asked:8,} {row.planned:8,}")  # fmt: skip
    print(f"{asked:,} of {whole:,} questions ({asked / whole:.0%})")


def _percent(level: float | None) -> str:
    return "none" if level is None else f"{100 * level:g} %"


if __name__ == "__main__":
    main()
