"""Where the hidden channels are: the axes of a model's tensors that follow its hidden size.

Found by trying: the model that the config builds with another hidden size has other lengths along
just these axes. Nothing else may change, so the size of a head is written down where it would.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn
from transformers import PreTrainedModel

from resect.anatomy.config import Changes, built, follow_
from resect.anatomy.slicing import keep_
from resect.errors import RequestError

FIELD = "hidden_size"


class Width(NamedTuple):
    """A hidden size that the config can say: its `changes`, and the `axes` of every tensor."""

    changes: Changes
    axes: Mapping[str, tuple[int, ...]]


def size(model: PreTrainedModel) -> int:
    """The hidden size of a model; raises `RequestError` where the config does not say it."""
    value = getattr(model.config.get_text_config(), FIELD, None)
    if not isinstance(value, int):
        raise RequestError(
            f"the config of {type(model).__name__} has no {FIELD}: its hidden channels cannot be "
            "cut."
        )
    return value


def narrower(model: PreTrainedModel, width: int) -> Width | None:
    """How the config says a smaller `width`; None where it cannot."""
    now = size(model)
    text = model.config.get_text_config()
    heads = getattr(text, "num_attention_heads", None)
    head = getattr(text, "head_dim", None) or (now // heads if heads else None)
    for changes in ({FIELD: width}, {FIELD: width, "head_dim": head}):
        small = built(model, changes)
        axes = None if small is None else _axes(model, small, now, width)
        if axes:
            return Width(changes, axes)
    return None


def _axes(
    model: PreTrainedModel, small: PreTrainedModel, now: int, width: int
) -> dict[str, tuple[int, ...]] | None:
    """By tensor the axes that went from `now` to `width`; None where anything else differs."""
    before, after = model.state_dict(), small.state_dict()
    if before.keys() != after.keys():
        return None
    axes = {}
    for name, value in before.items():
        pairs = list(enumerate(zip(value.shape, after[name].shape, strict=False)))
        changed = {axis: pair for axis, pair in pairs if pair[0] != pair[1]}
        if value.dim() != after[name].dim() or any(p != (now, width) for p in changed.values()):
            return None
        if changed:
            axes[name] = tuple(changed)
    return axes


def norms(model: PreTrainedModel, width: Width) -> list[nn.Module]:
    """The modules that scale the hidden channels one by one."""
    owners = []
    for name, axes in width.axes.items():
        owner, _, parameter = name.rpartition(".")
        module = model.get_submodule(owner)
        single = getattr(module, parameter).dim() == 1 and axes == (0,)
        if single and not isinstance(module, nn.Linear) and parameter == "weight":
            owners.append(module)
    return owners


def keep_channels_(model: PreTrainedModel, width: Width, channels: Tensor) -> None:
    """Keep only these hidden channels (rising indices), in place; the config follows."""
    tied = bool(model.config.get_text_config().tie_word_embeddings)
    for name, axes in width.axes.items():
        owner, _, parameter = name.rpartition(".")
        module = model.get_submodule(owner)
        for axis in axes:
            if getattr(module, parameter).shape[axis] != len(channels):  # a tied tensor comes twice
                keep_(module, parameter, axis, channels)
        if isinstance(module, nn.LayerNorm):
            module.normalized_shape = (len(channels),)
    if tied:
        model.tie_weights()
    follow_(model, width.changes)
