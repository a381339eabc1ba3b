"""Parameters, bytes and bits of a model as it stands: read off the artefact, never copied."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn


class Size(NamedTuple):
    """Parameters and bytes (shared tensors once); `bits_per_weight` is their ratio in bits."""

    parameters: int
    bytes_in_memory: int
    bits_per_weight: float


def size(model: nn.Module) -> Size:
    """Count a model's parameters and the bytes they take in memory."""
    tensors = {p.data_ptr(): p for p in model.parameters()}.values()
    parameters = sum(p.numel() for p in tensors)
    taken = sum(p.numel() * p.element_size() for p in tensors)
    return Size(parameters, taken, 8 * taken / parameters)
