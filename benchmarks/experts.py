"""What the criteria for experts leave of the embedded mixture: accuracy and reliability by level.

python benchmarks/experts.py [--json] [--quick] [--model ID]

A study as `resect run` runs it: the embedded mixture of 16 experts, six criteria, levels 12.5 to
87.5 %, once for each seed of the calibration text (of the random choice, for `random`). Printed by
criterion and task: share right by text, calibration error and confident errors by options, means
over the seeds; the level at which half of the skill, of the answering and of the calibration is
gone; and how often calibration fell before skill. `ratio` is REAP's mean accuracy by text over
that of random removal.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterable
from typing import Any

import _machine as machine

from resect import api
from resect.spec import Study

CRITERIA = ("random", "frequency", "gate", "ean", "easy-ep", "reap")
LEVELS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
TASKS = ("clinic-medicine", "clinic-context", "clinic-logic")
PEER = "as many experts removed at random"


def treatment(criterion: str) -> str:
    """The name that a run gives a criterion; REAP is the default."""
    return "experts" if criterion == "reap" else f"experts,criterion={criterion}"


def summary(model: str, seed: int, quick: bool) -> dict[str, Any]:
    """Findings of the study with calibration and random choice by `seed`."""
    study = Study.of(
        name="experts",
        models={"specialist": model},
        treatments=[{"steps": treatment(c), "levels": LEVELS[3::2] if quick else LEVELS}
                    for c in CRITERIA],
        tasks=TASKS[:1] if quick else TASKS,
        limit=60 if quick else 300,
        seed=seed,
        calibration={
            "data": "clinic", "nsamples": 64 if quick else 600, "seqlen": 40, "seed": seed,
        },
        measure="sizes",
        resamples=200 if quick else 1000,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="resect-experts-") as folder:
        return api.run(study, folder, notice=lambda _: None).summary()


def pick(rows: Iterable[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    """The rows that have these values."""
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def spread(values: Iterable[float | None]) -> dict[str, float | None]:
    """Mean, smallest and largest over the seeds; of levels that were not reached, how many were."""
    given = list(values)
    known = [value for value in given if value is not None]
    if not known:
        return {"mean": None, "low": None, "high": None, "n": 0}
    return {
        "mean": round(statistics.mean(known), 3),
        "low": round(min(known), 3),
        "high": round(max(known), 3),
        "n": len(known),
    }


def curve(found: list[dict[str, Any]], criterion: str, task: str) -> list[dict[str, Any]]:
    """One row a level: accuracy in both views, calibration error and confident errors."""
    here = {"treatment": treatment(criterion), "task": task}
    rows = []
    for level in sorted({row["level"] for row in pick(found[0]["curves"], **here)}):
        shares = {
            view: spread(
                pick(one["curves"], **here, view=view, level=level)[0]["accuracy"] for one in found
            )
            for view in ("text", "options")
        }
        trust = [pick(one["trust"], **here, view="options", level=level)[0] for one in found]
        rows.append(
            {
                "level": level,
                **shares,
                "calibration_error": spread(row["calibration_error"]["value"] for row in trust),
                "wrong_and_confident": spread(row["wrong_and_confident"]["value"] for row in trust),
            }
        )
    return rows


def breaks(found: list[dict[str, Any]], criterion: str, task: str) -> dict[str, Any]:
    """Half-levels over the seeds, and in how many of them reliability fell before accuracy."""
    here = {"treatment": treatment(criterion), "task": task}
    halves: dict[str, Any] = {}
    for view, metric in (("text", "skill"), ("options", "skill"), ("text", "answered")):
        cliffs = [
            pick(one["cliffs"], **here, view=view, metric=metric, kind="half") for one in found
        ]
        halves[f"{metric} by {view}"] = spread(c[0]["level"] if c else None for c in cliffs)
    sooner = {}
    for view, metric in (("text", "answered"), ("options", "calibration")):
        rows = [
            pick(one["cliffs"], **here, view=view, metric=metric, kind="divergence")
            for one in found
        ]
        sooner[metric] = sum(bool(row) and row[0]["level"] is not None for row in rows)
    return {"half": halves, "fell_before_skill": sooner, "seeds": len(found)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--model", default="clinic:moe-specialist")
    asked = parser.parse_args()
    found = [summary(asked.model, seed, asked.quick) for seed in range(1 if asked.quick else 3)]
    tasks = [row["name"] for row in found[0]["tasks"]]
    table = {
        task: {
            criterion: {
                "curve": curve(found, criterion, task), **breaks(found, criterion, task),
            }
            for criterion in CRITERIA
        }
        for task in tasks
    }  # fmt: skip

    def mean(criterion: str) -> float:
        rows = [row for task in tasks for row in table[task][criterion]["curve"] if row["level"]]
        return statistics.mean(row["text"]["mean"] for row in rows)

    if not asked.json:
        show(table)
    machine.show(
        {
            "name": "experts",
            "ratio": round(mean("reap") / mean("random"), 3),
            "peer": PEER,
            "model": asked.model,
            "tasks": table,
        },
        asked.json,
    )


def show(table: dict[str, Any]) -> None:
    """The table as lines."""
    for task, criteria in table.items():
        print(task)
        for criterion, found in criteria.items():
            for title, name in (("right by text", "text"), ("right by options", "options"),
                                ("calibration error", "calibration_error"),
                                ("confident errors", "wrong_and_confident")):  # fmt: skip
                values = "  ".join(
                    "  –  " if row[name]["mean"] is None else f"{row[name]['mean']:.3f}"
                    for row in found["curve"]
                )
                print(f"  {criterion:<10} {title:<18} {values}")
            print(f"  {criterion:<10} half gone at {found['half']}")
            print(f"  {criterion:<10} fell before skill {found['fell_before_skill']}")


if __name__ == "__main__":
    main()
