"""Measurements as findings: memory and speed of equal shapes shared, ratios to the intact model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from resect.findings.frame import clean_level

MEASURED = (
    "model", "role", "recipe", "seed", "level", "measured_level", "parameters", "zeros",
    "bytes_on_disk", "bytes_in_memory", "peak_memory", "tokens_per_second", "bits_per_weight",
    "parts", "workload",
)  # fmt: skip
_TAKEN = ("peak_memory", "tokens_per_second", "workload")
_SPREADS = (
    "tokens_per_second", "prefill_tokens_per_second", "time_to_first_token", "seconds_per_answer",
)  # fmt: skip


def of_measurements(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of `measurements` in summary.json; the baseline is level 0.

    Memory and speed that were not taken at a state are those of a state of the same shape.
    """
    known = {
        (row["model"], row.get("shape")): {key: row.get(key) for key in _TAKEN}
        for row in reversed(rows)
        if row.get("workload")
    }
    found = []
    for row in rows:
        shared = {} if row.get("workload") else known.get((row["model"], row.get("shape")), {})
        one = {key: {**row, **shared}.get(key) for key in MEASURED}
        one["level"] = clean_level(str(row.get("recipe")), row.get("level"))
        found.append(one)
    intact = {row["model"]: _numbers(row) for row in found if row["recipe"] == "none"}
    for row in found:
        whole = intact.get(row["model"], {})
        row["ratios"] = {
            key: value / whole[key] for key, value in _numbers(row).items() if whole.get(key)
        }
    return found


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """What is compared with the intact model, where it was measured."""
    work = row["workload"] or {}
    found = {key: row[key] for key in ("parameters", "bytes_on_disk", "bytes_in_memory")}
    found |= {key: (work.get(key) or {}).get("median") for key in _SPREADS}
    found |= {key: work.get(key) for key in ("flops_per_token", "joules_per_answer")}
    if work.get("peak_memory") is not None and work.get("idle_memory") is not None:
        found["peak_memory"] = work["peak_memory"] - work["idle_memory"]
    return {key: float(value) for key, value in found.items() if value is not None}
