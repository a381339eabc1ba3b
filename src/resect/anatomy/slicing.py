"""Cut parts out of a model's tensors in place: what stays is copied, the rest is freed."""

from __future__ import annotations

from torch import Tensor, nn


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
