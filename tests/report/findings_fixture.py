"""A full summary: the fixture's curves with safety, cliffs, bias, trust, slices, divergences."""

from __future__ import annotations

from typing import Any

import report_fixture as fixture

SAFE = 0.3
MODELS = [name for name, _ in fixture.ROLES]


def _share(value: float) -> dict[str, float]:
    return {"value": value, "low": max(value - 0.03, 0.0), "high": min(value + 0.03, 1.0)}


def _none() -> dict[str, None]:
    return dict.fromkeys(("value", "low", "high"))


def _test(task: str, level: float, passed: bool) -> dict[str, Any]:
    change = -0.01 if passed else -0.06
    return {
        "task": task, "test": "accuracy", "view": "text", "level": level, "margin": 0.05, "n": 500,
        "lost": 20, "gained": 15, "baseline": 0.6, "value": 0.6 + change, "difference": change,
        "low": change - 0.03, "high": change + 0.03, "p": 0.01, "passed": passed,
    }  # fmt: skip


def _safety(model: str, role: str, view: str, levels: list[float]) -> dict[str, Any]:
    passed = [x for x in levels if 0 < x <= SAFE]
    stop = next((x for x in levels if x > SAFE), None)
    tests = [_test(task, x, True) for x in passed for task in fixture.TASKS]
    limiting = None
    if stop is not None:
        tests += [_test(task, stop, task != "pubmedqa") for task in fixture.TASKS]
        limiting = _test("pubmedqa", stop, False) | {
            "power": 0.8, "provable_margin": 0.09, "items_needed": 1523, "reason": None,
            "others": [],
        }  # fmt: skip
    return {
        "model": model, "role": role, "recipe": "magnitude", "seed": 0, "view": view,
        "default": view == "text", "margin": 0.05, "margins": dict.fromkeys(fixture.TASKS, 0.05),
        "alpha": 0.025, "state": "up to" if stop else "all", "safe_level": passed[-1],
        "passed": passed, "limiting_task": limiting and "pubmedqa",
        "limiting_test": limiting and "accuracy", "limiting": limiting,
        "assessable": list(fixture.TASKS), "not_assessable": [], "tests_not_assessable": [],
        "tests": tests, "reason": None,
    }  # fmt: skip


def _by_level(row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row of bias and one of trust for a row of a curve."""
    keys = ("model", "role", "recipe", "seed", "task", "view", "level", "n")
    shared = {key: row[key] for key in keys}
    task = fixture.TASKS[row["task"]]
    n = sum(task["gold"].values())
    bias = shared | {
        "answered": n, "gold": {label: count / n for label, count in task["gold"].items()},
        "predicted": {label: _share(1 / len(task["gold"])) for label in task["gold"]},
        "lean": _share(0.1), "favourite": None, "floors": {},
        "letter_bias": None if task["positive"] else _share(0.05),
    }  # fmt: skip
    if task["positive"]:
        bias |= {"positive": task["positive"], "positive_share": _share(0.5)}
        bias |= {
            "sensitivity": _share(0.9),
            "criterion": {"value": -0.4, "low": -0.6, "high": -0.2},
        }
    since = {
        "level": 0.0, "n": n, "lost": 9, "gained": 4, "flips": 13 / n,
        "accuracy_change": -5 / n, "p": 0.27, "changed": 0.1,
    }  # fmt: skip
    probable = row["view"] == "options"
    trust = shared | {
        "since_baseline": None if row["level"] == 0 else since, "since_previous": None,
        "calibration_error": _share(0.1) if probable else None, "risk_coverage": None,
        "brier": _share(0.5) if probable else None, "confident": 0.4,
        "wrong_and_confident": _share(0.05) if probable else None,
        "wrong_if_confident": (_share(0.12) | {"n": 40}) if probable else None, "reason": None,
    }  # fmt: skip
    return bias, trust


def _cliffs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        row = row | {"metric": "skill"}
        at = row["level"]
        onset = {"kind": "onset", "level": at - 0.1, "low": at - 0.15, "high": at - 0.05}
        steepest = {
            "kind": "steepest", "level": round(at, 1), "to": round(at, 1) + 0.05, "drop": 0.2,
            "shares": [{"level": round(at, 1), "to": round(at, 1) + 0.05, "share": 0.9}],
        }  # fmt: skip
        apart = {
            "kind": "divergence", "metric": "answered", "level": 0.2, "low": None, "high": None,
            "gap": -0.03, "gap_low": -0.05, "gap_high": -0.01,
        }  # fmt: skip
        never = apart | {"metric": "calibration", "level": None, "censored": True}
        found += [row, row | onset, row | steepest, row | apart, row | never]
    return found


def _others() -> dict[str, Any]:
    a, b = MODELS
    shared = {"recipe": "magnitude", "seed": 0, "task": "pubmedqa"}
    order = [
        {"what": what, "level": level, "low": level - 0.02, "high": level + 0.02,
         "censored": False, "reason": None}
        for what, level in (("answering", 0.45), ("skill by text", 0.5))
    ]  # fmt: skip
    broken = {"order": order, "first": "answering", "by": 0.05, "low": 0.01, "high": 0.09}
    worst = {"value": "heart", "n": 40, "accuracy": 0.2, "low": 0.1, "high": 0.35, "apart": True}
    values = [{"value": "heart", "n": 40, "baseline": _share(0.6), "damaged": _share(0.2)}]
    return {
        "breaks_first": [
            shared | {"model": a, "role": "specialist", "share": 0.98, "clear": True}
            | {"reason": None} | broken
        ],
        "slices": [
            shared | {"model": a, "role": "specialist", "view": "text", "tag": "topic"}
            | {"level": 0.5, "level_of": "half-level", "accuracy": 0.4, "values": values}
            | {"worst": worst}
        ],
        "divergences": [
            shared | {"a": a, "b": b, "view": "text", "n": 100, "kept_by_a": 7, "kept_by_b": 3}
            | {"items": [
                {"item": "h1:1", "item_id": "one", "keeps": a, "loses": b, "level": 0.5,
                 "until": 0.8, "apart": 3},
                {"item": "h1:2", "item_id": "two", "keeps": b, "loses": a, "level": 0.8,
                 "until": None, "apart": 2},
            ]}
        ],
    }  # fmt: skip


def _race(names: tuple[str, str], first: str | None, by: float | None) -> dict[str, Any]:
    """Two half-levels and by how much one leads, in levels of 0.05."""
    lead = {"by": None, "low": None, "high": None, "share": None, "reason": "neither is half gone"}
    if first is not None and by is not None:
        lead = {"by": by, "low": by - 0.05, "high": by + 0.05, "share": 0.99, "reason": None}
    steps = {
        f"steps{end}": None if lead[key] is None else lead[key] / 0.05
        for end, key in (("", "by"), ("_low", "low"), ("_high", "high"))
    }
    half = {"level": 0.4, "low": 0.35, "high": 0.45, "censored": False}
    return {
        **dict.fromkeys(names, half),
        "first": first,
        "clear": first is not None,
        **lead,
        **steps,
    }


def _again(levels: tuple[float, ...]) -> dict[str, Any]:
    """Questions asked again: rates, races, abstaining, domains of the specialist."""
    one = {"model": MODELS[0], "role": "specialist", "recipe": "magnitude", "seed": 0}
    shared = one | {"task": "pubmedqa", "view": "text"}
    pair = ("utility", "reliability")
    kept = [{"level": x, pair[0]: _share(1 - x), pair[1]: _share(1 - x * x)} for x in levels]
    blank = [row | {pair[1]: _none()} for row in kept]
    rates = {
        name: _share(0.6) | {"n": 90, "guess": guess}
        for name, guess in (("consistency", 0.25), ("grounding", 0.75), ("grounded", 0.19))
    }
    sides = {"unanswerable": _share(0.7) | {"n": 80}, "answerable": _share(0.2) | {"n": 300}}
    both = ("medical", "general")
    return {
        "reliability": [shared | {"level": x} | rates for x in levels],
        "reliability_first": [
            shared | {"metric": "grounded", "levels": kept} | _race(pair, "reliability", 0.1),
            shared | {"metric": "consistency", "levels": kept} | _race(pair, "utility", -0.15),
            shared | {"metric": "completeness", "levels": blank} | _race(pair, None, None),
        ],
        "abstention": [
            one | {"view": "text", "tasks": {"unanswerable": ["fake"], "answerable": ["pubmedqa"]}}
            | {"levels": [{"level": x, **sides, "j": _share(0.5 - x / 2) | {"guess": 0.05}}
                          for x in levels]}
            | {"first": _race(pair, "reliability", 0.2)}
        ],
        "domains": [
            one | {"view": "text", "reason": None, "difference": _share(0.1)}
            | {"tasks": {both[0]: ["pubmedqa", "mmlu-medicine"], both[1]: ["mmlu-logic"]}}
            | {"levels": [{"level": x, both[0]: _share(1 - x), both[1]: _share(1 - x / 2)}
                          for x in levels]}
            | {"first": _race(both, "medical", -0.1)}
        ],
    }  # fmt: skip


def summary(levels: tuple[float, ...] = fixture.LEVELS) -> dict[str, Any]:
    """The report's fixture with every key of docs/summary.md filled."""
    found = fixture.summary(levels)
    pairs = [_by_level(row) for row in found["curves"]]
    for row in found["comparisons"]:
        row |= {"detectable": 0.07, "p": 0.2, "p_holm": 0.4, "seed": 0, "family": 3}
        row["verdict_holm"] = "no evidence"
    return found | {
        "cliffs": _cliffs(found["cliffs"]),
        "safety": [
            _safety(model, role, view, list(levels))
            for model, role in fixture.ROLES
            for view in ("text", "options")
        ],
        "bias": [bias for bias, _ in pairs],
        "trust": [trust for _, trust in pairs],
        **_others(),
        **_again(levels),
    }


def examples() -> list[dict[str, Any]]:
    """The fixture's examples, and the texts of the first divergence, one of them hostile."""
    shared: dict[str, Any] = {"recipe": "magnitude", "task": "pubmedqa"}
    shared |= {"item": "h1:1", "item_id": "one"}
    shared |= {"level": 0.5, "prompt": "Is it so?", "gold": "yes", "divergence": True}
    kept = shared | {"model": MODELS[0], "text": "yes, kept", "answer": "yes", "outcome": "answer"}
    lost = shared | {"model": MODELS[1], "text": fixture.HOSTILE, "answer": None}
    lost |= {"outcome": "degenerate", "chosen": None}
    return [*fixture.examples(), kept | {"chosen": "yes"}, lost]
