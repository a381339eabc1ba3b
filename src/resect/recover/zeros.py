"""Zeros stay zero: adapters that do not change pruned weights, in training and when merged.

W + M * (B A) with M = (W != 0) is trained and merged (the mask of SPP and SQFT). Only where a
recipe left zeros: a trained matrix may hold a few by chance, and a mask costs time.
Legend: O out, I in, r rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.utils import parametrize

from resect.methods.masks import zeros

PRUNED = 0.001
"""A matrix, or a model, with a larger share of zeros was pruned; less is chance."""


def pruned(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Zeros of the matrices that a recipe left zeros in, by name.

    A matrix that has few belongs to them where the model has many: a threshold over the whole
    model leaves some matrices almost untouched.
    """
    counts = {name: zeros(weight.detach()) for name, weight in weights.items()}
    share = sum(counts.values()) / max(1, sum(weight.numel() for weight in weights.values()))
    return {
        name: count
        for name, count in counts.items()
        if count and max(share, count / weights[name].numel()) >= PRUNED
    }


def keep_zeros_(model: nn.Module) -> int:
    """Mask the adapters of all pruned matrices of a model; returns how many there are.

    The delta (O, I) of such a layer is masked, so that merging adds nothing to a zero, and its
    forward uses that delta. The adapter of a fused parameter reads its delta the same way.
    """
    from peft.tuners.lora import LoraLayer

    layers: dict[str, Any] = {n: m for n, m in model.named_modules() if isinstance(m, LoraLayer)}
    weights = {name: weight for name, m in layers.items() if (weight := _weight(m)) is not None}
    masked = pruned(weights)
    for layer in map(layers.__getitem__, masked):
        _mask_delta_(layer)
        if hasattr(layer, "parameter_name"):
            layer._activate_lora = MethodType(_added, layer)
        else:
            layer.forward = MethodType(_forward, layer)
    return len(masked)


def make_zero_restorer(model: nn.Module) -> Callable[[], None]:
    """For training of all weights: a function that sets the zeros of pruned matrices to zero."""
    weights = {n: p for n, p in model.named_parameters() if p.requires_grad and p.dim() > 1}
    masks = {name: weights[name] == 0 for name in pruned(weights)}

    @torch.no_grad()
    def restore() -> None:
        for name, mask in masks.items():
            model.get_parameter(name).masked_fill_(mask, 0)

    return restore


def _weight(layer: Any) -> Tensor | None:
    """The weight under an adapter; None where it is packed."""
    base = layer.get_base_layer()
    weight = getattr(base, getattr(layer, "parameter_name", None) or "weight", None)
    plain = isinstance(weight, Tensor) and weight.is_floating_point() and weight.dim() > 1
    return weight if plain else None


def _mask_delta_(layer: Any) -> None:
    unmasked = layer.get_delta_weight

    def masked(adapter: str, *arguments: Any, **options: Any) -> Tensor:
        delta: Tensor = unmasked(adapter, *arguments, **options)
        weight = _weight(layer)
        assert weight is not None
        return delta.masked_fill(weight == 0, 0)

    layer.get_delta_weight = masked


def _forward(layer: Any, x: Tensor, *_: Any, **__: Any) -> Tensor:
    """X (..., I) through the weight plus the masked deltas of the active adapters.

    One product, unless dropout gives the adapter another input, or a 16-bit sum would round small
    deltas away.
    """
    base = layer.get_base_layer()
    weight, products = base.weight, []
    on = not (layer.disable_adapters or layer.merged)
    for adapter in (name for name in layer.active_adapters if on and name in layer.lora_A):
        delta, dropout = layer.get_delta_weight(adapter), layer.lora_dropout[adapter]
        other_input = layer.training and not isinstance(dropout, nn.Identity)
        if other_input or weight.dtype != torch.float32:
            products.append(linear(dropout(x), delta.to(x.dtype)))
        else:
            weight = weight + delta
    return sum(products, linear(x, weight, base.bias))


@contextmanager
def _added(layer: Any, active: list[str]) -> Iterator[None]:
    """A context in which a fused parameter has its masked delta added."""
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
        result: Tensor = weight + self.delta.to(weight.dtype)
        return result
