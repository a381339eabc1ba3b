"""How often a label is said among the answers given, and how damage moves that on the same items.

Silence says no label: a model that stops answering says `yes` no less often than before.
"""

from __future__ import annotations

from typing import Any

from resect.findings.curves import Curve
from resect.stats import skill as sk
from resect.stats.paired_change import PairedCounts

ENOUGH = 50
"""Fewer items answered both intact and at a level than this say nothing about its answers."""


def said(curve: Curve, label: str) -> list[dict[str, Any]]:
    """One row for each level with answers: the share of `label` among them, and its change.

    `change` is from level 0 over the `n` items answered at both, of which `right` have the label
    and `baseline` were answered so at level 0; Tango's interval, each end at 0.025 divided by the
    levels that have `ENOUGH`, so that it holds for all of them together. None where n is less.
    """
    code = curve.frame.labels.index(label)
    given, says = curve.codes >= 0, curve.codes == code
    gold = curve.frame.gold == code
    both = given & given[0]
    moved = PairedCounts.of(says[0], says, both, curve.frame.cluster)
    known = [at for at in range(1, len(curve.levels)) if moved.n[at] >= ENOUGH]
    rows = []
    for at, level in enumerate(curve.levels):
        if not (curve.codes[at] != sk.MISSING).any():
            continue
        answered, n = int(given[at].sum()), int(moved.n[at])
        row: dict[str, Any] = {
            "label": label,
            "level": level,
            "answered": answered,
            "share": float(says[at].sum() / answered) if answered else None,
            "n": n,
            "right": float((gold & both[at]).sum() / n) if n else None,
            "baseline": float(moved.before[at]) if n else None,
            **dict.fromkeys(("change", "low", "high")),
        }
        if at in known:
            row["change"] = float(moved.value[at])
            row["low"], row["high"] = moved.bounds(at, 0.025 / len(known))
        rows.append(row)
    return rows
