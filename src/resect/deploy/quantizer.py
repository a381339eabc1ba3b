"""Rows of numbers to the blocks that llama.cpp stores, by its own code (`libgguf`)."""

from __future__ import annotations

from math import prod
from typing import Any

import libgguf
import numpy as np
from gguf import GGML_QUANT_SIZES
from gguf import GGMLQuantizationType as Type

Numbers = np.ndarray[Any, np.dtype[Any]]


def bytes_of(shape: tuple[int, ...], kind: Type) -> int:
    """Bytes of a tensor in a type; its last axis is a row."""
    block, size = GGML_QUANT_SIZES[kind]
    return prod(shape) // block * size


def quantized(values: Numbers, kind: Type, importance: Numbers | None = None) -> Numbers:
    """A tensor in a type. `importance` weighs the inputs, for every expert apart (E, I).

    Types that need one and have none weigh by the squares of the weights, as llama.cpp does.
    """
    if kind == Type.F32:
        return values.astype(np.float32)
    if kind == Type.F16:
        return values.astype(np.float16)
    if importance is None or values.ndim < 3:
        weights = None if importance is None else importance.reshape(-1)
        return _rows(values, kind, weights)
    each = importance.reshape(values.shape[0], -1)
    return np.stack([_rows(rows, kind, own) for rows, own in zip(values, each, strict=True)])


def _rows(values: Numbers, kind: Type, importance: Numbers | None) -> Numbers:
    packed: Numbers = libgguf.quantize_rows(values, int(kind), imatrix=importance)
    return packed
