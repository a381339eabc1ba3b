"""Wanda: |W_ij| times the norm of input j, compared within each output row.

S_ij = |W_ij| * ||X_j||_2 (Sun et al. 2023, arXiv:2306.11695, eq. 1); N:M along the input.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from resect.methods.calibration.capture import Moments
from resect.methods.weights.calibrated import Calibrated


@dataclass(eq=False)
class Wanda(Calibrated):
    """Compared within rows by default, as in the paper."""

    scope: str = "row"

    name = "wanda"

    def score_with(self, weight: Tensor, moments: Moments | None) -> Tensor:
        """|W| times the root of the summed squares of each input."""
        score = weight.float().abs()
        return score if moments is None else score * moments.total.to(weight.device).sqrt()
