"""What makes up for parts that are cut out: the projection that read them is fitted anew.

A projection W (D, C) reads channels x (C,). With H the sum of x x^T over the calibration tokens of
the intact model, S the channels that stay and R those that go:

- `lstsq`: the least-squares fit of W x by the channels that stay, (W H)[:, S] (H[S, S])^-1, as
  SlimGPT (Ling et al. 2024, arXiv:2412.18110) and SparseGPT update theirs. `damp` times the mean of
  diag(H) pulls towards the weights as they were.
- `bias`: W[:, R] mean(x)[R] is added to the bias (FLAP, An et al. 2023, arXiv:2312.11983).

Both are computed from the intact weights at every level, so that walking equals going straight.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from resect.anatomy import Matrix
from resect.anatomy.config import built, describes, fields, follow_
from resect.errors import RequestError
from resect.models.scratch import Scratch

UPDATES = ("auto", "lstsq", "bias", "none")


class Intact(NamedTuple):
    """A projection as it was, `weight` (D, C) and `bias` (D,), and what it read: `second` (C, C)
    is the sum of x x^T if it is needed, `mean` (C,).
    """

    weight: Tensor
    bias: Tensor | None
    second: Tensor | None
    mean: Tensor


class Archive:
    """Intact projections by name, on disk: memory holds one."""

    def __init__(self) -> None:
        self.folder = Scratch("projections")
        self.names: set[str] = set()

    def put(self, name: str, intact: Intact) -> None:
        """Store one."""
        torch.save(tuple(intact), self.folder.path / name)
        self.names.add(name)

    def get(self, name: str) -> Intact:
        """One as it was stored."""
        return Intact(*torch.load(self.folder.path / name, weights_only=True))


def least_squares(weight: Tensor, second: Tensor, stay: Tensor, damp: float) -> Tensor:
    """The weight (D, S) that reads only the channels `stay`, fitted to the whole (D, C); fp64."""
    weight, second = weight.double(), second.double()
    ridge = damping(second, damp)
    normal = second[stay][:, stay]
    normal.diagonal().add_(ridge)
    target = weight @ second[:, stay] + ridge * weight[:, stay]
    return torch.linalg.solve(normal, target.mT).mT


def damping(second: Tensor, damp: float) -> Tensor:
    """What is added to the diagonal; above 0 also where nothing was read."""
    return (damp * second.diagonal().mean()).clamp_min(torch.finfo(torch.float32).tiny)


def compensation(intact: Intact, stay: Tensor) -> Tensor:
    """The bias (D,) with what the channels that go add on average; fp64."""
    gone = torch.ones_like(intact.mean, dtype=torch.bool).index_fill(0, stay, False)
    lost = intact.weight.double()[:, gone] @ intact.mean.double()[gone]
    return lost if intact.bias is None else lost + intact.bias.double()


def bias_field(model: PreTrainedModel, projections: Sequence[Matrix]) -> tuple[str, list[str]]:
    """The field of the config that gives the projections a bias, and all modules that get one.

    Found by trying, as every other change of a config; ("", []) where they have one already.
    Raises `RequestError` where no field does.
    """
    lacking = {m.module for m in projections if getattr(m.owner, "bias", None) is None}
    if not lacking:
        return "", []
    linear = all(isinstance(m.owner, nn.Linear) for m in projections)
    for field, value in fields(model).items():
        if not linear or value is not False or "bias" not in field:
            continue
        modules = _biased_by(model, field)
        if lacking <= set(modules) and describes(
            model, {field: True}, partial(add_biases_, modules=modules)
        ):
            return field, modules
    raise RequestError(
        f"update=bias adds a bias to {next(iter(sorted(lacking)))}, and no field of this model's "
        "config allows one there: use update=lstsq."
    )


def _biased_by(model: PreTrainedModel, field: str) -> list[str]:
    """The modules that get a bias where a field of the config is true."""
    biased = built(model, {field: True})
    if biased is None:
        return []
    present = {name for name, _ in model.named_parameters()}
    added = {name for name, _ in biased.named_parameters()} - present
    return sorted(name.removesuffix(".bias") for name in added if name.endswith(".bias"))


def add_biases_(model: PreTrainedModel, modules: Sequence[str], field: str = "") -> None:
    """Give linear layers a bias of zeros where they have none; the config's `field` says so."""
    for name in modules:
        linear = model.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        if linear.bias is None:
            weight = linear.weight
            linear.bias = nn.Parameter(weight.new_zeros(len(weight)), weight.requires_grad)
    if field:
        follow_(model, {field: True})
