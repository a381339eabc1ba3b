"""Weights as integers, split into pieces that fit into the processor's cache, on every core.

Pruning needs a few integer operations per element, so its cost is that of moving the weight
through memory. Working piece by piece moves it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from resect.errors import RequestError

IN_CACHE, ON_DEVICE = 1 << 18, 1 << 24  # elements of a piece
HANDOVER = 16  # pieces handed to another thread at once: waking it costs as much as one piece
Result = TypeVar("Result")
Words = Any
"""The integers of a piece: a numpy array on the CPU, a tensor on a GPU. numpy compares and counts
small integers several times faster than torch."""


def words(weight: Tensor) -> tuple[Words, int]:
    """A view of the weight as integers of its width, and the bit mask that removes their sign."""
    if weight.dtype in (torch.bfloat16, torch.float16):
        bits, magnitude = weight.view(torch.int16), 0x7FFF
    elif weight.dtype == torch.float32:
        bits, magnitude = weight.view(torch.int32), 0x7FFFFFFF
    else:
        raise RequestError(
            f"weights of type {str(weight.dtype).removeprefix('torch.')} cannot be pruned by "
            "magnitude: load the model in bfloat16, float16 or float32."
        )
    return (bits.numpy() if bits.device.type == "cpu" else bits), magnitude


def xp(array: Words) -> ModuleType:
    """Numpy or torch, whichever made the array: both have the functions used here."""
    return torch if isinstance(array, Tensor) else np


def empty_like(array: Words) -> Words:
    """Contiguous, uninitialised memory of the same shape and type."""
    if isinstance(array, Tensor):
        return torch.empty(array.shape, dtype=array.dtype, device=array.device)
    return np.empty(array.shape, dtype=array.dtype)


def nonzero(array: Words) -> int:
    """How many elements are not zero (or are true)."""
    return int(xp(array).count_nonzero(array))


def pieces(weight: Tensor, times: int = 1) -> Sequence[Tensor]:
    """Views that make up a tensor in row-major order, each `times` the size of a cache piece."""
    size = IN_CACHE * times
    if weight.device.type != "cpu":
        size = ON_DEVICE  # there each piece costs a kernel launch, and the cache does not help
    if weight.is_contiguous():
        return weight.view(-1).split(size)
    return weight.split(max(1, size // weight[0].numel()))


def map_shares(work: Callable[[Sequence[Tensor]], Result], parts: Sequence[Tensor]) -> list[Result]:
    """`work` applied to each core's share of the parts, in order; a few parts are one share."""
    cores = torch.get_num_threads()
    if cores == 1 or len(parts) < 2 * cores or parts[0].device.type != "cpu":
        return [work(parts)]
    size = -(-len(parts) // cores)
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, [parts[k : k + size] for k in range(0, len(parts), size)]))
    finally:
        torch.set_num_threads(cores)  # the pool's threads set it for the whole process
