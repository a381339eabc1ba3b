"""What a GGUF file holds, measured on the file: bytes, types of its tensors, which fell back."""

from __future__ import annotations

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import gguf

from resect.deploy import tensor_types
from resect.errors import RequestError
from resect.models import gguf_header
from resect.record import digest


class GgufFile(NamedTuple):
    """`types` are bytes by type; `fell_back` are tensors whose rows fit no block of their type."""

    path: Path
    architecture: str
    kind: str
    fields: dict[str, Any]
    bytes_on_disk: int
    parameters: int
    tensor_bytes: int
    types: dict[str, int]
    parts: dict[str, int]
    targeted: int
    targeted_bytes: int
    tensors: list[dict[str, Any]]
    fell_back: tuple[str, ...]

    @property
    def shape(self) -> str:
        """A name for names, shapes and types of the tensors."""
        return digest(
            [[tensor["name"], tensor["shape"], tensor["dtype"]] for tensor in self.tensors]
        )

    @property
    def matrices(self) -> set[str]:
        """Names of the matrices in the blocks."""
        named = ((tensor["name"], tuple(tensor["shape"])) for tensor in self.tensors)
        return {name for name, shape in named if _part(name, shape) == "matrices"}

    @property
    def blocks(self) -> int:
        """How many blocks its header says that it has."""
        return int(_first(self.fields.get(f"{self.architecture}.block_count", 0)))

    @property
    def bits_per_weight(self) -> float:
        """Bits of all tensors over all weights."""
        return 8 * self.tensor_bytes / self.parameters


def read(path: Path) -> GgufFile:
    """Measure a file; raises `RequestError` for one that is no GGUF model."""
    reader = gguf_header.read(path)
    fields = _fields(reader, path)
    if fields.get("general.type", "model") != "model" or not reader.tensors:
        raise RequestError(f"{path} is a GGUF file of another kind: it holds no model.")
    tensors: list[dict[str, Any]] = [
        {
            "name": t.name,
            "shape": [int(n) for n in reversed(t.shape)],
            "dtype": t.tensor_type.name,
            "bytes": int(t.n_bytes),
        }
        for t in reader.tensors
    ]
    empty = [t["name"] for t in tensors if not t["shape"] or 0 in t["shape"]]
    if empty:
        raise RequestError(f"{path} holds nothing as {empty[0]!r:.100}: download it again.")
    types: Counter[str] = Counter()
    parts = dict.fromkeys(("matrices", "tables", "embeddings", "rest"), 0)
    targeted = targeted_bytes = 0
    for tensor in tensors:
        types[tensor["dtype"]] += tensor["bytes"]
        part = _part(tensor["name"], tuple(tensor["shape"]))
        parts[part] += tensor["bytes"]
        if part == "matrices":
            targeted += prod(tensor["shape"])
            targeted_bytes += tensor["bytes"]
    kind = _kind(fields)
    return GgufFile(
        path=path,
        architecture=str(fields["general.architecture"]),
        kind=kind,
        fields=fields,
        bytes_on_disk=path.stat().st_size,
        parameters=sum(prod(tensor["shape"]) for tensor in tensors),
        tensor_bytes=sum(types.values()),
        types=dict(types),
        parts=parts,
        targeted=targeted,
        targeted_bytes=targeted_bytes,
        tensors=tensors,
        fell_back=_fell_back(tensors, fields, kind),
    )


def _fields(reader: gguf.GGUFReader, path: Path) -> dict[str, Any]:
    """The values of a header."""
    try:
        fields = {name: field.contents() for name, field in reader.fields.items()}
    except (ValueError, IndexError, KeyError) as error:
        raise RequestError(
            f"{path} is no GGUF file that can be read ({error}): download it again."
        ) from None
    name = fields.get("general.architecture")
    if not isinstance(name, str):
        raise RequestError(f"{path} does not say which architecture it is of: download it again.")
    return fields


def _part(name: str, shape: tuple[int, ...]) -> str:
    if name in ("token_embd.weight", "output.weight"):
        return "embeddings"
    inside = name.startswith("blk.") and not tensor_types.stays_whole(name, shape)
    return "matrices" if inside else "rest"


def _kind(fields: dict[str, Any]) -> str:
    """The type that the file says it is of."""
    try:
        number = gguf.LlamaFileType(fields.get("general.file_type", -1))
    except ValueError:
        return "unknown"
    return number.name.removeprefix("MOSTLY_").removeprefix("ALL_")


def _fell_back(tensors: list[dict[str, Any]], fields: dict[str, Any], kind: str) -> tuple[str, ...]:
    """Tensors that have another type than the rules want, since their rows fit no block."""
    if kind not in tensor_types.FILE_TYPES:
        return ()
    name = str(fields["general.architecture"])
    numbers = {
        "blocks": _first(fields.get(f"{name}.block_count", 0)),
        "heads": _first(fields.get(f"{name}.attention.head_count", 1)),
        "kv_heads": _first(fields.get(f"{name}.attention.head_count_kv", 1)),
        "experts": _first(fields.get(f"{name}.expert_count", 0)),
    }
    arch = {value: key for key, value in gguf.MODEL_ARCH_NAMES.items()}.get(name)
    if arch is None:
        return ()
    weighed = "resect.imatrix" in fields or "quantize.imatrix.file" in fields
    shape = tensor_types.Shape.of(arch, numbers, weighed)
    chosen = tensor_types.choose([(t["name"], tuple(t["shape"])) for t in tensors], kind, shape)
    types = {tensor["name"]: tensor["dtype"] for tensor in tensors}
    return tuple(
        name
        for name, choice in chosen.items()
        if choice.fell_back and types[name] == choice.type.name
    )


def _first(value: Any) -> Any:
    """The value, or the first one where there is one for each block."""
    return next(iter(value), 0) if isinstance(value, list) else value
