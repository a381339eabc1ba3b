"""How the level of a method is shared out over the decoder blocks.

Every allocation gives each block a number, and one number t for the whole model is chosen so that
exactly floor(level x all) of the weights inside the blocks are removed. With S the level:

- `owl`: level offset + t. The offset falls with the share of outliers among |W_ij| ||X_j||_2, those
  above `outlier` (M) times the block's mean, and spans 2 `spread` (lambda) (Yin et al. 2023,
  arXiv:2310.05175). Inputs are those of the intact model.
- `alpha`: level ratio x t. The ratio rises with the exponent of the spectral tail of a block's
  matrices, on average, from 1 - `spread` to 1 + `spread` (AlphaPruning, Lu et al. 2024,
  arXiv:2410.10912). The exponent is Hill's: 1 + k / sum ln(l_i / l_min) over the upper half of the
  squared singular values l.
- `sensitivity`: as `owl`, of ln(KL per weight) of a part damaged alone, as `resect probe` measures
  it. The logarithm, because KL differs by orders of magnitude between blocks.

Where all blocks have one size and none comes to a bound, these are the papers' levels. No block
gets less than 0 or more than 0.99 of it, unless the level itself is higher. Counts never fall as
the level rises, so levels stay contained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy import Matrix
from resect.errors import RequestError, unknown
from resect.methods import fragility
from resect.methods.calibration.calibration_text import Tokens
from resect.methods.calibration.capture import blocks_in_turn, squares
from resect.methods.masks import removed

SPREADS = {"uniform": 0.0, "owl": 0.08, "alpha": 0.3, "sensitivity": 0.08}
"""The kinds of allocation, and their usual spread (of the papers where there is one)."""
_HIGHEST = 0.99  # level of a block, unless that of the model is higher

Matrices = Callable[[], Iterable[Matrix]]
"""The targeted matrices with their weights; may be called more than once."""


@dataclass(frozen=True)
class Plan:
    """What the options ask for; raises `RequestError` where they do not go together."""

    kind: str
    spread: float | None
    outlier: float
    probe: str

    def __post_init__(self) -> None:
        if self.kind not in SPREADS:
            raise unknown("allocation", self.kind, tuple(SPREADS))
        if self.spread is not None and not (self.kind != "uniform" and self.spread < 1):
            raise RequestError(
                f"spread={self.spread:g} cannot be used: give a number below 1, with "
                "allocation=owl, alpha or sensitivity."
            )
        if self.kind == "sensitivity" and not self.probe:
            raise RequestError(
                "allocation=sensitivity needs the file of a probe: run resect probe MODEL --out "
                "FILE, then add probe=FILE."
            )
        if self.probe and self.kind != "sensitivity":
            raise RequestError("probe= is read by allocation=sensitivity only: add it.")

    def learn(
        self, model: PreTrainedModel, matrices: Matrices, text: Tokens | None
    ) -> Allotment | None:
        """How levels differ between blocks; None where they do not.

        `model` gives the structure, and with `owl` it is run on `text`.
        """
        if self.kind == "uniform":
            return None
        blocks = {
            m.name: block.name for block in anatomy.read(model).blocks for m in block.matrices
        }
        sizes = {m.name: m.weight().numel() for m in matrices() if m.name in blocks}
        spread = SPREADS[self.kind] if self.spread is None else self.spread
        if self.kind == "alpha":
            exponents = by_block(spectral_exponents(matrices, sizes), blocks)
            scaled = spans(exponents)
            values = {name: 1 + spread * (2 * scaled[blocks[name]] - 1) for name in sizes}
            return Allotment(sizes, values, times=True)
        if self.kind == "owl":
            assert text is not None, "owl reads the calibration text"
            ratios = outlier_ratios(model, text, sizes, self.outlier)
            costs = {name: ratios[blocks[name]] for name in sizes}
        else:
            costs = fragility.read(self.probe).costs(sizes, blocks)
        scaled = spans(costs)
        return Allotment(sizes, {n: -2 * spread * scaled[n] for n in sizes}, times=False)


def by_block(values: Mapping[str, float], blocks: Mapping[str, str]) -> dict[str, float]:
    """Means of the finite values of each block's matrices; the highest mean where it has none."""
    together: dict[str, list[float]] = {blocks[name]: [] for name in values}
    for name, value in values.items():
        if math.isfinite(value):
            together[blocks[name]].append(value)
    means = {block: sum(each) / len(each) for block, each in together.items() if each}
    return {block: means.get(block, max(means.values(), default=0.0)) for block in together}


def spans(values: Mapping[str, float]) -> dict[str, float]:
    """The values moved and scaled to 0 .. 1; 0.5 where all are equal."""
    low, high = min(values.values()), max(values.values())
    if high == low:
        return dict.fromkeys(values, 0.5)
    return {name: (value - low) / (high - low) for name, value in values.items()}


# ── what the blocks are compared by ─────────────────────────────────────────────────────────────


def spectral_exponents(matrices: Matrices, wanted: Iterable[str]) -> dict[str, float]:
    """Hill's estimate of the tail of each matrix's squared singular values, by its name."""
    names = set(wanted)
    return {m.name: hill(m.weight()) for m in matrices() if m.name in names}


def hill(weight: Tensor) -> float:
    """1 + k / sum ln(l_i / l_min), l the k upper half of the squared singular values of (O, I).

    Infinite where that half is all alike, as in a matrix of zeros.
    """
    values = torch.linalg.svdvals(weight.float()).double().square().sort().values
    tail = values[len(values) // 2 :]
    total = float((tail / tail[0]).log().sum())
    return 1 + len(tail) / total if total > 0 else math.inf


def outlier_ratios(
    model: PreTrainedModel, text: Tokens, wanted: Iterable[str], outlier: float
) -> dict[str, float]:
    """Percent of a block's weights whose |W_ij| ||X_j||_2 is above `outlier` times their mean.

    Weights that no token came to count as 0.
    """
    names, ratios = set(wanted), {}
    for turn in blocks_in_turn(model, text, names.__contains__, squares, changing=False):
        moments = turn.gather()
        scores = [
            m.weight().float().abs() * moments[m.site].total.to(m.weight().device).sqrt()
            for m in turn.block.matrices
            if m.name in names and m.site in moments
        ]
        size = sum(m.weight().numel() for m in turn.block.matrices if m.name in names)
        if size:
            mean = sum(float(score.double().sum()) for score in scores) / size
            above = sum(int((score > outlier * mean).sum()) for score in scores)
            ratios[turn.block.name] = 100 * above / size
    return ratios


# ── from numbers to counts ──────────────────────────────────────────────────────────────────────


class _Curve(NamedTuple):
    """Level of every matrix at t: value x t where `times`, else value + t; from 0 to `highest`."""

    sizes: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    times: bool
    highest: float

    def counts(self, t: float) -> npt.NDArray[np.int64]:
        """Weights that go of each matrix; never fewer at a larger t."""
        levels = self.values * t if self.times else self.values + t
        whole = np.floor(np.clip(levels, 0.0, self.highest) * self.sizes)
        return whole.astype(np.int64)

    def ends(self) -> tuple[float, float]:
        """A t at which nothing goes, and one at which all go that may."""
        if self.times:
            return 0.0, 2.0 / float(self.values.min())
        return -1.0 - float(self.values.max()), 2.0 - float(self.values.min())

    def exactly(self, total: int) -> npt.NDArray[np.int64]:
        """Counts that add up to `total`; at the t where it is passed, the first matrices give."""
        low, high = self.ends()
        while low < (middle := (low + high) / 2) < high:
            if int(self.counts(middle).sum()) < total:
                low = middle
            else:
                high = middle
        below, above = self.counts(low), self.counts(high)
        room = total - int(below.sum())
        more = np.minimum((above - below).cumsum(), room)
        return below + np.diff(more, prepend=0)


@dataclass
class Allotment:
    """The levels of the matrices (`sizes` are their weights, by name) at any level of the model."""

    sizes: Mapping[str, int]
    values: Mapping[str, float]
    times: bool
    _levels: dict[float, dict[str, float]] = field(default_factory=dict)

    def counts(self, level: float) -> dict[str, int]:
        """How many weights of each matrix go; floor(level x all) in all."""
        total = removed(sum(self.sizes.values()), level)
        if not total:
            return dict.fromkeys(self.sizes, 0)
        sizes = np.array(list(self.sizes.values()), dtype=np.int64)
        values = np.array([self.values[name] for name in self.sizes])
        curve = _Curve(sizes, values, self.times, _HIGHEST)
        if int(np.floor(_HIGHEST * sizes).sum()) < total:
            curve = _Curve(sizes, np.zeros_like(values), False, 1.0)
        return dict(zip(self.sizes, curve.exactly(total).tolist(), strict=True))

    def level_of(self, name: str, level: float) -> float:
        """A matrix's level, such that its floor is its count; the model's own outside blocks."""
        if level not in self._levels:
            counts = self.counts(level)
            self._levels[level] = {n: (counts[n] + 0.5) / self.sizes[n] for n in counts}
        return self._levels[level].get(name, level)
