"""Exact masks from scores: by histogram over one or many matrices, per row, or N of M kept.

Without the sign, the bits of IEEE floats order like their magnitudes. |w| of a 16-bit weight has at
most 32,768 values, so one histogram gives the exact threshold of every level. A 32-bit weight
takes two: of its upper and then of its lower 16 bits. Nothing here knows a model.
Ties are broken by position everywhere (row-major, the first is removed first).
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
    HANDOVER,
    Words,
    empty_like,
    map_shares,
    nonzero,
    pieces,
    words,
    xp,
)

_HIGH, _LOW = 1 << 15, 1 << 16  # bins
_INFINITE = {torch.float16: 0x7C00, torch.bfloat16: 0x7F80, torch.float32: 0x7F80}  # upper bits
Histogram = npt.NDArray[np.int64]
"""A numpy array: a torch sum of this length would wake torch's threads, which then spin for
milliseconds and take the core from the next counting, cutting or writing thread."""


class Cut(NamedTuple):
    """Where one level cuts: magnitudes below `bits` are removed, and of those equal to it the first
    `ties_removed`; `ties_kept` stay.

    Counts are exact, and a larger level removes all that a smaller one does. `broken`: how many of
    the weights are not numbers.
    """

    bits: int
    ties_removed: int
    ties_kept: int
    broken: int


def removed(total: int, level: float) -> int:
    """How many of `total` are removed at `level`: the floor of the exact decimal product."""
    return int(Decimal(str(level)) * total)


def magnitude_bits(weight: Tensor) -> Tensor:
    """Integers (of the weight's width, same shape) that order like |weight|; bf16, fp16, fp32.

    Not-a-number orders above infinity, so it is never removed before a finite weight.
    """
    whole, magnitude = words(weight)
    return torch.as_tensor(whole & magnitude)


# ── one threshold for a matrix, or for a whole model ────────────────────────────────────────────


def cuts(weights: Callable[[], Iterable[Tensor]], counts: Sequence[int]) -> list[Cut]:
    """The cut for each count of weights to remove, over all tensors that `weights()` yields.

    Reads the weights once (16-bit) or twice (32-bit), all of one dtype, and holds one tensor and a
    histogram. 0 <= count <= total elements, in any order.
    """
    dtypes = set()
    coarse = np.zeros(_HIGH, dtype=np.int64)
    for weight in weights():
        dtypes.add(weight.dtype)
        coarse += _histogram(weight, _high, _HIGH)
    if len(dtypes) > 1:
        raise RequestError(
            "weights of different types cannot share a threshold: load the model with one --dtype."
        )
    # A NaN made by arithmetic is above infinity in its upper 16 bits already.
    broken = sum(int(coarse[_INFINITE[dtype] + 1 :].sum()) for dtype in dtypes)
    located = [_locate(coarse, count) for count in counts]
    if torch.float32 not in dtypes:
        return [Cut(high, rest, int(coarse[high]) - rest, broken) for high, rest in located]
    bins = sorted({bucket for bucket, _ in located})
    fine = _refine(weights, bins)
    result = []
    for bucket, rest in located:
        histogram = fine[bins.index(bucket)]
        low, ties = _locate(histogram, rest)
        result.append(Cut((bucket << 16) | low, ties, int(histogram[low]) - ties, broken))
    return result


def _locate(histogram: Histogram, count: int) -> tuple[int, int]:
    """The bin of the count-th smallest, and how many of that bin are removed."""
    cumulative = histogram.cumsum()
    bucket = int(np.searchsorted(cumulative, count))
    return bucket, count - (int(cumulative[bucket - 1]) if bucket else 0)


def _histogram(
    weight: Tensor, key: Callable[[Tensor], Tensor], bins: int, times: int = 2
) -> Histogram:
    """Counts (bins,) of `key` applied to the magnitude bits of a tensor."""

    def count(parts: Sequence[Tensor]) -> Histogram:
        counts = torch.zeros(bins, dtype=torch.int64, device=weight.device)
        for piece in parts:
            counts += torch.bincount(key(magnitude_bits(piece).reshape(-1)), minlength=bins)
        return counts.cpu().numpy()

    return sum(map_shares(count, pieces(weight, times)), np.zeros(bins, dtype=np.int64))


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

        fine += _histogram(weight, low, len(fine), times=16)  # many bins need larger pieces
    return fine.reshape(len(bins), _LOW)


class Cutting:
    """Applies one cut to one or several tensors, from the last piece to the first.

    Works on untouched weights and on those that a smaller level has pruned: of the ties that are
    still there, the last `ties_kept` stay.
    """

    def __init__(self, cut: Cut) -> None:
        self.cut, self.ties_kept = cut, cut.ties_kept

    def zero_(self, weight: Tensor) -> None:
        """Zero in place what the cut removes from `weight` (any shape, views included)."""
        parts = pieces(weight)
        bits = empty_like(words(parts[0])[0])
        for piece in reversed(parts):
            self._apply(piece, bits[: len(piece)], words(piece)[0])

    def remaining(self, weight: Tensor) -> Iterator[Tensor]:
        """What the cut leaves, the last part first. A part is valid while the next is made."""
        parts = pieces(weight.contiguous(), HANDOVER)
        buffers = itertools.cycle([torch.empty_like(parts[0]) for _ in range(2)])
        for source in reversed(parts):
            remaining = next(buffers)[: len(source)]
            for piece, target in zip(
                *(reversed(pieces(t)) for t in (source, remaining)), strict=True
            ):
                out = words(target)[0]
                self._apply(piece, out, out)
            yield remaining

    def _apply(self, piece: Tensor, bits: Words, out: Words) -> None:
        """Write what the cut leaves of a piece to `out`; `bits` is a buffer for its magnitudes."""
        whole, magnitude = words(piece)
        xp(whole).bitwise_and(whole, magnitude, out=bits)
        highest_removed, removed_ties = self._ties(bits)
        stays = bits > highest_removed
        stays.reshape(-1)[removed_ties] = False
        # a fill by booleans takes many times longer
        xp(whole).multiply(whole, stays, out=out)

    def _ties(self, bits: Words) -> tuple[int, Words | slice]:
        """The highest bits removed from a piece, and the positions of ties removed above them."""
        nowhere = slice(0)
        if not self.cut.ties_removed:
            return self.cut.bits - 1, nowhere
        if not self.ties_kept:
            return self.cut.bits, nowhere
        ties = bits == self.cut.bits
        standing = nonzero(ties)
        removed_ties = max(0, standing - self.ties_kept)
        self.ties_kept -= standing - removed_ties
        if not removed_ties:
            return self.cut.bits - 1, nowhere
        return self.cut.bits - 1, xp(ties).where(ties.reshape(-1))[0][:removed_ties]


def zeros(weight: Tensor) -> int:
    """How many elements are exactly zero (of either sign), in any type, 8-bit floats included."""
    if weight.is_floating_point() and weight.itemsize == 1:
        weight = weight.view(torch.uint8) & 0x7F
    if weight.dtype not in (torch.bfloat16, torch.float16, torch.float32):
        return weight.numel() - int(torch.count_nonzero(weight))
    chunks = pieces(weight)
    bits = empty_like(words(chunks[0])[0])
    count = 0
    for piece in chunks:
        signed, magnitude = words(piece)
        count += nonzero(xp(signed).bitwise_and(signed, magnitude, out=bits[: len(piece)]))
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


def lowest_evenly(score: Tensor, count: int) -> Tensor:
    """Mask (O, I), true for `count` scores in all: the lowest of every row, and as many of each.

    Where they do not divide, the first rows give one more.
    """
    each, more = divmod(count, len(score))
    mask = lowest_in_rows(score, each)
    if more:
        mask[:more] = lowest_in_rows(score[:more], each + 1)
    return mask


def lowest(score: Tensor, count: int) -> Tensor:
    """Mask (O, I), true for the `count` lowest scores of the whole matrix (scores >= 0, fp32)."""
    score = score.float().contiguous()
    (cut,) = cuts(lambda: [score], [count])
    bits = magnitude_bits(score)
    mask = bits < cut.bits
    ties = (bits == cut.bits).view(-1).nonzero().squeeze(1)
    mask.view(-1)[ties[: cut.ties_removed]] = True
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
    """N:M: `keep` of every `of` weights along the input dimension stay."""

    keep: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read `2:4`: the first number is how many stay."""
        keep, _, of = str(text).partition(":")
        if not (keep.isdigit() and of.isdigit() and 0 < int(keep) < int(of)):
            raise RequestError(
                f"pattern {text!r} cannot be read: write how many of how many stay, like 2:4."
            )
        return cls(int(keep), int(of))

    def check(self, columns: int, name: str = "a matrix") -> None:
        """Raises `RequestError` where rows of `columns` weights cannot be divided."""
        if columns % self.of:
            raise RequestError(
                f"{self.keep}:{self.of} needs rows whose length divides by {self.of}, but those of "
                f"{name} have {columns} weights: leave that matrix out with exclude=."
            )

    @property
    def level(self) -> float:
        """The fraction removed."""
        return round(1 - self.keep / self.of, 6)
