"""How a model's tensors are stored: their bytes, and the values that packed weights stand for.

bitsandbytes packs two weights into a byte and keeps tables beside them; torchao wraps several
tensors into one. Both are told apart by what a tensor carries, not by class.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from resect.anatomy import Matrix


def is_quantized(model: nn.Module) -> bool:
    """Whether a library has quantized (some of) a model's weights; the model may be on meta."""
    return bool(getattr(getattr(model, "config", None), "quantization_config", None))


def sizes(model: nn.Module) -> dict[str, int]:
    """Bytes of every entry of the state dict, by name; a shared tensor counts once."""
    seen: set[tuple[int, int]] = set()
    found = {}
    for name, value in model.state_dict().items():
        found[name] = 0
        for tensor in _plain(value):
            key = (tensor.data_ptr(), tensor.numel())
            if tensor.numel() and key not in seen:
                seen.add(key)
                found[name] += tensor.numel() * tensor.element_size()
    return found


def dense(module: nn.Module, parameter: str) -> Tensor | None:
    """The values (O, I) that a weight stands for, None where that is not known.

    Of 8-bit weights only the signs and zeros are meant: their scales are left out.
    """
    value = getattr(module, parameter, None)
    if value is None:
        return None
    state = getattr(value, "quant_state", None)
    if state is not None:
        from bitsandbytes.functional import dequantize_4bit

        found: Tensor = dequantize_4bit(value.data, state)
        return found
    if hasattr(value, "dequantize") and type(value) is not nn.Parameter and _parts(value):
        return value.dequantize()
    if value.is_floating_point() or value.dtype == torch.int8:
        return value.data
    return None


def values(model: nn.Module, matrix: Matrix) -> Tensor | None:
    """The values of one matrix (O, I) of a model, None where they are not known (see `dense`).

    `matrix` may come from the anatomy of the same model unquantized, on meta.
    """
    found = dense(model.get_submodule(matrix.module), matrix.parameter)
    return found[matrix.index] if found is not None and matrix.index else found


def _plain(value: Tensor) -> Iterator[Tensor]:
    """The plain tensors inside a tensor that wraps others, else itself."""
    parts = _parts(value)
    if not parts:
        yield value
    for name in parts:
        inner = getattr(value, name)
        if isinstance(inner, Tensor):
            yield from _plain(inner)


def _parts(value: Tensor) -> list[str]:
    flatten = getattr(value, "__tensor_flatten__", None)
    return list(flatten()[0]) if flatten else []
