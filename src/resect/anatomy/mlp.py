"""Where the neurons are: the MLPs of the decoder blocks and of every expert in them.

A neuron is a row of gate and up, and the column of down that reads it. Legend: W width, D hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy import Matrix
from resect.anatomy.config import built, describes, fields
from resect.anatomy.slicing import keep_slices_
from resect.errors import RequestError


class Mlp(NamedTuple):
    """One MLP: `ups` are gate and up, or up alone, each (W, D); `down` is (D, W)."""

    name: str
    ups: tuple[Matrix, ...]
    down: Matrix

    @property
    def width(self) -> int:
        """How many neurons it has."""
        return self.down.weight().shape[1]

    @property
    def step(self) -> int:
        """A cut width must be a multiple of it.

        Kernels that run all experts of a layer at once need rows of 16 bytes: 8 weights in 16 bits.
        """
        return 8 if self.down.index else 1


class Width(NamedTuple):
    """The width of an MLP in the config: `times` the `value` of a field (shared experts add up)."""

    field: str
    value: int
    times: int


def read(model: PreTrainedModel) -> list[Mlp]:
    """The MLPs in the order of the model; raises `RequestError` where there is none.

    Two or three matrices of one module are an MLP if the last is shaped like the others transposed.
    """
    mlps = []
    for block in anatomy.read(model).blocks:
        together: dict[str, list[Matrix]] = {}
        for matrix in block.matrices:
            together.setdefault(matrix.name.rpartition(".")[0], []).append(matrix)
        for name, (*ups, down) in together.items():
            turned = down.weight().shape[::-1]
            if len(ups) in (1, 2) and all(up.weight().shape == turned for up in ups):
                mlps.append(Mlp(name, tuple(ups), down))
    if not mlps:
        raise RequestError(f"{type(model).__name__} has no MLP whose neurons can be cut.")
    return mlps


def widths(model: PreTrainedModel) -> dict[str, Width]:
    """The field of the config that sets each MLP's width, by the MLP's name.

    Fields are tried, large values first: the right one changes only the widths. Raises
    `RequestError` where no field sets a width: such a model could not be loaded after a cut.
    """
    now = {mlp.name: mlp.width for mlp in read(model)}
    followed: dict[str, Width] = {}
    numbers = {field: value for field, value in fields(model).items() if type(value) is int}
    for field, value in sorted(numbers.items(), key=lambda entry: -entry[1]):
        fits = value > 1 and any(width % value == 0 for width in now.values())
        if fits and len(followed) < len(now):
            followed = _following(model, now, field, value) | followed
    if lost := [name for name in now if name not in followed]:
        raise RequestError(
            f"no field of the config says how wide {lost[0]} is: with fewer neurons, the model "
            "could not be loaded again."
        )
    return followed


def _following(
    model: PreTrainedModel, widths_now: Mapping[str, int], field: str, value: int
) -> dict[str, Width]:
    """The MLPs whose widths, and nothing else, change with a field of the config."""
    smaller = built(model, {field: value - 1})
    widths_then = {} if smaller is None else _widths_of(smaller)
    if widths_then.keys() != widths_now.keys():
        return {}
    changed = {
        n: Width(field, value, w // value) for n, w in widths_now.items() if widths_then[n] != w
    }

    def cut_(whole: PreTrainedModel) -> None:
        keep_(whole, {n: torch.arange(w.times * (value - 1)) for n, w in changed.items()})

    return changed if changed and describes(model, {field: value - 1}, cut_) else {}


def keep_(model: PreTrainedModel, kept: Mapping[str, Tensor]) -> None:
    """Keep only the neurons `kept` (rising indices) of the MLPs named, in place."""
    named = [mlp for mlp in read(model) if mlp.name in kept]
    keep_slices_([(up, 0, kept[mlp.name]) for mlp in named for up in mlp.ups])
    keep_slices_([(mlp.down, 1, kept[mlp.name]) for mlp in named])


def _widths_of(model: PreTrainedModel) -> dict[str, int]:
    try:
        return {mlp.name: mlp.width for mlp in read(model)}
    except RequestError:
        return {}
