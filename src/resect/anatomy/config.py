"""Find the config that describes a cut model, by building models without data.

A change of the config fits if the model that it builds has exactly the tensors of the cut one, so
that plain `from_pretrained` can load it. No list of model families is needed.
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
"""Fields of the text part of a config, and their new values."""


def built(model: PreTrainedModel, changes: Changes) -> PreTrainedModel | None:
    """The model without data (meta device) that its config builds after `changes`.

    None where the config refuses them. The config goes through its JSON form, as in loading.
    """
    config = copy.deepcopy(model.config)
    _write_(config, changes)
    try:
        config = type(config).from_dict(config.to_dict())
        with torch.device("meta"):
            return type(model)(config)
    except Exception:  # config and model classes raise errors of many kinds
        return None


def describes(
    model: PreTrainedModel, changes: Changes, cut_: Callable[[PreTrainedModel], None]
) -> bool:
    """Whether the config after `changes` builds the model that `cut_` leaves."""
    intact, built_small = built(model, {}), built(model, changes)
    if intact is None or built_small is None:
        return False
    cut_(intact)
    return _shapes(intact) == _shapes(built_small)


def follow_(model: PreTrainedModel, changes: Changes) -> None:
    """Write `changes` to the config of a model that was cut, and to its modules.

    Modules have attributes of their own (widths, head counts, layer indices), which become those of
    the model that the config builds. Raises `RunError` where it builds other tensors.
    """
    small = built(model, changes)
    if small is None or _shapes(model) != _shapes(small):
        raise RunError(
            f"no config describes this cut of {type(model).__name__}: it could not be loaded again."
        )
    _write_(model.config, changes)
    modules = dict(small.named_modules())
    for name, module in model.named_modules():
        for key, value in plain(modules[name]).items():
            if key in vars(module) and vars(module)[key] != value:
                setattr(module, key, value)


def plain(module: nn.Module) -> dict[str, Any]:
    """A module's numbers, flags and strings, without those that loading and training set."""
    return {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, int | float | str | None)
        and not (key.startswith("_") or key in ("training", "name_or_path"))
    }


def fields(model: PreTrainedModel) -> dict[str, Any]:
    """The fields of the text part of the config, as in its JSON form."""
    values: dict[str, Any] = model.config.get_text_config().to_dict()
    return values


def _write_(config: PreTrainedConfig, changes: Changes) -> None:
    text = config.get_text_config()
    for name, value in changes.items():
        setattr(text, name, value)


def _shapes(model: PreTrainedModel) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}
