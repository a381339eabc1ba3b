"""The rows of a batch that a model has read: its cache, and which places in it are padding.

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
    """The rows that a model has read. `mask` (B T) is 0 at padding; `padded`: there is some."""

    model: PreTrainedModel
    cache: DynamicCache
    mask: Tensor
    padded: bool = False

    @classmethod
    def empty(cls, model: PreTrainedModel, count: int) -> Rows:
        """`count` rows for which nothing was read yet."""
        mask = torch.ones(count, 0, dtype=torch.long, device=model.device)
        return cls(model, DynamicCache(config=model.config), mask)

    def read(self, ids: Tensor, real: Tensor | None = None, keep: int | Tensor = 1) -> Tensor:
        """Read N more tokens of every row; fp32 logits (B keep V) of the last `keep` (0: all).

        `keep` may also be the columns that are wanted.

        `real` (B N) is 0 at padding; None where there is none.
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
        """Copies of the rows at `index`; the originals stay as they are."""
        cache = _shallow(self.cache)
        # the only selection that recurrent layers have, too
        cache.reorder_cache(index)  # type: ignore[arg-type]  # any index of rows will do
        return Rows(self.model, cache, self.mask[index], self.padded)

    def spread(self, count: int) -> Rows:
        """The one row `count` times, without copying its memory; the original stays as it is."""
        cache = _shallow(self.cache)
        for layer in cache.layers:
            assert isinstance(layer, DynamicLayer)
            assert layer.keys is not None
            assert layer.values is not None
            layer.keys = layer.keys.expand(count, -1, -1, -1)
            layer.values = layer.values.expand(count, -1, -1, -1)
        return Rows(self.model, cache, self.mask.expand(count, -1), self.padded)

    def can_spread(self, places: int) -> bool:
        """Whether rows of up to `places` tokens may continue a row that was read before.

        Padding is between the two, so that an attention window must reach back over the whole row;
        recurrent states have no places, and quantized ones are not plain tensors.
        """
        return all(
            places <= layer.sliding_window
            if type(layer) is DynamicSlidingWindowLayer
            else type(layer) is DynamicLayer
            for layer in self.cache.layers
        )


def filled(ids: Sequence[Sequence[int]], left: bool) -> tuple[Tensor, Tensor | None]:
    """Token lists as one tensor (B N), and its mask, 0 at padding (None where there is none)."""
    width = max(map(len, ids))
    short = [[0] * (width - len(row)) for row in ids]
    padded = [
        [*fill, *row] if left else [*row, *fill] for fill, row in zip(short, ids, strict=True)
    ]
    if not any(short):
        return torch.tensor(padded), None
    ones = [[1] * len(row) for row in ids]
    real = [[*fill, *row] if left else [*row, *fill] for fill, row in zip(short, ones, strict=True)]
    return torch.tensor(padded), torch.tensor(real)


def _shallow(cache: DynamicCache) -> DynamicCache:
    """A cache with the same tensors; growing or shrinking it does not change the original."""
    shallow = copy.copy(cache)
    shallow.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in shallow.layers:  # recurrent layers keep their states in dicts
        vars(layer).update({k: dict(v) for k, v in vars(layer).items() if isinstance(v, dict)})
    return shallow
