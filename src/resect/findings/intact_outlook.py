"""What the intact models' answers leave to be judged, before anything is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from resect.findings.choice import confirming_level
from resect.findings.frame import frames
from resect.findings.item_order import halves
from resect.findings.planned import cell_rows, curves_of
from resect.findings.primary_test import Primary, Rule, primary, restricted
from resect.findings.rows import Undecided
from resect.record import TaskInfo


def undecided(
    model: str,
    answers: pd.DataFrame,
    tasks: Mapping[str, TaskInfo],
    cells: pd.DataFrame,
    rules: Mapping[str, Rule],
    halves_of: int | None = None,
) -> Sequence[Undecided]:
    """The judged tasks (those with a rule) on which no version of a model can be judged, and why.

    `answers` and `cells` are those of a run so far; only those of the intact model are read. A task
    counts where no view of it can be judged. Where a version is chosen, `halves_of` is the seed of
    the halves that select and confirm, and either half must be enough.
    """
    intact = answers[(answers["model"] == model) & (answers["recipe"] == "none")]
    own = cell_rows(cells[(cells["model"] == model) & (cells["recipe"] == "none")])
    by_task, _ = frames(intact, {name: tasks[name] for name in rules})
    lost = []
    for name, frame in by_task.items():
        curves = curves_of(frame, own, (), {model: model})
        tests = [primary(curve, tasks[name], rules[name], {}) for curve in curves]
        reasons = [_why(test, halves_of) for test in tests if test is not None]
        if reasons and all(reasons):
            lost += [reason for reason in reasons[:1] if reason is not None]
    return lost


def _why(test: Primary, seed: int | None) -> Undecided | None:
    """Why a test, or the same on either half of its items, cannot be made; None where it can."""
    if test.undecided is not None or seed is None:
        return test.undecided
    alpha = confirming_level(test.alpha)
    parts = [restricted(test, half, alpha) for half in halves(test.curve.frame, seed)]
    short = [part.undecided for part in parts if part.undecided is not None]
    if not short:
        return None
    needed = max(row.needed or 0 for row in short)
    return replace(short[0], n=int(test.items.sum()), needed=2 * needed or None)
