"""Load a model safely, and name its weights.

Safetensors, or `.bin` files through torch's weights-only loader with a notice; full unpickling
and remote code are refused. `check` finds what is wrong before anything is loaded or written.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
import yaml
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from resect import clinic
from resect.errors import RequestError
from resect.spec import ModelRef

_THREADS = torch.get_num_threads()
_TINY = 20_000_000  # parameters below which operations are too short to share between threads
transformers_logging.disable_progress_bar()

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_TOKENIZER = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json")


class Loaded(NamedTuple):
    """A model in evaluation mode on its device, with its tokenizer (left-padding)."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


class Identity(NamedTuple):
    """What a reference points at: `fingerprint` names the weights, `parent` what the card says."""

    fingerprint: str
    revision: str | None
    dtype: str
    parent: str | None


def where(ref: ModelRef) -> str:
    """The directory or hub id to load: `clinic:specialist` and `clinic:base` ship with resect."""
    kind, found, name = ref.id.partition(":")
    if kind == "clinic" and found:
        return str(clinic.path(name))
    return str(Path(ref.id).expanduser()) if Path(ref.id).expanduser().exists() else ref.id


def identify(ref: ModelRef) -> Identity:
    """Check a reference and name its weights, loading none of them.

    Raises `RequestError` for a missing directory, a file that is no model, a model that needs
    remote code and a checkpoint that needs full unpickling.
    """
    place = Path(where(ref))
    if not place.exists() and not _HUB_ID.fullmatch(ref.id):
        raise RequestError(f"there is no model directory {ref.id}: check the path.")
    if place.exists():
        _check_directory(ref, place)
    config = _config(ref)
    dtype = ref.dtype if ref.dtype != "auto" else _dtype_of(config)
    if place.exists():
        return Identity(_hash_directory(place), None, dtype, _parent(place / "README.md"))
    commit = getattr(config, "_commit_hash", None) or ref.revision or "main"
    return Identity(f"hub:{ref.id}@{commit}", commit, dtype, None)


def load(ref: ModelRef, device: str, notice: Callable[[str], None] = warnings.warn) -> Loaded:
    """Load onto `device`; `notice` gets one sentence where weights come from `.bin` files."""
    place = where(ref)
    shared: dict[str, Any] = {"trust_remote_code": ref.trust_remote_code}
    if not Path(place).exists():
        shared["revision"] = ref.revision
    elif not list(Path(place).glob("*.safetensors")):
        notice(f"{ref.name} has no safetensors: read through torch's weights-only loader.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, padding_side="left", **shared)
        model = AutoModelForCausalLM.from_pretrained(place, dtype=ref.dtype, **shared)
    except (OSError, ValueError, UnpicklingError) as error:
        raise RequestError(f"{ref.id} cannot be loaded: {_first_line(error)}") from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if device == "cpu":
        torch.set_num_threads(1 if model.num_parameters() < _TINY else _THREADS)
    return Loaded(model.eval().requires_grad_(False).to(device), tokenizer)


def device_of(asked: str) -> str:
    """The device to run on: `auto` is the first CUDA device, else the CPU."""
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(asked).type
    except RuntimeError:
        raise RequestError(f"unknown device {asked!r}: give auto, cpu or cuda.") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise RequestError("no CUDA device is at hand here: leave out --device, or give cpu.")
    return asked


def _config(ref: ModelRef) -> Any:
    shared = {} if Path(where(ref)).exists() else {"revision": ref.revision}
    try:
        return AutoConfig.from_pretrained(
            where(ref), trust_remote_code=ref.trust_remote_code, **shared
        )
    except (OSError, ValueError, KeyError) as error:
        if "trust_remote_code" in str(error):
            raise _remote_code(ref) from None
        if Path(where(ref)).exists():
            raise RequestError(
                f"{ref.id} is no model resect can load: {_first_line(error)}"
            ) from None
        raise RequestError(
            f"{ref.id} is neither a directory here nor a model that can be fetched from the hub: "
            "check the name, or download it first."
        ) from None


def _check_directory(ref: ModelRef, place: Path) -> None:
    if not place.is_dir():
        raise RequestError(f"{ref.id} is a file: give the model's directory.")
    if not (place / "config.json").is_file():
        raise RequestError(f"{ref.id} is no model directory: it has no config.json.")
    if not any((place / name).exists() for name in _TOKENIZER):
        raise RequestError(f"{ref.id} has no tokenizer: save it beside the weights.")
    if list(place.glob("*.safetensors")):
        return
    pickled = sorted(place.glob("*.bin"))
    if not pickled:
        raise RequestError(f"{ref.id} holds no weights: there is no .safetensors or .bin file.")
    for path in pickled:
        try:
            torch.load(path, map_location="meta", weights_only=True, mmap=_is_zip(path))
        except UnpicklingError:
            raise RequestError(
                f"{path} needs full unpickling, which can run any code: "
                "convert the checkpoint to safetensors where you trust it."
            ) from None
        except (RuntimeError, EOFError, OSError) as error:
            raise RequestError(f"{path} cannot be read: {_first_line(error)}") from None


def _remote_code(ref: ModelRef) -> RequestError:
    return RequestError(
        f"{ref.id} needs code from its own repository: read that code, then allow it "
        "with --trust_remote_code."
    )


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _dtype_of(config: Any) -> str:
    return str(getattr(config, "dtype", None) or "float32").removeprefix("torch.")


def _hash_directory(place: Path) -> str:
    """SHA-256 over names and contents of everything that can change an answer."""
    found = hashlib.sha256()
    kept = (".json", ".safetensors", ".bin", ".model", ".txt", ".jinja")
    for path in sorted(p for p in place.iterdir() if p.suffix in kept and p.is_file()):
        found.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return "sha256:" + found.hexdigest()[:32]


def _parent(card: Path) -> str | None:
    """`base_model` from a model card's front matter."""
    if not card.is_file():
        return None
    match = re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8", errors="replace"), re.S)
    try:
        named = (yaml.safe_load(match[1]) or {}).get("base_model") if match else None
    except (yaml.YAMLError, AttributeError):
        return None
    if isinstance(named, list):
        named = named[0] if named else None
    return None if named is None else str(named)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".") + "."
