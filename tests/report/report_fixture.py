"""A synthetic but realistic summary: a specialist and its base lose their skill level by level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from resect.findings.rows import Summary
from resect.findings.summary_file import from_data
from resect.report.data.scope import Scope

TASKS: dict[str, dict[str, Any]] = {
    "pubmedqa": {
        "labels": ["yes", "no", "maybe"],
        "gold": {"yes": 276, "no": 169, "maybe": 55},
        "positive": "yes",
        "summary": "Does the abstract answer the question with yes, no or maybe?",
        "start": (0.58, 0.44),
        "break": (0.46, 0.52),
    },
    "mmlu-medicine": {
        "labels": ["A", "B", "C", "D"],
        "gold": {"A": 68, "B": 71, "C": 66, "D": 67},
        "positive": None,
        "summary": "Clinical knowledge and college medicine, four options.",
        "start": (0.45, 0.47),
        "break": (0.50, 0.47),
    },
    "mmlu-logic": {
        "labels": ["A", "B", "C", "D"],
        "gold": {"A": 30, "B": 34, "C": 31, "D": 31},
        "positive": None,
        "summary": "Formal logic and abstract algebra, four options: the control.",
        "start": (0.18, 0.27),
        "break": (0.41, 0.45),
    },
}
ROLES = (("BioMistral-7B", "specialist"), ("Mistral-7B-Instruct-v0.1", "base"))
LEVELS = tuple(round(0.05 * i, 2) for i in range(20))
DRIFT = ("answer", "recovered", "echo", "off_task", "degenerate")


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share."""
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(middle - half), float(middle + half)


def _floors(task: dict[str, Any]) -> dict[str, Any]:
    n = sum(task["gold"].values())
    label = max(task["gold"], key=task["gold"].get)
    positive = task["gold"].get(task["positive"])
    return {
        "chance": 1 / len(task["labels"]),
        "majority": task["gold"][label] / n,
        "majority_label": label,
        "majority_weighted": None,
        "always_positive": None if positive is None else positive / n,
    }


def _outcomes(level: float, breaks: float, rng: np.random.Generator) -> dict[str, float]:
    lost = 1 / (1 + np.exp(-(level - breaks - 0.04) * 22))
    ruin = 1 / (1 + np.exp(-(level - breaks - 0.22) * 20))
    parts = np.array(
        [
            (1 - lost) * 0.93,
            (1 - lost) * 0.07 + lost * (1 - ruin) * 0.3,
            lost * (1 - ruin) * 0.4,
            lost * (1 - ruin) * 0.3,
            lost * ruin,
        ]
    )
    parts = np.round(parts / parts.sum() * (1 + rng.normal(0, 0.01, 5)).clip(0.9), 4)
    parts /= parts.sum()
    return {name: float(share) for name, share in zip(DRIFT, parts, strict=True)}


def _curve(
    name: str, slot: int, view: str, level: float, first: dict[str, float], rng: np.random.Generator
) -> dict[str, Any]:
    task, (model, role) = TASKS[name], ROLES[slot]
    n = sum(task["gold"].values())
    breaks = task["break"][slot] + (0.07 if view == "options" else 0)
    fall = 1 / (1 + np.exp((level - breaks) * 16))
    skill = float(
        task["start"][slot] * fall / (1 / (1 + np.exp(-breaks * 16))) + rng.normal(0, 0.012)
    )
    floor = 1 / len(task["labels"])
    outcomes = _outcomes(level, breaks, rng) if view == "text" else {}
    silent = outcomes.get("echo", 0) + outcomes.get("off_task", 0) + outcomes.get("degenerate", 0)
    accuracy = min(max(floor * (1 - silent) + skill * (1 - floor), 0.01), 0.99)
    low, high = wilson(accuracy, n)
    key = f"{name}{slot}{view}"
    first.setdefault(key, skill)
    first.setdefault(key + "accuracy", accuracy)
    retention = skill / first[key]
    wide = 1.96 * np.sqrt(0.25 / n) * 1.2
    f1 = max(accuracy - 0.06 * (1 - fall) - 0.04, 0.0)
    return {
        "model": model,
        "role": role,
        "recipe": "magnitude",
        "seed": 0,
        "task": name,
        "view": view,
        "level": level,
        "measured_level": round(level * 0.99999, 7),
        "n": n,
        "status": "success",
        "reason": None,
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "skill": skill,
        "macro_f1": f1,
        "precision": f1 + 0.01,
        "recall": f1 + 0.02,
        "per_label": {
            label: {"precision": f1, "recall": f1, "f1": f1, "gold": gold, "predicted": gold}
            for label, gold in task["gold"].items()
        },
        "metrics": {
            "skill": {"value": skill, "low": skill - wide, "high": skill + wide},
            "retention": {
                "value": retention,
                "low": retention - wide / first[key],
                "high": retention + wide / first[key],
            },
            "macro_f1": {"value": f1, "low": max(f1 - wide, 0), "high": f1 + wide},
            "no_answer": {
                "value": silent if view == "text" else 0.0,
                "low": max(silent - 0.02, 0) if view == "text" else 0.0,
                "high": min(silent + 0.02, 1) if view == "text" else 0.0,
            },
            **(_kinds_of_loss(silent, accuracy) if view == "text" else {}),
        },
        "outcomes": outcomes,
        "prediction_share": {label: (1 - silent) / len(task["labels"]) for label in task["labels"]},
        "flips": None if level == 0 else abs(first[key + "accuracy"] - accuracy) + 0.03,
        "format_loss": silent * 0.3 if view == "text" else None,
        "forgotten": (1 - accuracy) * 0.8 if view == "text" else None,
    }


def _kinds_of_loss(silent: float, accuracy: float) -> dict[str, dict[str, float]]:
    shares = {"format_loss": silent * 0.3, "forgotten": (1 - accuracy) * 0.8}
    return {
        name: {"value": value, "low": max(value - 0.02, 0), "high": value + 0.02}
        for name, value in shares.items()
    }


def _findings(levels: tuple[float, ...]) -> dict[str, list[dict[str, Any]]]:
    robustness, comparisons, cliffs = [], [], []
    for name, task in TASKS.items():
        for view in ("text", "options"):
            late = 0.07 if view == "options" else 0.0
            shared = {"recipe": "magnitude", "task": name, "view": view}
            for slot, (model, role) in enumerate(ROLES):
                at = task["break"][slot] + late
                cliffs.append(
                    shared
                    | {"model": model, "role": role, "seed": 0, "kind": "half", "level": at}
                    | {"metric": "skill"}
                    | {"low": at - 0.04, "high": at + 0.05, "censored": False, "reason": None}
                )
                for kind, area in (("absolute", task["start"][slot] * at), ("retention", at)):
                    value = area / levels[-1] if levels[-1] else None
                    robustness.append(
                        shared
                        | {"model": model, "role": role, "seed": 0, "metric": "skill", "kind": kind}
                        | {"value": value, "low": area - 0.03, "high": area + 0.05}
                        | {"raw_area": area, "reason": None}
                    )
            words = {"pubmedqa": "depends on the measure", "mmlu-logic": "b better"}
            for kind, gap in (
                ("absolute", (task["start"][0] - task["start"][1]) * 0.5),
                ("retention", task["break"][0] - task["break"][1]),
            ):
                comparisons.append(
                    shared
                    | {"metric": "skill", "kind": kind, "a": ROLES[0][0], "b": ROLES[1][0]}
                    | {"difference": gap, "low": gap - 0.035, "high": gap + 0.033}
                    | {"seed": 0, "detectable": None, "p": None, "p_holm": None, "family": None}
                    | {"verdict": words.get(name, "no evidence"), "reason": None}
                    | {"verdict_holm": words.get(name, "no evidence")}
                )
    return {"robustness": robustness, "comparisons": comparisons, "cliffs": cliffs}


def _measurements(levels: tuple[float, ...]) -> list[dict[str, Any]]:
    return [
        {
            "model": model,
            "role": role,
            "recipe": "magnitude",
            "seed": 0,
            "level": level,
            "measured_level": round(level * 0.99999, 7),
            "parameters": 7241732096,
            "zeros": int(6979321856 * level),
            "bytes_on_disk": 14483498208,
            "bytes_in_memory": 14483464192,
            "peak_memory": 15900000000,
            "tokens_per_second": 812.4,
            "bits_per_weight": 16.0,
            "parts": None,
            "workload": None,
            "ratios": {},
        }
        for model, role in ROLES
        for level in levels
    ]


def summary(levels: tuple[float, ...] = LEVELS, seed: int = 0) -> dict[str, Any]:
    """Two models, three tasks, both views, one recipe at the given levels."""
    rng = np.random.default_rng(seed)
    first: dict[str, float] = {}
    curves = [
        _curve(name, slot, view, level, first, rng)
        for name in TASKS
        for slot in (0, 1)
        for view in ("text", "options")
        for level in levels
    ]
    if len(curves) > 30:
        curves[13] |= {"status": "degraded", "reason": "3 prompts were longer than the context"}
    return {
        "schema": 2,
        "study": {
            "name": "lobotomy",
            "models": {
                "specialist": {
                    "id": "BioMistral/BioMistral-7B",
                    "revision": "9a11e1f",
                    "dtype": "bf16",
                },
                "base": {
                    "id": "mistralai/Mistral-7B-Instruct-v0.1",
                    "revision": "ec5deb6",
                    "dtype": "bf16",
                },
            },
            "recipes": [{"name": "magnitude", "levels": list(levels)}],
            "tasks": list(TASKS),
            "limit": None,
            "variants": [],
            "seed": 0,
            "margin": 0.05,
            "alpha": 0.025,
            "resamples": 2000,
        },
        "models": [
            {
                "name": model,
                "role": role,
                "id": f"{owner}/{model}",
                "revision": revision,
                "fingerprint": "h1:4f0c2b7d9a31e5c688aa",
                "dtype": "bf16",
                "parameters": 7241732096,
                "parent": "mistralai/Mistral-7B-Instruct-v0.1" if role == "specialist" else None,
            }
            for (model, role), owner, revision in zip(
                ROLES, ("BioMistral", "mistralai"), ("9a11e1f", "ec5deb6"), strict=True
            )
        ],
        "tasks": [
            {
                "name": name,
                "kind": "label",
                "domain": None,
                "caps": {},
                "losses": {},
                "labels": task["labels"],
                "summary": task["summary"],
                "protocol": "Test split, zero-shot, greedy, at most 10 new tokens; tiered parser.",
                "scored": "letter",
                "primary": "accuracy",
                "margin": 0.05,
                "positive": task["positive"],
                "n": sum(task["gold"].values()),
                "gold": task["gold"],
                "floors": _floors(task),
            }
            for name, task in TASKS.items()
        ],
        "curves": curves,
        **{key: [] for key in LISTS},
        **_findings(levels),
        "measurements": _measurements(levels),
        "headline": {
            "text": "The specialist and its base break at about the same level of pruning.",
            "answer": "models compared",
            "lines": [],
        },
        "verdict": {
            "sentences": [
                "Half of the skill is gone between 41 % and 52 % of weights removed.",
                "On PubMedQA the specialist starts higher and falls earlier: which is more "
                "robust depends on the measure.",
                "On logic, the control, the base keeps more, by both measures.",
            ],
        },
        "warnings": [
            "Non-inferiority was not tested: nobody asked for it.",
            "mmlu-logic has 126 items: differences below 9 points cannot be seen.",
        ],
        "provenance": {
            "resect": "0.1.0",
            "python": "3.11.7",
            "platform": "Linux-6.1-x86_64",
            "packages": {"torch": "2.5.1", "transformers": "4.46.3"},
            "device": "NVIDIA A100-SXM4-80GB",
            "started": "2026-01-12T09:30:00Z",
        },
    }


LISTS = (
    "verdicts", "choice", "breaks_first", "bias", "trust", "reliability",
    "reliability_first", "slices", "divergences", "domains", "abstention", "intact",
)  # fmt: skip
"""The findings that this fixture has none of."""


def load(data: dict[str, Any]) -> Summary:
    """The typed summary of such data."""
    return from_data(data, "the fixture")


def scope(data: dict[str, Any]) -> Scope:
    """The same, with its rows looked up."""
    return Scope(load(data))


def shown(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The answers of such rows, as `Run.answers` gives them."""
    whole = [
        {"seed": 0, "variant": None, "item": row["item_id"], **row}
        | {"score": float(row["answer"] is not None and row["answer"] == row["gold"])}
        for row in rows
    ]
    return pd.DataFrame(whole, dtype=object)  # a lone surrogate is no string of pyarrow


def empty() -> dict[str, Any]:
    """A summary of a study that nothing was asked for yet."""
    lists = ("models", "tasks", "curves", "robustness", "comparisons", "cliffs", "measurements")
    data = summary((0.0,)) | {key: [] for key in (*lists, "warnings")}
    study = data["study"] | {"name": "", "models": {}, "recipes": [], "tasks": []}
    headline = {"text": "", "answer": "nothing to analyse", "lines": []}
    blank = {"headline": headline, "verdict": {"sentences": []}, "provenance": {}}
    return data | {"study": study, **blank}


HOSTILE = (
    "<script>document.documentElement.dataset.pwned='yes'</script><img src=x onerror=alert(1)>"
    "</script><!-- \u2028\u2029 \u202eevil\u202c \x07\x1b[31m\x00 \ud800 “quotes” & 'more'"
)
"""Everything a model may say that a page must not do."""


def examples() -> list[dict[str, Any]]:
    """Answers at three levels by both models, one of them hostile, one a megabyte."""
    shared = {"recipe": "magnitude", "task": "pubmedqa", "item_id": "21645374", "gold": "yes"}
    prompt = (
        "Context: Programmed cell death (PCD) is the regulated death of cells within an organism. "
        "The lace plant (Aponogeton madagascariensis) produces perforations in its leaves through "
        "PCD.\nQuestion: Do mitochondria play a role in remodelling lace plant leaves during "
        "programmed cell death?\nAnswer (yes/no/maybe):"
    )
    said = [
        (0, 0.0, " yes", "yes", "answer", "yes"),
        (1, 0.0, " Yes. The results depicted", "yes", "recovered", "yes"),
        (0, 0.5, " Context: Programmed cell death (PCD) is the", None, "echo", "yes"),
        (1, 0.5, " maybe\n\n\n", "maybe", "answer", "no"),
        (0, 0.8, " of of of of of of of of of of", None, "degenerate", "maybe"),
        (1, 0.8, HOSTILE, None, "degenerate", "no"),
    ]
    found = [
        shared
        | {"prompt": prompt, "model": ROLES[slot][0], "level": level, "text": text}
        | {"answer": answer, "outcome": outcome, "chosen": chosen}
        for slot, level, text, answer, outcome, chosen in said
    ]
    found.append(
        found[0] | {"item_id": "<b>7</b>", "level": 0.95, "text": "x" * 1_000_000, "chosen": None}
    )
    return found
