"""Merge the experts of a layer instead of cutting some out (HC-SMoE, arXiv:2410.08589).

- The feature of an expert is its mean output over all tokens that come to the layer, whether they
  are routed to it or not. Experts are clustered by Euclidean distance with average linkage.
- Experts of a cluster become one: the mean of their weights, each as often as tokens were routed to
  it; equally where no token was routed to any.

The authors keep all rows of the router and let several point to one expert, so that the file has
fewer tensors only in their own format. Here the router's rows are merged by the same weights, so
that plain transformers loads the model and routes to as many experts as there are.

Legend: E experts of a group, C clusters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from resect.anatomy import mixtures as anatomy
from resect.anatomy.mixtures import Mixture

if TYPE_CHECKING:
    from resect.methods.parts.experts import Passed


@dataclass(frozen=True)
class Tree:
    """How the experts of one group lie together: scipy's `linkage`, and `tokens` (E,) of each."""

    linkage: Any
    tokens: Tensor

    def clusters(self, count: int) -> list[Tensor]:
        """The members of `count` clusters (rising indices), by the first of each."""
        from scipy.cluster.hierarchy import cut_tree

        labels = cut_tree(self.linkage, n_clusters=count).ravel()
        return [torch.from_numpy(np.flatnonzero(labels == label)) for label in range(count)]

    def leaders(self, count: int) -> Tensor:
        """The member of each cluster that most tokens come to, (C,)."""
        members = self.clusters(count)
        return torch.stack([each[self.tokens[each].argmax()] for each in members])

    def shares(self, members: Tensor) -> Tensor:
        """What each member counts in the mean of its cluster; they add up to 1."""
        tokens = self.tokens[members].double()
        total = tokens.sum()
        return tokens / total if total > 0 else torch.full_like(tokens, 1 / len(tokens))


def trees(mixture: Mixture, passed: Iterator[Passed]) -> list[Tree]:
    """The tree of every routing group of a layer, from the calibration tokens that come to it."""
    from scipy.cluster.hierarchy import linkage

    sums: list[Tensor | float] = [0.0] * mixture.size
    chosen, count = torch.zeros(mixture.size, dtype=torch.float64), 0
    for batch in passed:
        routing = anatomy.route(mixture, batch.inputs)
        count += len(routing.inputs)
        chosen += routing.chosen.double().sum(0).cpu()
        for expert in range(mixture.size):
            output = mixture.output(expert, routing.inputs)
            sums[expert] = sums[expert] + output.double().sum(0).cpu()
    features = torch.stack([torch.as_tensor(each) for each in sums]) / max(count, 1)
    groups = zip(features.chunk(mixture.groups), chosen.chunk(mixture.groups), strict=True)
    return [Tree(linkage(each.numpy(), method="average"), own) for each, own in groups]


@torch.no_grad()
def merge_(mixture: Mixture, group: list[Tree], count: int) -> None:
    """Make the leader of each cluster the mean of its cluster, in place; the others stay."""
    size = mixture.size // mixture.groups
    for number, tree in enumerate(group):
        for members, leader in zip(tree.clusters(count), tree.leaders(count), strict=True):
            if len(members) > 1:
                places = (members + number * size).tolist()
                anatomy.average_(mixture, places, int(leader) + number * size, tree.shares(members))
