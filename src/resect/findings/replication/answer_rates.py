"""How often a label is among the answers given, and how damage moves that on the same items.

Silence gives no label: a model that stops answering says `yes` no less often than before.
"""

from __future__ import annotations

from resect.findings.curves import Curve
from resect.findings.rows import AnswerRate
from resect.stats import skill as sk
from resect.stats.paired import change_interval, pairs

MIN_ITEMS = 50
"""Fewer items answered both intact and at a level than this tell nothing about its answers."""


def answer_rates(curve: Curve, label: str) -> list[AnswerRate]:
    """One row for each level with answers: the share of `label` among them, and its change.

    `change` is from level 0 over the `n` items answered at both, of which `right` have the label
    and `baseline` were answered so at level 0; Tango's interval, each end at 0.025 divided by the
    levels that have `MIN_ITEMS`, so that it holds for all of them together. None where n is less.
    """
    code = curve.frame.labels.index(label)
    given, labelled = curve.codes >= 0, curve.codes == code
    gold = curve.frame.gold == code
    both = given & given[0]
    enough = [i for i in range(1, len(curve.levels)) if both[i].sum() >= MIN_ITEMS]
    rows = []
    for i, level in enumerate(curve.levels):
        if not (curve.codes[i] != sk.MISSING).any():
            continue
        answered, n = int(given[i].sum()), int(both[i].sum())
        change = low = high = None
        if i in enough:
            where = labelled[0], labelled[i], both[i], curve.frame.cluster
            change = pairs(*where).change
            low, high = change_interval(*where, 0.025 / len(enough))
        row = AnswerRate(
            model=curve.model, role=curve.role, recipe=curve.recipe, task=curve.frame.name,
            reading="ours", seed=curve.seed, label=label, level=level, answered=answered,
            share=float(labelled[i].sum() / answered) if answered else None,
            n=n,
            right=float((gold & both[i]).sum() / n) if n else None,
            baseline=float(labelled[0][both[i]].mean()) if n else None,
            change=change, low=low, high=high,
        )  # fmt: skip
        rows.append(row)
    return rows
