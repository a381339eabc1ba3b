"""Parameters, bytes, bits and zeros of a model, counted in its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import nn
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy import stored
from resect.methods.masks import zeros
from resect.models import compute_dtype, loading
from resect.record import digest


class Size(NamedTuple):
    """Parameters and bytes (shared tensors once); `bits_per_weight` is their ratio in bits.

    `bytes_on_disk`: the tensors of a saved checkpoint, `parts` the same by use: `matrices` (inside
    the decoder blocks), their `tables` (scales of packed weights), `embeddings` (and head) and
    `rest`. `targeted` counts the weights of the matrices, `zeros` those that are exactly zero (None
    where packed weights cannot be read).
    """

    parameters: int
    bytes_in_memory: int
    bytes_on_disk: int
    bits_per_weight: float
    targeted: int
    zeros: int | None
    parts: Mapping[str, int]


def size(model: PreTrainedModel) -> Size:
    """Count a model's parameters, their bytes, and the zeros.

    A quantized model has as many parameters as before it was quantized.
    """
    plain = loading.empty(model.config) if stored.is_quantized(model) else model
    matrices = anatomy.read(plain).matrices
    bytes_of = stored.sizes(model)
    in_memory = sum(bytes_of.values())
    buffers = [b for n, b in model.named_buffers() if n not in bytes_of]
    parameters = sum(p.numel() for p in plain.parameters())
    counted = _zeros(model, plain)
    bytes_of = compute_dtype.bytes_saved(model, bytes_of)
    on_disk = sum(bytes_of.values())
    return Size(
        parameters=parameters,
        bytes_in_memory=in_memory + sum(b.numel() * b.element_size() for b in buffers),
        bytes_on_disk=on_disk,
        bits_per_weight=8 * on_disk / parameters,
        targeted=sum(matrix.weight().numel() for matrix in matrices),
        zeros=None if None in counted else sum(counted),  # type: ignore[arg-type]
        parts=_parts(bytes_of, plain),
    )


def shape(model: nn.Module) -> str:
    """A hash of the shapes and types of a model's tensors: equal ones need the same memory."""
    return digest([[n, list(t.shape), str(t.dtype)] for n, t in model.state_dict().items()])


def _zeros(model: nn.Module, plain: nn.Module) -> list[int | None]:
    """Exact zeros of every matrix inside the blocks."""
    counts: list[int | None] = []
    for matrix in anatomy.read(plain).matrices:
        if plain is model:
            counts.append(zeros(matrix.weight()))
            continue
        values = stored.values(model, matrix)
        counts.append(None if values is None else zeros(values))
    return counts


def _parts(bytes_of: Mapping[str, int], plain: nn.Module) -> dict[str, int]:
    structure = anatomy.read(plain)
    names = {name for name, _ in plain.named_parameters(remove_duplicate=False)}
    inside = {f"{m.module}.{m.parameter}" for m in structure.matrices}
    modules = {m.module for m in structure.matrices}
    ends = {end.module for end in (structure.embedding, structure.head) if end is not None}
    packed = modules - {name.rpartition(".")[0] for name in inside & set(bytes_of)}
    inside |= {_largest(bytes_of, module) for module in packed}
    sizes = dict.fromkeys(("matrices", "tables", "embeddings", "rest"), 0)
    for name, count in bytes_of.items():
        owner = name.rpartition(".")[0]
        beside = any(name.startswith(f"{module}.") for module in _up(owner) & modules)
        if name in inside:
            sizes["matrices"] += count
        elif beside and name not in names:
            sizes["tables"] += count
        else:
            sizes["embeddings" if owner in ends else "rest"] += count
    return sizes


def _largest(bytes_of: Mapping[str, int], module: str) -> str:
    """The entry of a module that holds its packed weights, whatever its name."""
    entries = {name: count for name, count in bytes_of.items() if name.startswith(f"{module}.")}
    return max(entries, key=entries.__getitem__, default="")


def _up(name: str) -> set[str]:
    """A dotted name and the names of all modules around it."""
    parts = name.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
