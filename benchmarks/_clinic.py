"""The embedded specialist under many recipes: one study, its rows by text."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

import resect

Row = dict[str, Any]


def summary(name: str, recipes: Sequence[Any], tasks: Sequence[str], limit: int | None) -> Row:
    """The findings of a study of the embedded specialist, in one process."""
    study = resect.Study.of(
        name=name,
        models={"specialist": "clinic:specialist"},
        recipes=list(recipes),
        tasks=list(tasks),
        limit=limit,
        calibration={"data": "clinic", "nsamples": 512, "seqlen": 40},
        measure="sizes",
    )
    with tempfile.TemporaryDirectory() as folder:
        return resect.run(study, folder, workers=1).summary()


def shown(row: Row) -> Row:
    """What a row of a curve says here: skill, share right with its interval, and of the form.

    `in_form` is the share of texts that begin with a label, `no_answer` that of texts without any,
    `trapped` that of texts which loop until the token limit.
    """
    metrics = row["metrics"]
    right = ("accuracy", "accuracy_low", "accuracy_high")
    return {
        "task": row["task"],
        "level": row["level"],
        "skill": round(row["skill"], 4),
        **{key: round(row[key], 4) for key in right},
        "in_form": round(row["outcomes"]["answer"], 4),
        **{key: round(metrics[key]["value"], 4) for key in ("no_answer", "trapped")},
    }


def by_text(found: Row, kind: str) -> list[Row]:
    """The rows of `curves`, `cliffs` or `robustness` whose view is text."""
    return [row for row in found[kind] if row["view"] == "text"]
