"""Small answer frames and lists written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from lobotomy_logs import task
from summaries import summarise

from resect.stats import skill as sk

YN = ("yes", "no")


def cell(
    model: str,
    level: float,
    gold: Sequence[str],
    answers: Sequence[str | None],
    chosen: Sequence[str | None] | None = None,
    **more: Any,
) -> pd.DataFrame:
    """One cell's rows; items are i00, i01, ... and the recipe `none` at level 0."""
    n = len(gold)
    ids = [f"i{i:03d}" for i in range(n)]
    columns: dict[str, Any] = {
        "model": model, "role": model, "recipe": "none" if level == 0 else "cut", "seed": 0,
        "level": level, "task": "t", "item": ids, "item_id": ids, "parent": None, "variant": None,
        "gold": list(gold), "text": "said", "outcome": "answer", "tier": "exact",
        "answer": list(answers), "chosen": [None] * n if chosen is None else list(chosen),
        "score": [float(a == g) for a, g in zip(answers, gold, strict=True)],
        "option_scores": None, "stopped": "eos", "tags": None, **more,
    }  # fmt: skip
    return pd.DataFrame(columns)


def run(
    frames: Sequence[pd.DataFrame],
    labels: Sequence[str] = YN,
    failed: Sequence[dict[str, Any]] = (),
    degraded: Sequence[dict[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """Summarise cells by hand; every cell is a success apart from `failed` and `degraded` ones."""
    answers = pd.concat(frames, ignore_index=True)
    keys = ["model", "role", "recipe", "level", "seed", "task"]
    cells = answers[keys].drop_duplicates().assign(status="success", reason=None, n=1)
    blank = {"seed": 0, "task": "t", "status": "failed", "reason": "out of memory", "n": 0}
    if failed:
        lost = pd.DataFrame([blank | {"role": row["model"]} | row for row in failed])
        cells = pd.concat([cells.astype(object), lost.astype(object)], ignore_index=True)
    for row in degraded:
        same = (cells[list(row)] == pd.Series(row)).all(axis=1)
        cells = cells.assign(
            status=cells["status"].mask(same, "degraded"), reason=cells["reason"].mask(same, "cut")
        )
    asked: dict[str, Any] = {
        "study": {"name": "hand"},
        "models": [{"name": m, "role": m} for m in dict.fromkeys(answers["model"])],
        "tasks": {"t": task("t", tuple(labels), positive="yes")},
        "measurements": [],
        "provenance": {},
        "resamples": 300,
    }
    return summarise(answers=answers, cells=cells, **(asked | more))


def flipped(gold: Sequence[str], wrong: int) -> list[str | None]:
    """Right answers to yes/no gold, apart from the first `wrong` of each label."""
    seen = dict.fromkeys(YN, 0)
    found: list[str | None] = []
    for g in gold:
        other = YN[1 - YN.index(g)]
        found.append(other if seen[g] < wrong else g)
        seen[g] += 1
    return found


def tally_of(gold: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> sk.Tally:
    """The counts of one list of answers (None is no answer), R = L = 1."""
    ones = np.ones((1, len(gold)), dtype=np.float32)
    codes = sk.encode(answers, labels)[None, :]
    return sk.tally(ones, codes, sk.encode(gold, labels), len(labels))


def skill_of(gold: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> float:
    """The skill of one list of answers against its gold labels."""
    return float(sk.skill(tally_of(gold, answers, labels))[0, 0])


def macro_f1_of(gold: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> float:
    """Macro-F1 of one list of answers over the fixed labels."""
    return float(sk.confusion(tally_of(gold, answers, labels)).macro()[2][0, 0])
