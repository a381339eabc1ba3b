"""All findings of one task, from its curves under one matrix of item weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from resect.findings.answer_bias import bias
from resect.findings.cliffs import cliffs
from resect.findings.comparisons import absent, compare
from resect.findings.curve_rows import Status, points
from resect.findings.curves import Curve, Sampled
from resect.findings.divergences import divergences
from resect.findings.evidence import Evidence, evidence
from resect.findings.failure_order import breaks_first
from resect.findings.multi_task import Drawn, drawn
from resect.findings.planned import degraded
from resect.findings.race import races
from resect.findings.reliability import reliability
from resect.findings.robustness import robustness
from resect.findings.slices import slices
from resect.findings.trust import trust
from resect.record import TaskInfo
from resect.stats.intervals import Weights

KEYS = (
    "curves", "robustness", "comparisons", "cliffs", "breaks_first", "bias", "trust", "reliability",
    "reliability_first", "slices", "divergences",
)  # fmt: skip

Found = dict[str, list[Any]]
Table = dict[tuple[str, int, str, str], Sampled]
"""Recipe, seed, view and model to a curve."""


class Task(NamedTuple):
    """One task of the study, ready to be analysed."""

    info: TaskInfo
    curves: Sequence[Curve]
    status: Status
    margin: float


def of_task(
    found: Found, task: Task, weights: Weights, pairs: Sequence[tuple[str, str]]
) -> tuple[list[Evidence], list[Drawn]]:
    """Add the findings of one task to `found`.

    The evidence on its safe levels is returned, and what it lends to findings over tasks.
    """
    sampled = [Sampled(curve, weights) for curve in task.curves]
    table: Table = {(s.curve.recipe, s.curve.seed, s.curve.view, s.curve.model): s for s in sampled}
    gathered, lent = [], []
    for one in sampled:
        curve = one.curve
        found["curves"] += points(one, task.status)
        half = None
        if curve.frame.skilled:
            found["robustness"] += robustness(one)
            rows = cliffs(one)
            half = next(row["level"] for row in rows if row["kind"] == "half")
            found["cliffs"] += rows
        if curve.frame.labels:
            found["bias"] += bias(one, task.info.positive)
        if curve.frame.skilled and not curve.frame.graded:
            found["trust"] += trust(one)
        found["reliability"] += reliability(one)
        found["reliability_first"] += races(one)
        found["slices"] += slices(one, half)
        lent.append(drawn(one, task.info))
        options = table.get((curve.recipe, curve.seed, "options", curve.model))
        tests = evidence(one, options.curve if options else None, task.info, task.margin)
        gathered.append(replace(tests, degraded=degraded(curve, task.status)))
    if sampled and sampled[0].curve.frame.skilled:
        found["breaks_first"] += breaks_first(sampled)
        for a, b in pairs:
            found["comparisons"] += _comparisons(table, a, b)
    for a, b in pairs:
        found["divergences"] += _divergences(table, a, b)
    return gathered, lent


def _comparisons(table: Table, a: str, b: str) -> list[dict[str, Any]]:
    """A against b for every recipe, seed and view that either was asked in."""
    rows = []
    for key in _sweeps(table, a, b):
        left, right = table.get((*key, a)), table.get((*key, b))
        if left and right:
            rows += compare(left, right)
        elif left:
            rows += absent(left.curve, a, b, lacking=b)
        elif right:
            rows += absent(right.curve, a, b, lacking=a)
    return rows


def _divergences(table: Table, a: str, b: str) -> list[dict[str, Any]]:
    """What either of two models keeps, in the text view, where both were asked."""
    rows = []
    for key in _sweeps(table, a, b):
        left, right = table.get((*key, a)), table.get((*key, b))
        if key[2] == "text" and left and right:
            row = divergences(left.curve, right.curve)
            rows += [] if row is None else [row]
    return rows


def _sweeps(table: Table, a: str, b: str) -> list[tuple[str, int, str]]:
    """Recipe, seed and view of every sweep that either of two models has."""
    keys = dict.fromkeys(key[:3] for key in table if key[3] in (a, b))
    return [key for key in keys if key[0] != "none"]
