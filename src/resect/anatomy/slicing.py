"""Cut parts out of a model's tensors in place: what stays is copied, the rest is freed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from resect.anatomy import Matrix


def keep_(module: nn.Module, parameter: str, dim: int, index: Tensor) -> None:
    """Keep the slices `index` of a module's parameter or buffer along `dim`; None stays None.

    A linear layer's feature counts follow its weight.
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


def keep_outputs_(linear: nn.Linear, index: Tensor) -> None:
    """Keep rows of a linear layer's weight (O, I), and their biases."""
    keep_(linear, "weight", 0, index)
    keep_(linear, "bias", 0, index)


def keep_inputs_(linear: nn.Linear, index: Tensor) -> None:
    """Keep columns of a linear layer's weight (O, I)."""
    keep_(linear, "weight", 1, index)


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
        keep_inputs_(linear, index)
        return
    size = linear.weight.shape[0]
    parts = [_within(matrix.index[:1], size, index) for matrix, _, index in cuts]
    keep_outputs_(linear, torch.cat(parts).sort().values)


def _keep_experts_(cuts: Sequence[tuple[Matrix, int, Tensor]]) -> None:
    """Slices of a fused tensor (E, O, I) or, where transposed, (E, I, O), each expert its own."""
    first, dim, _ = cuts[0]
    fused: nn.Parameter = getattr(first.owner, first.parameter)
    bias = getattr(first.owner, f"{first.parameter}_bias", None) if dim == 0 else None
    along = 1 + (dim if not first.transposed else 1 - dim)
    kept: dict[int, list[Tensor]] = {}
    for matrix, _, index in cuts:
        expert, *rest = matrix.index
        half = [part for part in rest if part != slice(None)]
        assert isinstance(expert, int)
        kept.setdefault(expert, []).append(_within(half, fused.shape[along], index))
    order = [torch.cat(kept[e]).sort().values.to(fused.device) for e in range(fused.shape[0])]

    def cut(tensor: nn.Parameter, at: int) -> nn.Parameter:
        rows = [row.index_select(at, order[e]) for e, row in enumerate(tensor.detach())]
        return nn.Parameter(torch.stack(rows), requires_grad=tensor.requires_grad)

    setattr(first.owner, first.parameter, cut(fused, along - 1))
    if bias is not None:
        setattr(first.owner, f"{first.parameter}_bias", cut(bias, 0))


def _within(part: Sequence[int | slice], size: int, index: Tensor) -> Tensor:
    """Positions along a tensor's dimension of `size` of the indices of a part of it."""
    whole = torch.arange(size)
    return (whole[part[0]] if part else whole)[index.cpu()]
