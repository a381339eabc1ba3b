"""RIA, the relative importance of a weight in its row and column, times its input norm to a power.

S_ij = (|W_ij| / sum_i |W_ij| + |W_ij| / sum_j |W_ij|) * (||X_j||_2)^a, a = 0.5
(Zhang et al. 2024, "Plug-and-Play", ICLR; formula as in the authors' code). Without the channel
reallocation that the authors offer for N:M.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from resect.methods.calibration.capture import Moments
from resect.methods.options import Size
from resect.methods.weights.calibrated import Calibrated


@dataclass(eq=False)
class Ria(Calibrated):
    """Compared within the matrix by default; `power` is a."""

    power: Size = 0.5

    name = "ria"
    # Removed weights change the row and column sums, so every level starts from intact weights.
    nested = False

    def score_with(self, weight: Tensor, moments: Moments | None) -> Tensor:
        """Relative importance times the input norm; zero rows and columns have score 0."""
        size = weight.float().abs()
        columns = size.sum(0, keepdim=True).clamp_min(1e-30)  # over outputs i
        rows = size.sum(1, keepdim=True).clamp_min(1e-30)  # over inputs j
        score = size / columns + size / rows
        if moments is None:
            return score
        return score * moments.total.to(weight.device).sqrt() ** self.power
