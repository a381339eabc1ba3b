"""GGUF files as models: transformers reads them, every weight turned back into plain numbers."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from resect.errors import RequestError


def is_file(place: Path) -> bool:
    """Whether a model is one GGUF file."""
    return place.suffix == ".gguf" and place.is_file()


def check(place: Path) -> None:
    """Raise `RequestError` where GGUF files cannot be read here, or this one is damaged."""
    if find_spec("gguf") is None:
        raise RequestError(f"{place} is a GGUF file: pip install 'resect[deploy]' to read it.")
    with place.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise RequestError(f"{place} is no GGUF file, whatever its name says.")
    stat = place.stat()
    _read_header(place, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache
def _read_header(place: Path, size: int, changed: int) -> None:
    """Raise `RequestError` for a damaged file; a file that stays the same is read once."""
    from resect.models import gguf_header

    gguf_header.read(place)


def opened(place: str, how: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What `from_pretrained` is given for a model: a file is named beside its folder."""
    path = Path(place)
    if not is_file(path):
        return place, how
    return str(path.parent), {**how, "gguf_file": path.name}


def plain(model: PreTrainedModel) -> PreTrainedModel:
    """A model that was read from a file, without the mark that its weights are packed."""
    for config in (model.config, model.config.get_text_config()):
        config.__dict__.pop("quantization_config", None)
    for name in ("hf_quantizer", "quantization_method", "is_quantized"):
        vars(model).pop(name, None)
    return model
