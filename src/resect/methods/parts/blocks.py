"""Whole decoder blocks.

- `loss`: the block goes without which the model's loss on the calibration text (of ten windows the
  first 256 tokens) is lowest, then the next one in what is left (SLEB, Song et al. 2024,
  arXiv:2402.09025).
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
from resect.methods.calibration.calibration_text import Tokens
from resect.methods.calibration.capture import blocks_in_turn, squares
from resect.methods.calibration.resuming import instead, pass_on
from resect.methods.options import Seed
from resect.methods.parts.structured import Group, Structured, one_of
from resect.methods.rng import uniform
from resect.methods.step import Context

_ALL = "decoder blocks"
_WINDOWS, _TOKENS = 10, 256  # that the loss is taken over, at most


class Blocks(Structured):
    """`criterion`: influence or loss (of the intact model on the calibration text), or random."""

    name = "blocks"
    unit = _ALL

    def __init__(self, criterion: str = "influence", seed: Seed = 0) -> None:
        self.criterion = one_of("criterion", criterion, ("influence", "loss", "random"))
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
    gone: list[int] = []
    for _ in range(most):
        losses = losses_without(model, text, gone)
        gone.append(min(losses, key=losses.__getitem__))
    count = len(anatomy.read(model).blocks)
    return torch.tensor(gone + [number for number in range(count) if number not in gone])


@torch.no_grad()
def losses_without(model: PreTrainedModel, text: Tokens, gone: Sequence[int]) -> dict[int, float]:
    """By the place of each block: the summed loss without it and without those `gone`.

    A block that is left out passes on what comes in. What comes to a block does not depend on it,
    so the blocks before it are not run again.
    """
    text = Tokens(text.ids[:_WINDOWS, :_TOKENS])
    modules = [block.module for block in anatomy.read(model).blocks]
    losses: dict[int, float] = {}
    with ExitStack() as undo:
        for number in gone:
            undo.enter_context(instead(modules[number], pass_on))
        turns = blocks_in_turn(model, text, lambda _: False, squares, changing=False)
        for number, turn in enumerate(turns):
            if number in gone:
                continue
            with ExitStack() as before:
                for module in modules[:number]:
                    before.enter_context(instead(module, pass_on))
                losses[number] = sum(
                    _loss(model, modules[number], hidden, row)
                    for hidden, row in zip(turn.hidden, text.ids, strict=True)
                )
    return losses


def _loss(model: PreTrainedModel, block: nn.Module, hidden: Tensor, row: Tensor) -> float:
    """The loss of one window where a block puts out `hidden`."""
    ids = row[None].to(model.device)
    with instead(block, lambda *_, **__: hidden):
        return float(model(ids, labels=ids, use_cache=False).loss)
