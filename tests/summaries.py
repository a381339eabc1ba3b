"""Summaries of hand-made answers, as the data of summary.json."""

from __future__ import annotations

from typing import Any

from resect.findings.summary_file import to_data
from resect.run.analysis import analyse

STUDY: dict[str, Any] = {
    "name": "hand", "models": {}, "recipes": [], "tasks": [], "limit": None, "variants": [],
    "seed": 0, "resamples": 2000, "margin": None, "alpha": None,
}  # fmt: skip
MEASURED: dict[str, Any] = {"role": "model", "seed": 0}
MODEL: dict[str, Any] = dict.fromkeys(("id", "revision", "fingerprint", "dtype", "parent"))


def summarise(**asked: Any) -> dict[str, Any]:
    """What `analyse` finds, as summary.json has it; rows asked need not be whole."""
    asked["study"] = {**STUDY, **asked["study"]}
    asked["models"] = [{**MODEL, "id": model["name"], **model} for model in asked["models"]]
    asked["measurements"] = [{**MEASURED, **row} for row in asked.get("measurements", [])]
    return to_data(analyse(**asked))
