"""What bitsandbytes does to 4 bits on the CPU: a kernel put right, a layout that stays."""

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
def right_four_bits() -> None:
    """Let the CPU unpack 4-bit matrices whose rows are no multiple of a block.

    bitsandbytes packs a matrix as one row of blocks, whatever its shape, on every device. Its
    kernel for the CPU (0.50) begins a new block with every row, so that a matrix with 96 inputs
    comes out with an error of 26 % instead of 9, and an odd width goes through a compiler. As one
    row it is unpacked as it was packed, and the shape is put on after. Does nothing where the
    library does it right. Raises `RunError` where torch is too old for it.
    """
    import bitsandbytes  # noqa: F401  # registers the kernel

    if not _wrong():
        return
    if not hasattr(torch.library, "get_kernel"):
        raise RunError("bitsandbytes unpacks 4 bits wrongly on this CPU: get torch 2.9 or newer.")
    whole = torch.library.get_kernel(_NAME, "CPU")

    def unpacked(
        keys: Any, packed: Tensor, scales: Tensor, block: int, kind: str,
        shape: Sequence[int], dtype: torch.dtype,
    ) -> Tensor:  # fmt: skip
        flat = shape if shape[-1] % block == 0 else [1, math.prod(shape)]
        found: Tensor = whole.call_boxed(keys, packed, scales, block, kind, flat, dtype)
        return found.reshape(shape)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch tells of every override
        _LIBRARY.impl("dequantize_4bit", unpacked, "CPU", with_keyset=True, allow_override=True)


@contextmanager
def as_packed(model: nn.Module) -> Iterator[None]:
    """4-bit weights stay as they were packed, as long as it is used.

    On some processors bitsandbytes (0.50) lays them out anew when they are first asked without
    gradients, with scales of bfloat16, and turns that back only roughly: training would go on over
    other weights after each look at the held-out rows, and those would be saved.
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


def _wrong() -> bool:
    """Whether two rows of one and a half blocks come back otherwise than one row of three."""
    from bitsandbytes.functional import quantize_4bit

    packed, state = quantize_4bit(torch.linspace(-1, 3, 3 * _BLOCK).view(2, -1), quant_type="nf4")
    unpack = torch.ops.bitsandbytes.dequantize_4bit.default
    rest = (packed, state.absmax, state.blocksize, state.quant_type)
    two, one = (unpack(*rest, shape, torch.float32) for shape in ([2, 96], [1, 192]))
    return not torch.equal(two.flatten(), one.flatten())
