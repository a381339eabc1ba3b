"""How much of what magnitude pruning took from the embedded specialist LoRA brings back.

python benchmarks/recovery.py [--json] [--quick]

Pruned to each level, asked, tuned back with LoRA on the clinic's training texts (zeros kept, one
recipe, chosen by the loss of held-out training texts at 75 %), and asked again: the same 200 items
a task. `ratio` is the mean skill after, over that before, at the level where the pruned model has
lost most and recovery still passes half of the intact skill; the peer is the pruned model.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import _machine as machine

import resect

RECIPE = "data=clinic,lr=5e-3,rank=16,steps=150,batch_size=32,max_length=96"
TASKS = ["clinic-medicine", "clinic-context", "clinic-logic"]


def main() -> None:
    asked = machine.arguments(__doc__)
    levels = [0.7, 0.8] if asked.quick else [0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9]
    recipe = RECIPE.replace("steps=150", "steps=20") if asked.quick else RECIPE
    study = resect.Study.of(
        name="recovery",
        models={"specialist": "clinic:specialist"},
        recipes=["magnitude", f"magnitude + lora,{recipe}"],
        levels=[0, *levels],
        tasks=TASKS,
        limit=50 if asked.quick else 200,
        measure="sizes",
    )
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = resect.run(study, Path(folder) / "run", workers=1)
        seconds = time.perf_counter() - started
        summary = run.summary()
    rows = [row for level in levels for row in of_level(summary, level)]
    helped = [row for row in rows if row["task"] == "mean" and row["after"] >= row["intact"] / 2]
    best = max(helped, key=lambda row: row["after"] - row["before"], default=None)
    machine.show(
        {
            "name": "recovery",
            "ratio": round(best["after"] / max(best["before"], 0.01), 2) if best else None,
            "level": best["level"] if best else None,
            "peer": "the pruned model before it is tuned back",
            "recipe": recipe,
            "seconds": round(seconds, 1),
            "zeros_kept": all(row["zeros"] == row["zeros_before"] for row in rows),
            "levels": rows,
        },
        asked.json,
    )


def of_level(summary: dict[str, Any], level: float) -> list[dict[str, Any]]:
    """Skill by text before and after, per task with the interval of accuracy, and the mean."""

    def at(task: str, tuned: bool, where: float) -> dict[str, Any]:
        return next(
            row
            for row in summary["curves"]
            if row["task"] == task and row["view"] == "text" and row["level"] == where
            and ("lora" in row["recipe"]) == tuned
        )  # fmt: skip

    def zeros(tuned: bool) -> int:
        return next(
            row["zeros"]
            for row in summary["measurements"]
            if row["level"] == level and ("lora" in row["recipe"]) == tuned
        )

    found = []
    interval = ("accuracy", "accuracy_low", "accuracy_high")
    for task in TASKS:
        intact, before, after = at(task, False, 0), at(task, False, level), at(task, True, level)
        found.append(
            {
                "level": level,
                "task": task,
                "intact": intact["skill"],
                "before": before["skill"],
                "after": after["skill"],
                "accuracy_before": [
                    before[k] for k in ("accuracy", "accuracy_low", "accuracy_high")
                ],
                "accuracy_after": [after[key] for key in interval],
                "zeros": zeros(True),
                "zeros_before": zeros(False),
            }
        )
    mean = {
        key: sum(row[key] for row in found) / len(found) for key in ("intact", "before", "after")
    }
    return [*found, {**found[0], **mean, "task": "mean"}]


if __name__ == "__main__":
    main()
