"""Scores of parts whose output one projection reads: neurons before `down`, heads before `out`.

A projection W (D, C) reads channels x (C,); a part is as many channels side by side as the others.
Means are over the calibration tokens. A part's score is the sum over its channels c of

- `wanda-sp`: mean |x_c| ||W[:, c]||, what the channel writes (Wanda's score for whole columns).
- `flap`: (var(x_c) ||W[:, c]||^2)^2, how much what it writes changes from token to token (An et
  al. 2023, arXiv:2312.11983; the authors square it for heads; the order of neurons is the same).

and over all weights w of the part of

- `taylor`: |w dL/dw|, L the loss of the first ten windows (Ma et al. 2023, arXiv:2305.11627, by
  element).

`obs` is an order: the part goes whose loss costs the projection's output least, all weights of the
parts that stay fitted anew, then the next one (Ling et al. 2024, arXiv:2412.18110). With G the
inverse of the damped H = sum of x x^T, part p costs tr(W_p (G_pp)^-1 W_p^T).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import Matrix
from resect.anatomy.attention import spread
from resect.errors import RunError
from resect.methods.calibration.calibration_text import Tokens
from resect.methods.calibration.capture import Moments, blocks_in_turn
from resect.methods.parts.update import damping

_WINDOWS = 10  # that the gradient is taken over, as the authors do
_ROUNDS = 64  # parts that go in one round of `obs`: one of so many, at least one


class Readout(NamedTuple):
    """The projection `matrix` that reads `parts` parts, under the name of their MLP or attention.

    `weights` are all matrices of the parts, each with the dimension along which the parts lie.
    """

    name: str
    matrix: Matrix
    parts: int
    weights: tuple[tuple[Matrix, int], ...]

    def total(self, size: Callable[[Matrix], Tensor]) -> Tensor:
        """The sum over all weights (O, I) of each part (parts,)."""
        sums = [size(matrix).sum(1 - along) for matrix, along in self.weights]
        return torch.stack([each.reshape(self.parts, -1).sum(1) for each in sums]).sum(0)


class Inputs(NamedTuple):
    """Means over `tokens` of what a projection reads: of x, |x| and x^2, (C,); `second` (C, C) is
    the sum of x x^T, None where it was not gathered.
    """

    tokens: int
    mean: Tensor
    size: Tensor
    power: Tensor
    second: Tensor | None

    @classmethod
    def of(cls, moments: Moments) -> Inputs:
        """From sums as `sums` or `sums_and_products` make them."""
        *second, power, size, mean = moments.total
        tokens = moments.tokens
        products = torch.stack(second) if second else None
        return cls(tokens, mean / tokens, size / tokens, power / tokens, products)


def sums(x: Tensor) -> Tensor:
    """Summed squares, sizes and values of each channel (3, C)."""
    return torch.stack([x.square().sum(0), x.abs().sum(0), x.sum(0)])


def sums_and_products(x: Tensor) -> Tensor:
    """X^T X above the sums (C + 3, C)."""
    return torch.cat([x.mT @ x, sums(x)])


def gather(
    model: PreTrainedModel, text: Tokens, readouts: Sequence[Readout], products: bool
) -> Iterator[tuple[Readout, Inputs | None]]:
    """What each projection of the intact model reads; None where no token comes to it."""
    wanted = {readout.matrix.name for readout in readouts}
    statistic = sums_and_products if products else sums
    for turn in blocks_in_turn(model, text, wanted.__contains__, statistic, changing=False):
        moments = turn.gather()
        for readout in readouts:
            if readout.matrix.name.startswith(f"{turn.block.name}."):
                read = moments.pop(readout.matrix.site, None)
                if read is not None and not bool(read.total.isfinite().all()):
                    raise RunError(
                        f"the activations that come to {readout.matrix.name} are not finite: load "
                        "the model in bfloat16 or float32, or give other calibration text."
                    )
                yield readout, None if read is None else Inputs.of(read)


def norms(weight: Tensor) -> Tensor:
    """||W[:, c]|| (C,)."""
    return weight.float().norm(dim=0)


def fluctuation(weight: Tensor, inputs: Inputs) -> Tensor:
    """FLAP's metric of each channel (C,): sample variance times the squared norm."""
    variance = (inputs.power.double() - inputs.mean.double().square()).clamp(min=0)
    return variance * inputs.tokens / max(inputs.tokens - 1, 1) * norms(weight).double().square()


ChannelScores = Mapping[str, Callable[[Tensor, Inputs], Tensor]]

CHANNEL_SCORES: ChannelScores = {
    "wanda-sp": lambda weight, inputs: inputs.size * norms(weight),
    "flap": lambda weight, inputs: fluctuation(weight, inputs).square(),
}
"""Scores (C,) of a projection's channels."""


def squares(matrix: Matrix) -> Tensor:
    """Squares of a matrix's weights (O, I)."""
    return matrix.weight().float().square()


def salience(
    model: PreTrainedModel, text: Tokens, matrices: Sequence[Matrix]
) -> Callable[[Matrix], Tensor]:
    """|w dL/dw| (O, I) of a matrix; L is the summed loss of the text's first windows."""
    tensors = {(id(m.owner), m.parameter): getattr(m.owner, m.parameter) for m in matrices}
    needed = {key: tensor.requires_grad for key, tensor in tensors.items()}
    gradients = {key: torch.zeros_like(t, dtype=torch.float32) for key, t in tensors.items()}
    try:
        for tensor in tensors.values():
            tensor.requires_grad_(True)
        for row in text.ids[:_WINDOWS]:
            ids = row[None].to(model.device)
            with torch.enable_grad():
                loss = model(ids, labels=ids, use_cache=False).loss
            parts = torch.autograd.grad(loss, list(tensors.values()), allow_unused=True)
            for total, part in zip(gradients.values(), parts, strict=True):
                if part is not None:
                    total.add_(part)
    finally:
        for key, tensor in tensors.items():
            tensor.requires_grad_(needed[key])

    def of(matrix: Matrix) -> Tensor:
        gradient = gradients[id(matrix.owner), matrix.parameter]
        gradient = gradient[matrix.index] if matrix.index else gradient
        gradient = gradient.mT if matrix.transposed else gradient
        return (matrix.weight().float() * gradient).abs()

    return of


def removal_order(weight: Tensor, second: Tensor, parts: int, damp: float) -> Tensor:
    """When each part goes, (parts,), the first one at 0: by the cost of going, those that stay
    fitted anew after every round. Of more than 64 parts, every 64th goes in one round.
    """
    second = second.double().clone()
    second.diagonal().add_(damping(second, damp))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(second))
    weight, width = weight.double().clone(), weight.shape[1] // parts
    left = torch.arange(parts, device=weight.device)  # what stands at each place of the matrices
    alive = torch.ones_like(left, dtype=torch.bool)
    order: list[Tensor] = []
    while remaining := int(alive.sum()):
        first = _cost(weight, inverse, alive).argsort(stable=True)[: max(1, remaining // _ROUNDS)]
        order.append(left[first])
        alive[first] = False
        _remove_(weight, inverse, spread(first, width))
        if 2 * remaining < len(left):  # what is gone need not be carried along
            channels = spread(alive.nonzero().squeeze(1), width)
            weight, inverse = weight[:, channels], inverse[channels][:, channels]
            left, alive = left[alive], alive[alive]
    return torch.cat(order).argsort()


def _cost(weight: Tensor, inverse: Tensor, alive: Tensor) -> Tensor:
    """tr(W_p (G_pp)^-1 W_p^T) of every part (parts,); infinite for what is gone."""
    parts = len(alive)
    width = weight.shape[1] // parts
    own = inverse.reshape(parts, width, parts, width).diagonal(dim1=0, dim2=2).permute(2, 0, 1)
    own = torch.where(alive[:, None, None], own, torch.eye(width).to(own))
    columns = weight.mT.reshape(parts, width, -1)
    solved = columns / own if width == 1 else torch.linalg.solve(own, columns)
    return (columns * solved).sum((1, 2)).masked_fill(~alive, torch.inf)


def _remove_(weight: Tensor, inverse: Tensor, gone: Tensor) -> None:
    """Take channels out in place: W becomes the fit by the others, G the inverse of their H.

    G is symmetric. What belongs to the channels that are gone becomes 0.
    """
    rows = inverse[gone]
    across = torch.linalg.solve(rows[:, gone], rows)
    weight.sub_(weight[:, gone] @ across)
    inverse.addmm_(rows.mT, across, alpha=-1)
