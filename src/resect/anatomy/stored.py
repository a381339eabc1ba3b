"""How a model's tensors are stored: their bytes, and the values of packed weights.

bitsandbytes packs two weights into a byte and keeps tables beside them; torchao wraps several
tensors into one; compressed-tensors packs words beside scales. They are recognised by the
attributes of a tensor or a module, not by its class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from resect.anatomy import Matrix


def is_quantized(model: nn.Module) -> bool:
    """Whether a library has quantized (some of) a model's weights; the model may be on meta."""
    return bool(getattr(getattr(model, "config", None), "quantization_config", None))


def sizes(model: nn.Module) -> dict[str, int]:
    """Bytes of every entry of the state dict, by name; a shared tensor counts once."""
    seen: set[tuple[int, int]] = set()
    bytes_of = {}
    for name, value in model.state_dict().items():
        bytes_of[name] = 0
        for tensor in _plain_tensors(value):
            key = (tensor.data_ptr(), tensor.numel())
            if tensor.numel() and key not in seen:
                seen.add(key)
                bytes_of[name] += tensor.numel() * tensor.element_size()
    return bytes_of


def dense(module: nn.Module, parameter: str) -> Tensor | None:
    """The values (O, I) of a weight, packed or not; None where its format is unknown.

    8-bit weights come without their scales: only their signs and zeros are right.
    """
    if parameter == "weight" and hasattr(module, "weight_packed"):
        return _unpacked(module)
    value = getattr(module, parameter, None)
    if value is None:
        return None
    state = getattr(value, "quant_state", None)
    if state is not None:
        from bitsandbytes.functional import dequantize_4bit

        values: Tensor = dequantize_4bit(value.data, state)
        return values
    if hasattr(value, "dequantize") and type(value) is not nn.Parameter and _inner_names(value):
        return value.dequantize()
    if value.is_floating_point() or value.dtype == torch.int8:
        return value.data
    return None


def _unpacked(module: nn.Module) -> Tensor:
    """The weight of a layer of compressed-tensors, which stays packed."""
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.utils import get_direct_state_dict

    scheme: Any = module.quantization_scheme
    compressor: Any = BaseCompressor.get_value_from_registry(scheme.format.value)
    weight: Tensor = compressor.decompress(get_direct_state_dict(module), scheme)["weight"]
    return weight


def values(model: nn.Module, matrix: Matrix) -> Tensor | None:
    """The values (O, I) of one matrix of a model, None where they are unknown (see `dense`).

    `matrix` may come from the anatomy of the same model, unquantized and on meta.
    """
    value = dense(model.get_submodule(matrix.module), matrix.parameter)
    return value[matrix.index] if value is not None and matrix.index else value


def _plain_tensors(value: Tensor) -> Iterator[Tensor]:
    """The plain tensors inside a tensor that wraps others, else the tensor itself."""
    names = _inner_names(value)
    if not names:
        yield value
    for name in names:
        inner = getattr(value, name)
        if isinstance(inner, Tensor):
            yield from _plain_tensors(inner)


def _inner_names(value: Tensor) -> list[str]:
    flatten = getattr(value, "__tensor_flatten__", None)
    return list(flatten()[0]) if flatten else []
