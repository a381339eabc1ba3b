"""A checkpoint on disk, tensor by tensor: read in place, written whole or not at all.

Safetensors are memory-mapped and copied by byte range; `.bin` files come through torch's
memory-mapped weights-only loader; MXFP4 experts are dequantized. What is held is one tensor.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import math
import mmap
import os
import shutil
import struct
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from resect.errors import RequestError

_NAMES: dict[torch.dtype, str] = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL", torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
}  # fmt: skip
_PART = ".part"
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}


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
    try:
        files = weight_files(folder)
        pickled = any(path.suffix == ".bin" for path in files)
        found = [e for path in files for e in (_bin if pickled else _safetensors)(path)]
    except (OSError, ValueError, KeyError, RuntimeError, struct.error) as error:
        raise RequestError(f"the weights in {folder} cannot be read: {error}.") from None
    if not found:
        raise RequestError(f"{folder} holds no weights: there is no .safetensors or .bin file.")
    entries, notes = _dequantized({entry.name: entry for entry in found})
    if pickled:
        notes += ("read through torch's weights-only loader, written as safetensors",)
    return Checkpoint(folder, entries, sum(entry.size for entry in found), notes)


def weight_files(folder: Path) -> list[Path]:
    """The files a model is loaded from: safetensors, or `.bin` where there are none.

    As transformers finds them: one file of the usual name, else those that an index names. Others
    that lie beside them (another precision, an older upload) are not the model.
    """
    for name in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return [folder / name]
        if index.is_file():
            shards = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
            return sorted({folder / shard for shard in shards})
    return []


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
    files = [*weight_files(folder), *folder.glob("adapter_model.safetensors")]
    return sum(path.stat().st_size for path in files)


def _safetensors(path: Path) -> Iterator[Entry]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    header.pop("__metadata__", None)
    for name, about in sorted(header.items(), key=lambda pair: pair[1]["data_offsets"][0]):
        start, end = (8 + length + at for at in about["data_offsets"])
        if end > len(view):
            raise ValueError(f"{path.name} is cut off in {name}")
        dtype, shape = _DTYPES[about["dtype"]], tuple(about["shape"])
        yield Entry(name, dtype, shape, path.name, partial(_mapped, view, start, dtype, shape))


def _mapped(view: mmap.mmap, start: int, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """A tensor that lies in a file's pages, to be read only."""
    count = math.prod(shape)
    if not count:
        return torch.empty(shape, dtype=dtype)
    page = start - start % mmap.PAGESIZE
    # All of it is read soon, but not in the order of the disk.
    view.madvise(mmap.MADV_WILLNEED, page, start - page + count * dtype.itemsize)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the pages are read-only is the point
        return torch.frombuffer(view, dtype=dtype, count=count, offset=start).view(shape)


def _bin(path: Path) -> Iterator[Entry]:
    tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    seen: set[tuple[int, tuple[int, ...]]] = set()
    shard = path.name.replace("pytorch_model", "model").replace(".bin", ".safetensors")
    for name, tensor in tensors.items():
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


def refuse_taken(out: Path) -> None:
    """Raises `RequestError` where a folder to be written holds something already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RequestError(f"{out} is there already: give another --out, or remove it.")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder that appears under its name when it is complete, and not at all otherwise."""
    refuse_taken(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(out)
        made = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=_PART))
        held = _hold(made)
    except OSError as error:
        raise RequestError(
            f"{out} cannot be written ({error.strerror}): give another --out."
        ) from None
    try:
        yield made
        made.chmod(0o755)
        for path in [*made.iterdir(), made]:
            _to_disk(path)
        os.replace(made, out)
        _to_disk(out.parent)
    finally:
        os.close(held)
        shutil.rmtree(made, ignore_errors=True)


def _hold(folder: Path) -> int:
    """A handle that marks a folder as being written, until it is closed or this process ends.

    Raises `BlockingIOError` where another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _clear_abandoned(out: Path) -> None:
    """Remove what a killed run left of the same output: it can be as large as the model."""
    for left in out.parent.glob(f".{glob.escape(out.name)}.*{_PART}"):
        with contextlib.suppress(OSError):  # somebody is writing it, or it is not ours
            os.close(_hold(left))
            shutil.rmtree(left)


def _to_disk(path: Path) -> None:
    """Flush a file, or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Writer:
    """Writes the tensors of `source` into `folder`, shard by shard, in any order.

    A thread writes while the next piece is made.
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
        for shard, entries in shards.items():
            self._begin(folder / shard, entries)
        if len(shards) > 1:
            index = {
                "metadata": {"total_size": sum(e.size for e in source.entries.values())},
                "weight_map": {name: e.shard for name, e in source.entries.items()},
            }
            text = json.dumps(index, indent=2, sort_keys=True) + "\n"
            (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")

    def _begin(self, path: Path, entries: list[Entry]) -> None:
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
        file = self.files[path.name] = path.open("wb", buffering=0)
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


def _write(file: int, data: memoryview, at: int) -> None:
    """All of `data` at `at`: a call takes at most 2 GB."""
    while len(data):
        count = os.pwrite(file, data, at)
        data, at = data[count:], at + count


def copy_rest(source: Checkpoint, folder: Path, dtype: str | None = None) -> None:
    """Configs, tokenizer and card: everything of a model directory but its weights.

    The config says `dtype` where one is given.
    """
    for path in sorted(source.folder.iterdir()):
        weights = path.suffix in (".safetensors", ".bin", ".pt", ".pth", ".gguf")
        if path.is_file() and not weights and not path.name.endswith(".index.json"):
            shutil.copyfile(path, folder / path.name)
    config = folder / "config.json"
    fields = json.loads(config.read_text(encoding="utf-8"))
    unpacked = fields.get("quantization_config", {}).get("quant_method") == "mxfp4"
    if unpacked:
        del fields["quantization_config"]
    if dtype is not None:
        for one in (fields, fields.get("text_config", {})):
            for key in ("dtype", "torch_dtype"):  # the latter in configs of older releases
                if key in one or (one is fields and key == "dtype"):
                    one[key] = dtype
    if unpacked or dtype is not None:
        config.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
