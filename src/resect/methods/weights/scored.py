"""What all score-based pruning shares: a score for every weight, an exact mask, zeros in place.

A method's own file has only its options and its score. Legend: O out, I in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import Matrix
from resect.errors import RequestError, unknown
from resect.methods import fragility
from resect.methods.calibration.calibration_text import Tokens
from resect.methods.masks import (
    Pattern,
    all_but_n_of_m,
    lowest,
    lowest_evenly,
    lowest_in_rows,
    removed,
    zeros,
)
from resect.methods.options import Above, Size
from resect.methods.step import Applied, Context, Method
from resect.methods.targets import Targets
from resect.methods.weights.allocation import Allotment, Plan
from resect.record import StepReport


@dataclass(eq=False)
class Scored(Method):
    """Zero the weights with the lowest `score`, compared within `scope`.

    `scope`: `layer` compares the weights of a matrix with each other, `row` those of one output.
    `pattern`: N:M, N of every M neighbours along the input stay; it fixes the level. `include` and
    `exclude`, and `lm_head` and `embeddings` where a method has them, are those of `Targets`.
    `allocation` shares the level out over the blocks by `spread`, `outlier` and `probe`, as
    `resect.methods.weights.allocation` says.
    """

    scope: str = "layer"
    pattern: str | None = None
    include: str = "*"
    exclude: str = ""
    allocation: str = "uniform"
    spread: Size | None = None
    outlier: Above = 5.0
    probe: str = ""

    lm_head = embeddings = False
    scopes: ClassVar[tuple[str, ...]] = ("layer", "row")
    nested = True

    def __post_init__(self) -> None:
        if self.scope not in self.scopes:
            raise unknown("scope", self.scope, self.scopes)
        self.n_of_m = None if self.pattern is None else Pattern.parse(self.pattern)
        self.fixed = None if self.n_of_m is None else self.n_of_m.level
        self.targets = Targets(self.include, self.exclude, self.lm_head, self.embeddings)
        self.plan = Plan(self.allocation, self.spread, self.outlier, self.probe)
        if self.allocation != "uniform" and (self.n_of_m is not None or self.scope == "global"):
            raise RequestError(
                f"allocation={self.allocation} cannot be combined with pattern= or scope=global, "
                "which set the level of every block: leave one of them out."
            )
        self.calibrated = self.calibrated or self.allocation == "owl"
        self.allotment_: Allotment | None = None

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """The hash of the probe, where the allocation reads one."""
        read = super().sources(data_dir)
        return (*read, fragility.fingerprint(self.probe)) if self.probe else read

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """Something must be targeted, in rows that a pattern divides."""
        super().fits(model, levels)
        for matrix in self.targets.of(model):
            if self.n_of_m is not None:
                self.n_of_m.check(matrix.weight().shape[1], matrix.name)
        if self.probe:
            self.allot(model, lambda: self.targets.of(model), None)

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Learn from the intact model how the level is shared out."""
        if self.calibrated and context.text is None:
            raise RequestError(f"{self.name} needs calibration text: name one with --calibration.")
        self.allot(model, lambda: self.targets.of(model), context.text)

    @torch.no_grad()
    def allot(
        self, model: PreTrainedModel, matrices: Callable[[], Iterable[Matrix]], text: Tokens | None
    ) -> None:
        """Learn how the level is shared out over the blocks of `model`, from `matrices`."""
        self.allotment_ = self.plan.learn(model, matrices, text)

    def level_of(self, matrix: Matrix, level: float) -> float:
        """A matrix's own level, where the model is brought to `level`."""
        if self.allocation == "uniform":
            return level
        assert self.allotment_ is not None, "levels are shared out before a matrix is pruned"
        return self.allotment_.level_of(matrix.name, level)

    def begin(self, matrices: Callable[[], Iterable[Matrix]], level: float) -> None:
        """Compute what one level needs from all matrices; may read them more than once."""

    def score(self, matrix: Matrix) -> Tensor:
        """Scores (O, I), not negative, fp32; a weight that is zero has score 0."""
        raise NotImplementedError

    def zero_(self, matrix: Matrix, level: float) -> None:
        """Zero one matrix in place; `level` is that of the model."""
        mask = self.mask(self.score(matrix), self.level_of(matrix, level))
        matrix.weight().masked_fill_(mask, 0)

    def remaining(self, matrix: Matrix, level: float) -> Iterator[Tensor]:
        """What `zero_` would leave, the last piece first; the matrix itself is only read.

        A piece is valid while the next is made.
        """
        mask = self.mask(self.score(matrix), self.level_of(matrix, level))
        yield matrix.weight().masked_fill(mask, 0)

    @torch.no_grad()
    def apply(self, model: PreTrainedModel, level: float | None) -> Applied:
        """Zero the lowest floor(level x group) scores of every comparison group, in place.

        From the last matrix to the first, so that of equal scores the last ones stay.
        """
        level = self.dose(level)
        matrices = self.targets.of(model)
        self.begin(lambda: matrices, level)
        for matrix in reversed(matrices):
            self.zero_(matrix, level)
        return Applied(model, self.report(model, level, self.notes(level)))

    def notes(self, level: float) -> tuple[str, ...]:
        """Sentences about this level that a reader must know."""
        return ()

    def dose(self, level: float | None) -> float:
        """The level to apply: the requested one, or the one that the pattern fixes."""
        if self.fixed is not None:
            return self.fixed
        if level is None:
            raise RequestError(f"{self.name} needs a level: write {self.name}:0.5, or sweep it.")
        return level

    def mask(self, score: Tensor, level: float) -> Tensor:
        """Mask (O, I), true where a weight is removed; `level` is that of the matrix."""
        if self.n_of_m is not None:
            return all_but_n_of_m(score, *self.n_of_m)
        if self.scope == "row" and self.allocation != "uniform":
            return lowest_evenly(score, removed(score.numel(), level))
        if self.scope == "row":
            return lowest_in_rows(score, removed(score.shape[1], level))
        return lowest(score, removed(score.numel(), level))

    def report(
        self, model: PreTrainedModel, level: float, notes: tuple[str, ...] = ()
    ) -> StepReport:
        """The report, with the zeros counted in the targeted weights."""
        matrices = self.targets.of(model)
        targeted = sum(m.weight().numel() for m in matrices)
        zero_count = sum(zeros(m.weight()) for m in matrices)
        scope = self.describe(len(matrices))
        return StepReport(
            self.name, level, zero_count / targeted, targeted, zero_count, scope, notes
        )

    def describe(self, count: int) -> str:
        """What was targeted and compared, in words."""
        shared = "" if self.allocation == "uniform" else f", levels by {self.allocation}"
        return f"{count} {self.targets}, compared by {self.pattern or self.scope}{shared}"
