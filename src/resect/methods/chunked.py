"""A weight as integers, in pieces that fit into a processor's cache, on every core.

Most of what happens to a weight here is a few integer operations an element: it costs what moving
the weight through memory costs. So it is done piece by piece.
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
HANDED_OVER = 16  # pieces that another thread gets at once: to wake it costs as much as to make one
Found = TypeVar("Found")
# What holds a piece's integers: an array of numpy on a processor, a tensor on a device. numpy's
# comparisons and counts of small integers are several times faster than torch's.
Words = Any


def words(weight: Tensor) -> tuple[Words, int]:
    """A view of the weight as integers of its width, and the mask that leaves their sign out."""
    if weight.dtype in (torch.bfloat16, torch.float16):
        found, magnitude = weight.view(torch.int16), 0x7FFF
    elif weight.dtype == torch.float32:
        found, magnitude = weight.view(torch.int32), 0x7FFFFFFF
    else:
        raise RequestError(
            f"weights of type {str(weight.dtype).removeprefix('torch.')} cannot be pruned by "
            "magnitude: load the model in bfloat16, float16 or float32."
        )
    return (found.numpy() if found.device.type == "cpu" else found), magnitude


def library(found: Words) -> ModuleType:
    """Numpy or torch: functions of the same names work on what they hold."""
    return torch if isinstance(found, Tensor) else np


def room(found: Words) -> Words:
    """Contiguous memory for as many words."""
    if isinstance(found, Tensor):
        return torch.empty(found.shape, dtype=found.dtype, device=found.device)
    return np.empty(found.shape, dtype=found.dtype)


def nonzero(found: Words) -> int:
    """How many elements are not zero, or true."""
    return int(library(found).count_nonzero(found))


def pieces(weight: Tensor, times: int = 1) -> Sequence[Tensor]:
    """Views that make up a tensor in row-major order, each `times` what a cache holds."""
    size = IN_CACHE * times
    if weight.device.type != "cpu":
        size = ON_DEVICE  # there a piece costs a launch, and its cache is no help
    if weight.is_contiguous():
        return weight.view(-1).split(size)
    return weight.split(max(1, size // weight[0].numel()))


def shares(work: Callable[[Sequence[Tensor]], Found], parts: Sequence[Tensor]) -> list[Found]:
    """What `work` finds in each core's share of the parts, in order; few parts are one share."""
    cores = torch.get_num_threads()
    if cores == 1 or len(parts) < 2 * cores or parts[0].device.type != "cpu":
        return [work(parts)]
    size = -(-len(parts) // cores)
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, [parts[k : k + size] for k in range(0, len(parts), size)]))
    finally:
        torch.set_num_threads(cores)  # a thread's number is also that of threads to come
