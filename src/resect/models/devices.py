"""Where a model is: on one device, or spread over all CUDA devices by accelerate.

A device is named as torch names it (`cpu`, `cuda`, `cuda:1`), or `spread`.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from resect.errors import RequestError

SPREAD = "spread"
"""The layers are shared between the CUDA devices of this machine (`device_map="auto"`)."""
_MEMINFO, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
_ROOM = 0.9  # share of a device's free memory for weights: prompts and caches need the rest


def named(name: str) -> str:
    """The device to run on: `auto` is the first CUDA device, else the CPU.

    Raises `RequestError` for an unknown or missing one.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device_type = "cuda" if name == SPREAD else torch.device(name).type
    except RuntimeError:
        raise RequestError(
            f"unknown device {name!r}: give auto, cpu, cuda, cuda:N or spread."
        ) from None
    if device_type == "cuda" and not torch.cuda.is_available():
        raise RequestError("this machine has no CUDA device: leave out --device, or give cpu.")
    return name


def fitting(device: str, model: PreTrainedModel) -> str:
    """`device`, or `spread` where a model's weights are too large for one of several CUDA devices.

    The model may be on meta. A device that was chosen by number stays. Raises `RequestError` where
    the weights alone need more memory than is free.
    """
    needed = sum(p.numel() * p.element_size() for p in model.parameters())
    room: int | None
    if kind(device) == "cuda":
        free = [_free_on_gpu(number) for number in range(torch.cuda.device_count())]
        if device == "cuda" and len(free) > 1 and needed > _ROOM * free[0]:
            device = SPREAD
        room = sum(free) if device == SPREAD else free[torch.device(device).index or 0]
    else:
        room = _free_memory() if kind(device) == "cpu" else None
    packed = getattr(model.config, "quantization_config", None)  # its bytes on meta say nothing
    if room is not None and needed > room and not packed:
        name, dtype = Path(str(model.name_or_path)).name, str(model.dtype).removeprefix("torch.")
        raise RequestError(
            f"{name} does not fit: its weights need {needed / 1e9:.1f} GB in {dtype}, and "
            f"{room / 1e9:.1f} GB of memory are free ({device}): use a smaller --dtype, another "
            "--device, or a smaller model."
        )
    return device


def refuse_beyond_memory(needed: int, what: str, remedy: str) -> None:
    """Raises `RequestError` where something needs more memory than this machine has free."""
    free = _free_memory()
    if free is not None and needed > free:
        raise RequestError(
            f"{what} need {needed / 1e9:,.1f} GB, and {free / 1e9:.1f} GB of memory are free: "
            f"{remedy}."
        )


def _free_on_gpu(number: int) -> int:
    """Free bytes of a CUDA device, with those that torch holds in reserve."""
    free, _ = torch.cuda.mem_get_info(number)
    return free + torch.cuda.memory_reserved(number) - torch.cuda.memory_allocated(number)


def _free_memory() -> int | None:
    """Bytes that this process can still get, also under a container's limit; None if unknown."""
    try:
        free = 1024 * _fields(_MEMINFO)["MemAvailable:"]
    except (OSError, KeyError, ValueError):
        return None
    with suppress(OSError, KeyError, ValueError):  # no container, or one without a limit ("max")
        limit, used = (int((_GROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        cached = _fields(_GROUP / "memory.stat")
        free = min(free, limit - used + cached["inactive_file"] + cached["active_file"])
    return free


def _fields(path: Path) -> dict[str, int]:
    """The first number of each line of a system's table, by its name."""
    rows = [line.split() for line in path.read_text().splitlines()]
    return {row[0]: int(row[1]) for row in rows}


def map_of(device: str) -> Any:
    """The `device_map` of `from_pretrained`."""
    return "auto" if device == SPREAD else {"": torch.device(device)}


def check_spread(model: PreTrainedModel, name: str) -> None:
    """Raises `RequestError` for a model that accelerate put partly on the CPU or on disk."""
    places = {str(place) for place in getattr(model, "hf_device_map", {}).values()}
    outside = places & {"cpu", "disk"}
    if outside and places - {"cpu"}:
        raise RequestError(
            f"{name} is too large for the CUDA devices of this machine: use a smaller --dtype, or "
            "--device cpu."
        )


def of(model: PreTrainedModel) -> str:
    """The name of a loaded model's device."""
    return SPREAD if len(all_of(model)) > 1 else str(model.device)


def all_of(model: PreTrainedModel) -> list[torch.device]:
    """Every device with weights of a model."""
    return sorted({p.device for p in model.parameters()}, key=str)


def kind(device: str) -> str:
    """The kind of a device: `cpu`, `cuda`."""
    return "cuda" if device == SPREAD else device.partition(":")[0]
