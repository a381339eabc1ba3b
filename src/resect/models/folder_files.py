"""Files of a model's folder that are opened before it is loaded: its weights and its card."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors import safe_open
from transformers.utils.hub import cached_file

from resect.errors import RequestError
from resect.spec import ModelRef


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


def first_line(error: BaseException) -> str:
    """The first line of what an error says, ended with a full stop."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".") + "."
