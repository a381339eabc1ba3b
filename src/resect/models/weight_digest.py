"""One hash of a model's weights, the same for a model in memory and for the folder it is saved in.

Contents, types and shapes count, names do not: they differ between a model and its files. Tensors
that share their memory count once, as they are saved once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import PreTrainedModel

from resect.models import compute_dtype, model_files


def of_model(model: PreTrainedModel) -> str | None:
    """The hash of a model as it would be saved: a widened one in the types of its file.

    None where a library packs weights into tensors of its own, which have no plain bytes.
    """
    own = compute_dtype.types_in_file(model)
    tensors: dict[tuple[int, tuple[int, ...]], Tensor] = {}
    for value in model.state_dict().values():
        if isinstance(value, Tensor):
            if not compute_dtype.is_plain(value):
                return None
            tensors[value.data_ptr(), tuple(value.shape)] = value
    return _of(tensor.to(own.get(tensor.data_ptr(), tensor.dtype)) for tensor in tensors.values())


def of_files(place: Path) -> str | None:
    """The hash of a saved model: of its tensors, or of all bytes of a GGUF file; None without."""
    files = [place] if place.suffix == ".gguf" else list(place.glob("*.gguf"))
    if files:
        with files[0].open("rb") as file:
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    weights = [*model_files.weights(place).files, *model_files.adapter(place)]
    if not weights or any(path.suffix != ".safetensors" for path in weights):
        return None
    return _of(_tensors(weights))


def _tensors(files: Iterable[Path]) -> Iterator[Tensor]:
    for path in files:
        file: Any = safe_open(path, framework="pt")
        for name in file.offset_keys():
            yield file.get_tensor(name)


def _of(tensors: Iterable[Tensor]) -> str:
    whole = hashlib.sha256()
    for line in sorted(map(_line, tensors)):
        whole.update(line.encode())
    return "sha256:" + whole.hexdigest()


@torch.no_grad()
def _line(tensor: Tensor) -> str:
    flat = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
    content = hashlib.sha256(flat.numpy().data).hexdigest()
    return f"{tensor.dtype} {list(tensor.shape)} {content}\n"
