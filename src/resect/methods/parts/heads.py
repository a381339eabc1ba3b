"""Attention heads, whole groups of them or query heads evenly from every group.

`norm`: the norm of all weights of a head. `activation`: the root mean square of what it hands to
the output projection. With grouped queries, `by=group` takes heads of keys and values with all
their query heads, `by=query` equally many query heads from every group.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import attention as heads
from resect.anatomy.attention import Attention
from resect.anatomy.config import describes, follow_
from resect.errors import RequestError, unknown
from resect.methods.calibration.calibration_text import Tokens
from resect.methods.calibration.capture import blocks_in_turn, squares
from resect.methods.masks import removed
from resect.methods.options import Seed
from resect.methods.parts.structured import Group, Structured
from resect.methods.rng import uniform
from resect.methods.step import Context

_CRITERIA = ("norm", "activation", "random")
_BY = ("group", "query")


class Heads(Structured):
    """Removes the largest number of heads, at most the level's, that the config can describe.

    Families differ in the head counts that their config takes (Llama: divisors of the hidden
    size). Where it takes none, the heads are silenced in place: what the output projection reads
    of them is zero, and the model is no smaller.
    """

    name = "heads"

    def __init__(self, criterion: str = "norm", by: str = "group", seed: Seed = 0) -> None:
        for option, given, known in (("criterion", criterion, _CRITERIA), ("by", by, _BY)):
            if given not in known:
                raise unknown(option, str(given), known)
        self.criterion, self.by, self.seed = criterion, by, seed
        self.random = criterion == "random"
        self.calibrated = criterion == "activation"
        self.unit = "groups of attention heads" if by == "group" else "query heads"
        self.takes_: dict[tuple[str, int], bool] = {}

    def groups(self, model: PreTrainedModel) -> list[Group]:
        """By group: one a layer, of heads of keys and values. By query: one for each of those."""
        found = []
        for one in heads.read(model):
            if self.by == "group":
                found.append(Group(one.name, one.groups))
            else:
                size = one.heads // one.groups
                found += [Group(f"{one.name}.{k}", size) for k in range(one.groups)]
        return found

    def scores(self, model: PreTrainedModel, context: Context) -> Mapping[str, Tensor]:
        """One score a head or group."""
        found: dict[str, Tensor] = {}
        powers: Mapping[str, Tensor] = {}
        if self.criterion == "activation":
            if context.text is None:
                raise RequestError("heads by activation needs text: give --calibration.")
            powers = activation(model, context.text)
        for one in heads.read(model):
            if self.random:
                score = uniform(self.seed, f"{self.by} {one.name}", (one.heads,))
            else:
                score = powers[one.name] if powers else self._norms(one)
            by_group = score.reshape(one.groups, -1)
            if self.by == "group":
                found[one.name] = by_group[:, 0] if self.random else by_group.sum(1)
            else:
                found |= {f"{one.name}.{k}": row for k, row in enumerate(by_group)}
        return found

    def _norms(self, one: Attention) -> Tensor:
        """Summed squares of every query head's weights (H,), its share of key and value with it."""
        parts = [
            one.query.weight().float().square().reshape(one.heads, -1).sum(1),
            one.out.weight().float().square().mT.reshape(one.heads, -1).sum(1),
        ]
        if self.by == "group":
            share = one.heads // one.groups
            for shared in (one.key, one.value):
                rows = shared.weight().float().square().reshape(one.groups, -1).sum(1)
                parts.append(rows.repeat_interleave(share) / share)
        return torch.stack(parts).sum(0)

    def kept(self, model: PreTrainedModel, group: Group, level: float) -> int:
        """The fewest that the config can say and the level allows; else what the level says."""
        asked = group.size - removed(group.size, level)
        said = (count for count in range(asked, group.size) if self._takes(model, count))
        return next(said, asked)

    def cut_(self, model: PreTrainedModel, kept: Mapping[str, Tensor]) -> bool:
        """Cut the others out where the config can say so, else silence them."""
        plans = [(one, *self._stay(one, kept)) for one in heads.read(model)]
        first, queries, groups = plans[0]
        size = len(groups) if self.by == "group" else len(queries) // len(groups)
        if self._takes(model, size):
            changes = heads.changes(first, len(queries), len(groups))
            for one, stay, shared in plans:
                one.keep_(stay, shared)
            follow_(model, changes)
            return True
        for one, stay, _ in plans:
            gone = torch.ones(one.heads, dtype=torch.bool).index_fill(0, stay, False)
            one.silence_(gone.nonzero().squeeze(1))
        return False

    def _stay(self, one: Attention, kept: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The query heads and the heads of keys and values that stay."""
        if self.by == "group":
            return one.queries_of(kept[one.name]), kept[one.name]
        share = one.heads // one.groups
        queries = [kept[f"{one.name}.{k}"] + k * share for k in range(one.groups)]
        return torch.cat(queries), torch.arange(one.groups)

    def _takes(self, model: PreTrainedModel, count: int) -> bool:
        """Whether the config describes the model with `count` parts left in every group."""
        tried = (model.config.to_json_string(), count)
        if tried not in self.takes_:
            one = heads.read(model)[0]
            share = one.heads // one.groups
            groups = count if self.by == "group" else one.groups
            queries = count * (share if self.by == "group" else one.groups)

            def cut_(whole: PreTrainedModel) -> None:
                for each in heads.read(whole):
                    each.keep_(torch.arange(queries), torch.arange(groups))

            changes = heads.changes(one, queries, groups)
            self.takes_[tried] = describes(model, changes, cut_)
        return self.takes_[tried]


def activation(model: PreTrainedModel, text: Tokens) -> dict[str, Tensor]:
    """Mean squares of what every query head hands to the output projection (H,), by attention."""
    attentions = {one.out.site: one for one in heads.read(model)}
    wanted = {one.out.name for one in attentions.values()}
    found = {}
    for turn in blocks_in_turn(model, text, wanted.__contains__, squares, changing=False):
        for site, moments in turn.gather().items():
            one = attentions[site]
            found[one.name] = moments.total.reshape(one.heads, -1).sum(1) / moments.tokens
    return found
