"""Are the embedded specialist's medical neurons few? Selective, random and reverse removal.

python benchmarks/task_neurons.py [--json] [--quick]

Skill by text on clinic-medicine, whose training texts are the target, and on clinic-logic, whose
are the distractor, after every MLP lost a share of its neurons. Random is the mean of its seeds,
with the lowest and the highest. An arm's half-level is where it keeps half of the intact skill,
with its interval over the items (of seeds: the lowest and highest; null beyond the last level).
`ratio` is the area under the selective curve over that under the mean random one, on medicine.
"""

from __future__ import annotations

from typing import Any

import _machine as machine
from _clinic import Row, by_text, shown, summary

TASKS = ("clinic-medicine", "clinic-logic")
LEVELS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
RANDOM = "neurons,criterion=random"
ARMS = {
    "selective": "neurons,criterion=selectivity",
    "reverse": "neurons,criterion=selectivity,order=reverse",
    "contribution": "neurons,criterion=contribution",
    "contribution, reverse": "neurons,criterion=contribution,order=reverse",
    "activation": "neurons,criterion=activation",
    "magnitude": "neurons,criterion=magnitude",
    "random": RANDOM,
}
SEEDS = 5


def main() -> None:
    asked = machine.arguments(__doc__)
    levels = (0, *(LEVELS[5::3] if asked.quick else LEVELS))
    seeds = 2 if asked.quick else SEEDS
    recipes = [
        {"steps": step, "levels": levels} | ({"seeds": seeds} if step == RANDOM else {})
        for step in ARMS.values()
    ]
    found = summary("task-neurons", recipes, TASKS, 60 if asked.quick else None)
    rows = [row | {"arm": arm} for task in TASKS for arm in ARMS for row in curve(found, arm, task)]
    halves = {task: {arm: half(found, arm, task) for arm in ARMS} for task in TASKS}
    if not asked.json:
        for row in rows:
            band = "[{low:.3f}, {high:.3f}]".format(**row)
            print("{arm:22} {task:16} {level:.2f}  skill {skill:.3f}".format(**row), band)
    areas = {arm: area(found, arm) for arm in ("selective", "random")}
    machine.show(
        {
            "name": "task_neurons",
            "ratio": round(areas["selective"] / areas["random"], 3),
            "peer": f"random removal, mean of {seeds} seeds",
            "half_levels": halves,
            "falls_first": {
                task: min(one, key=lambda a: by(one[a])) for task, one in halves.items()
            },
            "rows": rows if asked.json else len(rows),
        },
        asked.json,
    )


def curve(found: Row, arm: str, task: str) -> list[Row]:
    """Skill by level with its interval; of several seeds their mean, the lowest and highest."""
    mine = [row for row in of(found, "curves", arm) if row["task"] == task]
    rows = []
    for level in sorted({row["level"] for row in mine}):
        here = [row for row in mine if row["level"] == level]
        skills = [row["skill"] for row in here]
        interval = [here[0]["metrics"]["skill"][end] for end in ("low", "high")]
        low, high = interval if len(here) == 1 else (min(skills), max(skills))
        ends = {"low": round(low, 4), "high": round(high, 4)}
        rows.append(shown(here[0]) | {"skill": round(sum(skills) / len(skills), 4)} | ends)
    return rows


def half(found: Row, arm: str, task: str) -> list[float | None]:
    """Half-level with low and high."""
    mine = [
        row
        for row in of(found, "cliffs", arm)
        if (row["task"], row["kind"], row["metric"]) == (task, "half", "skill")
    ]
    if len(mine) == 1:
        return [rounded(mine[0][key]) for key in ("level", "low", "high")]
    levels = [None if row["censored"] else row["level"] for row in mine]
    known = [level for level in levels if level is not None]
    mean = sum(known) / len(known) if len(known) == len(levels) else None
    return [rounded(mean), rounded(min(known, default=None)), rounded(max(known, default=None))]


def area(found: Row, arm: str) -> float:
    """Normalised area under skill on medicine, of several seeds the mean."""
    values = [
        row["value"]
        for row in of(found, "robustness", arm)
        if (row["task"], row["metric"], row["kind"]) == (TASKS[0], "skill", "absolute")
    ]
    return float(sum(values) / len(values))


def of(found: Row, kind: str, arm: str) -> list[Row]:
    """The rows by text of an arm."""
    return [row for row in by_text(found, kind) if row["recipe"] == ARMS[arm]]


def by(half: list[float | None]) -> float:
    """Sorts half-levels: beyond the last level is last."""
    return 1.0 if half[0] is None else half[0]


def rounded(value: Any) -> float | None:
    return None if value is None else round(value, 3)


if __name__ == "__main__":
    main()
