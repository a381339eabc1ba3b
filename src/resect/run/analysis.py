"""The analysis of a run: its findings, the published study's beside them, and the verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from resect.findings import planned
from resect.findings.rows import Model, Published, Study, Summary, Verdict
from resect.findings.summary import roles_of, summarise
from resect.findings.summary_file import parsed, to_data
from resect.narrative.reasons import explained
from resect.narrative.verdict import verdict
from resect.record import TaskInfo
from resect.replication.published import published

SOURCE = "the analysis"


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
    declared = parsed(Study, study, SOURCE)
    asked = [parsed(Model, model, SOURCE) for model in models]
    summary = summarise(
        study=declared,
        models=asked,
        tasks=tasks,
        answers=answers,
        cells=cells,
        measurements=measurements,
        provenance=provenance,
        resamples=resamples,
        seed=seed,
    )
    cell_rows = planned.cell_rows(cells)
    roles = roles_of(asked, cell_rows, answers)
    theirs = published(answers, tasks, cell_rows, declared, roles, resamples, seed)
    summary = explained(
        replace(
            summary,
            judge=judge or None,
            published=parsed(Published, theirs, SOURCE) if theirs else None,
        )
    )
    return replace(summary, verdict=parsed(Verdict, verdict(to_data(summary)), SOURCE))
