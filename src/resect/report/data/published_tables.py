"""As published, and what survives: a recorded study's own numbers beside ours, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from resect.report.data.table import Table, columns, without_empty
from resect.report.formatting import DASH, decimal, level

METRICS = {
    "f1_positive": "F1 of the positive label alone (as published)",
    "f1_observed": "F1 over observed labels (as published)",
    "f1_labels": "F1 over the task’s labels",
    "accuracy": "accuracy",
    "skill": "skill, mean over the levels",
    "retention": "share of skill kept, mean over the levels",
}
READINGS = {"study": "its own parses", "ours": "read anew"}


class Published(NamedTuple):
    """What the page shows; everything untrusted is still plain text."""

    claims: tuple[Mapping[str, str], ...]
    readers: tuple[str, ...]
    areas: Table
    differences: Table
    shares: Table


def published(summary: Mapping[str, Any]) -> Published | None:
    """The section's rows, None where nothing is known of how a recording study read its answers."""
    found = summary.get("published")
    if not found or not found.get("areas"):
        return None
    return Published(
        tuple(found.get("claims") or ()),
        tuple(str(row["says"]) for row in found.get("readers") or ()),
        _areas(found["areas"]),
        _differences(found.get("comparisons") or ()),
        _shares(found),
    )


def intact(summary: Mapping[str, Any]) -> Table | None:
    """The models as they are, only where nothing was swept and so no other comparison exists."""
    rows = summary.get("intact") or ()
    if not rows or summary.get("comparisons"):
        return None
    heads = ("Task", "View", "Items", "Accuracy of", "and of", "Difference", "McNemar p", "Verdict")
    body = tuple(
        (
            str(row["task"]),
            str(row["view"]),
            str(row["n"]),
            f"{row['a']}: {decimal(row['accuracy_a'], 3)}",
            f"{row['b']}: {decimal(row['accuracy_b'], 3)}",
            _signed(row),
            decimal(row["p"], 3),
            _word(row),
        )
        for row in rows
    )
    return Table("The models as they are, on the same items", columns(heads), body)


def _areas(rows: Sequence[Mapping[str, Any]]) -> Table:
    heads = ("Task", "Model", "Read by", "As published", "Accuracy", "F1, task’s labels")
    body = tuple(
        (
            str(row["task"]),
            str(row["model"]),
            READINGS.get(row["reading"], row["reading"]),
            _four(row, ""),
            _four(row, "accuracy_"),
            _four(row, "f1_labels_"),
        )
        for row in rows
    )
    caption = "Areas under the curve over the levels by trapezoids, not divided by their range"
    return Table(caption, columns(heads), body)


def _differences(rows: Sequence[Mapping[str, Any]]) -> Table:
    heads = ("Task", "Metric", "Read by", "Pair", "Difference", "Relative", "Verdict")
    body = tuple(
        (
            str(row["task"]),
            METRICS.get(row["metric"], str(row["metric"])),
            READINGS.get(row["reading"], row["reading"]),
            f"{row['a']} minus {row['b']}",
            _signed(row),
            DASH if row["relative"] is None else _minus(f"{100 * row['relative']:+.1f} %"),
            _word(row),
        )
        for row in rows
    )
    caption, pairs = "Every reading of the same comparison, side by side", {row[3] for row in body}
    if len(pairs) == 1:
        caption += f", {pairs.pop()}"
        body = tuple((*row[:3], DASH, *row[4:]) for row in body)
    return without_empty(Table(caption, columns(heads), body))


def _shares(found: Mapping[str, Any]) -> Table:
    """Share of each label that the study read, intact and at the level where it is said most."""
    heads = ("Task", "Model", "Label", "Right for", "Said intact", "Most often", "Least often")
    body = []
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in found.get("levels") or ():
        if row["reading"] == "study" and row["metric"] == "f1_positive":
            groups.setdefault((row["task"], row["model"]), []).append(row)
    for (task, model), rows in groups.items():
        start = next((row for row in rows if row["level"] == 0), None)
        for label, gold in (found.get("gold") or {}).get(task, {}).items():
            top = max(rows, key=lambda row: row["prediction_share"][label])
            low = min(rows, key=lambda row: row["prediction_share"][label])
            body.append((
                str(task),
                str(model),
                str(label),
                decimal(gold, 3),
                DASH if start is None else decimal(start["prediction_share"][label], 3),
                f"{decimal(top['prediction_share'][label], 3)} ({level(top['level'])})",
                f"{decimal(low['prediction_share'][label], 3)} ({level(low['level'])})",
            ))  # fmt: skip
    return Table("What is said how often, by the study’s own parses", columns(heads), tuple(body))


def _four(row: Mapping[str, Any], prefix: str) -> str:
    value = row[f"{prefix}area"]
    if value is None:
        return DASH
    ends = f"{decimal(row[f'{prefix}low'], 3)}, {decimal(row[f'{prefix}high'], 3)}"
    return f"{decimal(value, 4)} [{ends}]"


def _signed(row: Mapping[str, Any]) -> str:
    if row["difference"] is None:
        return DASH
    return _minus(f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]")


def _word(row: Mapping[str, Any]) -> str:
    """The verdict with the model's name in place of a and b."""
    named = {f"{side} better": f"{row[side]} better" for side in ("a", "b")}
    return named.get(row["verdict"], str(row["verdict"] or DASH))


def _minus(number: str) -> str:
    return number.replace("-", "−")
