"""Random pruning: the control that every criterion must beat.

Scores are uniform random numbers, one stream per matrix, fixed by seed and matrix name: a larger
level removes all that a smaller one does, and no mask depends on which other matrices are pruned.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from resect.anatomy import Matrix
from resect.methods.options import Seed
from resect.methods.rng import uniform
from resect.methods.weights.scored import Scored


@dataclass(eq=False)
class Random(Scored):
    """`seed` defaults to the study's."""

    lm_head: bool = False
    embeddings: bool = False
    seed: Seed = 0

    name = "random"
    random = True

    def score(self, matrix: Matrix) -> Tensor:
        """Uniform in [0, 1), the same on every device."""
        weight = matrix.weight()
        return uniform(self.seed, matrix.name, weight.shape).to(weight.device)
