"""Magnitude pruning: the smallest |w| of every matrix become zero.

Score |W_ij|; the comparison group is the logical matrix (`scope=layer`), as in Han et al. 2015
(arXiv:1506.02626). The count is floor(level x elements), exact; ties go by position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from resect import anatomy
from resect.errors import RequestError, unknown
from resect.methods.base import Applied
from resect.methods.masks import Cut, cut_, cuts, removed
from resect.record import StepReport

_SCOPES = ("layer",)


class Magnitude:
    """`scope`: which weights are compared with each other, `layer` for each matrix on its own."""

    nested = True
    rebuilds = False
    terminal = False
    random = False

    def __init__(self, scope: str = "layer") -> None:
        if scope not in _SCOPES:
            raise unknown("scope", str(scope), _SCOPES)
        self.scope = scope
        self.cuts_: dict[str, dict[float, Cut]] = {}

    def prepare(
        self, model: PreTrainedModel, levels: Sequence[float], calibration: Any = None
    ) -> None:
        """One histogram a matrix serves all levels."""
        for matrix in anatomy.read(model).matrices:
            weight = matrix.weight()
            counts = [removed(weight.numel(), level) for level in levels]
            found = cuts(lambda weight=weight: [weight], counts)  # type: ignore[misc]
            self.cuts_[matrix.name] = dict(zip(levels, found, strict=True))

    @torch.no_grad()
    def apply(self, model: PreTrainedModel, level: float | None) -> Applied:
        """Zero floor(level x elements) weights of every matrix in place."""
        if level is None:
            raise RequestError("magnitude needs a level: write magnitude:0.5, or give levels.")
        matrices = anatomy.read(model).matrices
        targeted = zeros = 0
        for matrix in matrices:
            weight = matrix.weight()
            cut_(weight, self.cuts_[matrix.name][level])
            targeted += weight.numel()
            zeros += int((weight == 0).sum())
        scope = f"{len(matrices)} matrices inside the decoder blocks, each on its own"
        report = StepReport("magnitude", level, zeros / targeted, targeted, zeros, scope)
        return Applied(model, report)
