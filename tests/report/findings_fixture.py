"""A full summary: the fixture's curves with verdicts, cliffs, bias, trust, slices, divergences."""

from __future__ import annotations

from typing import Any

import report_fixture as fixture

SAFE = 0.3
MODELS = [name for name, _ in fixture.ROLES]


def _share(value: float) -> dict[str, float]:
    return {"value": value, "low": max(value - 0.03, 0.0), "high": min(value + 0.03, 1.0)}


def _distance(value: float) -> dict[str, float]:
    return _share(value) | {"counted": value + 0.02, "by_chance": 0.02}


def _none() -> dict[str, None]:
    return dict.fromkeys(("value", "low", "high"))


def _test(task: str, view: str, level: float, passed: bool) -> dict[str, Any]:
    change = -0.01 if passed else -0.06
    return {
        "task": task, "view": view, "level": level, "word": "passed" if passed else "failed",
        "n": 500, "margin": 0.05, "intact": 0.6, "value": 0.6 + change, "change": change,
        "low": change - 0.03, "high": change + 0.03, "p": 0.01, "tripped": 0,
    }  # fmt: skip


def guardrail(level: float, tripped: bool = False) -> dict[str, Any]:
    return {
        "task": "pubmedqa", "kind": "subgroup", "of": "topic: heart", "view": "text",
        "level": level, "n": 40, "intact": 0.4, "value": 0.6 if tripped else 0.42,
        "rise": 0.2 if tripped else 0.02, "cap": 0.1, "p": 0.001, "p_holm": 0.01,
        "tripped": tripped,
    }  # fmt: skip


def _verdict(model: str, role: str, view: str, levels: list[float]) -> dict[str, Any]:
    passed = [x for x in levels if 0 < x <= SAFE]
    stop = next((x for x in levels if x > SAFE), None)
    tests = [_test(task, view, x, True) for x in passed for task in fixture.TASKS]
    words = [
        {"level": x, "word": "passed", "claimed": True, "task": "pubmedqa", "change": -0.01,
         "low": -0.04, "high": 0.02}
        for x in passed
    ]  # fmt: skip
    stopped = None
    if stop is not None:
        tests += [_test(task, view, stop, task != "pubmedqa") for task in fixture.TASKS]
        words.append({"level": stop, "word": "failed", "claimed": False, "task": "pubmedqa",
                      "change": -0.06, "low": -0.09, "high": -0.03})  # fmt: skip
        stopped = {
            "task": "pubmedqa", "level": stop, "word": "failed",
            "test": _test("pubmedqa", view, stop, False), "others": [], "power": 0.8,
            "provable_margin": 0.09, "items_needed": 1523,
        }  # fmt: skip
    return {
        "model": model, "role": role, "recipe": "magnitude", "seed": 0, "view": view,
        "runtime": "transformers", "default": view == "text", "alpha": 0.025,
        "margins": dict.fromkeys(fixture.TASKS, 0.05), "state": "passed", "passed": passed,
        "passed_level": passed[-1], "stopped_by": stopped, "levels": words, "tasks": tests,
        "guardrails": [guardrail(passed[-1])], "undetermined": [], "shown_only": [],
        "degraded": [],
    }  # fmt: skip


def choice(model: str, **chosen: Any) -> dict[str, Any]:
    """A model's choice; `chosen` are fields of the version, none where nothing passed."""
    version = {"recipe": "magnitude", "level": 0.3, "seeds": [0], "bytes": None, "alpha": 0.025,
               "word": "passed", "stopped_by": None,
               "tasks": [_test("pubmedqa", "text", 0.3, True)]}  # fmt: skip
    return {
        "model": model, "role": "specialist", "view": "text", "how": "levels upward",
        "alpha": 0.025, "explored": 3, "plausible": 0, "tried": [],
        "chosen": version | chosen if chosen else None, "by": "bytes_on_disk" if chosen else None,
        "baseline_bytes": 100.0, "degraded": [],
        "why": None if chosen else "no version passed on the items held back",
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
        "lean": _distance(0.1), "favourite": None,
        "floors": {"majority": 0.5, "majority_label": "a", "always_positive": None},
        "letter_bias": None if task["positive"] else _distance(0.05),
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
        "calibration_error": _distance(0.1) if probable else None, "risk_coverage": None,
        "brier": _share(0.5) if probable else None, "confident": _share(0.4), "auroc": None,
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
        for other in (apart, never):
            other.setdefault("reason", None)
        found += [row, row | onset, row | steepest, row | apart, row | never]
    return found


def _others() -> dict[str, Any]:
    a, b = MODELS
    shared = {"recipe": "magnitude", "seed": 0, "task": "pubmedqa"}
    broken = _race(("answering", "skill by text"), "answering", 0.1)
    worst = {"value": "heart", "n": 40, "accuracy": 0.2, "low": 0.1, "high": 0.35, "apart": True}
    values = [{"value": "heart", "n": 40, "baseline": _share(0.6), "damaged": _share(0.2)}]
    values[0] |= {"change": -0.4}
    return {
        "breaks_first": [
            shared | {"model": a, "role": "specialist", "race": broken}
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
    half = {"level": 0.4, "low": 0.35, "high": 0.45, "censored": False, "reason": None}
    return {
        "places": dict.fromkeys(names, half), "first": first, "clear": first is not None,
        **lead, **steps,
    }  # fmt: skip


def _again(levels: tuple[float, ...]) -> dict[str, Any]:
    """Questions asked again: rates, races, abstaining, domains of the specialist."""
    one = {"model": MODELS[0], "role": "specialist", "recipe": "magnitude", "seed": 0}
    shared = one | {"task": "pubmedqa", "view": "text"}
    pair, races = ("utility", "reliability"), ("skill", "reliability")
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
            shared
            | {"metric": metric, "levels": blank if first is None else kept}
            | {"race": _race(races, first, by)}
            for metric, first, by in (
                ("grounded", "reliability", 0.1),
                ("consistency", "skill", 0.15),
                ("completeness", None, None),
            )
        ],
        "abstention": [
            one | {"view": "text", "tasks": {"unanswerable": ["fake"], "answerable": ["pubmedqa"]}}
            | {"levels": [{"level": x, **sides, "j": _share(0.5 - x / 2) | {"guess": 0.05}}
                          for x in levels]}
            | {"race": _race(races, "reliability", 0.2)}
        ],
        "domains": [
            one | {"view": "text", "reason": None, "difference": _share(0.1)}
            | {"tasks": {both[0]: ["pubmedqa", "mmlu-medicine"], both[1]: ["mmlu-logic"]}}
            | {"levels": [{"level": x, both[0]: _share(1 - x), both[1]: _share(1 - x / 2)}
                          for x in levels]}
            | {"race": _race(both, "medical", 0.1)}
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
        "verdicts": [
            _verdict(model, role, view, list(levels))
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
    shared |= {"level": 0.5, "prompt": "Is it so?", "gold": "yes"}
    kept = shared | {"model": MODELS[0], "text": "yes, kept", "answer": "yes", "outcome": "answer"}
    lost = shared | {"model": MODELS[1], "text": fixture.HOSTILE, "answer": None}
    lost |= {"outcome": "degenerate", "chosen": None}
    return [*fixture.examples(), kept | {"chosen": "yes"}, lost]
