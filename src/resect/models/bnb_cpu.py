"""Fixes for bitsandbytes' 4 bits on the CPU: a wrong kernel, and a layout that changes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from resect.errors import RunError

_NAME = "bitsandbytes::dequantize_4bit"
_BLOCK = 64
_LIBRARY: Any = torch.library.Library("bitsandbytes", "IMPL")


@cache
def patch_dequantize() -> None:
    """Make the CPU unpack 4-bit matrices correctly whose rows are no multiple of a block.

    bitsandbytes packs a matrix as one row of blocks, whatever its shape, on every device. Its CPU
    kernel (0.50) starts a new block with every row, so that a matrix with 96 inputs has an error of
    26 % instead of 9, and an odd width goes through a compiler. Here it is unpacked as one row, and
    reshaped. Does nothing where the library is right. Raises `RunError` where torch is too old.
    """
    import bitsandbytes  # noqa: F401  # registers the kernel

    if not _kernel_is_wrong():
        return
    if not hasattr(torch.library, "get_kernel"):
        raise RunError(
            "bitsandbytes unpacks 4-bit weights wrongly on this CPU: install torch 2.9 or newer."
        )
    kernel = torch.library.get_kernel(_NAME, "CPU")

    def unpacked(
        keys: Any, packed: Tensor, scales: Tensor, block: int, kind: str,
        shape: Sequence[int], dtype: torch.dtype,
    ) -> Tensor:  # fmt: skip
        flat = shape if shape[-1] % block == 0 else [1, math.prod(shape)]
        values: Tensor = kernel.call_boxed(keys, packed, scales, block, kind, flat, dtype)
        return values.reshape(shape)

    with warnings.catch_warnings(action="ignore"):  # torch warns of every override
        _LIBRARY.impl("dequantize_4bit", unpacked, "CPU", with_keyset=True, allow_override=True)


@contextmanager
def keep_packed(model: nn.Module) -> Iterator[None]:
    """A context in which 4-bit weights keep their packed layout.

    On some processors bitsandbytes (0.50) converts them, with bfloat16 scales, when they are first
    used without gradients, and converts back only roughly: after each held-out evaluation, training
    would continue with other weights, and those would be saved.
    """
    name = "support_avx512bf16_for_cpu"
    fast = [module for module in model.modules() if getattr(module, name, False)]
    for module in fast:
        setattr(module, name, False)
    try:
        yield
    finally:
        for module in fast:
            setattr(module, name, True)


def _kernel_is_wrong() -> bool:
    """Whether two rows of one and a half blocks unpack to other values than one row of three."""
    from bitsandbytes.functional import quantize_4bit

    packed, state = quantize_4bit(torch.linspace(-1, 3, 3 * _BLOCK).view(2, -1), quant_type="nf4")
    unpack = torch.ops.bitsandbytes.dequantize_4bit.default
    arguments = (packed, state.absmax, state.blocksize, state.quant_type)
    as_two_rows, as_one_row = (
        unpack(*arguments, shape, torch.float32) for shape in ([2, 96], [1, 192])
    )
    return not torch.equal(as_two_rows.flatten(), as_one_row.flatten())
