"""The models as they are, before any damage: who is better on the same items, and how sure.

The one comparison there is where nothing was swept.
"""

from __future__ import annotations

from collections.abc import Sequence

from resect.findings.estimates import finite
from resect.findings.frame import Key, TaskFrame
from resect.findings.paired_test import PairedTest, asked_both, versus
from resect.findings.rows import Better, IntactComparison
from resect.record import View
from resect.stats.multiplicity import ALPHA_TWO_SIDED


def intact(frame: TaskFrame, compared: Sequence[tuple[str, str]]) -> list[IntactComparison]:
    """The metric of a minus b at level 0, a row for each view: see `versus`.

    A side is called where p is at most 0.05: five items to none have a p of 0.0625, though
    Tango's interval leaves 0 out.
    """
    rows = []
    for a, b in compared if frame.skilled else ():
        for view in frame.views():
            left, right = _baseline(frame, a, view), _baseline(frame, b, view)
            if left is None or right is None or not asked_both(frame, left, right).any():
                continue
            rows.append(_row(frame, left, right))
    return rows


def _row(frame: TaskFrame, left: Key, right: Key) -> IntactComparison:
    test = versus(frame, left, right)
    return IntactComparison(
        task=frame.name,
        view=left.view,
        a=left.model,
        b=right.model,
        n=int(asked_both(frame, left, right).sum()),
        metric=test.metric,
        accuracy_a=finite(test.accuracy_a),
        accuracy_b=finite(test.accuracy_b),
        only_a=test.only_a,
        only_b=test.only_b,
        difference=finite(test.difference),
        low=finite(test.low),
        high=finite(test.high),
        p=finite(test.p),
        verdict=_side(test),
    )


def _side(test: PairedTest) -> Better:
    """Who is better by one test."""
    if not test.p <= ALPHA_TWO_SIDED:
        return Better.NEITHER
    return Better.A if test.difference > 0 else Better.B


def _baseline(frame: TaskFrame, model: str, view: View) -> Key | None:
    """The baseline of a model in a view: recipe `none`, the lowest seed."""
    keys = [k for k in frame.codes if (k.model, k.recipe, k.view) == (model, "none", view)]
    return min(keys, key=lambda key: key.seed, default=None)
