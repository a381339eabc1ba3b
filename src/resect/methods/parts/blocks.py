"""Whole decoder blocks, the ones that change their input least first.

Block influence BI = 1 - mean over tokens of cos(x, y), x a block's input and y its output
(ShortGPT, Men et al. 2024, arXiv:2403.03853, eq. 1).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy.block_removal import keep_
from resect.errors import RequestError, unknown
from resect.methods.calibration.calibration_text import Tokens
from resect.methods.calibration.capture import blocks_in_turn, squares
from resect.methods.options import Seed
from resect.methods.parts.structured import Group, Structured
from resect.methods.rng import uniform
from resect.methods.step import Context

_CRITERIA = ("influence", "random")
_ALL = "decoder blocks"


class Blocks(Structured):
    """`criterion`: influence (of the calibration text, on the intact model) or random by `seed`."""

    name = "blocks"
    unit = _ALL

    def __init__(self, criterion: str = "influence", seed: Seed = 0) -> None:
        if criterion not in _CRITERIA:
            raise unknown("criterion", str(criterion), _CRITERIA)
        self.criterion = criterion
        self.seed = seed
        self.random = criterion == "random"
        self.calibrated = criterion == "influence"

    def groups(self, model: PreTrainedModel) -> list[Group]:
        """All blocks are one group."""
        return [Group(_ALL, len(anatomy.read(model).blocks))]

    def scores(self, model: PreTrainedModel, context: Context) -> Mapping[str, Tensor]:
        """One score a block."""
        if self.random:
            return {_ALL: uniform(self.seed, _ALL, (len(anatomy.read(model).blocks),))}
        if context.text is None:
            raise RequestError("blocks needs calibration text: give --calibration.")
        return {_ALL: influence(model, context.text)}

    def cut_(self, model: PreTrainedModel, kept: Mapping[str, Tensor]) -> bool:
        """Take the other blocks out; the config and every block's place follow."""
        keep_(model, kept[_ALL].tolist())
        return True


def influence(model: PreTrainedModel, text: Tokens) -> Tensor:
    """Block influence of every block (L,), over all tokens of the text."""
    found = []
    for turn in blocks_in_turn(model, text, lambda _: False, squares, changing=False):
        pairs = zip(turn.hidden, turn.end(changed=False), strict=True)
        alike = [cosine_similarity(x.float(), y.float(), dim=-1).mean() for x, y in pairs]
        found.append(1 - torch.stack(alike).mean())
    return torch.stack(found)
