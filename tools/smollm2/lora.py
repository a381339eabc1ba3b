"""Low-rank adapters that cost a CPU little: forward passes read the merged weight.

y = x (W + s B A)' is one product, as without an adapter; backward needs one product for x and four
thin ones for A and B. The merged weights are made anew after each step of the optimizer (200 small
products), once for all the batches of the step. Products run in numpy's OpenBLAS, which does 64
GFLOP/s on a core where torch's MKL does 50 (AMD EPYC, 500 tokens).
Legend: N tokens, I in, O out, r rank.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

Floats = NDArray[np.float32]
NAMES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class _Product(torch.autograd.Function):
    """x (.., I), merged (O, I), A (r, I), B (O, r), scale to (.., O)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, merged: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(x, merged, a, b)
        ctx.scale = scale
        return _product(x, merged.T)

    @staticmethod
    def backward(ctx: Any, *outs: Tensor) -> tuple[Tensor | None, None, Tensor, Tensor, None]:
        x, merged, a, b = ctx.saved_tensors
        out = outs[0]
        to_x = _product(out, merged) if ctx.needs_input_grad[0] else None
        to_a = _across(_product(out, b), x) * ctx.scale
        to_b = _across(out, _product(x, a.T)) * ctx.scale
        return to_x, None, to_a, to_b, None


def _product(x: Tensor, weight: Tensor) -> Tensor:
    """The product of x (.., I) and weight (I, O)."""
    flat = _flat(x) @ weight.detach().numpy()
    return torch.from_numpy(flat).view(*x.shape[:-1], -1)


def _across(x: Tensor, y: Tensor) -> Tensor:
    """The sum over tokens of x (.., I) times y (.., O), (I, O)."""
    return torch.from_numpy(_flat(x).T @ _flat(y))


def _flat(x: Tensor) -> Floats:
    return x.detach().reshape(-1, x.shape[-1]).numpy()


class Adapted(nn.Module):
    """A linear layer whose own weight stands still and whose adapter learns."""

    def __init__(self, layer: nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        self.weight = layer.weight.detach()
        self.merged = self.weight.clone()
        self.scale = scale
        self.a = nn.Parameter(torch.empty(rank, layer.in_features))
        self.b = nn.Parameter(torch.zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """The layer with its adapter, as it was last merged."""
        y: Tensor = _Product.apply(  # type: ignore[no-untyped-call]
            x, self.merged, self.a, self.b, self.scale
        )
        return y

    @torch.no_grad()
    def merge(self) -> None:
        """Take the adapter as it is now into forward passes."""
        torch.addmm(self.weight, self.b, self.a, alpha=self.scale, out=self.merged)


def adapt_(model: PreTrainedModel, rank: int, alpha: float) -> dict[str, Adapted]:
    """Give every linear layer of the blocks an adapter, in place; nothing else learns."""
    model.requires_grad_(False)
    layers = {}
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in NAMES:
            layers[name] = Adapted(layer, rank, alpha / rank)
            model.set_submodule(name, layers[name])
    return layers


def save(layers: dict[str, Adapted], folder: Path, base: str, alpha: float) -> int:
    """Write the adapter as peft reads it, in float16; the bytes of its file."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, layer in layers.items():
        for side, value in (("A", layer.a), ("B", layer.b)):
            tensors[f"base_model.model.{name}.lora_{side}.weight"] = value.detach().half()
    rank = next(iter(layers.values())).a.shape[0]
    LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # peft computes alpha / r
        target_modules=list(NAMES),
        task_type="CAUSAL_LM",
        base_model_name_or_path=base,
        inference_mode=True,
    ).save_pretrained(str(folder))
    file = folder / "adapter_model.safetensors"
    draft = file.with_suffix(".draft")
    save_file(tensors, draft, metadata={"format": "pt"})
    draft.replace(file)
    return file.stat().st_size
