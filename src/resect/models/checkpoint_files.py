"""A checkpoint on disk, tensor by tensor: read in place, written in pieces.

Safetensors are memory-mapped by their own library, `.bin` files by torch's weights-only loader;
MXFP4 experts are dequantized. Memory holds one tensor.
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
    """One tensor of a checkpoint: its type and shape, its file, and how to read it.

    `look` returns the tensor, which must not be written to: where possible it is the memory-mapped
    file.
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
    """The tensors of a model directory in the order of its files.

    `bytes_on_disk`: of the tensors as they are stored. `notes`: sentences on conversions.
    """

    folder: Path
    entries: dict[str, Entry]
    bytes_on_disk: int
    notes: tuple[str, ...] = ()


def read(folder: Path) -> Checkpoint:
    """Open a model directory; raises `RequestError` where it holds no readable weights."""
    weights = model_files.weights(folder)
    if not weights.files:
        raise RequestError(f"{folder} holds no weights: add a .safetensors or .bin file.")
    try:
        entries_of_files = [entry for path in weights.files for entry in _opened(path, folder)]
        entries, notes = _dequantized({entry.name: entry for entry in entries_of_files})
    except MemoryError:
        raise
    except Exception as error:  # broken files raise errors of many kinds
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise RequestError(
            f"the weights in {folder} cannot be read ({reason}): download them again."
        ) from None
    if weights.pickled:
        notes += ("read through torch's weights-only loader, written as safetensors",)
    return Checkpoint(folder, entries, sum(entry.size for entry in entries_of_files), notes)


def cast(source: Checkpoint, dtype: torch.dtype) -> Checkpoint:
    """The checkpoint with floating-point weights in `dtype`, each converted when it is read."""

    def as_dtype(entry: Entry) -> Entry:
        if not entry.dtype.is_floating_point or entry.dtype == dtype:
            return entry
        return replace(entry, dtype=dtype, look=lambda: entry.look().to(dtype))

    entries = {name: as_dtype(entry) for name, entry in source.entries.items()}
    return replace(source, entries=entries)


def bytes_of(folder: Path) -> int:
    """Bytes of the weight files that a model is loaded from, with those of its adapter."""
    files = (*model_files.weights(folder).files, *model_files.adapter(folder))
    return sum(path.stat().st_size for path in files)


def _opened(path: Path, folder: Path) -> Iterator[Entry]:
    """The tensors of a file in its order. Raises anything where it is broken."""
    shard = path.relative_to(folder).as_posix()
    return _bin(path, shard) if path.suffix == ".bin" else _safetensors(path, shard)


def _safetensors(path: Path, shard: str) -> Iterator[Entry]:
    file: Any = safe_open(path, framework="pt")
    for name in file.offset_keys():
        part = file.get_slice(name)
        if part.get_dtype() not in _DTYPES:
            raise ValueError(f"{name} is stored as {part.get_dtype()}, an unknown type")
        dtype, shape = _DTYPES[part.get_dtype()], tuple(part.get_shape())
        torch.empty(shape, dtype=dtype, device="meta")  # raises where no tensor has that shape
        yield Entry(name, dtype, shape, shard, partial(file.get_tensor, name))


def _bin(path: Path, shard: str) -> Iterator[Entry]:
    tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    seen: set[tuple[int, tuple[int, ...]]] = set()
    for name, tensor in tensors.items():
        if tensor.dtype not in _NAMES:
            raise ValueError(f"{name} is stored as {tensor.dtype}, an unknown type")
        alias = (tensor.data_ptr(), tuple(tensor.shape))
        if alias not in seen:  # a tied tensor counts once: the config ties it again
            seen.add(alias)
            yield Entry(name, tensor.dtype, tuple(tensor.shape), shard, tensor.contiguous)


def _dequantized(entries: dict[str, Entry]) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """Replace MXFP4 experts (`*_blocks` with `*_scales`) by the same tensors in bfloat16."""
    result: dict[str, Entry] = {}
    for name, entry in entries.items():
        stem = name.removesuffix("_blocks")
        if name.endswith("_scales") and name.removesuffix("_scales") + "_blocks" in entries:
            continue
        if stem == name or f"{stem}_scales" not in entries:
            result[name] = entry
            continue
        if len(entry.shape) != 4 or entries[f"{stem}_scales"].shape != entry.shape[:3]:
            raise ValueError(f"the scales of {name} have another shape")
        experts, out, groups, half = entry.shape  # (E, O, I/32, 16), two values a byte
        shape = (experts, groups * half * 2, out)

        def load(
            blocks: Entry = entry, scales: Entry = entries[f"{stem}_scales"], shape: Any = shape
        ) -> Tensor:
            from transformers.integrations.mxfp4 import convert_moe_packed_tensors

            values = torch.empty(shape, dtype=torch.bfloat16)
            packed, scale = blocks.look(), scales.look()
            for expert in range(len(values)):  # one by one: a conversion needs several times more
                index = slice(expert, expert + 1)
                values[index] = convert_moe_packed_tensors(packed[index], scale[index])
            return values

        result[stem] = Entry(stem, torch.bfloat16, shape, entry.shard, load)
    changed = len(result) < len(entries)
    return result, ("MXFP4 experts were dequantized to bfloat16",) if changed else ()


# ── writing ─────────────────────────────────────────────────────────────────────────────────────


class Writer:
    """Writes the tensors of `source` into `folder`, in any order, with the same split into files.

    The files get the usual names: `model.safetensors`, or numbered ones and their index. A thread
    writes while the next piece is made.
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
        names = {
            shard: _file_name(number, len(shards)) for number, shard in enumerate(sorted(shards), 1)
        }
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
        """Write the header of a file, and reserve space for its tensors."""
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        offset = 0
        for entry in entries:
            header[entry.name] = {
                "dtype": _NAMES[entry.dtype],
                "shape": list(entry.shape),
                "data_offsets": [offset, offset + entry.size],
            }
            offset += entry.size
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        file.write(struct.pack("<Q", len(text)) + text)
        for entry in entries:
            self.offsets[entry.name] = 8 + len(text) + header[entry.name]["data_offsets"][0]
        file.truncate(8 + len(text) + offset)

    def put(self, name: str, parts: Iterable[Tensor]) -> None:
        """Write a tensor from its pieces, the last one first; together they are the whole tensor.

        A piece is written while the next is made, and must stay unchanged for that time.
        """
        entry = self.source.entries[name]
        file, offset = self.files[entry.shard].fileno(), self.offsets[name] + entry.size
        for part in parts:
            self.writing.result()
            data = part.contiguous().view(-1).view(torch.uint8).numpy().data
            offset -= len(data)
            self.writing = self.thread.submit(_write, file, data, offset)
        assert offset == self.offsets[name], f"the pieces of {name} are not the whole tensor"

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until everything is written, and raise what went wrong."""
        self.thread.shutdown()
        for file in self.files.values():
            file.close()
        self.writing.result()


def _file_name(number: int, count: int) -> str:
    return "model.safetensors" if count == 1 else f"model-{number:05d}-of-{count:05d}.safetensors"


def _write(file: int, data: memoryview, offset: int) -> None:
    """Write all of `data` at `offset`; one system call writes at most 2 GB."""
    while len(data):
        count = os.pwrite(file, data, offset)
        data, offset = data[count:], offset + count


def copy_rest(source: Checkpoint, folder: Path, dtype: str | None = None) -> None:
    """Copy configs, tokenizer and card: everything of a model directory but its weights.

    The config gets `dtype` where one is given. Raises `RequestError` for a link out of the folder.
    """
    for path in sorted(source.folder.iterdir()):
        if path.suffix not in _OTHER_WEIGHTS and not path.name.endswith(".index.json"):
            model_files.refuse_link(source.folder, path)
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
    config = folder / "config.json"
    before = config.read_text(encoding="utf-8")
    fields = json.loads(before)
    fields.pop("transformers_weights", None)  # the written files have the usual names
    if (fields.get("quantization_config") or {}).get("quant_method") == "mxfp4":
        del fields["quantization_config"]  # the tensors are bfloat16 now
    if dtype is not None:
        for part in (fields, fields.get("text_config") or {}):
            for key in ("dtype", "torch_dtype"):  # the latter in configs of older releases
                if key in part or (part is fields and key == "dtype"):
                    part[key] = dtype
    if fields != json.loads(before):
        config.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
