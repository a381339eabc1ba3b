"""Everything a run found, as one JSON-able dict: the schema of docs/summary.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from resect.analysis import courses as co
from resect.analysis.cliff import half_level
from resect.analysis.compare import absent, compare
from resect.analysis.curves import Curve, Sampled
from resect.analysis.floors import task_row
from resect.analysis.frame import clean_level, frames
from resect.analysis.intervals import Weights, item_weights
from resect.analysis.points import Status, points
from resect.analysis.robustness import robustness
from resect.analysis.verdict import verdict
from resect.record import TaskInfo

MEASURED = (
    "model", "role", "treatment", "level", "measured_level", "parameters", "zeros",
    "bytes_on_disk", "bytes_in_memory", "peak_memory", "tokens_per_second", "bits_per_weight",
    "seconds",
)  # fmt: skip


def summarise(
    *,
    study: dict[str, Any],
    models: list[dict[str, Any]],
    tasks: dict[str, TaskInfo],
    answers: pd.DataFrame,
    cells: pd.DataFrame,
    measurements: list[dict[str, Any]],
    provenance: dict[str, Any],
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Every finding of a run, ready for `json.dumps(..., allow_nan=False)`.

    `answers` has a row per cell and item, `cells` a row per cell (columns in docs/summary.md and
    `frame.py`). `resamples` and `seed` fix the bootstrap: one matrix of item weights per task,
    shared by all models, treatments, levels and views, so that every difference is paired.

    Raises `RequestError` for fewer than 1 resample.
    """
    rows = co.cell_rows(cells)
    role_of = co.roles(models, rows)
    if len(answers):
        for name, role in answers[["model", "role"]].drop_duplicates().to_numpy():
            role_of.setdefault(str(name), str(role))
    by_task, warnings = frames(answers, tasks)
    warnings += co.cell_warnings(rows)
    found: dict[str, list[Any]] = {"curves": [], "robustness": [], "comparisons": [], "cliffs": []}
    for name, frame in by_task.items():
        status = co.status_of(rows, name)
        weights = item_weights(frame.clusters, resamples, seed, name)
        curves = co.curves_of(frame, rows, study, role_of)
        warnings += co.curve_warnings(frame, curves, status)
        _of_task(found, curves, weights, status, co.pair(role_of))
    measured = [_measurement(row) for row in measurements]
    _measured_levels(found["curves"], measured)
    summary: dict[str, Any] = {
        "schema": 1,
        "study": study,
        "models": models,
        "tasks": [task_row(by_task[name], info) for name, info in tasks.items()],
        **found,
        "safety": [],
        "measurements": measured,
    }
    summary["verdict"] = verdict(summary)
    return plain({**summary, "warnings": warnings, "provenance": provenance})  # type: ignore[no-any-return]


def _of_task(
    found: dict[str, list[Any]],
    curves: Sequence[Curve],
    weights: Weights,
    status: Status,
    pair: tuple[str, str] | None,
) -> None:
    """Add the findings of one task."""
    sampled = [Sampled(curve, weights) for curve in curves]
    for one in sampled:
        found["curves"] += points(one, status)
        if one.curve.frame.labels:
            found["robustness"] += robustness(one)
            found["cliffs"].append(half_level(one))
    if pair and curves and curves[0].frame.labels:
        found["comparisons"] += _comparisons(sampled, *pair)


def _comparisons(sampled: Sequence[Sampled], a: str, b: str) -> list[dict[str, Any]]:
    """A against b for every treatment, seed and view that either was asked in."""
    table = {
        (s.curve.treatment, s.curve.seed, s.curve.view, s.curve.model): s
        for s in sampled
        if s.curve.model in (a, b)
    }
    rows = []
    for treatment, seed, view in dict.fromkeys(key[:3] for key in table):
        if treatment == "none":
            continue
        left = table.get((treatment, seed, view, a))
        right = table.get((treatment, seed, view, b))
        if left and right:
            rows += compare(left, right)
        elif left:
            rows += absent(left.curve, a, b, lacking=b)
        elif right:
            rows += absent(right.curve, a, b, lacking=a)
    return rows


def _measurement(row: Mapping[str, Any]) -> dict[str, Any]:
    """A measurement with the keys of the schema; the baseline is level 0."""
    found = {key: row.get(key) for key in MEASURED}
    found["level"] = clean_level(str(row.get("treatment")), row.get("level"))
    return found


def _measured_levels(curves: list[dict[str, Any]], measured: list[dict[str, Any]]) -> None:
    """Write the measured level beside the asked one."""
    table = {(m["model"], m["treatment"], m["level"]): m["measured_level"] for m in measured}
    for row in curves:
        treatment = "none" if row["level"] == 0.0 else row["treatment"]
        row["measured_level"] = table.get((row["model"], treatment, row["level"]))


def plain(value: Any) -> Any:
    """The same value in Python's own types: lists, dicts, None for what is not a finite number."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return [plain(entry) for entry in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is pd.NA or value is pd.NaT:
        return None
    return value
