"""Wanda: |W_ij| times the norm of input j, compared within each output row.

S_ij = |W_ij| * ||X_j||_2 (Sun et al. 2023, arXiv:2306.11695, eq. 1); N:M along the input.
"""

from __future__ import annotations

from torch import Tensor

from resect.methods.calibration.capture import Moments
from resect.methods.targets import Targets
from resect.methods.weights.calibrated import Calibrated


class Wanda(Calibrated):
    """Row-wise by default, as in the paper."""

    name = "wanda"

    def __init__(
        self,
        scope: str = "row",
        pattern: str | None = None,
        include: str = "*",
        exclude: str = "",
        inputs: str = "pruned",
    ) -> None:
        super().__init__(scope, pattern, Targets(include, exclude), inputs)

    def score_with(self, weight: Tensor, moments: Moments | None) -> Tensor:
        """|W| times the root of the summed squares of each input."""
        score = weight.float().abs()
        return score if moments is None else score * moments.total.to(weight.device).sqrt()
