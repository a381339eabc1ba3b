"""Of all subsets of a layer's experts, the one whose output is nearest to the whole layer's (NAEE).

loss(S) = sum over sequences of |F(x) - F_S(x)|, the Frobenius norm over a sequence's tokens in
float64 (not squared), where F_S routes as the model does with the experts S only (Lu et al. 2024,
arXiv:2402.14800). With y(t) the experts' outputs and d(t) the difference of the gates,
|F - F_S|^2 = sum over t of d(t)' Y(t) d(t), Y(t) = y(t) y(t)', so outputs are made once for all
subsets.
Legend: E experts of a layer, T tokens, H what an expert writes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from resect.anatomy.mixtures import Mixture, route, router_of
from resect.errors import RequestError

MOST = 5_000
"""Subsets of a layer that are tried at most."""


def check(mixture: Mixture, count: int) -> None:
    """Raises `RequestError` where there are too many subsets with `count` experts a group."""
    size = mixture.size // mixture.groups
    subsets = math.comb(size, count) ** mixture.groups
    if subsets > MOST:
        raise RequestError(
            f"criterion=naee tries every way to keep {count} of {size} experts, {subsets:.3g} a "
            f"layer, and more than {MOST:,} take too long: use criterion=reap."
        )


@torch.no_grad()
def best(
    mixture: Mixture, passed: Sequence[Tensor], counts: Collection[int]
) -> dict[int, tuple[Tensor, ...]]:
    """For each count of experts kept a group, the best subset: rising indices in every group.

    `passed`: sequences (S, T, D) that come to the mixture, some at a time.
    """
    routings = [route(mixture, batch) for batch in passed]
    gates = [routing.gates.double() for routing in routings]
    products = [_products(mixture, routing.inputs) for routing in routings]
    size = mixture.size // mixture.groups

    def loss(subset: tuple[Tensor, ...]) -> float:
        experts, total = torch.cat(subset), 0.0
        router = router_of(mixture, experts)
        for batch, whole, product in zip(passed, gates, products, strict=True):
            difference = whole.clone()
            difference[:, experts] -= route(router, batch).gates.double()
            square = torch.einsum("te,tef,tf->t", difference, product, difference)
            total += float(square.view(len(batch), -1).sum(1).clamp(min=0).sqrt().sum())
        return total

    chosen = {count: min(_subsets(mixture, count), key=loss) for count in counts}
    return {
        count: tuple(part - number * size for number, part in enumerate(subset))
        for count, subset in chosen.items()
    }


def _subsets(mixture: Mixture, count: int) -> Iterator[tuple[Tensor, ...]]:
    """Every way to keep `count` experts of each routing group, as indices into the layer."""
    size = mixture.size // mixture.groups
    ways = [
        [torch.tensor(way) + number * size for way in itertools.combinations(range(size), count)]
        for number in range(mixture.groups)
    ]
    return itertools.product(*ways)


def _products(mixture: Mixture, inputs: Tensor) -> Tensor:
    """Scalar products of all experts' outputs at every token, (T, E, E) fp64."""
    outputs = [mixture.output(expert, inputs).double() for expert in range(mixture.size)]
    stacked = torch.stack(outputs, dim=1)
    return stacked @ stacked.mT
