"""Hidden channels: what the blocks hand on, as many in every matrix, norm and embedding.

- `activation`: |x| behind the norms, its mean over the tokens of a window, the root of the summed
  squares over the windows, the sum over the norms (Minitron, Muralidharan et al. 2024,
  arXiv:2407.14679, mean over the sequence and L2 over the batch).
- `random`: uniform, by seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy import hidden
from resect.errors import RequestError
from resect.methods.calibration.calibration_text import Tokens
from resect.methods.options import Seed, Whole
from resect.methods.parts.structured import Group, Structured, one_of
from resect.methods.rng import uniform
from resect.methods.step import Context

_ALL = "hidden channels"
_TRIED = 128  # widths, for one that the config takes: heads divide one of so many


class Hidden(Structured):
    """Removes the largest number of channels, at most the level's, that the config can say.

    `multiple_of` rounds the width up. Nothing is fitted: train the model after it.
    """

    name = "hidden"
    unit = _ALL

    def __init__(
        self, criterion: str = "activation", multiple_of: Whole = 1, seed: Seed = 0
    ) -> None:
        self.criterion = one_of("criterion", criterion, ("activation", "random"))
        self.multiple_of, self.seed = multiple_of, seed
        self.random = criterion == "random"
        self.calibrated = not self.random
        self.widths_: dict[tuple[int, int], hidden.Width | None] = {}

    def groups(self, model: PreTrainedModel) -> list[Group]:
        """All channels are one group."""
        return [Group(_ALL, hidden.size(model))]

    def fits(self, model: PreTrainedModel, levels: Any) -> None:
        """Refuses models that scale their embeddings by the hidden size, too."""
        super().fits(model, levels)
        stored = model.state_dict()
        scales = [n for n, b in model.named_buffers() if not b.dim() and n not in stored]
        if scales:
            raise RequestError(
                f"{type(model).__name__} computes {scales[0]} from its hidden size: its hidden "
                "channels cannot be cut without changing what stays."
            )

    def remaining(self, model: PreTrainedModel, group: Group, level: float) -> int:
        """The next width from that of the level up that the config can say."""
        least = super().remaining(model, group, level)
        together = any(m.index and not isinstance(m.owner, torch.nn.Linear)
                       for m in anatomy.read(model).matrices)  # fmt: skip
        step = max(self.multiple_of, 8 if together else 1)  # as kernels for all experts want
        first = -(-max(least, 1) // step) * step
        for width in islice(range(first, group.size, step), _TRIED):
            if hidden.size(model) <= width or self._width(model, width) is not None:
                return width
        if first + _TRIED * step < group.size:
            raise RequestError(
                f"no config of {type(model).__name__} has a hidden size of {first} or a little "
                "more: its hidden channels cannot be cut."
            )
        return group.size

    def _width(self, model: PreTrainedModel, width: int) -> hidden.Width | None:
        key = (hidden.size(model), width)
        if key not in self.widths_:
            self.widths_[key] = hidden.narrower(model, width)
        return self.widths_[key]

    def scores(self, model: PreTrainedModel, context: Context) -> Mapping[str, Tensor]:
        """One score a channel."""
        size = hidden.size(model)
        if self.random:
            return {_ALL: uniform(self.seed, _ALL, (size,))}
        widths = islice(range(size - 1, 0, -1), _TRIED)
        tried = (self._width(model, width) for width in widths)
        width = next((narrower for narrower in tried if narrower is not None), None)
        if width is None:
            return {_ALL: torch.zeros(size)}
        return {_ALL: activations(model, self.calibration(context), width)}

    def cut_(self, model: PreTrainedModel, staying: Mapping[str, Tensor]) -> bool:
        """Cut the channels out of every tensor that has them."""
        width = self._width(model, len(staying[_ALL]))
        if width is None:
            return len(staying[_ALL]) == hidden.size(model)
        hidden.keep_channels_(model, width, staying[_ALL])
        return True


@torch.no_grad()
def activations(model: PreTrainedModel, text: Tokens, width: hidden.Width) -> Tensor:
    """Minitron's importance of every hidden channel (D,)."""
    modules = hidden.norms(model, width)
    squares = torch.zeros(len(modules), hidden.size(model), dtype=torch.float64)

    def look(place: int) -> Any:
        def hook(_module: Any, _given: Any, output: Tensor) -> None:
            mean = output.reshape(-1, output.shape[-1]).double().abs().mean(0)
            squares[place] += mean.square().cpu()

        return hook

    hooks = [module.register_forward_hook(look(n)) for n, module in enumerate(modules)]
    try:
        for row in text.ids:
            model(row[None].to(model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return squares.sqrt().sum(0)
