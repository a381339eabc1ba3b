"""Zeros stay zero: adapters that cannot fill what was pruned, in training and when merged.

W + M * (B A) with M = (W != 0) is what is trained and what is merged (the mask of SPP and SQFT).
Legend: O out, I in, r rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.utils import parametrize


def keep_zeros_(model: nn.Module) -> int:
    """Mask every adapter of a model whose own weight has zeros; how many there are.

    A layer's own delta (O, I) is masked, so that merging adds nothing to a zero, and its forward
    uses that delta. A fused parameter's adapter reads its delta the same way.
    """
    from peft.tuners.lora import LoraLayer

    masked = 0
    layers: list[Any] = [m for m in model.modules() if isinstance(m, LoraLayer)]
    for layer in layers:
        if not _zeros(_own(layer)):
            continue
        _mask_delta_(layer)
        if hasattr(layer, "parameter_name"):
            layer._activate_lora = MethodType(_added, layer)
        else:
            layer.forward = MethodType(_forward, layer)
        masked += 1
    return masked


def remember_zeros(model: nn.Module) -> Callable[[], None]:
    """For training of all weights: what sets the zeros of a model's parameters back to zero."""
    zeros = {
        name: (p == 0)
        for name, p in model.named_parameters()
        if p.requires_grad and p.dim() > 1 and _zeros(p)
    }

    @torch.no_grad()
    def again() -> None:
        for name, mask in zeros.items():
            model.get_parameter(name).masked_fill_(mask, 0)

    return again


def _own(layer: Any) -> Tensor | None:
    """The weight under an adapter; None where it is packed."""
    base = layer.get_base_layer()
    found = getattr(base, getattr(layer, "parameter_name", None) or "weight", None)
    plain = isinstance(found, Tensor) and found.is_floating_point() and found.dim() > 1
    return found if plain else None


def _zeros(weight: Tensor | None) -> bool:
    return weight is not None and bool((weight == 0).any())


def _mask_delta_(layer: Any) -> None:
    whole = layer.get_delta_weight

    def masked(adapter: str, *arguments: Any, **more: Any) -> Tensor:
        delta: Tensor = whole(adapter, *arguments, **more)
        weight = _own(layer)
        assert weight is not None
        return delta * (weight != 0).to(delta.dtype)

    layer.get_delta_weight = masked


def _forward(layer: Any, x: Tensor, *_: Any, **__: Any) -> Tensor:
    """X (..., I) through the own weight, plus through the masked delta of the active adapters."""
    base = layer.get_base_layer()
    out = linear(x, base.weight, base.bias)
    if layer.disable_adapters or layer.merged:
        return out
    for adapter in layer.active_adapters:
        if adapter in layer.lora_A:
            delta = layer.get_delta_weight(adapter).to(x.dtype)
            out = out + linear(layer.lora_dropout[adapter](x), delta)
    return out


@contextmanager
def _added(layer: Any, active: list[str]) -> Iterator[None]:
    """A fused parameter stands with its masked delta added, as long as it is used."""
    base, name = layer.get_base_layer(), layer.parameter_name
    deltas = [layer.get_delta_weight(adapter) for adapter in active if adapter in layer.lora_A]
    if not deltas:
        yield
        return
    before = getattr(base, name).requires_grad
    parametrize.register_parametrization(base, name, _Sum(sum(deltas)))
    base.parametrizations[name].original.requires_grad_(before)
    try:
        with parametrize.cached():
            yield
    finally:
        parametrize.remove_parametrizations(base, name, leave_parametrized=False)


class _Sum(nn.Module):
    def __init__(self, delta: Any) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, weight: Tensor) -> Tensor:
        whole: Tensor = weight + self.delta.to(weight.dtype)
        return whole
