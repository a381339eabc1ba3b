"""The contract of a step: prepare once, apply at each level of a course."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from transformers import PreTrainedModel

from resect.calibration import Tokens
from resect.record import StepReport


class Applied(NamedTuple):
    """The model as it stands after a step (often the same object) and what was done to it."""

    model: PreTrainedModel
    report: StepReport


class Method(Protocol):
    """One way to compress. Constructors store options and refuse wrong ones, no work.

    `nested`: a larger level's result contains a smaller one's, so a course walks on in place;
    others get a pristine copy for every level. `rebuilds`: other shapes or classes come back.
    `terminal`: nothing may follow. `random`: the study's seed is part of a cell's identity.
    `calibrated`: needs calibration text, which is part of it too. `fixed`: the level that the
    options fix (an N:M pattern), None where it is free. `version` rises when results change.
    Going straight to a level equals walking to it.
    """

    nested: bool
    rebuilds: bool
    terminal: bool
    random: bool
    calibrated: bool
    fixed: float | None
    version: int

    def prepare(
        self, model: PreTrainedModel, levels: Sequence[float], calibration: Tokens | None
    ) -> None:
        """Learn from the pristine model what every level needs."""
        ...

    def apply(self, model: PreTrainedModel, level: float | None) -> Applied:
        """Bring the model to `level`."""
        ...
