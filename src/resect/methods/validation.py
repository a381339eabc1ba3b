"""Whether a recipe can be run: its levels, its order, its calibration text, and its model."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedModel

from resect import methods
from resect.errors import RequestError
from resect.methods.step import Method
from resect.spec import Calibration, Recipe


def check(recipe: Recipe, text: Calibration | None, seed: int = 0) -> list[Method]:
    """The methods of a recipe; raises `RequestError` for one that cannot be run.

    `text` is the calibration text, if there is one.
    """
    if recipe.levels and recipe.swept is None:
        raise RequestError(
            f"levels are given, but no step of {recipe.name!r} can be swept: remove the levels."
        )
    parts = []
    for number, step in enumerate(recipe.steps):
        swept = number == recipe.swept
        parts.append(methods.check(step, swept, seed))
        if swept:
            for level in recipe.levels:
                methods.check(step.model_copy(update={"level": level}))
        if number and parts[-2].is_file:
            first = recipe.steps[number - 1].method
            raise RequestError(
                f"{first} makes the deployed version, which nothing can follow: put it last."
            )
        terminal = [s.method for s, m in zip(recipe.steps, parts[:-1], strict=False) if m.terminal]
        if terminal and not parts[-1].on_quantized:
            raise RequestError(
                f"{step.method} needs plain weights, but {terminal[0]} packs them: "
                f"put {terminal[0]} last."
            )
    if text is None and any(method.calibrated for method in parts):
        raise RequestError(
            f"{recipe.name} needs calibration text: name a text with --calibration "
            "(clinic, a text file, c4)."
        )
    return parts


def fits(parts: Sequence[Method], recipe: Recipe, model: PreTrainedModel) -> None:
    """Raises `RequestError` where the methods `parts` of a recipe cannot be applied to a model.

    The model may be on meta.
    """
    for number, method in enumerate(parts):
        method.fits(model, recipe.doses(number))
        model = method.replaced(model)
