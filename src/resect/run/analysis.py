"""The analysis of a run: its findings, the published study's beside them, and the verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from resect.errors import RequestError
from resect.findings import planned
from resect.findings.comparisons import NO_VERDICT
from resect.findings.curves import NO_SKILL
from resect.findings.plain import plain
from resect.findings.rows import Summary
from resect.findings.summary import summarise
from resect.findings.summary_file import from_data
from resect.narrative.verdict import verdict
from resect.record import TaskInfo
from resect.replication.published import published
from resect.spec import Recipe


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
    found = summarise(
        study=_with_parts(study),
        models=models,
        tasks=tasks,
        answers=answers,
        cells=cells,
        measurements=measurements,
        provenance=provenance,
        resamples=resamples,
        seed=seed,
    )
    _type_reasons(found)
    rows = planned.cell_rows(cells)
    roles = planned.roles(models, rows)
    for row in found["curves"]:
        roles.setdefault(row["model"], row["role"])
    found["verdict"] = {"headline": "", "sentences": []}
    found["judge"] = judge
    summary = replace(
        from_data(plain(found), "the analysis"),
        published=published(answers, tasks, rows, study, roles, resamples, seed),
    )
    return replace(summary, verdict=verdict(summary))


def _with_parts(study: Mapping[str, Any]) -> dict[str, Any]:
    """The study with what the levels of each recipe are a fraction of, read from its name."""
    return {
        **study,
        "recipes": [{**row, "level_of": _level_of(str(row["name"]))} for row in study["recipes"]],
    }


def _level_of(name: str) -> str | None:
    """None too for the name of somebody else's recipe, which may be any text."""
    try:
        return Recipe.of(steps=name).level_of
    except RequestError:
        return None


def _type_reasons(found: dict[str, Any]) -> None:
    """Fill `Cliff.last_level`, `Cliff.no_skill` and `Comparison.undecided` from the reasons.

    Goes when the findings fill them themselves; what they have filled stays.
    """
    for row in found["cliffs"]:
        reason = row["reason"] or ""
        last = re.search(r"through the last level, ([0-9.]+)", reason) if row["censored"] else None
        row.setdefault("last_level", float(last[1]) if last else None)
        row.setdefault("no_skill", reason == NO_SKILL)
    for row in found["comparisons"]:
        reason = (row["reason"] or "").split("; ")[0]
        lack = reason.removeprefix(NO_VERDICT) if reason.startswith(NO_VERDICT) else None
        row.setdefault("undecided", lack)
