"""Adapters that stay apart from packed weights, and how both are saved as one model.

transformers reads a folder that holds a model and an adapter as the two together, where peft is
installed. Merging would quantize again, and be another model than the one that learnt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel


def apart(tuned: Any) -> PreTrainedModel:
    """A peft model as transformers' own model that carries the adapter, as one that is loaded.

    The adapter gets the type of the model, which is the one it would be loaded in.
    """
    model: PreTrainedModel = tuned.get_base_model()
    vars(model)["_hf_peft_config_loaded"] = True
    for p in model.parameters():
        if p.requires_grad:
            p.data = p.data.to(model.dtype)
    return model


def carried(model: PreTrainedModel) -> bool:
    """Whether a model carries an adapter."""
    return bool(getattr(model, "_hf_peft_config_loaded", False))


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write a model so that `from_pretrained` loads it as it stands, an adapter included."""
    model.save_pretrained(folder)
    if carried(model):  # transformers wrote the adapter alone
        with _without(model):
            model.save_pretrained(folder)


@contextmanager
def _without(model: PreTrainedModel) -> Iterator[None]:
    """The model without its adapter, as long as it is used."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers: dict[str, Any] = {}
    for name, module in model.named_modules():
        if isinstance(module, BaseTunerLayer) and name.partition(".base_layer")[0] not in layers:
            layers[name] = module
    for name, layer in layers.items():
        model.set_submodule(name, layer.get_base_layer())
    vars(model)["_hf_peft_config_loaded"] = False
    try:
        yield
    finally:
        for name, layer in layers.items():
            model.set_submodule(name, layer)
        vars(model)["_hf_peft_config_loaded"] = True
