"""The analysis of a run: its findings, the published study's beside them, and the verdict."""

from __future__ import annotations

from typing import Any

import pandas as pd

from resect.findings import planned
from resect.findings.plain import plain
from resect.findings.rows import Summary
from resect.findings.summary import summarise
from resect.findings.summary_file import from_data
from resect.narrative.verdict import verdict
from resect.record import TaskInfo
from resect.replication.published import published


def analyse(
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
    judge: dict[str, Any] | None = None,
) -> Summary:
    """Everything that summary.json holds."""
    summary = summarise(
        study=study,
        models=models,
        tasks=tasks,
        answers=answers,
        cells=cells,
        measurements=measurements,
        provenance=provenance,
        resamples=resamples,
        seed=seed,
    )
    rows = planned.cell_rows(cells)
    roles = planned.roles(models, rows)
    for row in summary["curves"]:
        roles.setdefault(row["model"], row["role"])
    theirs = published(answers, tasks, rows, study, roles, resamples, seed)
    summary |= {"published": theirs} if theirs else {}
    summary |= {"judge": judge} if judge else {}
    summary["verdict"] = verdict(summary)
    return from_data(plain(summary), "the analysis")
