"""What a model directory holds, as measured on the file: anatomy, sizes, zeros, bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from resect import anatomy, checkpoint, models
from resect.anatomy import heads, mlp
from resect.errors import RequestError
from resect.methods.masks import zeros
from resect.methods.stream import locate
from resect.spec import ModelRef


def inspect(ref: ModelRef, notice: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Everything that `resect inspect` shows; reads every tensor once, one at a time.

    `zeros` is the fraction of exact zeros over the targeted weights (the matrices inside the
    decoder blocks). Raises `RequestError` where the model cannot be read.
    """
    place = Path(models.where(ref))
    if not place.exists():
        raise RequestError(f"{ref.id} is not here: inspect reads a model directory.")
    loaded = models.check(ref)
    source = checkpoint.read(place)
    for note in source.notes:
        notice(f"{ref.name}: {note}")
    parts = anatomy.read(loaded.model)
    found = locate(source, loaded.model)
    by_key: dict[str, list[Any]] = {}
    for matrix in parts.matrices:
        by_key.setdefault(found[matrix.name].key, []).append(found[matrix.name].matrix)
    tensors, targeted, gone = [], 0, 0
    for name, entry in source.entries.items():
        count = zeros(entry.look())
        shape = list(entry.shape)
        dtype = str(entry.dtype).removeprefix("torch.")
        tensors.append({"name": name, "shape": shape, "dtype": dtype, "zeros": count})
        if name in by_key:
            targeted += entry.size // entry.dtype.itemsize
            gone += count
    total = sum(entry.size // entry.dtype.itemsize for entry in source.entries.values())
    config = AutoConfig.from_pretrained(place)
    return {
        "family": config.model_type,
        "parameters": total,
        "bytes_on_disk": sum(path.stat().st_size for path in checkpoint.weight_files(place)),
        "bits_per_weight": 8 * source.bytes_on_disk / total,
        "zeros": gone / targeted,
        "targeted": targeted,
        "blocks": len(parts.blocks),
        "heads": _count(lambda: [one.heads for one in heads.read(loaded.model)]),
        "neurons": _count(lambda: [one.width for one in mlp.read(loaded.model)]),
        "matrices": [m.name for m in parts.matrices],
        "tensors": tensors,
    }


def _count(sizes: Callable[[], list[int]]) -> int | None:
    """How many parts there are in all; None for a model whose parts are not known."""
    try:
        return sum(sizes())
    except RequestError:
        return None


def shown(found: dict[str, Any]) -> str:
    """The findings as lines for a terminal."""
    parts = [f"{found[name]:,} {name}" for name in ("heads", "neurons") if found[name]]
    lines = [
        f"family      {found['family']}, {found['blocks']} decoder blocks, "
        f"{len(found['matrices'])} matrices in them",
        *([f"parts       {' and '.join(parts)}"] if parts else []),
        f"parameters  {found['parameters']:,}, {found['bits_per_weight']:.2f} bits each",
        f"on disk     {found['bytes_on_disk']:,} bytes",
        f"zeros       {found['zeros']:.4%} of the {found['targeted']:,} targeted weights",
    ]
    if found["zeros"] > 0.01:
        lines.append("            zeros alone make a plain checkpoint no smaller and no faster")
    return "\n".join(lines)
