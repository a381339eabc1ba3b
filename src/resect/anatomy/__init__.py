"""Where a model's parts are: decoder blocks and the weight matrices inside them.

Parts are found by structure, not by class name; no other file knows an architecture.
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
    """One logical weight matrix (O, I): a linear layer's, or one projection of one expert.

    `name` is unique in the model and the same whether a checkpoint stores experts, gate and up,
    or query, key and value fused or apart. `owner` (the module called `module`) holds the
    parameter `parameter`, `index` picks the matrix out of a fused tensor, and where that tensor
    is stored (..., I, O) `transposed` says so. `site` names where its input can be seen: the
    linear, or an expert's input or inner activation.
    """

    name: str
    module: str
    owner: nn.Module
    parameter: str
    site: str
    index: tuple[int | slice, ...] = ()
    transposed: bool = False

    def weight(self) -> Tensor:
        """A view (O, I) of the weight as it stands now; writing to it changes the model."""
        found: Tensor = getattr(self.owner, self.parameter).data
        found = found[self.index] if self.index else found
        return found.mT if self.transposed else found


class Block(NamedTuple):
    """One decoder block and the matrices in it."""

    name: str
    module: nn.Module
    matrices: list[Matrix]


class Anatomy(NamedTuple):
    """`blocks` in order, and the weights outside them: `head` and `embedding`, if there are."""

    blocks: list[Block]
    head: Matrix | None
    embedding: Matrix | None

    @property
    def matrices(self) -> list[Matrix]:
        """The matrices of all decoder blocks, in the order of the model."""
        return [matrix for block in self.blocks for matrix in block.matrices]


def read(model: nn.Module) -> Anatomy:
    """Find the decoder blocks and their matrices; `RequestError` says what was not found."""
    config = getattr(model, "config", None)
    blocks = [Block(at, b, list(_matrices(b, at, config))) for at, b in decoder_blocks(model)]
    _recognised(model, blocks)
    names = {id(module): name for name, module in model.named_modules()}
    return Anatomy(blocks, *_ends(model, names))


def _recognised(model: nn.Module, blocks: list[Block]) -> None:
    """Raises `RequestError` where most of the blocks' weights lie in something unknown."""
    kind = type(model).__name__
    if not any(block.matrices for block in blocks):
        raise RequestError(f"{len(blocks)} blocks found in {kind}, but no linear layer in them.")
    known = {(m.module, m.parameter) for block in blocks for m in block.matrices}
    held = {
        (at, name): value.numel()
        for block in blocks
        for at, module in block.module.named_modules(prefix=block.name)
        for name, value in module.named_parameters(recurse=False)
    }
    share = sum(held[place] for place in known) / sum(held.values())
    if share < 0.5:
        at, name = max((p for p in held if p not in known), key=lambda place: held[place])
        raise RequestError(
            f"{len(blocks)} blocks found in {kind}, but only {share:.0%} of their weights in "
            f"linear layers or experts of a known kind: {at}.{name} is none."
        )


def _ends(model: nn.Module, names: dict[int, str]) -> tuple[Matrix | None, Matrix | None]:
    """Output head and input embedding, as transformers names them."""
    found = []
    for getter in ("get_output_embeddings", "get_input_embeddings"):
        module = getattr(model, getter)() if hasattr(model, getter) else None
        name = names.get(id(module), "")
        found.append(Matrix(name, name, module, "weight", name) if module is not None else None)
    return found[0], found[1]


def _matrices(block: nn.Module, prefix: str, config: Any) -> Iterator[Matrix]:
    left_alone = routers(block)
    for name, module in block.named_modules(prefix=prefix):
        # A linear layer of one row is a gate too: how much a shared expert counts.
        if isinstance(module, nn.Linear) and module.out_features > 1 and module not in left_alone:
            yield from _linear(name, module, config)
        for parameter, value in module.named_parameters(recurse=False):
            if value.dim() == 3 and parameter.endswith("_proj"):
                yield from _experts(name, module, parameter, value)


def _linear(name: str, module: nn.Linear, config: Any) -> Iterator[Matrix]:
    """A linear layer, or the parts that it holds one below the other (Phi-3's qkv, gate_up)."""
    stem, _, last = name.rpartition(".")
    if last == "gate_up_proj":
        parts = {"gate_proj": module.out_features // 2, "up_proj": module.out_features // 2}
    elif last == "qkv_proj" and config is not None:
        heads, kept = config.num_attention_heads, config.num_key_value_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // heads
        parts = {"q_proj": heads * size, "k_proj": kept * size, "v_proj": kept * size}
    else:
        yield Matrix(name, name, module, "weight", name)
        return
    start = 0
    for part, rows in parts.items():
        index = (slice(start, start + rows),)
        yield Matrix(f"{stem}.{part}", name, module, "weight", name, index)
        start += rows


def _experts(name: str, owner: nn.Module, parameter: str, fused: Tensor) -> Iterator[Matrix]:
    """The logical matrices of a fused expert tensor (E, O, I), or (E, I, O) where transposed.

    Gate and up lie one after the other along O, or interleaved; transformers marks which.
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
