"""Whether a recipe is possible: its levels, its order, its text, and the model it is for."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedModel

from resect import methods
from resect.errors import RequestError
from resect.methods.step import Method
from resect.spec import Calibration, Recipe


def check(recipe: Recipe, text: Calibration | None, seed: int = 0) -> list[Method]:
    """The methods of a recipe; refuses one that cannot be run, with `text` to calibrate on."""
    if recipe.levels and recipe.swept is None:
        raise RequestError(f"levels are given, but no step of {recipe.name!r} is left to sweep.")
    found = []
    for number, step in enumerate(recipe.steps):
        swept = number == recipe.swept
        found.append(methods.check(step, swept, seed))
        if swept:
            for level in recipe.levels:
                methods.check(step.model_copy(update={"level": level}))
        if number and found[-2].is_file:
            first = recipe.steps[number - 1].method
            raise RequestError(f"{first} writes a file, which nothing can follow: put it last.")
        before = [s.method for s, m in zip(recipe.steps, found[:-1], strict=False) if m.terminal]
        if before and not found[-1].on_quantized:
            raise RequestError(
                f"{step.method} needs plain weights, which {before[0]} does not leave: "
                f"put {before[0]} last."
            )
    if text is None and any(method.calibrated for method in found):
        raise RequestError(
            f"{recipe.name} looks at activations: name a text with --calibration "
            "(clinic, a text file, c4)."
        )
    return found


def fits(parts: Sequence[Method], recipe: Recipe, model: PreTrainedModel) -> None:
    """Refuses a recipe, `parts` its methods, that cannot be done to a model. May be on meta."""
    for number, method in enumerate(parts):
        method.fits(model, recipe.doses(number))
        model = method.replaced(model)
