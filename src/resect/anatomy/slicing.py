"""Cut slices out of a model's tensors in place: what stays is copied, the rest is freed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from resect.anatomy import Matrix


def keep_(module: nn.Module, parameter: str, dim: int, index: Tensor) -> None:
    """Keep the slices `index` of a module's parameter or buffer along `dim`; None stays None.

    The feature counts of a linear layer follow its weight.
    """
    before = getattr(module, parameter, None)
    if before is None:
        return
    after = before.detach().index_select(dim, index.to(before.device)).contiguous()
    if isinstance(before, nn.Parameter):
        setattr(module, parameter, nn.Parameter(after, requires_grad=before.requires_grad))
    else:
        setattr(module, parameter, after)
    if isinstance(module, nn.Linear) and parameter == "weight":
        module.out_features, module.in_features = after.shape


def keep_slices_(cuts: Sequence[tuple[Matrix, int, Tensor]]) -> None:
    """Keep rows (0) or columns (1) of logical matrices: (matrix, 0 or 1, rising indices) each.

    Matrices that share a tensor (gate and up, query, key and value, all experts of a layer) must
    come in one call, and all experts keep equally many. Biases follow the rows.
    """
    by_tensor: dict[tuple[int, str], list[tuple[Matrix, int, Tensor]]] = {}
    for cut in cuts:
        by_tensor.setdefault((id(cut[0].owner), cut[0].parameter), []).append(cut)
    for shared in by_tensor.values():
        fused = not isinstance(shared[0][0].owner, nn.Linear)
        (_keep_experts_ if fused else _keep_linear_)(shared)


def _keep_linear_(cuts: Sequence[tuple[Matrix, int, Tensor]]) -> None:
    first, dim, index = cuts[0]
    linear = first.owner
    assert isinstance(linear, nn.Linear)
    if dim == 1:
        keep_(linear, "weight", 1, index)
        return
    size = linear.weight.shape[0]
    positions = [_within(matrix.index[:1], size, index) for matrix, _, index in cuts]
    rows = torch.cat(positions).sort().values
    keep_(linear, "weight", 0, rows)
    keep_(linear, "bias", 0, rows)


def _keep_experts_(cuts: Sequence[tuple[Matrix, int, Tensor]]) -> None:
    """Slices of a fused tensor (E, O, I) or, where transposed, (E, I, O), chosen per expert."""
    first, dim, _ = cuts[0]
    fused: nn.Parameter = getattr(first.owner, first.parameter)
    bias = getattr(first.owner, f"{first.parameter}_bias", None) if dim == 0 else None
    weight_axis = 1 + (dim if not first.transposed else 1 - dim)
    kept: dict[int, list[Tensor]] = {}
    for matrix, _, index in cuts:
        expert, *rest = matrix.index
        half = [part for part in rest if part != slice(None)]
        assert isinstance(expert, int)
        kept.setdefault(expert, []).append(_within(half, fused.shape[weight_axis], index))
    order = [torch.cat(kept[e]).sort().values.to(fused.device) for e in range(fused.shape[0])]

    def cut(tensor: nn.Parameter, axis: int) -> nn.Parameter:
        rows = [row.index_select(axis, order[e]) for e, row in enumerate(tensor.detach())]
        return nn.Parameter(torch.stack(rows), requires_grad=tensor.requires_grad)

    setattr(first.owner, first.parameter, cut(fused, weight_axis - 1))
    if bias is not None:
        setattr(first.owner, f"{first.parameter}_bias", cut(bias, 0))


def _within(part: Sequence[int | slice], size: int, index: Tensor) -> Tensor:
    """Indices within one part of a tensor's dimension as positions in the whole of `size`."""
    positions = torch.arange(size)
    return (positions[part[0]] if part else positions)[index.cpu()]
