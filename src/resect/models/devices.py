"""Where a model lies: one device, or its layers spread over all CUDA devices by accelerate.

A device is named as torch names it (`cpu`, `cuda`, `cuda:1`), or `spread`.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

from resect.errors import RequestError

SPREAD = "spread"
"""The layers shared between the CUDA devices of this machine (`device_map="auto"`)."""
_ROOM = 0.9  # of a device's free memory that weights may take: prompts and caches need the rest


def named(asked: str) -> str:
    """The device to run on: `auto` is the first CUDA device, else the CPU.

    Raises `RequestError` for one that is not known or not here.
    """
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = "cuda" if asked == SPREAD else torch.device(asked).type
    except RuntimeError:
        raise RequestError(
            f"unknown device {asked!r}: give auto, cpu, cuda, cuda:N or spread."
        ) from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise RequestError("no CUDA device is at hand here: leave out --device, or give cpu.")
    return asked


def fitting(device: str, model: PreTrainedModel) -> str:
    """`device`, or `spread` where a model's weights are too large for the one CUDA device.

    The model may lie on meta. Only where no device was picked by number, and there are several.
    """
    if device != "cuda" or torch.cuda.device_count() < 2:
        return device
    needed = sum(p.numel() * p.element_size() for p in model.parameters())
    free, _ = torch.cuda.mem_get_info(0)
    return device if needed <= _ROOM * free else SPREAD


def map_of(device: str) -> Any:
    """What `from_pretrained` takes as `device_map`."""
    return "auto" if device == SPREAD else {"": torch.device(device)}


def check_spread(model: PreTrainedModel, name: str) -> None:
    """Refuse a model that accelerate put in part on the CPU or on disk: it cannot be cut there."""
    places = {str(place) for place in getattr(model, "hf_device_map", {}).values()}
    outside = places & {"cpu", "disk"}
    if outside and places - {"cpu"}:
        raise RequestError(
            f"{name} is too large for the CUDA devices here together: take a smaller --dtype, "
            "or --device cpu."
        )


def of(model: PreTrainedModel) -> str:
    """The name of where a loaded model lies."""
    return SPREAD if len(all_of(model)) > 1 else str(model.device)


def all_of(model: PreTrainedModel) -> list[torch.device]:
    """Every device that holds weights of a model."""
    return sorted({p.device for p in model.parameters()}, key=str)


def kind(device: str) -> str:
    """The kind of a device: `cpu`, `cuda`."""
    return "cuda" if device == SPREAD else device.partition(":")[0]
