"""Scores to exact masks: per matrix or over many by histogram, per row, N of M kept.

The magnitude of an IEEE float orders like its bits without the sign, so |w| of a 16-bit weight
takes at most 32,768 values: one histogram gives every level's exact threshold. A 32-bit weight
takes two histograms, of its upper and then of its lower 16 bits. Pure: knows no model.
Ties are broken by position (row-major, the first goes first) everywhere.
Legend: O out, I in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from resect.errors import RequestError
from resect.methods.chunked import (
    HANDED_OVER,
    Words,
    library,
    nonzero,
    pieces,
    room,
    shares,
    words,
)

_HIGH, _LOW = 1 << 15, 1 << 16  # bins
_INFINITE = {torch.float16: 0x7C00, torch.bfloat16: 0x7F80, torch.float32: 0x7F80}  # upper bits
# numpy's: a sum of this length wakes torch's threads, which then wait actively for milliseconds
# and take their core from whoever counts, cuts or writes next.
Histogram = npt.NDArray[np.int64]


class Cut(NamedTuple):
    """Where one level cuts: magnitudes below `bits` go; of those equal, the first `gone` go.

    `kept` is how many of the equal stay. Counts are exact, and a larger level's zeros contain a
    smaller level's. `broken`: how many of the weights are not numbers.
    """

    bits: int
    gone: int
    kept: int
    broken: int


def removed(total: int, level: float) -> int:
    """How many of `total` go at `level`: the floor of the exact decimal product."""
    return int(Decimal(str(level)) * total)


def magnitude_bits(weight: Tensor) -> Tensor:
    """Integers (of the weight's width, same shape) that order like |weight|; bf16, fp16, fp32.

    Not-a-number orders above infinity, so it is never removed before a finite weight.
    """
    whole, magnitude = words(weight)
    return torch.as_tensor(whole & magnitude)


# ── one threshold for a matrix, or for a whole model ────────────────────────────────────────────


def cuts(weights: Callable[[], Iterable[Tensor]], counts: Sequence[int]) -> list[Cut]:
    """The cut of each count of removed weights, over all tensors that `weights()` yields.

    Reads the weights once (16-bit) or twice (32-bit; every tensor must have the same dtype),
    holding one tensor and a histogram. 0 <= count <= total elements, in any order.
    """
    kinds = set()
    coarse = np.zeros(_HIGH, dtype=np.int64)
    for weight in weights():
        kinds.add(weight.dtype)
        coarse += _histogram(weight, _high, _HIGH)
    if len(kinds) > 1:
        raise RequestError("weights of different types cannot share a threshold: use one dtype.")
    # the NaN that arithmetic makes has a bit above infinity's in its upper half, in 32 bits too
    broken = sum(int(coarse[_INFINITE[kind] + 1 :].sum()) for kind in kinds)
    first = [_locate(coarse, count) for count in counts]
    if torch.float32 not in kinds:
        return [Cut(found, rest, int(coarse[found]) - rest, broken) for found, rest in first]
    bins = sorted({found for found, _ in first})
    fine = _refine(weights, bins)
    result = []
    for found, rest in first:
        histogram = fine[bins.index(found)]
        low, gone = _locate(histogram, rest)
        result.append(Cut((found << 16) | low, gone, int(histogram[low]) - gone, broken))
    return result


def _locate(histogram: Histogram, count: int) -> tuple[int, int]:
    """(bin in which the count-th smallest lies, how many of that bin go)."""
    upto = histogram.cumsum()
    found = int(np.searchsorted(upto, count))
    return found, count - (int(upto[found - 1]) if found else 0)


def _histogram(
    weight: Tensor, key: Callable[[Tensor], Tensor], bins: int, times: int = 2
) -> Histogram:
    """Counts (bins,) of the keys that `key` gives for the magnitude bits of a tensor."""

    def count(parts: Sequence[Tensor]) -> Histogram:
        found = torch.zeros(bins, dtype=torch.int64, device=weight.device)
        for piece in parts:
            found += torch.bincount(key(magnitude_bits(piece).reshape(-1)), minlength=bins)
        return found.cpu().numpy()

    return sum(shares(count, pieces(weight, times)), np.zeros(bins, dtype=np.int64))


def _high(bits: Tensor) -> Tensor:
    """The upper 15 bits of a 32-bit magnitude, the whole of a 16-bit one."""
    bits = bits >> 16 if bits.dtype == torch.int32 else bits
    return bits if bits.device.type == "cpu" else bits.long()


def _refine(weights: Callable[[], Iterable[Tensor]], bins: list[int]) -> Histogram:
    """Histograms (len(bins), 65536) of the lower 16 bits of the weights in the given bins."""
    slot = torch.full((_HIGH,), -1, dtype=torch.int64)
    slot[bins] = torch.arange(len(bins))
    fine = np.zeros(len(bins) * _LOW, dtype=np.int64)
    for weight in weights():
        slots = slot.to(weight.device)

        def low(bits: Tensor, slots: Tensor = slots) -> Tensor:
            rows = slots[bits >> 16]
            chosen = rows >= 0
            return rows[chosen] * _LOW + (bits[chosen] & 0xFFFF)

        fine += _histogram(weight, low, len(fine), times=16)  # many bins, so more to a piece
    return fine.reshape(len(bins), _LOW)


class Cutting:
    """One cut on its way through one or several tensors, from their last piece to their first.

    Works on untouched weights and on those that a smaller level of the same cuts has been
    through: the last `kept` of the ties still standing stay.
    """

    def __init__(self, cut: Cut) -> None:
        self.cut, self.kept = cut, cut.kept

    def zero_(self, weight: Tensor) -> None:
        """Zero in place what the cut removes from `weight` (any shape, a view is fine)."""
        parts = pieces(weight)
        bits = room(words(parts[0])[0])
        for piece in reversed(parts):
            self._leave(piece, bits[: len(piece)], words(piece)[0])

    def left(self, weight: Tensor) -> Iterator[Tensor]:
        """What the cut leaves, the last part first; a part holds while the next is made."""
        parts = pieces(weight.contiguous(), HANDED_OVER)
        rooms = itertools.cycle([torch.empty_like(parts[0]) for _ in range(2)])
        for part in reversed(parts):
            left = next(rooms)[: len(part)]
            for piece, place in zip(*(reversed(pieces(t)) for t in (part, left)), strict=True):
                out = words(place)[0]
                self._leave(piece, out, out)
            yield left

    def _leave(self, piece: Tensor, bits: Words, out: Words) -> None:
        """Put what the cut leaves of a piece into `out`; `bits` is room for its magnitudes."""
        whole, magnitude = words(piece)
        library(whole).bitwise_and(whole, magnitude, out=bits)
        highest_gone, going = self._ties(bits)
        stay = bits > highest_gone
        stay.reshape(-1)[going] = False
        library(whole).multiply(whole, stay, out=out)  # a fill by booleans takes many times longer

    def _ties(self, bits: Words) -> tuple[int, Words | slice]:
        """The highest bits that go from a piece, and where above them the ties are that go too."""
        nowhere = slice(0)
        if not self.cut.gone:
            return self.cut.bits - 1, nowhere
        if not self.kept:
            return self.cut.bits, nowhere
        ties = bits == self.cut.bits
        standing = nonzero(ties)
        going = max(0, standing - self.kept)
        self.kept -= standing - going
        if not going:
            return self.cut.bits - 1, nowhere
        return self.cut.bits - 1, library(ties).where(ties.reshape(-1))[0][:going]


def zeros(weight: Tensor) -> int:
    """How many elements are exactly zero (both signs); any type, 8-bit floats too."""
    if weight.is_floating_point() and weight.itemsize == 1:
        weight = weight.view(torch.uint8) & 0x7F
    if weight.dtype not in (torch.bfloat16, torch.float16, torch.float32):
        return weight.numel() - int(torch.count_nonzero(weight))
    parts = pieces(weight)
    bits = room(words(parts[0])[0])
    count = 0
    for piece in parts:
        whole, magnitude = words(piece)
        count += nonzero(library(whole).bitwise_and(whole, magnitude, out=bits[: len(piece)]))
    return weight.numel() - count


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
    Pattern(keep, of).check(columns)
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

    def check(self, columns: int, name: str = "a matrix") -> None:
        """Raises `RequestError` where rows of so many weights cannot be divided."""
        if columns % self.of:
            raise RequestError(
                f"{self.keep}:{self.of} needs rows that divide by {self.of}, those of {name} have "
                f"{columns} weights: leave it out with exclude=."
            )

    @property
    def level(self) -> float:
        """The fraction removed."""
        return round(1 - self.keep / self.of, 6)
