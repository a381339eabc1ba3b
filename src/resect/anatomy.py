"""Where a model's parts are: decoder blocks and the weight matrices inside them.

Parts are found by structure, not by class name; no other file knows an architecture.
Legend: O out, I in, E experts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from resect.errors import RequestError


@dataclass(frozen=True)
class Matrix:
    """One logical weight matrix (O, I): a linear layer's, or one projection of one expert.

    `name` is unique in the model; `owner` holds the parameter `parameter`; `index` picks the
    matrix out of a fused expert tensor (E, ..., ...), empty for a plain linear.
    """

    name: str
    owner: nn.Module
    parameter: str
    index: tuple[int | slice, ...] = ()

    def weight(self) -> Tensor:
        """A view of the weight as it stands now; writing to it changes the model."""
        found: Tensor = getattr(self.owner, self.parameter).data
        return found[self.index] if self.index else found


class Anatomy(NamedTuple):
    """`blocks` in order; `matrices` of the decoder blocks, in the order of the model."""

    blocks: list[nn.Module]
    matrices: list[Matrix]


def read(model: nn.Module) -> Anatomy:
    """Find the decoder blocks (the module list that holds the most weights) and their matrices."""
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m)]
    if not lists:
        raise RequestError(
            f"no decoder blocks found in {type(model).__name__}: it has no module list."
        )
    blocks = max(lists, key=lambda m: sum(p.numel() for p in m.parameters()))
    names = {id(module): name for name, module in model.named_modules()}
    matrices = [m for block in blocks for m in _matrices(block, names[id(block)])]
    if not matrices:
        raise RequestError(f"no linear layers found in the blocks of {type(model).__name__}.")
    return Anatomy(list(blocks), matrices)


def _matrices(block: nn.Module, prefix: str) -> Iterator[Matrix]:
    for name, module in block.named_modules(prefix=prefix):
        if isinstance(module, nn.Linear):
            yield Matrix(name, module, "weight")
        for parameter, value in module.named_parameters(recurse=False):
            if value.dim() == 3:
                yield from _experts(f"{name}.{parameter}", module, parameter, value)


def _experts(name: str, owner: nn.Module, parameter: str, fused: Tensor) -> Iterator[Matrix]:
    """The logical matrices of a fused expert tensor (E, O, I), or (E, I, O) where transposed.

    Gate and up lie one after the other along O, or interleaved; transformers marks which.
    """
    transposed = getattr(owner, "is_transposed", False)
    concatenated = getattr(owner, "is_concatenated", True)
    for expert in range(fused.shape[0]):
        if "gate_up" not in parameter:
            yield Matrix(f"{name}.{expert}", owner, parameter, (expert,))
            continue
        width = fused.shape[2 if transposed else 1]
        halves = (
            (slice(0, width // 2), slice(width // 2, width))
            if concatenated
            else (slice(0, width, 2), slice(1, width, 2))
        )
        for part, half in zip(("gate", "up"), halves, strict=True):
            index = (expert, slice(None), half) if transposed else (expert, half)
            yield Matrix(f"{name}.{expert}.{part}", owner, parameter, index)
