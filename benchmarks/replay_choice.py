"""A finished run as if `resect choose` had asked it: how often the same choice, at which cost.

`python benchmarks/replay_choice.py RUN [--seeds 100] [--json]`, RUN a folder of `resect run` in
which every version of a ladder was asked all items. A seed orders the items and splits them into
halves; versions are taken the smallest first, as `resect choose` does, and beside it all of them
are judged on all items of the same halves (the full grid). Nothing is asked.

The run of docs/verdict.md, `resect run FILE --anyway --out RUN`, is of this study:

    models: {specialist: clinic:specialist}
    recipes: ["blocks:0.2 + gguf:Q3_K_M", gguf:Q2_K, "blocks:0.2 + gguf:Q4_K_M", gguf:Q3_K_M,
              "blocks:0.2 + gguf:Q5_K_M", gguf:Q4_K_M, gguf:Q5_K_M]
    tasks: [clinic-medicine, clinic-context, clinic-logic]
    measure: sizes
"""

from __future__ import annotations

import argparse
import json
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from replay_looks import judged_of, one_level

from resect.findings.choice import LENIENT, alpha_of
from resect.findings.guardrails import guardrails
from resect.findings.looks import Evidence, Looks
from resect.findings.rows import Word
from resect.running.folder import Run


class Version(NamedTuple):
    """One recipe with its level, its bytes and what each task says of it."""

    recipe: str
    level: float | None
    bytes: int
    tasks: dict[str, Evidence]


class Replay(NamedTuple):
    """One seed: the versions chosen in looks and of the full grid, and the questions asked."""

    seed: int
    chosen: str | None
    grid: str | None
    asked: int
    whole: int


def versions(run: Run) -> list[Version]:
    """The versions of a run's first model, the smallest first."""
    summary, judged = judged_of(run)
    model = next(iter(judged)).model
    size = {(m.recipe, m.level): m.bytes_on_disk for m in summary.measurements if m.model == model}
    rows = [
        Version(key.recipe, sweep.levels[0], size[key.recipe, sweep.levels[0]] or 0, sweep.tasks)
        for key, (sweep, *_) in judged.items()
        if key.model == model
    ]
    return sorted(rows, key=lambda version: version.bytes)


def replays(ladder: Sequence[Version], alpha: float, seeds: int) -> Iterator[Replay]:
    """Every seed's course."""
    frames = {name: own.test.curve.frame for name, own in ladder[0].tasks.items()}
    whole = sum(int(own.test.items.sum()) for v in ladder for own in v.tasks.values())
    for seed in range(seeds):
        looks = Looks.of(frames, seed, choose=True)
        chosen, asked = _in_looks(ladder, looks, alpha)
        yield Replay(seed, chosen, _of_grid(ladder, looks, alpha), asked, whole)


def _half(version: Version, looks: Looks, half: int, alpha: float) -> dict[str, Evidence]:
    assert looks.halves is not None
    return {name: own.on(looks.halves[name][half], alpha) for name, own in version.tasks.items()}


def _in_looks(ladder: Sequence[Version], looks: Looks, alpha: float) -> tuple[str | None, int]:
    asked = tried = 0
    for version in ladder:
        good, taken = one_level(_half(version, looks, 0, LENIENT), looks, version.level)
        asked += taken
        if not good:
            continue
        confirms = _half(version, looks, 1, alpha_of(tried, alpha))
        passed, taken = one_level(confirms, looks, version.level)
        asked, tried = asked + taken, tried + 1
        if passed:
            return version.recipe, asked
    return None, asked


def _of_grid(ladder: Sequence[Version], looks: Looks, alpha: float) -> str | None:
    tried = 0
    for version in ladder:
        if not _passes(_half(version, looks, 0, LENIENT), version.level):
            continue
        if _passes(_half(version, looks, 1, alpha_of(tried, alpha)), version.level):
            return version.recipe
        tried += 1
    return None


def _passes(tasks: dict[str, Evidence], level: float | None) -> bool:
    """Whether all items of a half pass every test and guardrail."""
    words = [own.test.word(own.test.curve.levels.index(level)) for own in tasks.values()]
    return all(word is Word.PASSED for word in words) and not any(
        guard.tripped for guard in guardrails(tasks, level)
    )


def main() -> None:
    """Print how often the choices agree and what share of the grid's questions they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args()
    run = Run(options.run)
    ladder = versions(run)
    rows = list(replays(ladder, run.findings().study.alpha, options.seeds))
    same = sum(row.chosen == row.grid for row in rows) / len(rows)
    ratio = sum(row.asked for row in rows) / sum(row.whole for row in rows)
    chosen = Counter(row.chosen or "none" for row in rows)
    grid = Counter(row.grid or "none" for row in rows)
    if options.json:
        print(json.dumps({
            "name": "replay_choice", "ratio": ratio, "peer": "the full grid", "same": same,
            "chosen": chosen, "grid": grid, "machine": platform.platform(),
            "rows": [row._asdict() for row in rows],
        }))  # fmt: skip
        return
    print(f"{'version':44} {'bytes':>12} {'chosen':>7} {'of grid':>8}")
    for version in ladder:
        counts = chosen[version.recipe], grid[version.recipe]
        print(f"{version.recipe[:44]:44} {version.bytes:12,} {counts[0]:7} {counts[1]:8}")
    print(f"{'none':44} {'':12} {chosen['none']:7} {grid['none']:8}")
    print(f"{len(rows)} seeds: the same choice in {same:.0%}, with {ratio:.0%} of the questions")


if __name__ == "__main__":
    main()
