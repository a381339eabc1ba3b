"""Adapters on packed weights, which are not merged, and how both are saved as one model.

Where peft is installed, transformers loads a folder with a model and an adapter as both together.
Merging would quantize again, and the model would differ from the one that was trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from resect.models.compute_dtype import narrow_


def apart(tuned: Any) -> PreTrainedModel:
    """A peft model as transformers' own model with the adapter, as if it had been loaded.

    The adapter gets the model's type, as in loading.
    """
    model: PreTrainedModel = tuned.get_base_model()
    vars(model)["_hf_peft_config_loaded"] = True
    for p in model.parameters():
        if p.requires_grad:
            p.data = p.data.to(model.dtype)
    return model


def carried(model: PreTrainedModel) -> bool:
    """Whether a model has an adapter."""
    return bool(getattr(model, "_hf_peft_config_loaded", False))


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write a model so that `from_pretrained` loads it, with its adapter if it has one.

    A widened model is converted to the types of its file first.
    """
    narrow_(model)
    model.save_pretrained(folder)
    if carried(model):  # transformers wrote the adapter alone
        with _without(model):
            model.save_pretrained(folder)


@contextmanager
def _without(model: PreTrainedModel) -> Iterator[None]:
    """A context in which the model has no adapter."""
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
