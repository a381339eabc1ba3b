"""The models as they are, before any damage: who is better on the same items, and how sure.

The one comparison there is where nothing was swept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from resect.findings.divergence_from_intact import divergences
from resect.findings.estimates import finite
from resect.findings.frame import Key, TaskFrame
from resect.findings.paired_test import PairedTest, asked_both, versus
from resect.findings.rows import Better, IntactComparison, RuntimeStep
from resect.record import TRANSFORMERS, View
from resect.stats.multiplicity import ALPHA_TWO_SIDED


def intact(frame: TaskFrame, compared: Sequence[tuple[str, str]]) -> list[IntactComparison]:
    """The metric of a minus b at level 0, a row for each view: see `versus`.

    A side is called where p is at most 0.05: five items to none have a p of 0.0625, though
    Tango's interval leaves 0 out.
    """
    rows = []
    for a, b in compared if frame.skilled else ():
        for view, runtime in product(frame.views(), frame.runtimes):
            left, right = (_baseline(frame, model, view, runtime) for model in (a, b))
            if left is None or right is None or not asked_both(frame, left, right).any():
                continue
            rows.append(_row(frame, left, right))
    return rows


def runtime_steps(frame: TaskFrame, role_of: Mapping[str, str]) -> list[RuntimeStep]:
    """Every intact model that was asked in several runtimes: the others against transformers.

    A model that was never asked there is compared with its first runtime.
    """
    rows = []
    for (model, role), view in product(role_of.items(), frame.views() if frame.skilled else ()):
        keys = (_baseline(frame, model, view, runtime) for runtime in frame.runtimes)
        asked = sorted(filter(None, keys), key=lambda key: key.runtime != TRANSFORMERS)
        for other in asked[1:]:
            if asked_both(frame, asked[0], other).any():
                rows.append(_step(frame, role, asked[0], other))
    return rows


def _step(frame: TaskFrame, role: str, first: Key, other: Key) -> RuntimeStep:
    test, both = versus(frame, other, first), asked_both(frame, other, first)
    right = [(frame.codes[key] == frame.gold)[both] for key in (first, other)]
    far = divergences(frame, first, other)
    return RuntimeStep(
        model=first.model,
        role=role,
        recipe=first.recipe,
        seed=other.seed,
        task=frame.name,
        view=first.view,
        baseline=first.runtime,
        runtime=other.runtime,
        n=int(both.sum()),
        metric=test.metric,
        flips=None if frame.graded else float((right[0] != right[1]).mean()),
        value_baseline=finite(test.accuracy_b),
        value=finite(test.accuracy_a),
        difference=finite(test.difference),
        low=finite(test.low),
        high=finite(test.high),
        p=finite(test.p),
        kl=None if far is None else far.row(),
    )


def _row(frame: TaskFrame, left: Key, right: Key) -> IntactComparison:
    test = versus(frame, left, right)
    return IntactComparison(
        task=frame.name,
        view=left.view,
        runtime=left.runtime,
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


def _baseline(frame: TaskFrame, model: str, view: View, runtime: str) -> Key | None:
    """The baseline of a model in a view and a runtime: recipe `none`, the lowest seed."""
    wanted = (model, "none", view, runtime)
    keys = [k for k in frame.codes if (k.model, k.recipe, k.view, k.runtime) == wanted]
    return min(keys, key=lambda key: key.seed, default=None)
