"""A model and its tokenizer to one GGUF file, tensor by tensor."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from resect.deploy import families, imatrix, quantizer, tensor_types, tensors, vocabulary
from resect.deploy.tensors import Named
from resect.errors import RunError
from resect.models.scratch import Scratch

Numbers = np.ndarray[Any, np.dtype[Any]]
KEY = "resect."
"""Under which our own fields stand in a file's metadata."""


class Written(NamedTuple):
    """What was written: `weights` names the values that went in, whatever the type of the file."""

    path: Path
    weights: str
    notes: tuple[str, ...]


def write(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    path: Path,
    kind: str,
    importance: Mapping[str, Numbers] | None = None,
    origin: Mapping[str, str] | None = None,
) -> Written:
    """Write a model as `kind` (F16, Q4_K_M, ...), by llama.cpp's rules for each tensor.

    `importance` weighs the inputs of a tensor (by its name there), `origin` says in the metadata
    where the model comes from. Raises `RequestError` for a model or a tokenizer that llama.cpp
    does not run, and `RunError` where a weight is beyond 16-bit floats.
    """
    family = families.of(model.config)
    text: Any = model.config.get_text_config()
    words = vocabulary.read(tokenizer, text.vocab_size)
    named = list(tensors.named(model, family))
    experts = families.expert_count(text)
    shape = tensor_types.shape_of(text, family.arch, experts, importance is not None)
    tensor_types.check(kind, shape.weighed)
    chosen = tensor_types.choose([(tensor.name, tensor.shape) for tensor in named], kind, shape)
    types = {name: choice.type for name, choice in chosen.items()}
    if importance is not None:
        imatrix.fitting(importance, {tensor.name: tensor.shape for tensor in named})
        origin = {"imatrix": "given", **(origin or {})}
    weights = _digest(named)
    own = {**(origin or {}), "weights": weights}
    writer = _begun(model, tokenizer, path, kind, own, words)
    try:
        _write_tensors(writer, named, types, importance or {})
    finally:
        writer.close()
    return Written(path, weights, (*words.notes(), *families.notes(model.config)))


def _begun(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    path: Path,
    kind: str,
    own: Mapping[str, str],
    words: vocabulary.Vocabulary,
) -> gguf.GGUFWriter:
    """A writer that knows everything but the tensors."""
    family = families.of(model.config)
    logging.getLogger("gguf.gguf_writer").setLevel(logging.ERROR)
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[family.arch])
    _describe(writer, model, kind, own)
    families.write_fields(writer, family, model.config)
    vocabulary.write(writer, words, tokenizer, model.config)
    return writer


def bytes_of_fields(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Bytes that a file takes beside its tensors: the vocabulary above all."""
    words = vocabulary.read(tokenizer, int(model.config.get_text_config().vocab_size))
    with Scratch("fields") as folder:
        path = folder / "fields.gguf"
        writer = _begun(model, tokenizer, path, "F16", {}, words)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        return path.stat().st_size


def planned(model: PreTrainedModel, kind: str, weighed: bool) -> int:
    """Bytes that the tensors of a model will take in a file; may be on meta."""
    family = families.of(model.config)
    shapes = [(tensor.name, tensor.shape) for tensor in tensors.named(model, family)]
    text: Any = model.config.get_text_config()
    shape = tensor_types.shape_of(text, family.arch, families.expert_count(text), weighed)
    chosen = tensor_types.choose(shapes, kind, shape)
    return sum(quantizer.bytes_of(size, chosen[name].type) for name, size in shapes)


def _describe(
    writer: gguf.GGUFWriter, model: PreTrainedModel, kind: str, own: Mapping[str, str]
) -> None:
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(Path(model.name_or_path or "").name or "model")
    writer.add_file_type(tensor_types.FILE_TYPES[kind][0])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for key, value in sorted(own.items()):
        writer.add_string(KEY + key, value)


def _write_tensors(
    writer: gguf.GGUFWriter,
    named: Sequence[Named],
    types: Mapping[str, Type],
    importance: Mapping[str, Numbers],
) -> None:
    for tensor in named:
        size = quantizer.bytes_of(tensor.shape, types[tensor.name])
        writer.add_tensor_info(
            tensor.name, tensor.shape, np.dtype(np.float32), size, types[tensor.name]
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in named:
        values = _halved(tensor).astype(np.float32) if _is_half(tensor) else tensor.make().numpy()
        packed = quantizer.quantized(values, types[tensor.name], importance.get(tensor.name))
        writer.write_tensor_data(packed)


def _is_half(tensor: Named) -> bool:
    return not tensor_types.stays_whole(tensor.name, tensor.shape)


def _halved(tensor: Named) -> Numbers:
    """The values as the F16 file holds them, from which every other type is made."""
    values = tensor.make().numpy()
    with np.errstate(over="ignore"):
        half: Numbers = values.astype(np.float16)
    if not np.isfinite(half).all():
        raise RunError(
            f"{tensor.name} has weights that 16-bit floats cannot hold: no GGUF file is written."
        )
    return half


def _digest(named: Sequence[Named]) -> str:
    """A name for the values of a model: the same for every type that it is written in."""
    content = hashlib.sha256()
    for tensor in sorted(named, key=lambda tensor: tensor.name):
        values = _halved(tensor) if _is_half(tensor) else tensor.make().numpy()
        content.update(f"{tensor.name}\0{tensor.shape}\0".encode())
        content.update(np.ascontiguousarray(values).data)
    return "sha256:" + content.hexdigest()[:32]
