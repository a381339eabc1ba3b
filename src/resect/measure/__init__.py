"""Parameters, bytes, bits and zeros of a model as it stands: read off the artefact."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor, nn

from resect import anatomy
from resect.methods.masks import zeros
from resect.record import digest


class Size(NamedTuple):
    """Parameters and bytes (shared tensors once); `bits_per_weight` is their ratio in bits.

    `bytes_on_disk`: the tensors of a saved checkpoint. `targeted` counts the weights of the
    matrices inside the decoder blocks, `zeros` those of them that are exactly zero.
    """

    parameters: int
    bytes_in_memory: int
    bytes_on_disk: int
    bits_per_weight: float
    targeted: int
    zeros: int


def size(model: nn.Module) -> Size:
    """Count a model's parameters, the bytes they take, and the zeros."""
    weights = [matrix.weight() for matrix in anatomy.read(model).matrices]
    parameters = _unique(model.parameters())
    count = sum(p.numel() for p in parameters)
    taken = _bytes(parameters)
    return Size(
        parameters=count,
        bytes_in_memory=taken + _bytes(_unique(model.buffers())),
        bytes_on_disk=_bytes(_unique(model.state_dict().values())),
        bits_per_weight=8 * taken / count,
        targeted=sum(weight.numel() for weight in weights),
        zeros=sum(zeros(weight) for weight in weights),
    )


def shape(model: nn.Module) -> str:
    """A name for the shapes and types of a model's tensors: equal ones take the same memory."""
    return digest([[n, list(t.shape), str(t.dtype)] for n, t in model.state_dict().items()])


def _unique(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Each tensor once, also where two names share it."""
    return list({(t.data_ptr(), t.shape): t for t in tensors}.values())


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)
