"""Take whole decoder blocks out of a model, and out of what its config lists block by block."""

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

    Every block is told its new place (the cache of keys and values goes by it). Raises
    `RunError`, before anything is cut, where the blocks that stay are no model.
    """
    changes = _changes(model, kept)
    gone = sorted(set(range(len(anatomy.read(model).blocks))) - set(kept))
    without = f"{type(model).__name__} without its blocks {', '.join(map(str, gone))}"
    if not (describes(model, changes, lambda m: _take_(m, kept)) and _same(model, changes, kept)):
        raise RunError(
            f"no config describes {without}: blocks differ by their place in a way that it cannot "
            "say."
        )
    if not _remembers(model, changes):
        raise RunError(f"{without} has no block left that looks back at earlier tokens.")
    _take_(model, kept)
    follow_(model, changes)


def _remembers(model: PreTrainedModel, changes: Changes) -> bool:
    """Whether what is left can keep a cache, as generation asks of it."""
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
    """How many blocks there are, and every list of the config that has an entry for each."""
    count = len(anatomy.read(model).blocks)
    found: dict[str, Any] = {}
    for field, value in fields(model).items():
        listed = isinstance(value, list | tuple | str) and len(value) == count
        if listed and ("layer" in field or "pattern" in field):
            picked = [value[number] for number in kept]
            found[field] = "".join(picked) if isinstance(value, str) else picked
    return {**found, "num_hidden_layers": len(kept)}


def _same(model: PreTrainedModel, changes: Changes, kept: Sequence[int]) -> bool:
    """Whether the config builds the same blocks but for their place: windows, rotary, experts."""
    small = built(model, changes)
    assert small is not None
    before, after = anatomy.read(model).blocks, anatomy.read(small).blocks
    for place, number in enumerate(kept):
        pairs = zip(before[number].module.modules(), after[place].module.modules(), strict=True)
        for old, new in pairs:
            one, two = plain(old), plain(new)
            for key, value in one.items():
                moved = (value, two.get(key)) == (number, place) and type(value) is int
                if value != two.get(key) and not moved:
                    return False
    return True
