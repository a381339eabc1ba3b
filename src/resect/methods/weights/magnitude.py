"""Magnitude pruning: the smallest |w| become zero.

Score |W_ij| (Han et al. 2015, arXiv:1506.02626), compared within a matrix, an output row, or over
the whole model (`scope=global`); or N of every M neighbours are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import Matrix
from resect.methods.masks import Cut, Cutting, cuts, removed
from resect.methods.step import Context
from resect.methods.weights.scored import Scored


@dataclass(eq=False)
class Magnitude(Scored):
    """One histogram per matrix (`layer`), or one for the model (`global`), serves all levels."""

    lm_head: bool = False
    embeddings: bool = False

    name = "magnitude"
    scopes = ("layer", "row", "global")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cuts_: dict[tuple[str, float], Cut] = {}

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """The exact cut of every level, without sorting."""
        super().prepare(model, levels, context)
        matrices = self.targets.of(model)
        if self.scope == "global" and self.pattern is None:
            self._learn("", lambda: matrices, levels)
        elif self.scope == "layer" and self.pattern is None:
            for matrix in matrices:
                own = [self.level_of(matrix, level) for level in levels]
                self._learn(matrix.name, lambda matrix=matrix: [matrix], own)  # type: ignore[misc]

    def _learn(
        self, name: str, matrices: Callable[[], Iterable[Matrix]], levels: Sequence[float]
    ) -> None:
        total = sum(m.weight().numel() for m in matrices())
        counts = [removed(total, level) for level in levels]
        learned = cuts(lambda: (m.weight() for m in matrices()), counts)
        self.cuts_.update({(name, lv): cut for lv, cut in zip(levels, learned, strict=True)})

    def begin(self, matrices: Callable[[], Iterable[Matrix]], level: float) -> None:
        """The cut of the whole model, if that is the scope."""
        self.shared_: Cutting | None = None
        if self.scope == "global" and self.pattern is None:
            if ("", level) not in self.cuts_:
                self._learn("", matrices, [level])
            self.shared_ = Cutting(self.cuts_["", level])

    def score(self, matrix: Matrix) -> Tensor:
        """|W|, for rows and patterns."""
        return matrix.weight().float().abs()

    def zero_(self, matrix: Matrix, level: float) -> None:
        """Zero what the cut of the matrix, or of the whole model, removes."""
        if self.pattern is not None or self.scope == "row":
            super().zero_(matrix, level)
        else:
            self._cutting(matrix, level).zero_(matrix.weight())

    def remaining(self, matrix: Matrix, level: float) -> Iterator[Tensor]:
        """As `zero_`, without a copy of the matrix."""
        if self.pattern is not None or self.scope == "row":
            yield from super().remaining(matrix, level)
        else:
            yield from self._cutting(matrix, level).remaining(matrix.weight())

    def notes(self, level: float) -> tuple[str, ...]:
        """How many of the weights are not numbers, where some are not."""
        shared = self.allotment_
        broken = sum(
            cut.broken
            for (name, at), cut in self.cuts_.items()
            if at == (shared.level_of(name, level) if shared else level)
        )
        return (f"targeted weights that are not numbers: {broken:,}",) if broken else ()

    def _cutting(self, matrix: Matrix, level: float) -> Cutting:
        if self.shared_ is not None:
            return self.shared_
        level = self.level_of(matrix, level)
        if (matrix.name, level) not in self.cuts_:
            self._learn(matrix.name, lambda: [matrix], [level])
        return Cutting(self.cuts_[matrix.name, level])
