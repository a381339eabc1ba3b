"""Random pruning: the control that every criterion must beat.

Scores are uniform random numbers, one stream a matrix, fixed by seed and matrix name, so that
levels are contained in each other and a matrix's mask does not depend on which others are pruned.
"""

from __future__ import annotations

from torch import Tensor

from resect.anatomy import Matrix
from resect.methods.options import Seed
from resect.methods.rng import uniform
from resect.methods.targets import Targets
from resect.methods.weights.scored import Scored


class Random(Scored):
    """`seed` defaults to the study's."""

    name = "random"
    random = True

    def __init__(
        self,
        scope: str = "layer",
        pattern: str | None = None,
        include: str = "*",
        exclude: str = "",
        lm_head: bool = False,
        embeddings: bool = False,
        seed: Seed = 0,
    ) -> None:
        super().__init__(scope, pattern, Targets(include, exclude, lm_head, embeddings))
        self.seed = seed

    def score(self, matrix: Matrix) -> Tensor:
        """Uniform in [0, 1), the same for a matrix whatever its device."""
        weight = matrix.weight()
        return uniform(self.seed, matrix.name, weight.shape).to(weight.device)
