"""Parameters, bytes, bits and zeros of a model as it stands: read off the artefact."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from resect import anatomy
from resect.methods.masks import zeros


class Size(NamedTuple):
    """Parameters and bytes (shared tensors once); `bits_per_weight` is their ratio in bits.

    `targeted` counts the weights of the matrices inside the decoder blocks, `zeros` those of them
    that are exactly zero.
    """

    parameters: int
    bytes_in_memory: int
    bits_per_weight: float
    targeted: int
    zeros: int


def size(model: nn.Module) -> Size:
    """Count a model's parameters, the bytes they take in memory, and the zeros."""
    tensors = {p.data_ptr(): p for p in model.parameters()}.values()
    parameters = sum(p.numel() for p in tensors)
    taken = sum(p.numel() * p.element_size() for p in tensors)
    weights = [matrix.weight() for matrix in anatomy.read(model).matrices]
    targeted = sum(weight.numel() for weight in weights)
    gone = sum(zeros(weight) for weight in weights)
    return Size(parameters, taken, 8 * taken / parameters, targeted, gone)
