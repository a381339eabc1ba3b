"""Two readers of the same texts: how often a study's own parses and ours agree, and where not."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from resect.findings.rows import ReaderAgreement

SMALL = 0.005
"""Smaller shares are left out of the sentence."""


def agreement(task: str, answers: pd.DataFrame, labels: tuple[str, ...]) -> ReaderAgreement:
    """How two readers compare on answers to a task with the columns `recorded` and `answer`.

    `agree` is the share read alike, no answer included; of the `unread` texts in which we see no
    answer, `counted_as` gives the share that the study took as each label; `changed` texts were
    taken as two different labels, `missed` are those in which only we see an answer.
    """
    recorded = answers["recorded"].where(answers["recorded"].isin(labels))
    ours = answers["answer"]
    silent, recorded_silent = ours.isna(), recorded.isna()
    alike = (recorded == ours) | (silent & recorded_silent)
    counted = recorded[silent].value_counts() / max(int(silent.sum()), 1)
    row = ReaderAgreement(
        task=task,
        n=len(answers),
        agree=float(alike.mean()),
        unread=int(silent.sum()),
        counted_as={label: float(counted.get(label, 0.0)) for label in labels},
        changed=int((~silent & ~recorded_silent & ~alike).sum()),
        missed=int((~silent & recorded_silent).sum()),
        says="",
    )
    return replace(row, says=_sentence(row))


def _sentence(row: ReaderAgreement) -> str:
    """Why numbers by the two readings differ."""
    parts = [
        f"On {row.task}, the study's own parses and ours agree in {100 * row.agree:.1f} % of "
        f"{row.n} texts"
    ]
    taken = [(share, label) for label, share in row.counted_as.items() if share >= SMALL]
    if taken:
        shares = ", ".join(
            f"{100 * share:.0f} % as {label}" for share, label in sorted(taken, reverse=True)
        )
        parts.append(f"of the {row.unread} without an answer it counted {shares}")
    if row.changed:
        parts.append(f"it took {row.changed} as another label")
    if row.missed:
        parts.append(f"it saw no answer in {row.missed} that have one")
    return "; ".join(parts) + "."
