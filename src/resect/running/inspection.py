"""What a model directory contains, measured on its files: parts, sizes, zeros, bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

from resect import anatomy
from resect.anatomy import Matrix, mlp, stored
from resect.anatomy import attention as heads
from resect.errors import RequestError
from resect.methods.masks import zeros
from resect.methods.stream import locate
from resect.models import checkpoint_files as checkpoint
from resect.models import loading
from resect.report.formatting import percent
from resect.spec import ModelRef


def inspect(ref: ModelRef, notice: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Everything that `resect inspect` shows; reads every tensor once, one at a time.

    `zeros` is the fraction of exact zeros over the targeted weights (the matrices inside the
    decoder blocks). Packed weights are loaded whole and counted by what they stand for; where the
    library keeps that to itself, `zeros` is None. Raises `RequestError` where the model cannot be
    read.
    """
    place = Path(loading.where(ref))
    if place.suffix == ".gguf" and place.is_file():
        return _of_file(place)
    if not place.exists():
        raise RequestError(f"{ref.id} is not a directory: give the path of a model directory.")
    model = loading.check(ref).model
    source = checkpoint.read(place)
    for note in source.notes:
        notice(f"{ref.name}: {note}")
    parts = anatomy.read(model)
    packed = loading.is_packed(ref)
    tensors = [_tensor(name, entry) for name, entry in source.entries.items()]
    if packed:
        weights = _packed_weights(loading.load(ref, "cpu", notice).model, model, parts.matrices)
    else:
        weights = _plain_weights(source, model, parts.matrices, tensors)
    config = AutoConfig.from_pretrained(place)
    return {
        "family": config.model_type,
        "packed_by": _packer(config) if packed else None,
        "parameters": weights.total,
        "bytes_on_disk": checkpoint.bytes_of(place),
        "bits_per_weight": 8 * source.bytes_on_disk / weights.total,
        "zeros": None if weights.zeros is None else weights.zeros / weights.targeted,
        "targeted": weights.targeted,
        "blocks": len(parts.blocks),
        "heads": _count(lambda: [tensor.heads for tensor in heads.read(model)]),
        "neurons": _count(lambda: [tensor.width for tensor in mlp.read(model)]),
        "matrices": [m.name for m in parts.matrices],
        "tensors": tensors,
    }


class _Weights(NamedTuple):
    """How many weights a model has, how many are targeted, and how many of those are zero."""

    total: int
    targeted: int
    zeros: int | None


def _plain_weights(
    source: checkpoint.Checkpoint,
    model: PreTrainedModel,
    matrices: Sequence[Matrix],
    tensors: Sequence[dict[str, Any]],
) -> _Weights:
    """The weights as the files hold them."""
    located = locate(source, model)
    keys = {located[matrix.name].key for matrix in matrices}
    return _Weights(
        total=sum(map(_elements, source.entries.values())),
        targeted=sum(_elements(source.entries[key]) for key in keys),
        zeros=sum(tensor["zeros"] for tensor in tensors if tensor["name"] in keys),
    )


def _packed_weights(
    loaded: PreTrainedModel, outline: PreTrainedModel, matrices: Sequence[Matrix]
) -> _Weights:
    """The weights that packed ones stand for; `outline` is the model without its weights."""
    return _Weights(
        total=outline.num_parameters(),
        targeted=sum(matrix.weight().numel() for matrix in matrices),
        zeros=_unpacked_zeros(loaded, matrices),
    )


def _of_file(place: Path) -> dict[str, Any]:
    """The same of a GGUF file, and bytes by type; its zeros are not counted."""
    from resect.deploy import gguf_file, require

    require("gguf")
    file = gguf_file.read(place)
    return {
        "family": file.architecture,
        "packed_by": f"llama.cpp as {file.kind}",
        "parameters": file.parameters,
        "bytes_on_disk": file.bytes_on_disk,
        "bits_per_weight": file.bits_per_weight,
        "zeros": None,
        "targeted": file.targeted,
        "blocks": file.blocks,
        "heads": None,
        "neurons": None,
        "matrices": [row["name"] for row in file.tensors if row["name"] in file.matrices],
        "tensors": file.tensors,
        "types": file.types,
        "fell_back": list(file.fell_back),
        "source": {
            key.removeprefix("resect."): value
            for key, value in file.fields.items()
            if key.startswith("resect.")
        },
    }


def _tensor(name: str, entry: Any) -> dict[str, Any]:
    """A tensor as the file holds it; only of plain weights do zeros mean anything."""
    dtype = entry.dtype
    plain = dtype in (torch.bfloat16, torch.float16, torch.float32)
    return {
        "name": name,
        "shape": list(entry.shape),
        "dtype": str(dtype).removeprefix("torch."),
        "zeros": zeros(entry.look()) if plain else None,
    }


def _elements(entry: Any) -> int:
    return int(entry.size // entry.dtype.itemsize)


def _unpacked_zeros(model: PreTrainedModel, matrices: Sequence[Matrix]) -> int | None:
    """Exact zeros among the values of packed matrices, or None if they cannot be read."""
    gone = 0
    for matrix in matrices:
        values = stored.values(model, matrix)
        if values is None:
            return None
        gone += zeros(values)
    return gone


def _packer(config: PretrainedConfig) -> str:
    """The library or format that packed a checkpoint, as its config names it."""
    quantization: Any = config.quantization_config
    fields = quantization if isinstance(quantization, dict) else quantization.to_dict()
    return str(fields["quant_method"]).rpartition(".")[2].lower()


def _count(sizes: Callable[[], list[int]]) -> int | None:
    """The total number of parts, or None for a model whose parts are not known."""
    try:
        return sum(sizes())
    except RequestError:
        return None


def shown(contents: dict[str, Any]) -> str:
    """The findings as lines for a terminal."""
    parts = [f"{contents[name]:,} {name}" for name in ("heads", "neurons") if contents[name]]
    told = contents["zeros"] is not None
    known = percent(contents["zeros"], 4) if told else f"{contents['packed_by']} does not tell,"
    packed = f", packed by {contents['packed_by']}" if contents["packed_by"] else ""
    lines = [
        f"family      {contents['family']}, {contents['blocks']} decoder blocks, "
        f"{len(contents['matrices'])} matrices in them",
        *([f"parts       {' and '.join(parts)}"] if parts else []),
        f"parameters  {contents['parameters']:,}, {contents['bits_per_weight']:.2f} bits "
        f"each{packed}",
        f"on disk     {contents['bytes_on_disk']:,} bytes",
        f"zeros       {known} of the {contents['targeted']:,} targeted weights",
    ]
    for kind, size in sorted(contents.get("types", {}).items(), key=lambda row: -row[1]):
        lines.append(f"{kind:<11} {size:,} bytes")
    if contents.get("fell_back"):
        count, of = len(contents["fell_back"]), len(contents["tensors"])
        lines.append(f"fell back   {count} of {of} tensors: their rows are no multiple of 256")
    if not packed and contents["zeros"] > 0.01:
        lines.append("            zeros alone make a checkpoint neither smaller nor faster")
    return "\n".join(lines)
