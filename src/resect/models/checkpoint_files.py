"""A checkpoint on disk, tensor by tensor: read in place, written in pieces.

Safetensors are read by their own library, in the file's pages; `.bin` files come through torch's
memory-mapped weights-only loader; MXFP4 experts are dequantized. What is held is one tensor.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import safe_open
from torch import Tensor

from resect.errors import RequestError
from resect.models import model_files

_NAMES: dict[torch.dtype, str] = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL", torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
}  # fmt: skip
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}
_OTHER_WEIGHTS = (
    ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".npz"
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One tensor of a checkpoint: what it is, where its bytes lie, and how to read it.

    `look` gives the tensor to be read only: a file's own pages where that can be, else (from a
    pickle, or dequantized) one that is made.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    shard: str
    look: Callable[[], Tensor]

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a model directory in the order of its files, and what is converted.

    `bytes_on_disk`: of the tensors as they are stored.
    """

    folder: Path
    entries: dict[str, Entry]
    bytes_on_disk: int
    notes: tuple[str, ...] = ()


def read(folder: Path) -> Checkpoint:
    """Open a model directory; raises `RequestError` where it holds no readable weights."""
    held = model_files.weights(folder)
    if not held.files:
        raise RequestError(f"{folder} holds no weights: there is no .safetensors or .bin file.")
    try:
        found = [entry for path in held.files for entry in _opened(path, folder)]
        entries, notes = _dequantized({entry.name: entry for entry in found})
    except MemoryError:
        raise
    except Exception as error:  # on a broken file the libraries raise anything
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise RequestError(
            f"the weights in {folder} cannot be read ({reason}): download them again."
        ) from None
    if held.pickled:
        notes += ("read through torch's weights-only loader, written as safetensors",)
    return Checkpoint(folder, entries, sum(entry.size for entry in found), notes)


def cast(source: Checkpoint, dtype: torch.dtype) -> Checkpoint:
    """The same with its weights of floating point in `dtype`, each made when it is looked at."""

    def as_dtype(entry: Entry) -> Entry:
        if not entry.dtype.is_floating_point or entry.dtype == dtype:
            return entry
        return replace(entry, dtype=dtype, look=lambda: entry.look().to(dtype))

    entries = {name: as_dtype(entry) for name, entry in source.entries.items()}
    return replace(source, entries=entries)


def bytes_of(folder: Path) -> int:
    """Bytes of the files that a model is loaded from, those of an adapter it carries included."""
    files = (*model_files.weights(folder).files, *model_files.adapter(folder))
    return sum(path.stat().st_size for path in files)


def _opened(path: Path, folder: Path) -> Iterator[Entry]:
    """The tensors of a file in its order. Raises anything where it is broken."""
    shard = path.relative_to(folder).as_posix()
    return _bin(path, shard) if path.suffix == ".bin" else _safetensors(path, shard)


def _safetensors(path: Path, shard: str) -> Iterator[Entry]:
    file: Any = safe_open(path, framework="pt")
    for name in file.offset_keys():
        about = file.get_slice(name)
        if about.get_dtype() not in _DTYPES:
            raise ValueError(f"{name} is stored as {about.get_dtype()}, which is not known")
        dtype, shape = _DTYPES[about.get_dtype()], tuple(about.get_shape())
        torch.empty(shape, dtype=dtype, device="meta")  # raises where no tensor has that shape
        yield Entry(name, dtype, shape, shard, partial(file.get_tensor, name))


def _bin(path: Path, shard: str) -> Iterator[Entry]:
    tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    seen: set[tuple[int, tuple[int, ...]]] = set()
    for name, tensor in tensors.items():
        if tensor.dtype not in _NAMES:
            raise ValueError(f"{name} is stored as {tensor.dtype}, which is not known")
        alias = (tensor.data_ptr(), tuple(tensor.shape))
        if alias not in seen:  # a tied tensor is stored once, the config ties it again
            seen.add(alias)
            yield Entry(name, tensor.dtype, tuple(tensor.shape), shard, tensor.contiguous)


def _dequantized(entries: dict[str, Entry]) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """MXFP4 experts (`*_blocks` with `*_scales`) as the bfloat16 tensors they stand for."""
    found: dict[str, Entry] = {}
    for name, entry in entries.items():
        stem = name.removesuffix("_blocks")
        if name.endswith("_scales") and name.removesuffix("_scales") + "_blocks" in entries:
            continue
        if stem == name or f"{stem}_scales" not in entries:
            found[name] = entry
            continue
        if len(entry.shape) != 4 or entries[f"{stem}_scales"].shape != entry.shape[:3]:
            raise ValueError(f"{name} and its scales do not go together")
        experts, out, groups, half = entry.shape  # (E, O, I/32, 16), two values a byte
        shape = (experts, groups * half * 2, out)

        def load(
            blocks: Entry = entry, scales: Entry = entries[f"{stem}_scales"], shape: Any = shape
        ) -> Tensor:
            from transformers.integrations.mxfp4 import convert_moe_packed_tensors

            made = torch.empty(shape, dtype=torch.bfloat16)
            packed, scale = blocks.look(), scales.look()
            for expert in range(len(made)):  # what it takes is several times what it makes
                one = slice(expert, expert + 1)
                made[one] = convert_moe_packed_tensors(packed[one], scale[one])
            return made

        found[stem] = Entry(stem, torch.bfloat16, shape, entry.shard, load)
    changed = len(found) < len(entries)
    return found, ("MXFP4 experts were dequantized to bfloat16",) if changed else ()


# ── writing ─────────────────────────────────────────────────────────────────────────────────────


class Writer:
    """Writes the tensors of `source` into `folder`, file by file as there, in any order.

    The files get the usual names, which every loader knows: `model.safetensors`, or numbered ones
    and their index. A thread writes while the next piece is made.
    """

    def __init__(self, source: Checkpoint, folder: Path) -> None:
        self.source = source
        self.offsets: dict[str, int] = {}
        self.files: dict[str, BinaryIO] = {}
        self.thread = ThreadPoolExecutor(1)
        self.writing = self.thread.submit(lambda: None)
        shards: dict[str, list[Entry]] = {}
        for entry in source.entries.values():
            shards.setdefault(entry.shard, []).append(entry)
        names = {shard: _file_name(at, len(shards)) for at, shard in enumerate(sorted(shards), 1)}
        for shard, entries in shards.items():
            self.files[shard] = (folder / names[shard]).open("wb", buffering=0)
            self._begin(self.files[shard], entries)
        if len(shards) > 1:
            index = {
                "metadata": {"total_size": sum(e.size for e in source.entries.values())},
                "weight_map": {name: names[e.shard] for name, e in source.entries.items()},
            }
            text = json.dumps(index, indent=2, sort_keys=True) + "\n"
            (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")

    def _begin(self, file: BinaryIO, entries: list[Entry]) -> None:
        """Write the header of a file, and make room for its tensors."""
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        at = 0
        for entry in entries:
            header[entry.name] = {
                "dtype": _NAMES[entry.dtype],
                "shape": list(entry.shape),
                "data_offsets": [at, at + entry.size],
            }
            at += entry.size
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        file.write(struct.pack("<Q", len(text)) + text)
        for entry in entries:
            self.offsets[entry.name] = 8 + len(text) + header[entry.name]["data_offsets"][0]
        file.truncate(8 + len(text) + at)

    def put(self, name: str, parts: Iterable[Tensor]) -> None:
        """Write a tensor from its pieces, the last one first; they make it up exactly.

        A piece is written while the next is made, and has to hold so long.
        """
        entry = self.source.entries[name]
        file, at = self.files[entry.shard].fileno(), self.offsets[name] + entry.size
        for part in parts:
            self.writing.result()
            data = part.contiguous().view(-1).view(torch.uint8).numpy().data
            at -= len(data)
            self.writing = self.thread.submit(_write, file, data, at)
        assert at == self.offsets[name], f"{name} is not made up by its pieces"

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until everything is written."""
        self.thread.shutdown()
        for file in self.files.values():
            file.close()
        self.writing.result()


def _file_name(number: int, count: int) -> str:
    return "model.safetensors" if count == 1 else f"model-{number:05d}-of-{count:05d}.safetensors"


def _write(file: int, data: memoryview, at: int) -> None:
    """All of `data` at `at`: a call takes at most 2 GB."""
    while len(data):
        count = os.pwrite(file, data, at)
        data, at = data[count:], at + count


def copy_rest(source: Checkpoint, folder: Path, dtype: str | None = None) -> None:
    """Configs, tokenizer and card: everything of a model directory but its weights.

    The config says `dtype` where one is given. Raises `RequestError` for a link that leads out.
    """
    for path in sorted(source.folder.iterdir()):
        if path.suffix not in _OTHER_WEIGHTS and not path.name.endswith(".index.json"):
            model_files.refuse_link(source.folder, path)
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
    config = folder / "config.json"
    before = config.read_text(encoding="utf-8")
    fields = json.loads(before)
    fields.pop("transformers_weights", None)  # what is written has the usual names
    if (fields.get("quantization_config") or {}).get("quant_method") == "mxfp4":
        del fields["quantization_config"]  # the tensors are bfloat16 now
    if dtype is not None:
        for one in (fields, fields.get("text_config") or {}):
            for key in ("dtype", "torch_dtype"):  # the latter in configs of older releases
                if key in one or (one is fields and key == "dtype"):
                    one[key] = dtype
    if fields != json.loads(before):
        config.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
