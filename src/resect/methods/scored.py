"""What all score-based pruning shares: a score for every weight, an exact mask, zeros in place.

A method's own file holds only its score. Legend: O out, I in.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import Matrix
from resect.calibration import Tokens
from resect.errors import RequestError, unknown
from resect.methods.base import Applied
from resect.methods.masks import (
    Pattern,
    all_but_n_of_m,
    lowest,
    lowest_in_rows,
    removed,
)
from resect.methods.scope import Targets
from resect.record import StepReport


class Scored:
    """Zero the weights with the lowest `score`, compared within `scope`.

    `scope`: `layer` compares a matrix's weights with each other, `row` those of one output.
    `pattern`: N:M, N of every M neighbours along the input are kept; it fixes the level.
    """

    name = ""
    scopes: tuple[str, ...] = ("layer", "row")
    nested = True
    rebuilds = False
    terminal = False
    random = False
    calibrated = False
    version = 1

    def __init__(self, scope: str, pattern: str | None, targets: Targets) -> None:
        if scope not in self.scopes:
            raise unknown("scope", str(scope), self.scopes)
        self.scope = scope
        self.pattern = None if pattern is None else Pattern.parse(pattern)
        self.targets = targets
        self.fixed = None if self.pattern is None else self.pattern.level

    def prepare(
        self, model: PreTrainedModel, levels: Sequence[float], calibration: Tokens | None = None
    ) -> None:
        """Nothing to learn: the score is read off the weights."""

    def score(self, matrix: Matrix) -> Tensor:
        """Scores (O, I), not negative, fp32; a weight that is zero has score 0."""
        raise NotImplementedError

    @torch.no_grad()
    def apply(self, model: PreTrainedModel, level: float | None) -> Applied:
        """Zero the lowest floor(level x group) scores of every comparison group, in place."""
        level = self.dose(level)
        for matrix in self.targets.of(model):
            weight = matrix.weight()
            weight.masked_fill_(self.mask(self.score(matrix), level), 0)
        return Applied(model, self.report(model, level))

    def dose(self, level: float | None) -> float:
        """The level to apply: the one asked, or the one the pattern fixes."""
        if self.fixed is not None:
            return self.fixed
        if level is None:
            raise RequestError(f"{self.name} needs a level: write {self.name}:0.5, or sweep it.")
        return level

    def mask(self, score: Tensor, level: float) -> Tensor:
        """Mask (O, I), true where a weight goes."""
        if self.pattern is not None:
            return all_but_n_of_m(score, *self.pattern)
        if self.scope == "row":
            return lowest_in_rows(score, removed(score.shape[1], level))
        return lowest(score, removed(score.numel(), level))

    def report(
        self, model: PreTrainedModel, level: float, notes: tuple[str, ...] = ()
    ) -> StepReport:
        """Zeros as they stand in the targeted weights."""
        matrices = self.targets.of(model)
        targeted = sum(m.weight().numel() for m in matrices)
        zeros = sum(int((m.weight() == 0).sum()) for m in matrices)
        group = f"{self.pattern.keep}:{self.pattern.of}" if self.pattern else self.scope
        scope = f"{len(matrices)} {self.targets}, compared by {group}"
        return StepReport(self.name, level, zeros / targeted, targeted, zeros, scope, notes)
