"""The type that a model computes in, apart from the type that it is saved in.

A CPU without instructions for a 16-bit type computes it several times slower than 32 bits. There, a
model that is loaded with `--dtype auto` is widened: its weights are held, exactly, in 32 bits. Its
modules remember the types of the file, in which the model is saved and its size is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

_INSTRUCTIONS = {
    torch.bfloat16: {"avx512_bf16", "amx_bf16", "bf16", "svebf16"},
    torch.float16: {"avx512_fp16", "amx_fp16", "asimdhp"},
}
"""Flags of x86 and Arm processors, one of which a type needs to be fast."""
_CPUINFO = Path("/proc/cpuinfo")
_TYPES = "_types_in_file"  # of a widened module: names of its tensors and their types
_COMPUTE = "compute_dtype"  # of a 4-bit layer of bitsandbytes


@cache
def _flags() -> frozenset[str]:
    """Flags of this processor; empty where the system does not list them."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    listed = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(listed, "").split())


def is_slow(dtype: torch.dtype) -> bool:
    """Whether this CPU lacks the instructions for a type."""
    return dtype in _INSTRUCTIONS and not _INSTRUCTIONS[dtype] & _flags()


def in_file(model: PreTrainedModel) -> torch.dtype:
    """The type that a model is saved in: its own, that of its first weight, unless widened."""
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            if p.is_floating_point():
                return _types(module).get(name, p.dtype)
    return model.dtype


def widen_(model: nn.Module) -> None:
    """Hold the tensors of slow types in 32 bits, in place; the model may be on meta.

    Layers of 4 bits compute in 32 bits, too.
    """
    for module in model.modules():
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        slow = {name: t.dtype for name, t in tensors if is_slow(t.dtype) and is_plain(t)}
        for name in slow:
            tensor = getattr(module, name)
            tensor.data = tensor.data.float()
        own = getattr(module, _COMPUTE, None)
        if isinstance(own, torch.dtype) and is_slow(own):
            slow[_COMPUTE] = own
            _compute_in_(module, torch.float32)
        if slow:
            vars(module)[_TYPES] = {**_types(module), **slow}


def hand_on(model: nn.Module, successor: nn.Module) -> None:
    """Widen a model that was quantized from a widened one: modules of one name have one type."""
    successors = dict(successor.named_modules())
    for name, module in model.named_modules():
        twin = successors.get(name)
        if twin is not None and _types(module):
            twin.__dict__[_TYPES] = dict(_types(module))
    if any(map(_types, successors.values())):
        widen_(successor)


def round_(model: PreTrainedModel) -> None:
    """Round the tensors of a widened model to what its file can hold, in place."""
    for module, name, own in list(_widened(model)):
        tensor = getattr(module, name)
        tensor.data = tensor.data.to(own).float()


def types_in_file(model: PreTrainedModel) -> dict[int, torch.dtype]:
    """The types that the tensors of a widened model are saved in, by their place in memory."""
    return {getattr(module, name).data_ptr(): own for module, name, own in _widened(model)}


def narrow_(model: PreTrainedModel) -> None:
    """Convert a widened model to the types of its file, in place, with the adapter that it has."""
    dtype = in_file(model)
    if not any(map(_types, model.modules())):
        return
    for module, name, own in list(_widened(model)):
        tensor = getattr(module, name)
        tensor.data = tensor.data.to(own)
    for module in model.modules():
        types = vars(module).pop(_TYPES, {})
        if _COMPUTE in types:
            _compute_in_(module, types[_COMPUTE])
    for name, p in model.named_parameters():
        if "lora_" in name:
            p.data = p.data.to(dtype)


def bytes_saved(model: nn.Module, sizes: Mapping[str, int]) -> dict[str, int]:
    """Bytes in a file of the entries of a state dict, given their bytes in memory."""
    names = {module: name for name, module in model.named_modules()}
    saved = dict(sizes)
    for module, name, dtype in _widened(model):
        key = f"{names[module]}.{name}".removeprefix(".")
        if key in saved:
            saved[key] = saved[key] * dtype.itemsize // torch.float32.itemsize
    return saved


def _widened(model: nn.Module) -> Iterator[tuple[nn.Module, str, torch.dtype]]:
    """Every tensor that is still held in 32 bits: its module, its name, its type in the file."""
    for module in model.modules():
        for name, dtype in _types(module).items():
            tensor = getattr(module, name, None)
            if isinstance(tensor, Tensor) and is_plain(tensor) and tensor.dtype == torch.float32:
                yield module, name, dtype


def _compute_in_(module: Any, dtype: torch.dtype) -> None:
    """Unpack and multiply the weight of a 4-bit layer in a type."""
    setattr(module, _COMPUTE, dtype)
    module.weight.quant_state.dtype = dtype


def _types(module: nn.Module) -> dict[str, torch.dtype]:
    types: dict[str, torch.dtype] = vars(module).get(_TYPES, {})
    return types


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is none of a quantizer's own, which may report a float type."""
    return type(tensor.data) is Tensor
