"""What all score-based pruning shares: a score for every weight, an exact mask, zeros in place.

A method's own file has only its options and its score. Legend: O out, I in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import Matrix
from resect.errors import RequestError, unknown
from resect.methods.masks import (
    Pattern,
    all_but_n_of_m,
    lowest,
    lowest_in_rows,
    removed,
    zeros,
)
from resect.methods.step import Applied, Method
from resect.methods.targets import Targets
from resect.record import StepReport


@dataclass(eq=False)
class Scored(Method):
    """Zero the weights with the lowest `score`, compared within `scope`.

    `scope`: `layer` compares the weights of a matrix with each other, `row` those of one output.
    `pattern`: N:M, N of every M neighbours along the input stay; it fixes the level. `include` and
    `exclude`, and `lm_head` and `embeddings` where a method has them, are those of `Targets`.
    """

    scope: str = "layer"
    pattern: str | None = None
    include: str = "*"
    exclude: str = ""

    lm_head = embeddings = False
    scopes: ClassVar[tuple[str, ...]] = ("layer", "row")
    nested = True

    def __post_init__(self) -> None:
        if self.scope not in self.scopes:
            raise unknown("scope", self.scope, self.scopes)
        self.n_of_m = None if self.pattern is None else Pattern.parse(self.pattern)
        self.fixed = None if self.n_of_m is None else self.n_of_m.level
        self.targets = Targets(self.include, self.exclude, self.lm_head, self.embeddings)

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """Something must be targeted, in rows that a pattern divides."""
        super().fits(model, levels)
        for matrix in self.targets.of(model):
            if self.n_of_m is not None:
                self.n_of_m.check(matrix.weight().shape[1], matrix.name)

    def begin(self, matrices: Callable[[], Iterable[Matrix]], level: float) -> None:
        """Compute what one level needs from all matrices; may read them more than once."""

    def score(self, matrix: Matrix) -> Tensor:
        """Scores (O, I), not negative, fp32; a weight that is zero has score 0."""
        raise NotImplementedError

    def zero_(self, matrix: Matrix, level: float) -> None:
        """Zero one matrix in place."""
        matrix.weight().masked_fill_(self.mask(self.score(matrix), level), 0)

    def remaining(self, matrix: Matrix, level: float) -> Iterator[Tensor]:
        """What `zero_` would leave, the last piece first; the matrix itself is only read.

        A piece is valid while the next is made.
        """
        yield matrix.weight().masked_fill(self.mask(self.score(matrix), level), 0)

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
        """Mask (O, I), true where a weight is removed."""
        if self.n_of_m is not None:
            return all_but_n_of_m(score, *self.n_of_m)
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
        return f"{count} {self.targets}, compared by {self.pattern or self.scope}"
