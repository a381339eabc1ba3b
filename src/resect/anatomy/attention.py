"""Where the attention heads are: query, key, value and output of every attention block.

With grouped queries, H query heads share K heads of keys and values: group k has the query heads
k x H/K .. (k + 1) x H/K - 1. Legend: D hidden, h rows of one head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy import Matrix
from resect.anatomy.config import Changes
from resect.anatomy.slicing import keep_, keep_slices_
from resect.errors import RequestError

_ROLES = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class Attention:
    """One attention: `query` (H x h, D), `key` and `value` (K x h, D), `out` (D, H x h)."""

    name: str
    module: nn.Module
    query: Matrix
    key: Matrix
    value: Matrix
    out: Matrix
    heads: int
    groups: int

    @property
    def size(self) -> int:
        """Channels of one head, as the output projection reads them."""
        return self.out.weight().shape[1] // self.heads

    def keep_(self, heads: Tensor, groups: Tensor) -> None:
        """Keep only these query heads, and these heads of keys and values (rising indices)."""
        for owner in self.module.modules():
            if not isinstance(owner, nn.Linear):
                self._keep_small_(owner, heads, groups)
        cuts = [(self.query, 0, spread(heads, self.query.weight().shape[0] // self.heads))]
        for shared in (self.key, self.value):
            cuts.append((shared, 0, spread(groups, shared.weight().shape[0] // self.groups)))
        keep_slices_(cuts)
        keep_slices_([(self.out, 1, spread(heads, self.size))])

    def _keep_small_(self, owner: nn.Module, heads: Tensor, groups: Tensor) -> None:
        """Cut sinks, and norms with weights per head; a norm that all heads share stays."""
        rows, keys = self.query.weight().shape[0], self.key.weight().shape[0]
        for name, value in list(owner.named_parameters(recurse=False)):
            size = value.shape[0]
            if owner is self.module or value.dim() > 1:  # one entry, or one row, per head
                kept = {self.heads: heads, self.groups: groups}
            else:
                each = spread(heads, rows // self.heads), spread(groups, keys // self.groups)
                kept = {} if size == self.size else {rows: each[0], keys: each[1]}
            if size in kept:
                keep_(owner, name, 0, kept[size])

    def silence_(self, heads: Tensor) -> None:
        """Zero the columns of the output projection that read these query heads."""
        weight = self.out.weight()
        weight[:, spread(heads, self.size).to(weight.device)] = 0


def spread(index: Tensor, size: int) -> Tensor:
    """Positions of the parts `index` where each part is `size` long."""
    return (index[:, None] * size + torch.arange(size, device=index.device)).flatten()


def read(model: PreTrainedModel) -> list[Attention]:
    """The attentions in the order of the model; raises `RequestError` where there is none."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None)
    groups = getattr(config, "num_key_value_heads", None) or heads
    attentions = []
    for block in anatomy.read(model).blocks:
        names = dict(block.module.named_modules(prefix=block.name))
        together: dict[str, dict[str, Matrix]] = {}
        for matrix in block.matrices:
            stem, _, last = matrix.name.rpartition(".")
            together.setdefault(stem, {})[last] = matrix
        for stem, parts in together.items():
            if heads and groups and all(role in parts for role in _ROLES):
                q, k, v, o = (parts[role] for role in _ROLES)
                attention = Attention(stem, names[stem], q, k, v, o, heads, groups)
                attentions += [attention] if _fits(attention) else []
    if not attentions:
        raise RequestError(
            f"no attention with query, key, value and output heads was found in "
            f"{type(model).__name__}."
        )
    return attentions


def _fits(attention: Attention) -> bool:
    """Whether the shapes of the matrices agree with the head counts."""
    of_heads = attention.query.weight().shape[0], attention.out.weight().shape[1]
    of_groups = attention.key.weight().shape[0], attention.value.weight().shape[0], attention.heads
    return not any(n % attention.heads for n in of_heads) and not any(
        n % attention.groups for n in of_groups
    )


def changes(attention: Attention, heads: int, groups: int) -> Changes:
    """The config of so many heads; with their size, which no longer follows from the count."""
    return {
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "head_dim": attention.size,
    }
