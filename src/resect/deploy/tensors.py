"""A model's weights under llama.cpp's names, as llama.cpp lays them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

import gguf
import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.deploy import families
from resect.deploy.families import Family
from resect.errors import RequestError

_EXPERTS = ".mlp.experts."


class Named(NamedTuple):
    """One tensor of the file; `make` gives its values in fp32 on the CPU."""

    name: str
    shape: tuple[int, ...]
    make: Callable[[], Tensor]


def named(model: PreTrainedModel, family: Family) -> Iterator[Named]:
    """Every tensor of a model; raises `RequestError` for one that llama.cpp has no name for."""
    text: Any = model.config.get_text_config()
    tied = is_tied(model)
    for key, values in model.state_dict().items():
        if key == "lm_head.weight" and tied:
            continue
        for part, whole in parts(key, family):
            name = name_of(whole, family, text.num_hidden_layers)
            if name is None:
                raise RequestError(
                    f"llama.cpp has no place for {key} of {text.model_type}: this model cannot be "
                    "written as GGUF."
                )
            heads = _heads(key, text) if family.permuted else 0
            shape = tuple(part(values.detach().to("meta")).shape)
            yield Named(name, shape, partial(_laid_out, values, part, heads, _shift(key, family)))
    yield from _rotations(family, text)


def name_of(key: str, family: Family, blocks: int) -> str | None:
    """llama.cpp's name of a tensor, None where it has none."""
    name: str | None = _names(family.arch, blocks).get_name(key, try_suffixes=(".weight", ".bias"))
    return name


@cache
def _names(arch: gguf.MODEL_ARCH, blocks: int) -> gguf.TensorNameMap:
    return gguf.get_tensor_name_map(arch, blocks)  # thousands of names, for one tensor as for all


def is_tied(model: PreTrainedModel) -> bool:
    """Whether embeddings and head are one tensor, which llama.cpp stores once."""
    head: Any = model.get_output_embeddings()
    start: Any = model.get_input_embeddings()
    return head is None or head.weight is start.weight


def interleaved(values: Tensor, heads: int) -> Tensor:
    """Rows of every head, from two halves to pairs: how llama.cpp rotates them."""
    half = values.shape[0] // heads // 2
    split = values.reshape(heads, 2, half, *values.shape[1:])
    return split.swapaxes(1, 2).reshape(values.shape)


Part = Callable[[Tensor], Tensor]


def parts(key: str, family: Family) -> list[tuple[Part, str]]:
    """What becomes of a tensor: parts of it and their names; fused experts give two."""
    layer, experts, last = key.partition(_EXPERTS)
    if not experts:
        return [(_same, f"{key}.weight" if key.endswith(".sinks") else key)]
    is_bias = last.endswith("_bias")
    ending = ".bias" if is_bias else ".weight"
    turned = _turned if family.transposed and not is_bias else _same
    if last.removesuffix("_bias") == "down_proj":
        return [(turned, f"{layer}{experts}down_proj{ending}")]
    if last.removesuffix("_bias") != "gate_up_proj":
        return [(_same, key)]
    cut = _every_second if family.transposed else _half
    return [
        (partial(cut, turned=turned, at=at), f"{layer}{experts}{name}{ending}")
        for at, name in enumerate(("gate_proj", "up_proj"))
    ]


def _same(values: Tensor) -> Tensor:
    return values


def _turned(values: Tensor) -> Tensor:
    return values.mT


def _half(values: Tensor, turned: Part, at: int) -> Tensor:
    return turned(values).chunk(2, 1)[at]


def _every_second(values: Tensor, turned: Part, at: int) -> Tensor:
    return turned(values)[:, at::2]


def _heads(key: str, text: Any) -> int:
    """Heads whose rows are interleaved, 0 for any other tensor than query and key."""
    owner = key.rpartition(".")[0]
    if owner.endswith(".q_proj"):
        return int(text.num_attention_heads)
    return int(text.num_key_value_heads) if owner.endswith(".k_proj") else 0


def _shift(key: str, family: Family) -> float:
    return family.shift if key.endswith("norm.weight") else 0.0


@torch.no_grad()
def _laid_out(values: Tensor, part: Part, heads: int, shift: float) -> Tensor:
    plain = part(values.detach()).to("cpu", torch.float32)
    plain = interleaved(plain, heads) if heads else plain
    return (plain + shift if shift else plain).contiguous()


def _rotations(family: Family, text: Any) -> Iterator[Named]:
    """Tensors that only a config holds: by what rotations are slowed."""
    names = gguf.TENSOR_NAMES
    slowed = families.frequencies(text)
    if slowed is not None:
        yield _constant(names[gguf.MODEL_TENSOR.ROPE_FREQS], slowed)
    factors = families.long_factors(text)
    if factors is not None:
        yield _constant(names[gguf.MODEL_TENSOR.ROPE_FACTORS_LONG], factors[0])
        yield _constant(names[gguf.MODEL_TENSOR.ROPE_FACTORS_SHORT], factors[1])


def _constant(name: str, values: list[float]) -> Named:
    return Named(f"{name}.weight", (len(values),), lambda: torch.tensor(values))
