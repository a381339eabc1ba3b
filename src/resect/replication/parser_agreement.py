"""Two readers of the same texts: how often a study's own parses and ours agree, and where not."""

from __future__ import annotations

from typing import Any

import pandas as pd


def parted(rows: pd.DataFrame, labels: tuple[str, ...]) -> dict[str, Any]:
    """`{n, agree, unread, counted_as, changed, missed}` of answers with columns recorded, answer.

    `agree` is the share read alike, no answer included; of the `unread` texts in which we see no
    answer, `counted_as` says which share the study took as each label; `changed` texts were taken
    as two different labels, `missed` are those in which only we see an answer.
    """
    theirs = rows["recorded"].where(rows["recorded"].isin(labels))
    ours = rows["answer"]
    silent, theirs_silent = ours.isna(), theirs.isna()
    alike = (theirs == ours) | (silent & theirs_silent)
    counted = theirs[silent].value_counts() / max(int(silent.sum()), 1)
    return {
        "n": len(rows),
        "agree": float(alike.mean()),
        "unread": int(silent.sum()),
        "counted_as": {label: float(counted.get(label, 0.0)) for label in labels},
        "changed": int((~silent & ~theirs_silent & ~alike).sum()),
        "missed": int((~silent & theirs_silent).sum()),
    }


def in_words(task: str, found: dict[str, Any]) -> str:
    """One sentence on why numbers by the two readings differ."""
    parts = [
        f"On {task}, the study's own parses and the reading anew agree in "
        f"{100 * found['agree']:.1f} % of {found['n']} texts"
    ]
    taken = [(share, label) for label, share in found["counted_as"].items() if share >= LITTLE]
    if taken:
        shares = ", ".join(
            f"{100 * share:.0f} % as {label}" for share, label in sorted(taken, reverse=True)
        )
        parts.append(f"of the {found['unread']} without an answer it counted {shares}")
    if found["changed"]:
        parts.append(f"{found['changed']} it took as another label")
    if found["missed"]:
        parts.append(f"in {found['missed']} it saw no answer where there is one")
    return "; ".join(parts) + "."


LITTLE = 0.005
"""Smaller shares are not worth a word."""
