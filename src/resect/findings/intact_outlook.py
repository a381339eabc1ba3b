"""What the intact models' answers leave to be judged, before anything is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from resect.findings.frame import frames
from resect.findings.planned import cell_rows, curves_of
from resect.findings.primary_test import Rule, primary
from resect.findings.rows import Undecided
from resect.record import TaskInfo


def undecided(
    model: str,
    answers: pd.DataFrame,
    tasks: Mapping[str, TaskInfo],
    cells: pd.DataFrame,
    rules: Mapping[str, Rule],
) -> Sequence[Undecided]:
    """The judged tasks (those with a rule) on which no version of a model can be judged, and why.

    `answers` and `cells` are those of a run so far; only those of the intact model are read. A task
    counts where no view of it can be judged.
    """
    intact = answers[(answers["model"] == model) & (answers["recipe"] == "none")]
    own = cell_rows(cells[(cells["model"] == model) & (cells["recipe"] == "none")])
    by_task, _ = frames(intact, {name: tasks[name] for name in rules})
    lost = []
    for name, frame in by_task.items():
        curves = curves_of(frame, own, (), {model: model})
        tests = [primary(curve, tasks[name], rules[name], {}) for curve in curves]
        reasons = [test.undecided for test in tests if test is not None]
        if reasons and all(reasons):
            lost += [reason for reason in reasons[:1] if reason is not None]
    return lost
