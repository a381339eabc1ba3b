"""What the criteria for experts leave of the embedded mixture: accuracy and reliability by level.

python benchmarks/experts.py [--json] [--quick] [--model ID] [--seeds N] [--out DIR]

Studies as `resect run` runs them: the embedded mixture of 16 experts, levels 12.5 to 87.5 %, once
for each seed of the calibration text (of the draw, for `random`); `naee` with the first seed, where
it tries few enough subsets, and with a fifteenth of the text. Questions are asked a second time
with their options in other places, and with another item's context. Printed by task and criterion,
means over the seeds with the lowest and the highest: what is right, what is unread, calibration
error, confident errors, the lean towards a label, and how often the choice stays when options move,
or goes when the context does. Then the levels at which half of each is gone, and which of skill and
reliability was gone first, with the lead and its interval. `--out` keeps the run folders, so that a
later call with more seeds goes on. `ratio` is REAP's mean accuracy by text over that of random
removal.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import _machine as machine

from resect import api
from resect.spec import Study

CRITERIA = ("random", "frequency", "gate", "ean", "easy-ep", "reap")
LEVELS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
FEW = (0.125, 0.25, 0.75, 0.875)
TASKS = ("clinic-medicine", "clinic-context", "clinic-logic")
SECTIONS = ("curves", "trust", "bias", "reliability", "cliffs", "breaks_first", "reliability_first")
PEER = "as many experts removed at random"

Row = dict[str, Any]


class Measure(NamedTuple):
    """A number of one level: the section and view it is in, and how it is read there."""

    section: str
    view: str
    read: Callable[[Row], float | None]


def within(name: str, *rest: str) -> Callable[[Row], float | None]:
    """What a row holds at a path; None where a part of it is missing."""

    def read(row: Row) -> float | None:
        found: Any = row.get(name)
        for key in rest:
            found = found.get(key) if found else None
        return None if found is None else float(found)

    return read


MEASURES = {
    "right by text": Measure("curves", "text", within("accuracy")),
    "right by options": Measure("curves", "options", within("accuracy")),
    "unread": Measure("curves", "text", within("metrics", "no_answer", "value")),
    "format loss": Measure("curves", "text", within("format_loss")),
    "calibration error": Measure("trust", "options", within("calibration_error", "counted")),
    "confident errors": Measure("trust", "options", within("wrong_and_confident", "value")),
    "lean": Measure("bias", "options", within("lean", "value")),
    "consistency": Measure("reliability", "options", within("consistency", "value")),
    "grounding": Measure("reliability", "options", within("grounding", "value")),
}


def recipe(criterion: str) -> str:
    """The name that a run gives a criterion; REAP is the default."""
    return "experts" if criterion == "reap" else f"experts,criterion={criterion}"


def summary(model: str, seed: int, quick: bool, out: Path) -> Row:
    """Findings of the criteria (and `naee`), with calibration and random choice by `seed`."""
    windows = 64 if quick else 600
    parts = [study(model, seed, quick, CRITERIA, LEVELS[3::2] if quick else LEVELS, windows)]
    if seed == 0:
        parts.append(study(model, 0, quick, ("naee",), FEW[::3] if quick else FEW, windows // 15))
    found = [api.run(part, out / part.name, notice=lambda _: None).summary() for part in parts]
    return {"tasks": found[0]["tasks"]} | {s: [r for f in found for r in f[s]] for s in SECTIONS}


def study(
    model: str, seed: int, quick: bool, criteria: Sequence[str], levels: Sequence[float], n: int
) -> Study:
    """One study of some criteria, calibrated on `n` windows."""
    return Study.of(
        name=f"{criteria[0]}-{seed}",
        models={"specialist": model},
        recipes=[{"steps": recipe(one), "levels": levels} for one in criteria],
        tasks=TASKS[:1] if quick else TASKS,
        variants=("permuted",) if quick else ("permuted", "swapped"),
        limit=40 if quick else 300,
        seed=seed,
        calibration={"data": "clinic", "nsamples": n, "seqlen": 40, "seed": seed},
        measure="sizes",
        resamples=200 if quick else 1000,
    )


def pick(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """The rows that have these values."""
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def spread(values: Iterable[float | None]) -> Row:
    """Mean, smallest and largest of what is known over the seeds, and of how many it is known."""
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "low": None, "high": None, "n": 0}
    ends = statistics.mean(known), min(known), max(known)
    return dict(zip(("mean", "low", "high"), (round(x, 3) for x in ends), strict=True)) | {
        "n": len(known)
    }


def curve(found: list[Row], criterion: str, task: str) -> list[Row]:
    """One row a level, with every measure over the seeds."""
    here = {"recipe": recipe(criterion), "task": task}
    levels = sorted({row["level"] for row in pick(found[0]["curves"], **here)})
    return [
        {"level": level}
        | {
            name: spread(
                one.read(row)
                for part in found
                for row in pick(part[one.section], **here, view=one.view, level=level)
            )
            for name, one in MEASURES.items()
        }
        for level in levels
    ]


def breaks(found: list[Row], criterion: str, task: str) -> Row:
    """Half-levels over the seeds, and what was gone first, sweep by sweep."""
    here = {"recipe": recipe(criterion), "task": task}
    halves = {
        f"{metric} by {view}": spread(
            row["level"]
            for part in found
            for row in pick(part["cliffs"], **here, view=view, metric=metric, kind="half")
        )
        for view, metric in (("text", "skill"), ("options", "skill"), ("text", "answered"))
    }
    races = [
        {key: row[key] for key in ("seed", "view", "metric")} | lead(row["race"])
        for part in found
        for row in pick(part["reliability_first"], **here)
    ]
    orders = [
        {"seed": row["seed"]} | lead(row["race"])
        for part in found
        for row in pick(part["breaks_first"], **here)
    ]
    diverged = [
        {key: row[key] for key in ("seed", "view", "metric", "level", "low", "high")}
        for part in found
        for row in pick(part["cliffs"], **here, kind="divergence", metric="calibration")
    ]
    return {"half": halves, "races": races, "order": orders, "calibration_diverges": diverged}


def answer(table: Row) -> Row:
    """Over all sweeps, by metric and view: how often which side was gone first, and the lead.

    The lead is in points of the level, above 0 where reliability was gone before skill; it is
    known where both were. Then what breaks first of answering and skill, and how often calibration
    kept less than skill at two levels in a row.
    """
    sweeps = [criteria[one] for criteria in table.values() for one in CRITERIA]
    groups: dict[str, list[Row]] = defaultdict(list)
    for sweep in sweeps:
        for row in sweep["races"]:
            groups[f"{row['metric']} by {row['view']}"].append(row)
    found: Row = {
        name: {"sweeps": len(rows), "first": clear(rows), "lead": spread(r["by"] for r in rows)}
        for name, rows in sorted(groups.items())
    }
    orders = [row for sweep in sweeps for row in sweep["order"]]
    diverged = [row["level"] for sweep in sweeps for row in sweep["calibration_diverges"]]
    return found | {
        "answering and skill": {
            "sweeps": len(orders), "first": clear(orders), "lead": spread(r["by"] for r in orders),
        },
        "calibration before skill": {
            "sweeps": len(diverged),
            "first": {"reliability": sum(level is not None for level in diverged)},
            "lead": spread([]),
        },
    }  # fmt: skip


def lead(race: Row) -> Row:
    """The winner of a race and by how much; below 0 where skill is gone first."""
    sign = -1 if race["first"] == "skill" else 1
    ends = {key: None if race[key] is None else sign * race[key] for key in ("by", "low", "high")}
    return {"first": race["first"], "clear": race["clear"], **ends}


def clear(rows: Iterable[Row]) -> dict[str, int]:
    """How often each was clearly first."""
    return dict(Counter(str(row["first"]) if row["clear"] else "not clear" for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--model", default="clinic:moe-specialist")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="resect-experts-") as folder:
        seeds = range(1 if asked.quick else asked.seeds)
        out = asked.out or Path(folder)
        found = [summary(asked.model, seed, asked.quick, out) for seed in seeds]
    tasks = [row["name"] for row in found[0]["tasks"]]
    table = {
        task: {
            criterion: {
                "curve": curve(found, criterion, task), **breaks(found, criterion, task),
            }
            for criterion in (*CRITERIA, "naee")
        }
        for task in tasks
    }  # fmt: skip

    def mean(criterion: str) -> float:
        rows = [row for task in tasks for row in table[task][criterion]["curve"] if row["level"]]
        return statistics.mean(row["right by text"]["mean"] for row in rows)

    said = answer(table)
    if not asked.json:
        show(table, said)
    machine.show(
        {
            "name": "experts",
            "ratio": round(mean("reap") / mean("random"), 3),
            "peer": PEER,
            "model": asked.model,
            "seeds": len(found),
            "answer": said,
            "tasks": table,
        },
        asked.json,
    )


def show(table: Row, said: Row) -> None:
    """The table as lines."""
    for task, criteria in table.items():
        for criterion, found in criteria.items():
            levels = " ".join(f"{100 * row['level']:11.1f}%" for row in found["curve"])
            print(f"{task}, {criterion:<22} {levels}")
            for name in MEASURES:
                values = " ".join(f"{shown(row[name]):>12}" for row in found["curve"])
                print(f"  {name:<35} {values}")
            for name, half in found["half"].items():
                print(f"  half of {name} gone at {shown(half)} (of {half['n']} seeds)")
    for name, row in said.items():
        print(f"{name}: {row['sweeps']} sweeps, gone first {row['first']}, "
              f"lead {shown(row['lead'])}")  # fmt: skip


def shown(value: Row) -> str:
    """A mean with its lowest and highest, as hundredths."""
    if value["mean"] is None:
        return "–"
    low, mean, high = (f"{100 * value[key]:.0f}" for key in ("low", "mean", "high"))
    return f"{mean} [{low},{high}]" if low != high else mean


if __name__ == "__main__":
    main()
