"""Which config describes a cut model: found by building it without data, not by its family.

A change of the config fits if the model that it builds has the very tensors of the cut one, so that
plain `from_pretrained` can load it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from resect.errors import RunError

Changes = Mapping[str, Any]
"""Fields of the text part of a config, and what they become."""


def built(model: PreTrainedModel, changes: Changes) -> PreTrainedModel | None:
    """The model without data (meta device) that its config builds after `changes`.

    None where the config refuses them. It is read from its JSON form, as loading does.
    """
    config = copy.deepcopy(model.config)
    _write_(config, changes)
    try:
        config = type(config).from_dict(config.to_dict())
        with torch.device("meta"):
            return type(model)(config)
    except Exception:  # every config and model class refuses in a way of its own
        return None


def describes(
    model: PreTrainedModel, changes: Changes, cut_: Callable[[PreTrainedModel], None]
) -> bool:
    """Whether the config after `changes` builds what `cut_` leaves of the model."""
    whole, small = built(model, {}), built(model, changes)
    if whole is None or small is None:
        return False
    cut_(whole)
    return _shapes(whole) == _shapes(small)


def follow_(model: PreTrainedModel, changes: Changes) -> None:
    """Write `changes` to the config of a model that was cut so.

    Modules keep numbers of their own (widths, head counts, their place among the layers): those
    become what the config builds. Raises `RunError` where the config builds something else.
    """
    small = built(model, changes)
    if small is None or _shapes(model) != _shapes(small):
        raise RunError(
            f"no config describes this cut of {type(model).__name__}: it could not be loaded again."
        )
    _write_(model.config, changes)
    parts = dict(small.named_modules())
    for name, module in model.named_modules():
        for key, value in plain(parts[name]).items():
            if key in vars(module) and vars(module)[key] != value:
                setattr(module, key, value)


def plain(module: nn.Module) -> dict[str, Any]:
    """A module's own numbers, flags and words; not what loading and training write there."""
    return {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, int | float | str | None)
        and not (key.startswith("_") or key in ("training", "name_or_path"))
    }


def fields(model: PreTrainedModel) -> dict[str, Any]:
    """The fields of the text part of the config, as its JSON form has them."""
    found: dict[str, Any] = model.config.get_text_config().to_dict()
    return found


def _write_(config: PreTrainedConfig, changes: Changes) -> None:
    text = config.get_text_config()
    for name, value in changes.items():
        setattr(text, name, value)


def _shapes(model: PreTrainedModel) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}
