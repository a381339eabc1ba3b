"""Whether a treatment is possible: its levels, its order, its text, and the model it is for."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedModel

from resect import methods
from resect.errors import RequestError
from resect.methods.step import Method
from resect.spec import Calibration, Treatment


def check(treatment: Treatment, text: Calibration | None, seed: int = 0) -> list[Method]:
    """The methods of a treatment; refuses one that cannot be run, with `text` to calibrate on."""
    if treatment.levels and treatment.swept is None:
        raise RequestError(f"levels are given, but no step of {treatment.name!r} is left to sweep.")
    found = []
    for number, step in enumerate(treatment.steps):
        swept = number == treatment.swept
        found.append(methods.check(step, swept, seed))
        if swept:
            for level in treatment.levels:
                methods.check(step.model_copy(update={"level": level}))
        before = [s.method for s, m in zip(treatment.steps, found[:-1], strict=False) if m.terminal]
        if before and not found[-1].on_quantized:
            raise RequestError(
                f"{step.method} needs plain weights, which {before[0]} does not leave: "
                f"put {before[0]} last."
            )
    if text is None and any(method.calibrated for method in found):
        raise RequestError(
            f"{treatment.name} looks at activations: name a text with --calibration "
            "(clinic, a text file, c4)."
        )
    return found


def fits(parts: Sequence[Method], treatment: Treatment, model: PreTrainedModel) -> None:
    """Refuses a treatment, `parts` its methods, that cannot be done to a model. May be on meta."""
    for number, method in enumerate(parts):
        method.fits(model, treatment.doses(number))
        model = method.replaced(model)
