"""Where a model's parts are: its decoder blocks and the weight matrices inside them.

Parts are found by structure, not by class name; nothing outside this package knows architectures.
Legend: O out, I in, E experts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn

from resect.anatomy.decoder import decoder_blocks
from resect.anatomy.mixtures import routers
from resect.errors import RequestError


@dataclass(frozen=True)
class Matrix:
    """One logical weight matrix (O, I): of a linear layer, or of one projection of one expert.

    `name` is unique in the model, and the same whether experts, gate and up, or query, key and
    value are stored fused or one by one. `owner` (the module called `module`) holds the parameter
    `parameter`, `index` picks the matrix out of a fused tensor, and `transposed` says that this
    tensor is (..., I, O). `site` names where its input can be captured: the linear layer, or an
    expert's input or inner activation.
    """

    name: str
    module: str
    owner: nn.Module
    parameter: str
    site: str
    index: tuple[int | slice, ...] = ()
    transposed: bool = False

    def weight(self) -> Tensor:
        """A view (O, I) of the current weight; writing to it changes the model."""
        weight: Tensor = getattr(self.owner, self.parameter).data
        weight = weight[self.index] if self.index else weight
        return weight.mT if self.transposed else weight


class Block(NamedTuple):
    """One decoder block and the matrices in it."""

    name: str
    module: nn.Module
    matrices: list[Matrix]


class Anatomy(NamedTuple):
    """The decoder blocks in order, and the output head and input embedding, if there are any."""

    blocks: list[Block]
    head: Matrix | None
    embedding: Matrix | None

    @property
    def matrices(self) -> list[Matrix]:
        """The matrices of all decoder blocks, in the order of the model."""
        return [matrix for block in self.blocks for matrix in block.matrices]


def read(model: nn.Module) -> Anatomy:
    """Find the decoder blocks and their matrices; raises `RequestError` where there are none."""
    config = getattr(model, "config", None)
    blocks = [
        Block(name, module, list(_matrices(module, name, config)))
        for name, module in decoder_blocks(model)
    ]
    _check_coverage(model, blocks)
    names = {id(module): name for name, module in model.named_modules()}
    return Anatomy(blocks, *_ends(model, names))


def _check_coverage(model: nn.Module, blocks: list[Block]) -> None:
    """Raises `RequestError` where most of the blocks' weights are in modules of an unknown kind."""
    model_class = type(model).__name__
    if not any(block.matrices for block in blocks):
        raise RequestError(
            f"{len(blocks)} blocks found in {model_class}, but no linear layer in them: this model "
            "cannot be pruned."
        )
    known = {(m.module, m.parameter) for block in blocks for m in block.matrices}
    sizes = {
        (owner, name): value.numel()
        for block in blocks
        for owner, module in block.module.named_modules(prefix=block.name)
        for name, value in module.named_parameters(recurse=False)
    }
    share = sum(sizes[place] for place in known) / sum(sizes.values())
    if share < 0.5:
        owner, name = max((p for p in sizes if p not in known), key=lambda place: sizes[place])
        raise RequestError(
            f"{len(blocks)} blocks found in {model_class}, but only {share:.0%} of their weights "
            f"in linear layers or experts of a known kind, and {owner}.{name} is not: this model "
            "cannot be pruned."
        )


def _ends(model: nn.Module, names: dict[int, str]) -> tuple[Matrix | None, Matrix | None]:
    """Output head and input embedding, as transformers names them."""
    ends = []
    for getter in ("get_output_embeddings", "get_input_embeddings"):
        module = getattr(model, getter)() if hasattr(model, getter) else None
        name = names.get(id(module), "")
        ends.append(Matrix(name, name, module, "weight", name) if module is not None else None)
    return ends[0], ends[1]


def _matrices(block: nn.Module, prefix: str, config: Any) -> Iterator[Matrix]:
    excluded = routers(block)
    for name, module in block.named_modules(prefix=prefix):
        # A linear layer with one row is a gate, too: the weight of a shared expert.
        if isinstance(module, nn.Linear) and module.out_features > 1 and module not in excluded:
            yield from _linear(name, module, config)
        for parameter, value in module.named_parameters(recurse=False):
            if value.dim() == 3 and parameter.endswith("_proj"):
                yield from _experts(name, module, parameter, value)


def _linear(name: str, module: nn.Linear, config: Any) -> Iterator[Matrix]:
    """A linear layer, or the matrices that it stacks (Phi-3's qkv, gate_up)."""
    stem, _, last = name.rpartition(".")
    if last == "gate_up_proj":
        rows_of = {"gate_proj": module.out_features // 2, "up_proj": module.out_features // 2}
    elif last == "qkv_proj" and config is not None:
        heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // heads
        rows_of = {"q_proj": heads * size, "k_proj": kv_heads * size, "v_proj": kv_heads * size}
    else:
        yield Matrix(name, name, module, "weight", name)
        return
    start = 0
    for part, rows in rows_of.items():
        index = (slice(start, start + rows),)
        yield Matrix(f"{stem}.{part}", name, module, "weight", name, index)
        start += rows


def _experts(name: str, owner: nn.Module, parameter: str, fused: Tensor) -> Iterator[Matrix]:
    """The logical matrices of a fused expert tensor (E, O, I), or (E, I, O) where transposed.

    Gate and up follow each other along O, or are interleaved; transformers says which.
    """
    transposed = bool(getattr(owner, "is_transposed", False))
    concatenated = getattr(owner, "is_concatenated", True)
    for expert in range(fused.shape[0]):
        stem = f"{name}.{expert}"
        site = f"{stem}.{'inner' if parameter == 'down_proj' else 'input'}"
        if parameter != "gate_up_proj":
            yield Matrix(f"{stem}.{parameter}", name, owner, parameter, site, (expert,), transposed)
            continue
        width = fused.shape[2 if transposed else 1]
        halves = (
            (slice(0, width // 2), slice(width // 2, width))
            if concatenated
            else (slice(0, width, 2), slice(1, width, 2))
        )
        for part, half in zip(("gate_proj", "up_proj"), halves, strict=True):
            index = (expert, slice(None), half) if transposed else (expert, half)
            yield Matrix(f"{stem}.{part}", name, owner, parameter, site, index, transposed)
