"""Everything a run found, as one JSON-able dict: the schema of docs/summary.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from resect.errors import RequestError
from resect.findings import planned as co
from resect.findings.baseline_comparison import intact
from resect.findings.comparisons import adjusted
from resect.findings.evidence import Evidence
from resect.findings.floors import task_row
from resect.findings.frame import frames
from resect.findings.measurements import of_measurements
from resect.findings.multi_task import Drawn, abstention, domains
from resect.findings.of_task import KEYS, Task, of_task
from resect.findings.safety import ALPHA, safety, smallest_safe
from resect.findings.variant_answers import lay_beside
from resect.record import TaskInfo
from resect.stats.intervals import item_weights


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
    shared by all models, recipes, levels and views, so that every difference is paired.

    Raises `RequestError` for fewer than 1 resample, or a margin or alpha out of range.
    """
    rows = co.cell_rows(cells)
    role_of = co.roles(models, rows)
    if len(answers):
        for name, role in answers[["model", "role"]].drop_duplicates().to_numpy():
            role_of.setdefault(str(name), str(role))
    by_task, warnings = frames(answers, tasks)
    warnings += co.cell_warnings(rows)
    margin, alpha = _settings(study)
    found: dict[str, list[Any]] = {key: [] for key in KEYS}
    gathered: list[Evidence] = []
    lent: list[Drawn] = []
    for name, frame in by_task.items():
        status = co.status_of(rows, name)
        lay_beside(frame, answers[answers["task"] == name], tasks[name])
        weights = item_weights(frame.clusters, resamples, seed, name)
        curves = co.curves_of(frame, rows, study, role_of)
        warnings += co.curve_warnings(frame, curves, status)
        info = tasks[name]
        task = Task(info, curves, status, info.margin if margin is None else margin)
        evidence, more = of_task(found, task, weights, co.pairs(role_of))
        gathered += evidence
        lent += more
    adjusted(found["comparisons"])
    measured = of_measurements(measurements)
    _measured_levels(found["curves"], measured)
    summary: dict[str, Any] = {
        "schema": 1,
        "study": study,
        "models": models,
        "tasks": [task_row(by_task[name], info) for name, info in tasks.items()],
        **found,
        "domains": domains(lent),
        "abstention": abstention(lent),
        "safety": safety(gathered, alpha, list(tasks)),
        "smallest_safe": smallest_safe(gathered, alpha, _sizes(measured)),
        "measurements": measured,
    }
    summary["intact"] = [row for f in by_task.values() for row in intact(f, co.pairs(role_of))]
    summary["warnings"] = warnings
    return {**summary, "provenance": provenance}


def _settings(study: Mapping[str, Any]) -> tuple[float | None, float]:
    """The study's margin (None: each task's own) and alpha; `RequestError` out of range."""
    margin, alpha = study.get("margin"), study.get("alpha")
    alpha = ALPHA if alpha is None else float(alpha)
    if margin is not None and not 0 < margin < 1:
        raise RequestError(f"margin {margin} is out of range: give a share in (0, 1), like 0.05.")
    if not 0 < alpha < 0.5:
        raise RequestError(f"alpha {alpha} is out of range: give an error in (0, 0.5), like 0.025.")
    return margin, alpha


def _sizes(measured: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, Any], tuple[str, float]]:
    """Measured bytes by model, recipe and level: on disk where all have it, else in memory.

    Of several seeds the largest.
    """
    for name in ("bytes_on_disk", "bytes_in_memory"):
        if measured and all(row[name] is not None for row in measured):
            rising = sorted(measured, key=lambda row: row[name])
            return {(r["model"], r["recipe"], r["level"]): (name, r[name]) for r in rising}
    return {}


def _measured_levels(curves: list[dict[str, Any]], measured: list[dict[str, Any]]) -> None:
    """Write the measured level beside the asked one; the baseline is that of every seed."""
    table = {_state(row): row["measured_level"] for row in measured}
    for row in curves:
        row["measured_level"] = table.get(_state(row))


def _state(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Which state of a model a row is about."""
    if row["level"] == 0.0:
        return row["model"], "none"
    return row["model"], row["recipe"], row["seed"], row["level"]
