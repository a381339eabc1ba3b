"""torchao: weights in 8 or 4 bits, computed in the model's own type."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, TorchAoConfig

from resect.errors import RequestError
from resect.methods.packed.quantized import Quantized


class Int8(Quantized):
    """int8 with one scale per row (`Int8WeightOnlyConfig`)."""

    name = "torchao-int8"
    library = "torchao"
    bits = 8.0

    def config(self, model: PreTrainedModel) -> Any:
        """Weights only."""
        from torchao.quantization import Int8WeightOnlyConfig

        return TorchAoConfig(Int8WeightOnlyConfig())


class Int4(Quantized):
    """int4 with one scale per group (`Int4WeightOnlyConfig`), where the machine has kernels."""

    name = "torchao-int4"
    library = "torchao"
    bits = 4.0

    def __init__(self, group_size: int = 128) -> None:
        if group_size not in (32, 64, 128, 256):
            raise RequestError(
                f"torchao-int4 cannot take group_size={group_size}: give 32, 64, 128 or 256."
            )
        self.group_size = group_size

    def config(self, model: PreTrainedModel) -> Any:
        """Weights only; tried on a small matrix first, since kernels depend on the machine."""
        from torchao.quantization import Int4WeightOnlyConfig, quantize_

        config = Int4WeightOnlyConfig(group_size=self.group_size)
        device = "cpu" if model.device.type == "meta" else model.device
        probe = nn.Sequential(nn.Linear(256, 256, bias=False, dtype=torch.bfloat16, device=device))
        try:
            quantize_(probe, config)
        except Exception as error:  # a missing kernel package, an unknown card
            raise RequestError(
                f"torchao-int4 does not work on this machine ({error}): use bnb-nf4."
            ) from None
        return TorchAoConfig(config)
