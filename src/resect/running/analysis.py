"""The analysis of a run: its findings, those of the published study, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from resect.errors import RequestError
from resect.findings import planned
from resect.findings.replication.published import published
from resect.findings.rows import Choice, Model, Study, Summary
from resect.findings.summary import choices_so_far, roles_of, summarise
from resect.findings.summary_file import parsed
from resect.narrative.headline import headline
from resect.narrative.verdict import verdict
from resect.record import TaskInfo
from resect.running.commands import commands
from resect.spec import Recipe
from resect.store.sqlite import Store

SOURCE = "the analysis"
_UNSAID: dict[str, Any] = {"limit": None, "variants": [], "margin": None, "alpha": None}
"""What the study of an older audit does not say."""


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
    warnings: Sequence[str] = (),
) -> Summary:
    """Everything that summary.json holds; `warnings` of the run stand before the analysis' own."""
    declared = parsed(Study, _with_parts(study), SOURCE)
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
    summary = replace(summary, judge=judge or None, published=theirs)
    summary = replace(summary, warnings=(*warnings, *summary.warnings), commands=commands(summary))
    return replace(summary, headline=headline(summary), verdict=verdict(summary))


def choice_so_far(store: Store) -> list[Choice]:
    """What a run that is still asked has chosen, from its store."""
    return choices_so_far(
        parsed(Study, _with_parts(store.facts()["study"]), SOURCE),
        [parsed(Model, model, SOURCE) for model in store.models()],
        store.tasks(),
        store.answers(),
        store.cells(),
        store.measurements(),
    )


def _with_parts(study: Mapping[str, Any]) -> dict[str, Any]:
    """The study with what the levels of each recipe are a fraction of, read from its name."""
    return {
        **_UNSAID,
        **study,
        "recipes": [{**row, "level_of": _level_of(str(row["name"]))} for row in study["recipes"]],
    }


def _level_of(name: str) -> str | None:
    """None too for the name of somebody else's recipe, which may be any text."""
    try:
        return Recipe.of(steps=name).level_of
    except RequestError:
        return None
