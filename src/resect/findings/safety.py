"""The safe level of a sweep, and the smallest safe version among recipes.

Shapes: L levels. Tests come from `evidence`; this file walks them upward and says what stopped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from resect.findings.curves import Curve, damage, describe, say
from resect.findings.evidence import NO_SKILL, Evidence, Test, joint, row, shortfall
from resect.findings.frame import Level
from resect.findings.phrases import degraded
from resect.findings.rows import Limiting

ALPHA = 0.025
"""One-sided, so that a drawn 95 % band and the verdict agree."""

Row = dict[str, Any]
SweepKey = tuple[str, str, int, str]
"""Model, recipe, seed and view."""
Seeds = dict[int, list[Evidence]]
"""The tasks of one model under one recipe, by seed."""


def safety(found: Sequence[Evidence], alpha: float, names: Sequence[str]) -> list[Row]:
    """The safe level of every sweep in every view, as rows of summary.json.

    `default` marks the view that the verdict reads: text, or options where there is no text.
    `names` are the study's tasks: one that a sweep was never asked is not assessable in it.
    """
    sweeps = by_sweep(found)
    unskilled = {e.curve.frame.name for e in found if not e.curve.frame.skilled}
    rows = []
    for key, tasks in sweeps.items():
        text = (*key[:3], "text")
        row = _sweep(tasks, alpha) | {"default": key[3] == "text" or text not in sweeps}
        asked = {e.curve.frame.name for e in tasks}
        row["not_assessable"] += [
            {
                "task": name,
                "reason": NO_SKILL
                if name in unskilled
                else f"it was not asked in the {key[3]} view",
            }
            for name in names
            if name not in asked
        ]
        rows.append(row)
    return rows


def by_sweep(found: Sequence[Evidence]) -> dict[SweepKey, list[Evidence]]:
    """The tasks of every sweep and view, without models that were asked only as they are."""
    sweeps: dict[SweepKey, list[Evidence]] = defaultdict(list)
    for one in found:
        c = one.curve
        if c.recipe != "none":
            sweeps[c.model, c.recipe, c.seed, c.view].append(one)
    return dict(sweeps)


def levels_of(tasks: Sequence[Evidence]) -> list[Level]:
    """The damaged levels of a sweep, rising; every task has the same ones or lacks answers."""
    return sorted({x for one in tasks for x in one.curve.levels[1:]}, key=damage)


def passed_levels(tasks: Sequence[Evidence], alpha: float) -> list[Level]:
    """The levels that pass in fixed sequence; none where no task is assessable."""
    levels = levels_of(tasks)
    ready = _assessable(tasks)
    if not ready or not levels:
        return []
    passes = np.stack([_along(e.curve, t.passes(alpha), levels) for e, t in ready])  # (T, L)
    return levels[: int(joint(passes))]


def _assessable(tasks: Sequence[Evidence]) -> list[tuple[Evidence, Test]]:
    """The tests that count: assessable ones of assessable tasks."""
    return [(e, t) for e in tasks if e.reason is None for t in e.tests if t.reason is None]


def _along(curve: Curve, values: np.ndarray, levels: Sequence[Level]) -> np.ndarray:
    """Values of a curve's levels in the order of the sweep's; False where it has none."""
    place = {level: i for i, level in enumerate(curve.levels)}
    return np.array([bool(values[place[x]]) if x in place else False for x in levels])


def _sweep(tasks: Sequence[Evidence], alpha: float) -> Row:
    """One sweep in one view: how far it is safe, and which task and test stopped it."""
    ready, levels = _assessable(tasks), levels_of(tasks)
    passed = passed_levels(tasks, alpha)
    margins = {e.curve.frame.name: e.tests[0].margin for e in tasks if e.tests}
    same = len(set(margins.values())) == 1
    head = describe(tasks[0].curve)
    del head["task"]
    found: Row = {
        **head,
        "margin": next(iter(margins.values())) if same else None,
        "margins": margins,
        "alpha": alpha,
        "state": _state(ready, levels, passed),
        "safe_level": (passed[-1] if passed else 0.0) if ready and levels else None,
        "passed": passed,
        "limiting_task": None,
        "limiting_test": None,
        "limiting": None,
        "assessable": list(dict.fromkeys(e.curve.frame.name for e, _ in ready)),
        "not_assessable": [
            {"task": e.curve.frame.name, "reason": e.reason} for e in tasks if e.reason
        ],
        "tests_not_assessable": [
            {"task": e.curve.frame.name, "test": t.name, "reason": t.reason}
            for e in tasks if e.reason is None for t in e.tests if t.reason
        ],
        "tests": [],
    }  # fmt: skip
    reached = levels[: len(passed) + 1] if ready else []
    found["degraded"] = _degraded(tasks, reached)
    found["reason"] = _notes(tasks, ready, found["degraded"])
    found["tests"] = [
        row(e.curve.frame.name, t, e.curve.levels.index(level), level, alpha)
        for level in reached for e, t in ready if level in e.curve.levels
    ]  # fmt: skip
    if ready and len(passed) < len(levels):
        found |= _limit(ready, levels[len(passed)], alpha)
    return found


def _state(ready: Sequence[Any], levels: Sequence[Level], passed: Sequence[Level]) -> str:
    """In one word each: no task assessable, nothing passed, everything passed, or up to a level."""
    if not ready or not levels:
        return "not assessable"
    if not passed:
        return "none"
    return "all" if len(passed) == len(levels) else "up to"


def _limit(ready: Sequence[tuple[Evidence, Test]], level: Level, alpha: float) -> Row:
    """The test that stopped the sweep: of those that failed one of how much is right before the
    others, and of these the one furthest from passing. The others are listed by task and test.
    """
    failed = []
    for e, t in ready:
        at = e.curve.levels.index(level) if level in e.curve.levels else None
        if at is None or not t.passes(alpha)[at]:
            p = np.inf if at is None or np.isnan(t.p[at]) else float(t.p[at])
            failed.append(((t.main, p), e, t, at))
    _, e, t, at = max(failed, key=lambda entry: entry[0])
    name = e.curve.frame.name
    limiting: Row = dict.fromkeys(f.name for f in fields(Limiting))
    limiting |= {"task": name, "test": t.name, "main": t.main, "level": level}
    if at is None or not t.change.n[at]:
        lacking = t.lacking(name, at, level)
        limiting |= {"reason": lacking or f"{name} has no items for the test at {say(level)}"}
    else:
        limiting |= row(name, t, at, level, alpha) | shortfall(t, at, alpha)
    limiting["others"] = [
        {"task": o.curve.frame.name, "test": u.name} for _, o, u, _ in failed if u is not t
    ]
    return {"limiting_task": name, "limiting_test": t.name, "limiting": limiting}


def _degraded(tasks: Sequence[Evidence], levels: Sequence[Level]) -> list[Row]:
    """The cells of the assessable tasks that fell back, among the intact one and `levels`."""
    return [
        {"level": level, "task": e.curve.frame.name, "reason": e.degraded[level]}
        for level in (0.0, *levels) for e in tasks if e.reason is None and level in e.degraded
    ]  # fmt: skip


def _notes(tasks: Sequence[Evidence], ready: Sequence[Any], fell: Sequence[Row]) -> str | None:
    """What to know about the tests of this sweep."""
    notes = []
    if not ready:
        notes.append("no task is assessable")
    for e in tasks:
        frame = e.curve.frame
        if len(set(frame.clusters)) < len(frame.items):
            notes.append(f"{frame.name}: the tests allow for items that share a parent")
    if fell:
        notes.append(degraded(fell))
    return "; ".join(notes) or None


def smallest_safe(
    found: Sequence[Evidence],
    alpha: float,
    bytes_at: Mapping[tuple[str, str, Level], tuple[str, float]],
) -> list[Row]:
    """The smallest safe version of every model among its T recipes, each tested at alpha / T.

    Bonferroni over recipes, fixed sequence within: the chance that any unsafe version is named
    is at most alpha, so no items need to be held back. A recipe with several seeds passes a
    level where every seed does, so that choosing a seed is no choice that costs alpha
    (intersection-union, Berger 1982). `bytes_at` maps (model, recipe, level) to what was
    measured and how many, the largest of the seeds'; the smallest of all passed levels is taken,
    and of equals the most damaged. Where bytes are missing, or never fall, levels decide within
    one recipe: a fifth of the neurons and a fifth of the weights are not to be ranked.
    """
    models: dict[str, dict[str, Seeds]] = defaultdict(lambda: defaultdict(dict))
    sweeps = by_sweep(found)
    for (model, recipe, seed, view), tasks in sweeps.items():
        if view == "text" or (model, recipe, seed, "text") not in sweeps:
            models[model][recipe][seed] = tasks
    return [_smallest(model, mine, alpha, bytes_at) for model, mine in models.items()]


def _smallest(
    model: str,
    recipes: Mapping[str, Seeds],
    alpha: float,
    bytes_at: Mapping[tuple[str, str, Level], tuple[str, float]],
) -> Row:
    each = alpha / len(recipes)
    candidates: list[Row] = []
    for recipe, seeds in recipes.items():
        passed = min((passed_levels(tasks, each) for tasks in seeds.values()), key=len)
        for level in passed:
            by, size = bytes_at.get((model, recipe, level), (None, None))
            candidates.append(
                {"recipe": recipe, **_named(seeds, level), "level": level}
                | {"by": by, "bytes": size}
            )
    whole = bytes_at.get((model, "none", 0.0), (None, None))
    first = next(iter(next(iter(recipes.values())).values()))[0].curve
    found: Row = {
        "model": model, "role": first.role, "view": first.view, "recipes": len(recipes),
        "alpha": alpha, "alpha_each": each,
        "rule": "alpha divided by the number of recipes, every seed of which has to pass",
        "recipe": None, "seed": None, "seeds": [], "level": None, "by": None, "bytes": None,
        "baseline_bytes": whole[1], "candidates": len(candidates), "degraded": [], "reason": None,
    }  # fmt: skip
    if not candidates:
        return found | {"reason": "no damaged version passes at this alpha"}
    found |= _pick(candidates, whole)
    notes = [note for note in (found["reason"], degraded(found["degraded"])) if note]
    return found | {"reason": "; ".join(notes) or None}


def _named(seeds: Seeds, level: Level) -> Row:
    """Whose version it is, and which of its cells fell back: those of any seed."""
    fell = [row for tasks in seeds.values() for row in _degraded(tasks, [level])]
    return {
        "seed": next(iter(seeds)) if len(seeds) == 1 else None,
        "seeds": sorted(seeds),
        "degraded": [row for i, row in enumerate(fell) if row not in fell[:i]],
    }


def _pick(candidates: Sequence[Row], whole: tuple[str | None, float | None]) -> Row:
    """The smallest candidate by measured bytes, else by level, else a reason."""
    smaller = [c for c in candidates if c["by"] is not None and c["by"] == whole[0]]
    if len(smaller) == len(candidates) and min(c["bytes"] for c in smaller) < (whole[1] or 0):
        least = min(c["bytes"] for c in smaller)
        return dict([c for c in smaller if c["bytes"] == least][-1])
    missing = len(smaller) < len(candidates)
    why = "bytes were not measured at every level" if missing else "no version is smaller in bytes"
    if len({c["recipe"] for c in candidates}) > 1:
        return {"reason": f"{why}, and levels of different recipes cannot be ranked"}
    best = max(candidates, key=lambda c: damage(c["level"]))
    return {**best, "by": "level", "reason": f"{why}: the most cut is taken"}
