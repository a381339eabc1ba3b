"""Every finding of a run, as one frozen summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import pandas as pd

from resect.errors import RequestError
from resect.findings import planned
from resect.findings.abstention import abstention
from resect.findings.choice import choices
from resect.findings.comparisons import adjusted
from resect.findings.domains import domains
from resect.findings.floors import task_row
from resect.findings.frame import frames
from resect.findings.gaps import cell_warnings, curve_warnings, unanswered
from resect.findings.looks import Evidence, Looks
from resect.findings.measurements import (
    Recorded,
    of_measurements,
    sizes_of,
    with_measured_levels,
)
from resect.findings.primary_test import Rule, is_judged
from resect.findings.random_control import worse_than_random
from resect.findings.rows import (
    Answer,
    Cells,
    Choice,
    Headline,
    Measurement,
    Model,
    Study,
    Summary,
    Verdict,
)
from resect.findings.task_findings import Task, TaskFindings, task_findings
from resect.findings.variant_answers import lay_beside
from resect.findings.verdicts import Sweep, SweepKey, evidence, sweeps, verdicts
from resect.record import TaskInfo
from resect.stats.intervals import item_weights
from resect.stats.multiplicity import ALPHA_ONE_SIDED

MARGIN = 0.05
"""The most that may be lost where neither the study nor the task says otherwise."""

NO_VERDICT = Verdict(sentences=())
NO_HEADLINE = Headline(text="", answer=Answer.NOTHING, lines=())
"""What stands in a summary until the narrative reads it."""


def summarise(
    *,
    study: Study,
    models: Sequence[Model],
    tasks: Mapping[str, TaskInfo],
    answers: pd.DataFrame,
    cells: pd.DataFrame,
    measurements: Sequence[Recorded],
    provenance: Mapping[str, Any],
    resamples: int = 2000,
    seed: int = 0,
) -> Summary:
    """Every finding of a run; the verdict and the published study's findings are added later.

    `answers` has a row per cell and item, `cells` a row per cell (columns in docs/summary.md and
    `frame.py`). `resamples` and `seed` fix the bootstrap: one matrix of item weights per task,
    shared by all models, recipes, levels and views, so that every difference is paired.

    Raises `RequestError` for fewer than 1 resample, or a margin or alpha out of range.
    """
    rule = _rule(study)
    cell_rows = planned.cell_rows(cells)
    role_of = roles_of(models, cell_rows, answers)
    prepared, warnings = _tasks(study, tasks, answers, cell_rows, role_of, rule)
    pairs = planned.pairs(role_of)
    by_task = (
        task_findings(task, item_weights(task.frame.clusters, resamples, seed, name), pairs)
        for name, task in prepared.items()
    )
    findings = reduce(TaskFindings.plus, by_task, TaskFindings())
    measured = of_measurements(measurements)
    judged = _sweeps(study, prepared, findings.evidence)
    return Summary(
        study=study,
        headline=NO_HEADLINE,
        models=tuple(models),
        tasks=tuple(task_row(task.frame, task.info) for task in prepared.values()),
        curves=tuple(with_measured_levels(findings.curves, measured)),
        robustness=findings.robustness,
        comparisons=tuple(adjusted(findings.comparisons)),
        cliffs=findings.cliffs,
        breaks_first=findings.breaks_first,
        bias=findings.bias,
        trust=findings.trust,
        reliability=findings.reliability,
        reliability_first=findings.reliability_first,
        slices=findings.slices,
        divergences=findings.divergences,
        domains=tuple(domains(findings.lent)),
        abstention=tuple(abstention(findings.lent)),
        verdicts=tuple(verdicts(judged, rule.alpha, study.shown_only)),
        choice=tuple(_choices(study, judged, rule, measured)),
        measurements=tuple(measured),
        intact=findings.intact,
        runtimes=findings.runtimes,
        warnings=(*warnings, *worse_than_random(study.recipes, findings.curves)),
        verdict=NO_VERDICT,
        provenance=provenance,
        cells=_counted(cells),
    )


def _counted(cells: pd.DataFrame) -> Cells:
    """How many cells were planned, and how they ended; one that has not run has another status.

    Those that the verdict did not need (`skipped`) are not counted as planned.
    """
    ended = cells["status"] if len(cells) else pd.Series(dtype=str)
    return Cells(
        planned=int((ended != "skipped").sum()),
        done=int(ended.isin(("success", "degraded")).sum()),
        failed=int((ended == "failed").sum()),
    )


def choices_so_far(
    study: Study,
    models: Sequence[Model],
    tasks: Mapping[str, TaskInfo],
    answers: pd.DataFrame,
    cells: pd.DataFrame,
    measurements: Sequence[Recorded],
) -> list[Choice]:
    """The choice of a run that goes on, without any other finding."""
    judged = judged_sweeps(study, models, tasks, answers, cells)
    return _choices(study, judged, _rule(study), of_measurements(measurements))


def judged_sweeps(
    study: Study,
    models: Sequence[Model],
    tasks: Mapping[str, TaskInfo],
    answers: pd.DataFrame,
    cells: pd.DataFrame,
) -> Mapping[SweepKey, Sequence[Sweep]]:
    """What is judged of every sweep, without any other finding."""
    cell_rows = planned.cell_rows(cells)
    role_of = roles_of(models, cell_rows, answers)
    prepared, _ = _tasks(study, tasks, answers, cell_rows, role_of, _rule(study))
    gathered = [
        row
        for task in prepared.values() if task.judged
        for row in evidence(task.curves, task.info, task.rule, task.states)
    ]  # fmt: skip
    return _sweeps(study, prepared, gathered)


def _sweeps(
    study: Study, prepared: Mapping[str, Task], gathered: Sequence[Evidence]
) -> Mapping[SweepKey, Sequence[Sweep]]:
    """What is judged of every sweep."""
    frames_of = {name: task.frame for name, task in prepared.items()}
    looks = Looks.of(frames_of, study.seed, study.choose) if study.asked_in_looks else None
    return sweeps(gathered, [name for name, task in prepared.items() if task.judged], looks)


def _choices(
    study: Study,
    judged: Mapping[SweepKey, Sequence[Sweep]],
    rule: Rule,
    measured: Sequence[Measurement],
) -> list[Choice]:
    return choices(judged, rule, sizes_of(measured), study.seed, study.choose)


def roles_of(
    models: Sequence[Model], cells: Sequence[planned.CellRow], answers: pd.DataFrame
) -> dict[str, str]:
    """Model name to role: of the study's models, of the cells, and of other people's answers."""
    role_of = planned.roles(models, cells)
    if len(answers):
        for name, role in answers[["model", "role"]].drop_duplicates().to_numpy():
            role_of.setdefault(str(name), str(role))
    return role_of


def _tasks(
    study: Study,
    tasks: Mapping[str, TaskInfo],
    answers: pd.DataFrame,
    cells: Sequence[planned.CellRow],
    role_of: Mapping[str, str],
    rule: Rule,
) -> tuple[dict[str, Task], list[str]]:
    """Every task with its curves, and sentences on what is missing."""
    by_task, warnings = frames(answers, tasks)
    warnings += cell_warnings(cells)
    prepared = {}
    for name, frame in by_task.items():
        info, states = tasks[name], planned.states_of(cells, name)
        lay_beside(frame, answers[answers["task"] == name], info)
        curves = planned.curves_of(frame, cells, study.recipes, role_of)
        warnings += curve_warnings(frame, curves, states, uneven=not study.asked_in_looks)
        if study.recorded is None:  # others cannot ask again
            warnings += unanswered(info, answers[answers["task"] == name])
        judged = is_judged(info, study.shown_only)
        own = rule.of_task(info, study.margin)
        prepared[name] = Task(info, frame, curves, states, own, judged)
    return prepared, warnings


def _rule(study: Study) -> Rule:
    """The study's rule of passing; `RequestError` where a number of it is out of range."""
    alpha = ALPHA_ONE_SIDED if study.alpha is None else study.alpha
    margin = MARGIN if study.margin is None else study.margin
    if not 0 < margin < 1:
        raise RequestError(f"margin {margin} is out of range: give a share in (0, 1), like 0.05.")
    if not 0 < alpha < 0.5:
        raise RequestError(f"alpha {alpha} is out of range: give an error in (0, 0.5), like 0.025.")
    if not 0 <= study.retain < 1:
        raise RequestError(
            f"retain {study.retain} is out of range: give a share from 0 to 1, like 0.8."
        )
    return Rule(margin, study.retain, alpha)
