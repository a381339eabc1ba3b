"""As published, and what survives: a recorded study's own numbers beside ours, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from resect.catalog import label as label_of
from resect.findings.rows import (
    Better,
    Claim,
    IntactComparison,
    PublishedArea,
    PublishedComparison,
    PublishedLevel,
)
from resect.findings.rows import Published as PublishedRows
from resect.report.data.scope import Scope
from resect.report.data.table import Table, columns, table
from resect.report.formatting import DASH, decimal, level

READINGS = {"study": "the study’s parser", "ours": "our parser"}
MEANS = ("skill", "retention")
"""Metrics whose area is divided by the range of the levels."""


class Published(NamedTuple):
    """What the page shows; everything untrusted is still plain text."""

    claims: tuple[Claim, ...]
    readers: tuple[str, ...]
    areas: Table
    differences: Table
    shares: Table


def published(scope: Scope) -> Published | None:
    """The section's rows, None where nothing is known of how a recording study read its answers."""
    rows = scope.summary.published
    if rows is None or not rows.areas:
        return None
    return Published(
        rows.claims,
        tuple(row.says for row in rows.readers),
        _areas(rows.areas),
        _differences(rows.comparisons),
        _shares(rows),
    )


def intact_table(scope: Scope) -> Table | None:
    """The models as they are, only where nothing was swept and so no other comparison exists."""
    rows = scope.summary.intact
    if not rows or scope.summary.comparisons:
        return None
    heads = ("Task", "View", "Items", "Accuracy of", "and of", "Difference", "McNemar p", "Verdict")
    body = tuple(
        (row.task, row.view, str(row.n), f"{row.a}: {decimal(row.accuracy_a, 3)}",
         f"{row.b}: {decimal(row.accuracy_b, 3)}", _signed(row), decimal(row.p, 3), _word(row))
        for row in rows
    )  # fmt: skip
    return Table("The intact models, on the same items", columns(heads), body)


def _areas(rows: Sequence[PublishedArea]) -> Table:
    heads = ("Task", "Model", "Read by", "As published", "Accuracy", "F1, task’s labels")
    body = tuple(
        (row.task, row.model, READINGS[row.reading], _four(row.area, row.low, row.high),
         _four(row.accuracy_area, row.accuracy_low, row.accuracy_high),
         _four(row.f1_labels_area, row.f1_labels_low, row.f1_labels_high))
        for row in rows
    )  # fmt: skip
    caption = "Areas under the curve over the levels by trapezoids, not divided by their range"
    return Table(caption, columns(heads), body)


def _differences(rows: Sequence[PublishedComparison]) -> Table:
    heads = ("Task", "Metric", "Read by", "Pair", "Difference", "Relative", "Verdict")
    body = tuple(
        (
            row.task,
            label_of(row.metric) + (", mean over the levels" if row.metric in MEANS else ""),
            READINGS[row.reading],
            f"{row.a} minus {row.b}",
            _signed(row),
            DASH if row.relative is None else _minus(f"{100 * row.relative:+.1f} %"),
            _word(row),
        )
        for row in rows
    )
    caption, pairs = "The same comparison by each parser", {row[3] for row in body}
    if len(pairs) == 1:
        caption += f", {pairs.pop()}"
        body = tuple((*row[:3], DASH, *row[4:]) for row in body)
    return table(caption, heads, body)


def _shares(rows: PublishedRows) -> Table:
    """Share of each label that the study read, intact and at its highest and lowest level."""
    heads = ("Task", "Model", "Label", "Right for", "Share intact", "Highest", "Lowest")
    groups: dict[tuple[str, str], list[PublishedLevel]] = {}
    for row in rows.levels:
        if row.reading == "study" and row.metric == "f1_positive":
            groups.setdefault((row.task, row.model), []).append(row)
    body = tuple(
        (task, model, *_share(levels, label, gold))
        for (task, model), levels in groups.items()
        for label, gold in rows.gold.get(task, {}).items()
    )
    return Table("Share of each answer, by the study’s parser", columns(heads), body)


def _share(levels: Sequence[PublishedLevel], label: str, gold: float) -> tuple[str, ...]:
    shares = [(row.prediction_share[label], row.level) for row in levels]
    start = next((share for share, at in shares if at == 0), None)
    highest = max(shares, key=lambda pair: pair[0])
    lowest = min(shares, key=lambda pair: pair[0])
    ends = (f"{decimal(share, 3)} ({level(at)})" for share, at in (highest, lowest))
    return label, decimal(gold, 3), decimal(start, 3), *ends


def _four(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return DASH
    return f"{decimal(value, 4)} [{decimal(low, 3)}, {decimal(high, 3)}]"


def _signed(row: PublishedComparison | IntactComparison) -> str:
    if row.difference is None:
        return DASH
    shown = f"{row.difference:+.3f}"
    if row.low is not None and row.high is not None:
        shown += f" [{row.low:+.3f}, {row.high:+.3f}]"
    return _minus(shown)


def _word(row: PublishedComparison | IntactComparison) -> str:
    """The verdict with the model's name in place of a and b."""
    if row.verdict is None:
        return DASH
    names = {Better.A: f"{row.a} better", Better.B: f"{row.b} better"}
    return names.get(row.verdict, row.verdict.value)


def _minus(number: str) -> str:
    return number.replace("-", "−")
