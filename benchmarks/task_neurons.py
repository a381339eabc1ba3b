"""Are the embedded specialist's medical neurons few? Selective, random and reverse removal.

python benchmarks/task_neurons.py [--json] [--quick]

Shares right by text (and by options, and texts without an answer) on clinic-medicine, the target,
and on clinic-logic, the distractor, after every MLP lost a share of its neurons. Random is the mean
of its seeds, with the lowest and the highest. An arm's half-level is where its share right by text,
interpolated, first falls below half of the uncut model's. `ratio` is the area under the selective
curve over that under the mean random one, both on medicine.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import _machine as machine
from _clinic import SPECIALIST, Asked, Shares

from resect.methods.base import Context
from resect.spec import Calibration

TASKS = ("clinic-medicine", "clinic-logic")
LEVELS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8)
ARMS = {
    "selective": "neurons",
    "reverse": "neurons,order=reverse",
    "contribution": "neurons,criterion=contribution",
    "contribution, reverse": "neurons,criterion=contribution,order=reverse",
    "activation": "neurons,criterion=activation",
    "activation, reverse": "neurons,criterion=activation,order=reverse",
    "magnitude": "neurons,criterion=magnitude",
    "magnitude, reverse": "neurons,criterion=magnitude,order=reverse",
}
SEEDS = 5
Curve = list[dict[str, Shares]]


def area(levels: Sequence[float], values: Sequence[float]) -> float:
    """Trapezoid area over the levels, divided by their range."""
    pairs = zip(pairwise(levels), pairwise(values), strict=True)
    return sum((b - a) * (x + y) / 2 for (a, b), (x, y) in pairs) / (levels[-1] - levels[0])


def half_level(levels: Sequence[float], values: Sequence[float]) -> float | None:
    """Where the values, joined by lines, first fall below half of the first; None nowhere."""
    half = values[0] / 2
    for (a, b), (x, y) in zip(pairwise(levels), pairwise(values), strict=True):
        if y < half <= x:
            return round(a + (b - a) * (x - half) / (x - y), 4)
    return None


def rows_of(arm: str, curves: list[Curve], levels: Sequence[float]) -> list[dict[str, Any]]:
    """One row a task and level; of several seeds means, with the lowest and highest by text."""
    rows = []
    for task in TASKS:
        for number, level in enumerate(levels):
            here = [curve[number][task] for curve in curves]
            mean = [sum(column) / len(here) for column in zip(*here, strict=True)]
            texts = [shares.text for shares in here]
            rows.append(
                {"arm": arm, "task": task, "level": level}
                | dict(zip(Shares._fields, (round(value, 4) for value in mean), strict=True))
                | ({"low": min(texts), "high": max(texts)} if len(here) > 1 else {})
            )
    return rows


def main() -> None:
    asked = machine.arguments(__doc__)
    clinic = Asked(TASKS, 60 if asked.quick else None)
    levels = LEVELS[1:8:3] if asked.quick else LEVELS
    seeds = 2 if asked.quick else SEEDS
    size = 32 if asked.quick else 600
    text = Calibration(data="clinic", nsamples=size, seqlen=40)
    context = Context.of(clinic.loaded, SPECIALIST, text)
    uncut = clinic.shares(clinic.loaded.model)

    def curve(step: str) -> Curve:
        compares = "criterion" not in step or "contribution" in step
        step += f",nsamples={size}" if compares else ""
        return [uncut, *(shares for _, _, shares in clinic.at(step, levels, context))]

    found = {arm: [curve(step)] for arm, step in ARMS.items()}
    found["random"] = [curve(f"neurons,criterion=random,seed={seed}") for seed in range(seeds)]
    axis = (0.0, *levels)
    rows = [row for arm, curves in found.items() for row in rows_of(arm, curves, axis)]

    def texts(arm: str, task: str) -> list[float]:
        return [row["text"] for row in rows if (row["arm"], row["task"]) == (arm, task)]

    halves = {task: {arm: half_level(axis, texts(arm, task)) for arm in found} for task in TASKS}
    first = {
        task: min(by_arm, key=lambda arm: by_arm[arm] or 1.0) for task, by_arm in halves.items()
    }
    if not asked.json:
        for row in rows:
            band = f"  [{row['low']:.3f}, {row['high']:.3f}]" if "low" in row else ""
            print("{arm:22} {task:16} {level:.2f}  text {text:.3f}  options {options:.3f}  "
                  "unread {unread:.3f}".format(**row) + band)  # fmt: skip
    areas = {arm: area(axis, texts(arm, TASKS[0])) for arm in found}
    machine.show(
        {
            "name": "task_neurons",
            "ratio": round(areas["selective"] / areas["random"], 3),
            "peer": f"random removal, mean of {seeds} seeds",
            "half_levels": halves,
            "collapses_first": first,
            "rows": rows,
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
