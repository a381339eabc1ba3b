"""Scores to exact masks: per matrix or over many by histogram, per row, N of M kept.

The magnitude of an IEEE float orders like its bits without the sign, so |w| of a 16-bit weight
takes at most 32,768 values: one histogram gives every level's exact threshold. A 32-bit weight
takes two histograms, of its upper and then of its lower 16 bits. Pure: knows no model.
Ties are broken by position (row-major, the first goes first) everywhere.
Legend: O out, I in.
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
    """Where one level cuts: magnitudes below `bits` go; of those equal, the first `gone` go.

    `kept` is how many of the equal stay. Counts are exact, and a larger level's zeros contain a
    smaller level's.
    """

    bits: int
    gone: int
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


# ── one threshold for a matrix, or for a whole model ────────────────────────────────────────────


def cuts(weights: Callable[[], Iterable[Tensor]], counts: Sequence[int]) -> list[Cut]:
    """The cut of each count of removed weights, over all tensors that `weights()` yields.

    Reads the weights once (16-bit) or twice (32-bit; every tensor must have the same dtype),
    holding one tensor and a histogram. 0 <= count <= total elements, in any order.
    """
    kinds = set()
    coarse = torch.zeros(_HIGH, dtype=torch.int64)
    for weight in weights():
        kinds.add(weight.dtype)
        for bits in _chunks(weight):
            if weight.dtype == torch.float32:
                bits = bits >> 16
            coarse += torch.bincount(bits, minlength=_HIGH).cpu()
    if len(kinds) > 1:
        raise RequestError("weights of different types cannot share a threshold: use one dtype.")
    first = [_locate(coarse, count) for count in counts]
    if torch.float32 not in kinds:
        return [Cut(found, rest, int(coarse[found]) - rest) for found, rest in first]
    bins = sorted({found for found, _ in first})
    fine = _refine(weights, bins)
    result = []
    for found, rest in first:
        histogram = fine[bins.index(found)]
        low, gone = _locate(histogram, rest)
        result.append(Cut((found << 16) | low, gone, int(histogram[low]) - gone))
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
    """Flat bits (int32) of a tensor piece by piece."""
    for piece in _pieces(weight):
        yield magnitude_bits(piece).reshape(-1)


def _pieces(weight: Tensor) -> Sequence[Tensor]:
    """Views that make up a tensor in row-major order, small enough for a processor's cache."""
    if weight.is_contiguous():
        return weight.view(-1).split(_CHUNK)
    return weight.split(max(1, _CHUNK // weight[0].numel()))


def cut_(weight: Tensor, cut: Cut) -> int:
    """Zero in place what `cut` removes from `weight` (any shape, a view is fine).

    Works on the untouched weight and on one that a smaller level of the same cuts has been
    through: the last `kept` of the ties still standing stay. Returns how many stayed, so that
    several tensors under one cut are taken from the last to the first with `kept` counted down.
    """
    kept = cut.kept
    for piece in reversed(_pieces(weight)):
        # Integers of the weight's own width: filling a float tensor by a mask is many times slower.
        words, magnitude = _words(piece)
        bits = words & magnitude
        stay = bits >= cut.bits
        if cut.gone:
            ties = bits == cut.bits
            standing = int(torch.count_nonzero(ties))
            if standing <= kept:
                kept -= standing
            elif not kept:
                stay = bits > cut.bits
            else:
                going = ties.reshape(-1).nonzero().squeeze(1)[: standing - kept]
                stay = stay.contiguous()
                stay.view(-1)[going] = False
                kept = 0
        words.mul_(stay)
    return cut.kept - kept


def zeros(weight: Tensor) -> int:
    """How many elements are exactly zero (both signs)."""
    if weight.dtype not in (torch.bfloat16, torch.float16, torch.float32):
        return weight.numel() - int(torch.count_nonzero(weight))
    count = 0
    for piece in _pieces(weight):
        words, magnitude = _words(piece)
        count += int(torch.count_nonzero(words & magnitude))
    return weight.numel() - count


def _words(weight: Tensor) -> tuple[Tensor, int]:
    """A view of the weight as integers, and the mask that leaves their sign out."""
    if weight.dtype == torch.float32:
        return weight.view(torch.int32), 0x7FFFFFFF
    return weight.view(torch.int16), 0x7FFF


# ── per row, and N of M ─────────────────────────────────────────────────────────────────────────


def lowest_in_rows(score: Tensor, count: int) -> Tensor:
    """Mask (O, I), true for the `count` lowest scores of every row."""
    if not count:
        return torch.zeros_like(score, dtype=torch.bool)
    threshold = score.kthvalue(count, dim=1, keepdim=True).values
    mask = score < threshold
    missing = count - mask.sum(1, keepdim=True)
    ties = score == threshold
    return mask | (ties & (ties.cumsum(1, dtype=torch.int32) <= missing))


def lowest(score: Tensor, count: int) -> Tensor:
    """Mask (O, I), true for the `count` lowest scores of the whole matrix (scores >= 0, fp32)."""
    score = score.float().contiguous()
    (cut,) = cuts(lambda: [score], [count])
    bits = magnitude_bits(score)
    mask = bits < cut.bits
    ties = (bits == cut.bits).view(-1).nonzero().squeeze(1)
    mask.view(-1)[ties[: cut.gone]] = True
    return mask


def all_but_n_of_m(score: Tensor, keep: int, of: int) -> Tensor:
    """Mask (O, I), true for all but the `keep` highest scores of every `of` neighbours of a row."""
    rows, columns = score.shape
    if columns % of:
        raise RequestError(
            f"{keep}:{of} needs rows that divide by {of}, one has {columns} weights: "
            "leave that matrix out with exclude=."
        )
    order = score.reshape(rows, columns // of, of).argsort(dim=-1, stable=True)
    mask = torch.zeros_like(order, dtype=torch.bool)
    mask.scatter_(2, order[..., : of - keep], True)
    return mask.view(rows, columns)


class Pattern(NamedTuple):
    """N:M, `keep` of every `of` weights along the input dimension are kept."""

    keep: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read `2:4`; the first number is how many are kept."""
        keep, _, of = str(text).partition(":")
        if not (keep.isdigit() and of.isdigit() and 0 < int(keep) < int(of)):
            raise RequestError(f"pattern {text!r} cannot be read: write kept:of, like 2:4.")
        return cls(int(keep), int(of))

    @property
    def level(self) -> float:
        """The fraction removed."""
        return round(1 - self.keep / self.of, 6)
