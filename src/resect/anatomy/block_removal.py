"""Remove whole decoder blocks from a model, and from the per-block lists of its config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from transformers import DynamicCache, PreTrainedModel

from resect import anatomy
from resect.anatomy.config import Changes, built, describes, fields, follow_, plain
from resect.errors import RunError


def keep_(model: PreTrainedModel, kept: Sequence[int]) -> None:
    """Keep only the decoder blocks `kept` (rising), in place; the config follows.

    Every block gets its new index, which the cache of keys and values uses. Raises `RunError`,
    before anything is cut, where no config describes the remaining blocks.
    """
    changes = _changes(model, kept)
    removed = sorted(set(range(len(anatomy.read(model).blocks))) - set(kept))
    result = f"{type(model).__name__} without its blocks {', '.join(map(str, removed))}"
    if not (
        describes(model, changes, lambda m: _take_(m, kept)) and _same_blocks(model, changes, kept)
    ):
        raise RunError(
            f"no config describes {result}: in this architecture, a block's place decides what it "
            "is."
        )
    if not _can_cache(model, changes):
        raise RunError(f"{result} has no block left that attends to earlier tokens.")
    _take_(model, kept)
    follow_(model, changes)


def _can_cache(model: PreTrainedModel, changes: Changes) -> bool:
    """Whether the remaining model can have a cache of keys and values, as generation needs."""
    small = built(model, changes)
    try:
        return small is not None and DynamicCache(config=small.config).get_seq_length() == 0
    except ValueError:
        return False


def _take_(model: PreTrainedModel, kept: Sequence[int]) -> None:
    parent, _, name = anatomy.read(model).blocks[0].name.rpartition(".")[0].rpartition(".")
    owner = model.get_submodule(parent)
    blocks = getattr(owner, name)
    setattr(owner, name, nn.ModuleList([blocks[number] for number in kept]))


def _changes(model: PreTrainedModel, kept: Sequence[int]) -> Changes:
    """The new number of blocks, and every list of the config that has one entry per block."""
    count = len(anatomy.read(model).blocks)
    lists: dict[str, Any] = {}
    for field, value in fields(model).items():
        listed = isinstance(value, list | tuple | str) and len(value) == count
        if listed and ("layer" in field or "pattern" in field):
            picked = [value[number] for number in kept]
            lists[field] = "".join(picked) if isinstance(value, str) else picked
    return {**lists, "num_hidden_layers": len(kept)}


def _same_blocks(model: PreTrainedModel, changes: Changes, kept: Sequence[int]) -> bool:
    """Whether the config builds the same blocks (windows, rotary, experts), but for their index."""
    small = built(model, changes)
    assert small is not None
    before, after = anatomy.read(model).blocks, anatomy.read(small).blocks
    for place, number in enumerate(kept):
        pairs = zip(before[number].module.modules(), after[place].module.modules(), strict=True)
        for old, new in pairs:
            old_values, new_values = plain(old), plain(new)
            for key, value in old_values.items():
                moved = (value, new_values.get(key)) == (number, place) and type(value) is int
                if value != new_values.get(key) and not moved:
                    return False
    return True
