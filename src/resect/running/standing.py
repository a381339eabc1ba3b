"""The model as it stands at each place of a sweep: steps applied, levels walked through."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from transformers import PreTrainedModel

from resect import methods
from resect.methods.step import Context, Method
from resect.models import compute_dtype
from resect.models.loading import Loaded
from resect.record import StepReport
from resect.spec import BASELINE, INTACT, Step

if TYPE_CHECKING:
    from resect.running.walk import Sweep


class Place(NamedTuple):
    """Where a cell stands in its sweep; the baselines have the recipe `none`."""

    level: float | None
    recipe: str
    runtime: str


class Standing(NamedTuple):
    """The model as it stands at one place, what each step reported, and the swept one's report."""

    place: Place
    model: PreTrainedModel
    reports: tuple[StepReport, ...] = ()
    swept: StepReport | None = None


def stand(
    sweep: Sweep, loaded: Loaded, places: Sequence[Place], notice: Callable[[str], None]
) -> Iterator[Standing]:
    """The model at each place, the baselines (recipe `none`) first.

    Steps before the swept one are done once; a nested swept step walks on in place; steps after
    it are done anew on a copy at every level. What stands is what its file can hold.
    """
    model = loaded.model
    context = Context.of(
        loaded, sweep.ref, sweep.calibration, notice, sweep.data_dir, sweep.runtime
    )
    baselines = [place for place in places if place.recipe == BASELINE.name]
    for place in baselines:
        steps = INTACT[place.runtime].steps
        yield Standing(place, *apply_all(model, steps, sweep.seed, context))
    places = [place for place in places if place not in baselines]
    if not places:
        return
    swept, steps = sweep.recipe.swept, sweep.recipe.steps
    fixed = steps if swept is None else steps[:swept]
    model, reports = apply_all(model, fixed, sweep.seed, context)
    if swept is None:
        compute_dtype.round_(model)
        yield Standing(places[0], model, reports)
        return
    method, later = methods.make(steps[swept], sweep.seed), steps[swept + 1 :]
    method.prepare(model, [place.level for place in places if place.level], context)

    def standing(place: Place) -> Standing:
        nonlocal model
        current, report = method.apply(
            model if method.nested else copy.deepcopy(model), place.level
        )
        if method.nested:
            model = current
        if not later:
            compute_dtype.round_(current)
            return Standing(place, current, (*reports, report), report)
        final = copy.deepcopy(current) if method.nested else current
        final, later_reports = apply_all(final, later, sweep.seed, context)
        compute_dtype.round_(final)
        return Standing(place, final, (*reports, report, *later_reports), report)

    for place in places:
        yield standing(place)  # not kept here: it is gone before the next one is made


def apply_all(
    model: PreTrainedModel, steps: Sequence[Step], seed: int, context: Context
) -> tuple[PreTrainedModel, tuple[StepReport, ...]]:
    """The model after all `steps`, each at its own level, and their reports."""
    reports = []
    for step in steps:
        method: Method = methods.make(step, seed)
        level = step.level if method.fixed is None else method.fixed
        method.prepare(model, [] if level is None else [level], context)
        model, report = method.apply(model, step.level)
        reports.append(report)
    return model, tuple(reports)
