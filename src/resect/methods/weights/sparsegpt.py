"""SparseGPT: prune blocks of columns, and update the columns after them to make up for it.

H = 2/n X^T X with damping; mask by W^2 / diag(H^-1)^2 within a block of columns; the error of a
pruned column is carried to the columns after it (Frantar & Alistarh 2023, arXiv:2301.00774,
algorithm 1; formulas as in the authors' code). Legend: O out, I in, B columns of a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from resect.anatomy import Matrix
from resect.errors import RunError
from resect.methods.calibration.capture import Moments, gram
from resect.methods.masks import Pattern, all_but_n_of_m, lowest, removed
from resect.methods.options import Size, Whole
from resect.methods.weights.calibrated import Calibrated


@dataclass(eq=False)
class SparseGpt(Calibrated):
    """`damp` times the mean of diag(H) is added to it; `block` columns share a threshold."""

    scope: ClassVar[str] = "block"  # type: ignore[misc]  # no option: a block of columns
    damp: Size = 0.01
    block: Whole = 128

    name = "sparsegpt"
    scopes = ("block",)
    nested = False
    statistic = staticmethod(gram)
    version = 2

    def prune(self, matrix: Matrix, moments: Moments | None, level: float) -> str | None:
        """Prune and update one matrix in place; a sentence where that needed more damping."""
        weight = matrix.weight()
        note = None
        if moments is None:
            second = torch.eye(weight.shape[1])
            note = f"no calibration token reached {matrix.name}: identity Hessian"
        else:
            second = moments.total
        damp = self.damp
        while True:
            try:
                pruned = sparsegpt(weight, second, level, self.n_of_m, damp, self.block)
                break
            except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
                damp = max(10 * damp, 1e-4)
                note = f"Hessian of {matrix.name} not positive definite: damped by {damp:g}"
                if damp > 10:
                    raise RunError(
                        f"the Hessian of {matrix.name} cannot be factored: use another "
                        "calibration text, or leave the matrix out with exclude=."
                    ) from None
        weight.copy_(pruned)
        return note


def sparsegpt(
    weight: Tensor,
    second: Tensor,
    level: float,
    pattern: Pattern | None = None,
    damp: float = 0.01,
    block: int = 128,
) -> Tensor:
    """The pruned and updated weight (O, I), in the type of `weight`.

    `second` (I, I) is the summed X^T X; its scale cancels. Raises `LinAlgError` where the damped
    matrix has no Cholesky factor. Weights of inputs that are always zero are removed first, but no
    more than the level asks for (the authors' code zeroes all); the others stay as they were.
    """
    w = weight.float().clone()
    inverse, dead = inverse_factor(second.to(w), damp)
    w[:, dead] = 0
    columns = w.shape[1]
    if pattern is not None:  # no group of neighbours lies in two blocks
        block = max(block - block % pattern.of, pattern.of)
    done = 0
    for start in range(0, columns, block):
        end = min(start + block, columns)
        w1, factor = w[:, start:end].clone(), inverse[start:end, start:end]
        mask = torch.zeros_like(w1, dtype=torch.bool)
        if pattern is None:
            # Counts are exact over the matrix: each block removes what is due up to its end.
            due = removed(w.shape[0] * end, level)
            mask = lowest(w1**2 / factor.diagonal() ** 2, due - done)
            done = due
        errors = torch.zeros_like(w1)
        for column in range(end - start):
            if pattern is not None and column % pattern.of == 0:
                group = slice(column, column + pattern.of)
                score = w1[:, group] ** 2 / factor.diagonal()[group] ** 2
                mask[:, group] = all_but_n_of_m(score, *pattern)
            value = w1[:, column]
            masked = value.masked_fill(mask[:, column], 0)
            error = (value - masked) / factor[column, column]
            w1[:, column:] -= error[:, None] * factor[column, column:]
            w1[:, column] = masked
            errors[:, column] = error
        w1[:, dead[start:end]] = weight[:, start:end][:, dead[start:end]].float()
        w[:, start:end] = w1.masked_fill(mask, 0)
        w[:, end:] -= errors @ inverse[start:end, end:]
    return w.to(weight.dtype)


def inverse_factor(second: Tensor, damp: float) -> tuple[Tensor, Tensor]:
    """Upper Cholesky factor (I, I) of the damped inverse, and which inputs (I,) are always zero."""
    hessian = second.clone()
    dead = hessian.diagonal() == 0
    hessian[dead, dead] = 1
    hessian.diagonal().add_(damp * hessian.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    return torch.linalg.cholesky(inverse, upper=True), dead
