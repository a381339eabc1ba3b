"""Rows of a batch as a model has read them: its cache, and which places in it are filled.

Legend: B rows, T places read so far, N tokens more, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer


@dataclass
class Rows:
    """What a model has read. `mask` (B T) is 0 where a place only fills; `padded`: some do."""

    model: PreTrainedModel
    cache: DynamicCache
    mask: Tensor
    padded: bool = False

    @classmethod
    def empty(cls, model: PreTrainedModel, count: int) -> Rows:
        """`count` rows that nothing was read for."""
        mask = torch.ones(count, 0, dtype=torch.long, device=model.device)
        return cls(model, DynamicCache(config=model.config), mask)

    def read(self, ids: Tensor, real: Tensor | None = None, keep: int = 1) -> Tensor:
        """Read N more tokens of every row; logits in fp32 of the last `keep` (0: all) (B keep V).

        `real` (B N) is 0 where a token only fills the row; None where all count.
        """
        device = self.mask.device
        self.padded = self.padded or real is not None
        real = torch.ones_like(ids) if real is None else real
        self.mask = torch.cat([self.mask, real.to(device)], 1)
        positions = (self.mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        logits: Tensor = self.model(
            input_ids=ids.to(device),
            attention_mask=self.mask if self.padded else None,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=keep,
        ).logits
        return logits.float()

    def select(self, index: Tensor) -> Rows:
        """Copies of the rows at `index`; these stay as they are."""
        cache = _shallow(self.cache)
        # the selection that recurrent layers have too
        cache.reorder_cache(index)  # type: ignore[arg-type]  # any index of rows will do
        return Rows(self.model, cache, self.mask[index], self.padded)

    def spread(self, count: int) -> Rows:
        """The one row `count` times, without copies of its memory; it stays as it is."""
        cache = _shallow(self.cache)
        for layer in cache.layers:
            assert isinstance(layer, DynamicLayer)
            assert layer.keys is not None
            assert layer.values is not None
            layer.keys = layer.keys.expand(count, -1, -1, -1)
            layer.values = layer.values.expand(count, -1, -1, -1)
        return Rows(self.model, cache, self.mask.expand(count, -1), self.padded)

    def can_spread(self, places: int) -> bool:
        """Whether rows of `places` in all may start from a row that was read apart.

        Filling stands between the two, so that a window must not end within the row; recurrent
        states are not by place at all, and quantized ones are not plain tensors.
        """
        return all(
            places <= layer.sliding_window
            if type(layer) is DynamicSlidingWindowLayer
            else type(layer) is DynamicLayer
            for layer in self.cache.layers
        )


def filled(ids: Sequence[Sequence[int]], left: bool) -> tuple[Tensor, Tensor | None]:
    """Token lists as one tensor (B N), and 1 where they stand (None where all are as long)."""
    width = max(map(len, ids))
    short = [[0] * (width - len(row)) for row in ids]
    made = [[*fill, *row] if left else [*row, *fill] for fill, row in zip(short, ids, strict=True)]
    if not any(short):
        return torch.tensor(made), None
    ones = [[1] * len(row) for row in ids]
    real = [[*fill, *row] if left else [*row, *fill] for fill, row in zip(short, ones, strict=True)]
    return torch.tensor(made), torch.tensor(real)


def _shallow(cache: DynamicCache) -> DynamicCache:
    """A cache of the same tensors; what grows or shrinks in it leaves the other alone."""
    made = copy.copy(cache)
    made.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in made.layers:  # recurrent layers keep their states in dicts
        vars(layer).update({k: dict(v) for k, v in vars(layer).items() if isinstance(v, dict)})
    return made
