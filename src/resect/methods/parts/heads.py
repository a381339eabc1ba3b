"""Attention heads, whole groups of them or query heads evenly from every group.

`norm`: the norm of all weights of a head. `activation`: the root mean square of what it hands to
the output projection. For the other criteria see `channels`. With grouped queries, `by=group` takes
heads of keys and values with all their query heads, `by=query` equally many query heads from every
group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import Matrix, attention
from resect.anatomy.attention import Attention, spread
from resect.anatomy.config import describes, follow_
from resect.methods.masks import removed
from resect.methods.options import Above, Seed
from resect.methods.parts.channels import CHANNEL_SCORES, ChannelScores, Readout
from resect.methods.parts.projected import Projected
from resect.methods.parts.structured import Group, one_of
from resect.methods.step import Context


class Heads(Projected):
    """Removes the largest number of heads, at most the level's, that the config can describe.

    Families differ in the head counts that their config takes (Llama: divisors of the hidden
    size). Where it takes none, the heads are silenced in place: what the output projection reads
    of them is zero, and the model is no smaller.
    """

    name = "heads"
    version = 2
    channel_scores: ClassVar[ChannelScores] = {
        **CHANNEL_SCORES,
        "activation": lambda _, inputs: inputs.power,
    }

    def __init__(
        self,
        criterion: str = "obs",
        by: str = "group",
        update: str = "auto",
        damp: Above = 0.01,
        seed: Seed = 0,
    ) -> None:
        one_of("criterion", criterion, ("obs", *self.channel_scores, "taylor", "norm", "random"))
        self.by = one_of("by", by, ("group", "query"))
        super().__init__(criterion, update, damp, seed)
        self.unit = "groups of attention heads" if by == "group" else "query heads"
        self.describable_: dict[tuple[str, int], bool] = {}

    def groups(self, model: PreTrainedModel) -> list[Group]:
        """By group: one a layer, of heads of keys and values. By query: one for each of those."""
        if self.by == "group":
            return [Group(each.name, each.groups) for each in attention.read(model)]
        return [
            Group(f"{each.name}.{number}", each.heads // each.groups)
            for each in attention.read(model)
            for number in range(each.groups)
        ]

    def readouts(self, model: PreTrainedModel) -> list[Readout]:
        """Every output projection; keys and values belong to whole groups of heads only."""
        return [
            Readout(each.name, each.out, each.groups, (*_own(each), (each.key, 0), (each.value, 0)))
            if self.by == "group"
            else Readout(each.name, each.out, each.heads, _own(each))
            for each in attention.read(model)
        ]

    def read_channels(self, readout: Readout, staying: Mapping[str, Tensor]) -> Tensor:
        """The channels of every head that stays."""
        heads, size = self.heads_[readout.name]
        return spread(self._stay(readout.name, heads, staying)[0], size)

    def scores(self, model: PreTrainedModel, context: Context) -> Mapping[str, Tensor]:
        """One score a head or group."""
        attentions = attention.read(model)
        self.heads_ = {each.name: ((each.heads, each.groups), each.size) for each in attentions}
        scores = self.part_scores(model, context)
        if self.by == "group":
            return scores
        return {
            f"{each.name}.{number}": row
            for each in attentions
            for number, row in enumerate(scores[each.name].reshape(each.groups, -1))
        }

    def remaining(self, model: PreTrainedModel, group: Group, level: float) -> int:
        """The fewest that the config can say and the level allows; else what the level says."""
        asked = group.size - removed(group.size, level)
        counts = (count for count in range(asked, group.size) if self._takes(model, count))
        return next(counts, asked)

    def cut_(self, model: PreTrainedModel, staying: Mapping[str, Tensor]) -> bool:
        """Cut the others out where the config can say so, else silence them."""
        plans = [
            (each, *self._stay(each.name, (each.heads, each.groups), staying))
            for each in attention.read(model)
        ]
        first, queries, groups = plans[0]
        size = len(groups) if self.by == "group" else len(queries) // len(groups)
        if self._takes(model, size):
            changes = attention.changes(first, len(queries), len(groups))
            for each, stay, shared in plans:
                each.keep_(stay, shared)
            follow_(model, changes)
            return True
        for each, stay, _ in plans:
            gone = torch.ones(each.heads, dtype=torch.bool).index_fill(0, stay, False)
            each.silence_(gone.nonzero().squeeze(1))
        return False

    def _stay(
        self, name: str, counts: tuple[int, int], staying: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The query heads and the heads of keys and values that stay, of so many of each."""
        heads, groups = counts
        share = heads // groups
        if self.by == "group":
            return spread(staying[name], share), staying[name]
        queries = [staying[f"{name}.{number}"] + number * share for number in range(groups)]
        return torch.cat(queries), torch.arange(groups)

    def _takes(self, model: PreTrainedModel, count: int) -> bool:
        """Whether the config describes the model with `count` parts left in every group."""
        key = (model.config.to_json_string(), count)
        if key not in self.describable_:
            first = attention.read(model)[0]
            share = first.heads // first.groups
            groups = count if self.by == "group" else first.groups
            queries = count * (share if self.by == "group" else first.groups)

            def cut_(whole: PreTrainedModel) -> None:
                for each in attention.read(whole):
                    each.keep_(torch.arange(queries), torch.arange(groups))

            changes = attention.changes(first, queries, groups)
            self.describable_[key] = describes(model, changes, cut_)
        return self.describable_[key]


def _own(each: Attention) -> tuple[tuple[Matrix, int], ...]:
    """The matrices that every query head has its own part of."""
    return (each.query, 0), (each.out, 1)
