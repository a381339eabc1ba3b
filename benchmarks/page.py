"""The page of a large study: seconds to render it, and megabytes.

python benchmarks/page.py [--json] [--quick] [--out FILE]

Synthetic answers of 2 models on 8 tasks under 6 recipes at 20 levels, in both views, go through
the whole analysis; timed is only the page. `--quick` has fewer items a task, which changes the
time of the analysis and hardly that of the page.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd

from resect.findings.rows import Summary
from resect.record import TaskInfo
from resect.report.page import render as page
from resect.running.analysis import analyse

MODELS = ("specialist", "base")
TASKS, RECIPES, LEVELS, LABELS = 8, 6, 20, ("A", "B", "C", "D")
SILENT = ("echo", "off_task", "degenerate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, help="Where to keep the page.")
    given = parser.parse_args()
    started = time.perf_counter()
    summary = large_summary(items=24 if given.quick else 200, resamples=50 if given.quick else 1000)
    analysed = time.perf_counter()
    html = page.render(summary)
    seconds = time.perf_counter() - analysed
    if given.out:
        given.out.write_text(html, encoding="utf-8")
    row = {
        "name": "page",
        "seconds": round(seconds, 2),
        "megabytes": round(len(html.encode()) / 1e6, 2),
        "analysis_seconds": round(analysed - started, 1),
        "peer": "the page with all figures unpacked: 109 s and 29.4 MB",
        "ratio": round(29.4e6 / len(html.encode()), 1),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
    }
    print(json.dumps(row) if given.json else "\n".join(f"{k}: {v}" for k, v in row.items()))


def large_summary(items: int, resamples: int) -> Summary:
    """The analysis of a study of that size with synthetic answers."""
    rng = np.random.default_rng(0)
    levels = [round(0.95 * i / (LEVELS - 1), 3) for i in range(LEVELS)]
    names = {f"task-{i}": rng.choice(LABELS, items) for i in range(TASKS)}
    recipes = [f"recipe-{i}" for i in range(RECIPES)]
    cells = [
        cell(rng, model, "none" if level == 0 else recipe, level, task, gold, 0.4 + 0.05 * place)
        for model in MODELS
        for place, recipe in enumerate(recipes)
        for level in levels
        if level or not place
        for task, gold in names.items()
    ]
    answers = pd.concat(cells, ignore_index=True)
    keys = ["model", "role", "recipe", "level", "seed", "task"]
    done = answers[keys].drop_duplicates().assign(status="success", reason=None, n=items)
    states = done.drop_duplicates(["model", "role", "recipe", "level", "seed"])
    return analyse(
        study={
            "name": "large", "models": {}, "tasks": list(names), "limit": None, "variants": [],
            "seed": 0, "resamples": resamples, "margin": None, "alpha": 0.05,
            "recipes": [{"name": name, "levels": levels} for name in recipes],
        },
        models=[
            {"name": m, "role": m, "id": m, "revision": None, "fingerprint": None, "dtype": None,
             "parent": None}
            for m in MODELS
        ],
        tasks={name: info(name) for name in names},
        answers=answers,
        cells=done,
        measurements=[measurement(row) for row in states.to_dict("records")],
        provenance={},
        resamples=resamples,
    )  # fmt: skip


def info(name: str) -> TaskInfo:
    return TaskInfo(
        name=name, kind="label", labels=LABELS, summary="Four options.", protocol="Synthetic.",
        max_new_tokens=1, primary="accuracy",
    )  # fmt: skip


def cell(rng, model, recipe, level, task, gold, breaks) -> pd.DataFrame:
    """Answers of one cell: skill falls along a logistic curve, then text is lost."""
    n = len(gold)
    breaks += 0.05 * (model == "specialist")
    skill = 0.6 / (1 + np.exp((level - breaks) * 14))
    right, silent = rng.random(n) < 0.25 + 0.75 * skill, rng.random(n) < level**4
    chosen = np.where(right, gold, rng.choice(LABELS, n))
    scores = [[-0.2 if label == pick else -2.0 for label in LABELS] for pick in chosen]
    ids = [f"{task}-{i}" for i in range(n)]
    return pd.DataFrame({
        "model": model, "role": model, "recipe": recipe, "seed": 0, "level": level, "task": task,
        "item": ids, "item_id": ids, "parent": None, "variant": None, "gold": gold, "text": "x",
        "outcome": np.where(silent, rng.choice(SILENT, n), "answer"), "tier": "exact",
        "answer": np.where(silent, None, chosen), "chosen": chosen,
        "score": ((chosen == gold) & ~silent).astype(float), "option_scores": scores,
        "stopped": "eos", "tags": None, "prompt": "", "parts": None, "choices": [list(LABELS)] * n,
    })  # fmt: skip


def measurement(state: dict) -> dict:
    kept = 1 - state["level"]
    return {
        **{key: state[key] for key in ("model", "role", "recipe", "level", "seed")},
        "measured_level": state["level"], "parameters": 10**9, "zeros": 0,
        "bytes_on_disk": int(2e9 * kept), "bytes_in_memory": int(2e9 * kept), "peak_memory": None,
        "tokens_per_second": 100.0 / kept, "bits_per_weight": 16.0, "parts": None,
        "workload": None, "ratios": {"parameters": kept},
    }  # fmt: skip


if __name__ == "__main__":
    main()
