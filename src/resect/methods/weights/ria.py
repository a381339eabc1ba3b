"""RIA: relative importance of a weight in its row and column, times its input norm to a power.

S_ij = (|W_ij| / sum_i |W_ij| + |W_ij| / sum_j |W_ij|) * (||X_j||_2)^a, a = 0.5
(Zhang et al. 2024, "Plug-and-Play", ICLR; formula as in the authors' code). Without the channel
reallocation that the authors offer for N:M.
"""

from __future__ import annotations

from torch import Tensor

from resect.methods.calibration.capture import Moments
from resect.methods.options import Size
from resect.methods.targets import Targets
from resect.methods.weights.calibrated import Calibrated


class Ria(Calibrated):
    """Compared within the matrix by default; `power` is a."""

    name = "ria"
    # Row and column sums change as weights go, so a larger level starts from the intact weights.
    nested = False

    def __init__(
        self,
        scope: str = "layer",
        pattern: str | None = None,
        include: str = "*",
        exclude: str = "",
        inputs: str = "pruned",
        power: Size = 0.5,
    ) -> None:
        super().__init__(scope, pattern, Targets(include, exclude), inputs)
        self.power = power

    def score_with(self, weight: Tensor, moments: Moments | None) -> Tensor:
        """Relative importance times the input norm; zero rows and columns have score 0."""
        size = weight.float().abs()
        columns = size.sum(0, keepdim=True).clamp_min(1e-30)  # over outputs i
        rows = size.sum(1, keepdim=True).clamp_min(1e-30)  # over inputs j
        score = size / columns + size / rows
        if moments is None:
            return score
        return score * moments.total.to(weight.device).sqrt() ** self.power
