"""Files of a model's folder that are opened before it is loaded: its weights and its card."""

from __future__ import annotations

import re
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors import safe_open
from transformers.utils.hub import cached_file

from resect.errors import RequestError
from resect.spec import ModelRef, yaml_text


def tensors(name: str, path: Path) -> int:
    """The number of tensors in a file; `RequestError` where it cannot be opened safely."""
    try:
        if path.suffix == ".bin":
            return len(
                torch.load(path, map_location="meta", weights_only=True, mmap=is_zipfile(path))
            )
        file: Any = safe_open(path, framework="pt")
        return len(file.keys())
    except MemoryError:
        raise
    except UnpicklingError:
        raise RequestError(
            f"{path} needs full unpickling, which can run any code: if you trust it, convert it to "
            "safetensors."
        ) from None
    except Exception as error:  # broken files raise errors of many kinds
        reason = f"{path.name} cannot be read: {first_line(error)}"
        raise RequestError(f"{name} is no model resect can load ({reason})") from None


def on_hub(ref: ModelRef) -> set[Path]:
    """The folders of the cache that hold config and tokenizer of a model on the hub."""
    paths = (
        cached_file(
            ref.id, name, revision=ref.revision, _raise_exceptions_for_missing_entries=False
        )
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json")
    )
    return {Path(path).parent for path in paths if path}


def base_model(card: Path) -> str | None:
    """`base_model` from a model card's front matter."""
    if not card.is_file():
        return None
    with card.open(encoding="utf-8", errors="replace") as file:
        match = re.match(r"---\n(.*?)\n---", file.read(yaml_text.LARGEST), re.S)
    try:
        fields = yaml_text.load(match[1], str(card)) if match else None
    except RequestError:
        return None
    parent = fields.get("base_model") if isinstance(fields, dict) else None
    if isinstance(parent, list):
        parent = parent[0] if parent else None
    return parent[:200] if isinstance(parent, str) else None


def first_line(error: BaseException) -> str:
    """The first line of what an error says, ended with a full stop."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".") + "."
