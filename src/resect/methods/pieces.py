"""A weight as integers, in pieces that fit into a processor's cache, on every core.

Most of what happens to a weight here is a few integer operations an element: it costs what moving
the weight through memory costs. So it is done piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from resect.errors import RequestError

IN_CACHE, ON_DEVICE = 1 << 19, 1 << 24  # elements of a piece
Found = TypeVar("Found")


def words(weight: Tensor) -> tuple[Tensor, int]:
    """A view of the weight as integers of its width, and the mask that leaves their sign out."""
    if weight.dtype in (torch.bfloat16, torch.float16):
        return weight.view(torch.int16), 0x7FFF
    if weight.dtype == torch.float32:
        return weight.view(torch.int32), 0x7FFFFFFF
    raise RequestError(
        f"weights of type {str(weight.dtype).removeprefix('torch.')} cannot be pruned by "
        "magnitude: load the model in bfloat16, float16 or float32."
    )


def pieces(weight: Tensor, times: int = 1) -> Sequence[Tensor]:
    """Views that make up a tensor in row-major order, each `times` what a cache holds."""
    size = IN_CACHE * times
    if weight.device.type != "cpu":
        size = ON_DEVICE  # there a piece costs a launch, and its cache is no help
    if weight.is_contiguous():
        return weight.view(-1).split(size)
    return weight.split(max(1, size // weight[0].numel()))


def nonzero(found: Tensor) -> int:
    """How many elements are not zero; on a processor numpy counts four times faster than torch."""
    if found.device.type == "cpu":
        return int(np.count_nonzero(found.numpy()))
    return int(torch.count_nonzero(found))


@contextmanager
def spare_core() -> Iterator[None]:
    """Leave a core to somebody else."""
    cores = torch.get_num_threads()
    torch.set_num_threads(max(1, cores - 1))
    try:
        yield
    finally:
        torch.set_num_threads(cores)


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
