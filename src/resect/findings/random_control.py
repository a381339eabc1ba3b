"""Cuts that are worse than the same cut at random, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from resect.findings.curves import say
from resect.findings.rows import CurvePoint, StudyRecipe


def worse_than_random(recipes: Sequence[StudyRecipe], curves: Sequence[CurvePoint]) -> list[str]:
    """A sentence for each point that its random control, a recipe of the study too, beats.

    Of several seeds of the control the best counts. Perplexity is compared as it is, accuracy where
    the intervals do not meet.
    """
    control_of = {row.name: row.control for row in recipes if row.control}
    lines = []
    for point in curves:
        if point.level == 0 or point.recipe not in control_of:
            continue
        place = (control_of[point.recipe], point.model, point.task, point.view, point.level)
        controls = [
            row for row in curves
            if (row.recipe, row.model, row.task, row.view, row.level) == place
        ]  # fmt: skip
        lines += list(_beaten(point, controls))[:1]
    return list(dict.fromkeys(lines))


def _beaten(point: CurvePoint, controls: Sequence[CurvePoint]) -> Iterator[str]:
    where = f"{point.model}, {point.recipe} at {say(point.level)} on {point.task} ({point.view})"
    for row in controls:
        own, random = (_perplexity(x) for x in (point, row))
        if own is not None and random is not None and own > random:
            yield (
                f"{where}: worse than the random control, perplexity {own:,.4g} against "
                f"{random:,.4g}."
            )
        high, low = point.accuracy_high, row.accuracy_low
        if own is None and high is not None and low is not None and high < low:
            yield (
                f"{where}: worse than the random control, {point.accuracy:.1%} right against "
                f"{row.accuracy:.1%}."
            )


def _perplexity(row: CurvePoint) -> float | None:
    estimate = row.metrics.get("perplexity")
    return None if estimate is None else estimate.value
