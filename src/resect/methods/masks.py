"""Scores to exact masks: magnitude thresholds for every level at once, without sorting.

The magnitude of an IEEE float orders like its bits without the sign, so |w| of a 16-bit weight
takes at most 32,768 values: one histogram gives every level's exact threshold. A 32-bit weight
takes two histograms, of its upper and then of its lower 16 bits. Pure: knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

import torch
from torch import Tensor

from resect.errors import RequestError

_CHUNK = 1 << 22  # elements whose integer copies are alive at once
_HIGH, _LOW = 1 << 15, 1 << 16


class Cut(NamedTuple):
    """Where one level cuts: magnitudes below `bits` go; of those equal, the last `kept` stay.

    Ties are broken by position (row-major, first goes first), so that counts are exact and a
    larger level's zeros contain a smaller level's.
    """

    bits: int
    kept: int


def removed(total: int, level: float) -> int:
    """How many of `total` go at `level`: the floor of the exact decimal product."""
    return int(Decimal(str(level)) * total)


def magnitude_bits(weight: Tensor) -> Tensor:
    """Integers (int32, same shape) that order like |weight|; bf16, fp16 and fp32.

    Not-a-number orders above infinity, so it is never removed before a finite weight.
    """
    if weight.dtype in (torch.bfloat16, torch.float16):
        return weight.view(torch.int16).to(torch.int32).bitwise_and_(0x7FFF)
    if weight.dtype == torch.float32:
        return weight.view(torch.int32).bitwise_and(0x7FFFFFFF)
    raise RequestError(
        f"weights of type {str(weight.dtype).removeprefix('torch.')} cannot be pruned by "
        "magnitude: load the model in bfloat16, float16 or float32."
    )


def cuts(weights: Callable[[], Iterable[Tensor]], counts: Sequence[int]) -> list[Cut]:
    """The cut of each count of removed weights, over all tensors that `weights()` yields.

    Reads the weights once (16-bit) or twice (32-bit; every tensor must have the same dtype),
    holding one tensor and a histogram. 0 <= count <= total elements, in any order.
    """
    wide = False
    coarse = torch.zeros(_HIGH, dtype=torch.int64)
    for weight in weights():
        wide = weight.dtype == torch.float32
        for bits in _chunks(weight):
            coarse += torch.bincount(bits >> 16 if wide else bits, minlength=_HIGH).cpu()
    first = [_locate(coarse, count) for count in counts]
    if not wide:
        return [Cut(found, int(coarse[found]) - rest) for found, rest in first]
    bins = sorted({found for found, _ in first})
    fine = _refine(weights, bins)
    result = []
    for found, rest in first:
        histogram = fine[bins.index(found)]
        low, left = _locate(histogram, rest)
        result.append(Cut((found << 16) | low, int(histogram[low]) - left))
    return result


def _locate(histogram: Tensor, count: int) -> tuple[int, int]:
    """(bin in which the count-th smallest lies, how many of that bin go)."""
    upto = histogram.cumsum(0)
    found = int(torch.searchsorted(upto, count))
    return found, count - (int(upto[found - 1]) if found else 0)


def _refine(weights: Callable[[], Iterable[Tensor]], bins: list[int]) -> Tensor:
    """Histograms (len(bins), 65536) of the lower 16 bits of the weights in the given bins."""
    slot = torch.full((_HIGH,), -1, dtype=torch.int64)
    slot[bins] = torch.arange(len(bins))
    fine = torch.zeros(len(bins) * _LOW, dtype=torch.int64)
    for weight in weights():
        slots = slot.to(weight.device)
        for bits in _chunks(weight):
            rows = slots[bits >> 16]
            chosen = rows >= 0
            index = rows[chosen] * _LOW + (bits[chosen] & 0xFFFF)
            fine += torch.bincount(index, minlength=len(fine)).cpu()
    return fine.view(len(bins), _LOW)


def _chunks(weight: Tensor) -> Iterable[Tensor]:
    flat = weight.detach().reshape(-1)
    for chunk in flat.split(_CHUNK):
        yield magnitude_bits(chunk)


def cut_(weight: Tensor, cut: Cut) -> None:
    """Zero in place what `cut` removes from `weight` (any shape, a view is fine).

    Works on the untouched weight and on one that a smaller level of the same cuts has been
    through: only the ties still standing are counted.
    """
    bits = magnitude_bits(weight)
    mask = bits < cut.bits
    ties = (bits == cut.bits).reshape(-1).nonzero().squeeze(1)
    mask.view(-1)[ties[: max(0, len(ties) - cut.kept)]] = True
    weight.masked_fill_(mask, 0)
