"""Whole decoder blocks.

- `loss`: the block goes without which the model's loss on the first ten windows of the calibration
  text is lowest, then the next one in what is left (SLEB, Song et al. 2024, arXiv:2402.09025).
- `influence`: 1 - mean over tokens of cos(x, y), x a block's input and y its output; the lowest go
  first (ShortGPT, Men et al. 2024, arXiv:2403.03853, eq. 1).
- `random`: uniform, by seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy.block_removal import keep_
from resect.calibration.calibration_text import Tokens
from resect.calibration.capture import blocks_in_turn, squares
from resect.methods.options import Seed
from resect.methods.parts.structured import Group, Structured, one_of
from resect.methods.rng import uniform
from resect.methods.step import Context

_ALL = "decoder blocks"
_WINDOWS = 10  # that the loss is taken over


class Blocks(Structured):
    """`criterion`: loss or influence (of the intact model on the calibration text), or random."""

    name = "blocks"
    unit = _ALL
    version = 2

    def __init__(self, criterion: str = "loss", seed: Seed = 0) -> None:
        self.criterion = one_of("criterion", criterion, ("loss", "influence", "random"))
        self.seed = seed
        self.random = criterion == "random"
        self.calibrated = not self.random

    def groups(self, model: PreTrainedModel) -> list[Group]:
        """All blocks are one group."""
        return [Group(_ALL, len(anatomy.read(model).blocks))]

    def rank(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Rank by the criterion; by loss only as many as the highest level takes."""
        if self.criterion != "loss":
            super().rank(model, levels, context)
            return
        (group,) = self.groups(model)
        most = max(
            (group.size - self.remaining(model, group, level) for level in levels), default=0
        )
        self.order_ = {_ALL: by_loss(model, self.calibration(context), most)}

    def scores(self, model: PreTrainedModel, context: Context) -> Mapping[str, Tensor]:
        """One score a block."""
        if self.random:
            return {_ALL: uniform(self.seed, _ALL, (len(anatomy.read(model).blocks),))}
        return {_ALL: influence(model, self.calibration(context))}

    def cut_(self, model: PreTrainedModel, staying: Mapping[str, Tensor]) -> bool:
        """Take the other blocks out; the config and every block's place follow."""
        keep_(model, staying[_ALL].tolist())
        return True


def influence(model: PreTrainedModel, text: Tokens) -> Tensor:
    """Block influence of every block (L,), over all tokens of the text."""
    scores = []
    for turn in blocks_in_turn(model, text, lambda _: False, squares, changing=False):
        pairs = zip(turn.hidden, turn.end(changed=False), strict=True)
        alike = [cosine_similarity(x.float(), y.float(), dim=-1).mean() for x, y in pairs]
        scores.append(1 - torch.stack(alike).mean())
    return torch.stack(scores)


def by_loss(model: PreTrainedModel, text: Tokens, most: int) -> Tensor:
    """The blocks (L,) in the order in which they go, the first `most` of them by loss."""
    modules = [block.module for block in anatomy.read(model).blocks]
    gone: list[int] = []
    for _ in range(most):
        left = [number for number in range(len(modules)) if number not in gone]
        losses = [loss_without(model, text, [modules[k] for k in (*gone, n)]) for n in left]
        gone.append(left[losses.index(min(losses))])
    return torch.tensor(gone + [number for number in range(len(modules)) if number not in gone])


@torch.no_grad()
def loss_without(model: PreTrainedModel, text: Tokens, blocks: Sequence[nn.Module]) -> float:
    """The summed loss of the first windows where some blocks pass on what comes in."""
    with ExitStack() as undo:
        for block in blocks:
            own = vars(block).get("forward")  # accelerate sets one
            undo.callback(_restore, block, own)
            block.forward = _pass_on
        rows = [row[None].to(model.device) for row in text.ids[:_WINDOWS]]
        return sum(float(model(ids, labels=ids, use_cache=False).loss) for ids in rows)


def _pass_on(hidden: Tensor, *_: object, **__: object) -> Tensor:
    return hidden


def _restore(module: nn.Module, own: object) -> None:
    if own is None:
        del module.forward
    else:
        module.forward = own  # type: ignore[assignment]
