"""Cut the routed experts that a criterion finds least worth keeping, as many in every layer.

The calibration text is routed as the model routes it, and every expert runs on its own tokens only.
Over the tokens t that come to expert j, with gate g_j(t) as the model multiplies it (renormalised
over the chosen experts where the model does so) and output f_j(t):

- `frequency`: how many there are; `gate`: sum of g_j(t).
- `ean`: sum of |f_j(t)|_2 (expert activation norm, as in Jaiswal et al. 2025, arXiv:2504.05586).
- `reap`: mean of g_j(t) |f_j(t)|_2 (Lasby et al. 2025, arXiv:2510.13999).
- `easy-ep`: sum of g_j(t) |f_j(t)|_2 (1 - cos(h, h + r)), where h is the residual stream that
  comes to the mixture and r what its routed experts add (Dong et al. 2025, arXiv:2504.06792).
- `naee`: the subset that changes the layer's output least, by trying all (see `naee`).
- `random`: uniform, by seed and layer.

With `how=merge` experts that write alike become one instead (see `merging`).

Legend: E experts of a layer, G routing groups, S sequences of T tokens, D hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import mixtures as anatomy
from resect.anatomy.mixtures import Mixture, Routing
from resect.errors import RequestError
from resect.methods.calibration.calibration_text import Tokens, name_of
from resect.methods.calibration.capture import Seen, blocks_in_turn, squares
from resect.methods.masks import removed
from resect.methods.options import Seed, Whole
from resect.methods.parts import merging, naee
from resect.methods.parts.merging import Tree
from resect.methods.parts.structured import Group, Structured, one_of
from resect.methods.rng import uniform
from resect.methods.step import Context
from resect.spec import Calibration

_TOKENS = 1 << 14  # tokens that go through a layer's experts at once, at least


@dataclass(frozen=True)
class Tally:
    """Sums over the calibration tokens of each expert of a layer, (E,) fp64."""

    tokens: Tensor
    gates: Tensor
    norms: Tensor
    weighted: Tensor
    moved: Tensor

    @classmethod
    def empty(cls, size: int) -> Tally:
        """Nothing seen yet."""
        return cls(*(torch.zeros(size, dtype=torch.float64) for _ in range(5)))

    def add(self, routing: Routing, norms: Tensor, moved: Tensor) -> None:
        """More tokens': output norms (T, E), 0 where not chosen, and 1 - cosine (T,)."""
        weighted = routing.gates.double() * norms
        self.tokens.add_(routing.chosen.sum(0).cpu())
        self.gates.add_(routing.gates.double().sum(0).cpu())
        self.norms.add_(norms.sum(0).cpu())
        self.weighted.add_(weighted.sum(0).cpu())
        self.moved.add_((weighted * moved[:, None]).sum(0).cpu())


CRITERIA: dict[str, Callable[[Tally], Tensor]] = {
    "frequency": lambda tally: tally.tokens,
    "gate": lambda tally: tally.gates,
    "ean": lambda tally: tally.norms,
    "easy-ep": lambda tally: tally.moved,
    "reap": lambda tally: tally.weighted / tally.tokens.clamp(min=1),
}
"""Scores (E,) of a layer's experts; one that no token comes to has score 0."""


class Experts(Structured):
    """Cut routed experts; router rows and the config follow. `seed` defaults to the study's.

    `how`: `cut` by a criterion, or `merge` by what they write, each counted by its frequency.

    `data` is a calibration text of the step's own, of which `nsamples` windows of `seqlen` tokens
    are drawn by the seed; the study's text where none is named. Where a model routes in groups,
    every group loses the same number.
    """

    name = "experts"
    unit = "experts"

    def __init__(
        self,
        criterion: str = "reap",
        how: str = "cut",
        data: str = "",
        nsamples: Whole = 128,
        seqlen: Whole = 2048,
        seed: Seed = 0,
    ) -> None:
        self.criterion = one_of("criterion", criterion, (*CRITERIA, "naee", "random"))
        self.how = one_of("how", how, ("cut", "merge"))
        if how == "merge" and criterion not in ("reap", "frequency"):
            raise RequestError(
                f"how=merge clusters experts by what they write, not by {criterion}: leave out "
                "criterion."
            )
        self.trees_: dict[str, list[Tree]] = {}
        self.seed = seed
        self.random = criterion == "random"
        if self.random and data:
            raise RequestError("random removal reads no text: leave out data.")
        self.text = (
            Calibration.of(data=data, nsamples=nsamples, seqlen=seqlen, seed=seed) if data else None
        )
        self.calibrated = not self.random and self.text is None
        self.nested = criterion != "naee" and how == "cut"

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """The step's own text, as it is read."""
        return (name_of(self.text, data_dir),) if self.text else ()

    def groups(self, model: PreTrainedModel) -> list[Group]:
        """Every layer's experts, or every routing group of them."""
        return [
            Group(name, mixture.size // mixture.groups)
            for mixture in anatomy.find(model)
            for name in _names(mixture)
        ]

    def remaining(self, model: PreTrainedModel, group: Group, level: float) -> int:
        """All but floor(level x size); as many as the router needs must stay."""
        mixture = anatomy.first(model)
        count, least = group.size - removed(group.size, level), mixture.least
        if count < least:
            most = (group.size - least) / group.size
            where = " in every routing group" if mixture.groups > 1 else " in every layer"
            raise RequestError(
                f"experts:{level:g} leaves {count} of {group.size} experts{where}, and this model "
                f"routes over {least}: cut no more than {most:g}."
            )
        if self.criterion == "naee":
            naee.check(mixture, count)
        return count

    def rank(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Rank by the criterion, find the best subset of every level, or cluster."""
        if self.how == "merge":
            self.trees_ = {
                mixture.name: merging.trees(mixture, passed)
                for mixture, passed in _in_turn(model, self._tokens(model, context))
            }
            self.tree_of_ = {
                name: tree
                for mixture in anatomy.find(model)
                for name, tree in zip(_names(mixture), self.trees_[mixture.name], strict=True)
            }
            return
        if self.criterion != "naee":
            super().rank(model, levels, context)
            return
        groups = self.groups(model)
        counts = {self.remaining(model, group, v) for group in groups for v in levels}
        whole = groups[0].size
        self.best_ = {(group.name, whole): torch.arange(whole) for group in groups}
        self.best_ |= {
            (name, count): index
            for mixture, passed in _in_turn(model, self._tokens(model, context))
            for count, best in naee.best(
                mixture, [batch.inputs for batch in passed], counts - {whole}
            ).items()
            for name, index in zip(_names(mixture), best, strict=True)
        }

    def stay(self, group: Group, count: int) -> Tensor:
        """The best of the ranking, the best subset, or the most frequent of every cluster."""
        if self.how == "merge":
            return self.tree_of_[group.name].leaders(count)
        if self.criterion == "naee":
            return self.best_[group.name, count]
        return super().stay(group, count)

    def scores(self, model: PreTrainedModel, context: Context) -> Mapping[str, Tensor]:
        """Scores (E / G,) of every group."""
        if self.random:
            groups = self.groups(model)
            return {g.name: uniform(self.seed, g.name, (g.size,)) for g in groups}
        scores: dict[str, Tensor] = {}
        self.unreached_: dict[str, Tensor] = {}
        for mixture, passed in _in_turn(model, self._tokens(model, context)):
            tally = tallied(mixture, passed)
            score = CRITERIA[self.criterion](tally)
            names, count = _names(mixture), mixture.groups
            scores |= zip(names, score.chunk(count), strict=True)
            self.unreached_ |= zip(names, (tally.tokens == 0).chunk(count), strict=True)
        return scores

    def notes(self, staying: Mapping[str, Tensor]) -> tuple[str, ...]:
        """Where a cut falls among experts that no calibration token came to, position decides."""
        if self.random or self.criterion == "naee" or self.how == "merge":
            return ()
        split = [
            name
            for name, index in staying.items()
            if 0 < int(self.unreached_[name][index].sum()) < int(self.unreached_[name].sum())
        ]
        if not split:
            return ()
        return (
            f"in {len(split)} of {len(staying)} groups the cut falls among experts that no "
            "calibration token came to: the first ones went",
        )

    def cut_(self, model: PreTrainedModel, staying: Mapping[str, Tensor]) -> bool:
        """Slice experts and routers, after those that go were merged into those that stay."""
        whole = {}
        for mixture in anatomy.find(model):
            size = mixture.size // mixture.groups
            if mixture.name in self.trees_:
                count = len(staying[_names(mixture)[0]])
                merging.merge_(mixture, self.trees_[mixture.name], count)
            parts = [staying[name] + number * size for number, name in enumerate(_names(mixture))]
            whole[mixture.name] = torch.cat(parts)
        anatomy.cut_(model, whole)
        return True

    def _tokens(self, model: PreTrainedModel, context: Context) -> Tokens:
        return context.tokens(self.text, model) if self.text else self.calibration(context)


def _names(mixture: Mixture) -> list[str]:
    """Names of a layer's groups."""
    if mixture.groups == 1:
        return [mixture.name]
    return [f"{mixture.name}.group{number}" for number in range(mixture.groups)]


class Passed(NamedTuple):
    """Some sequences' way through a mixture: `inputs` and `outputs` (S, T, D) of its module, and
    what the block around it puts out.
    """

    inputs: Tensor
    outputs: Tensor
    block: Tensor


def _in_turn(model: PreTrainedModel, text: Tokens) -> Iterator[tuple[Mixture, Iterator[Passed]]]:
    """Every mixture, and the sequences of the text that come to it; blocks run in turn."""
    mixtures = anatomy.find(model)
    for turn in blocks_in_turn(model, text, lambda _: False, squares, changing=False):
        for mixture in mixtures:
            if mixture.name.startswith(turn.block.name + "."):
                yield mixture, _together(turn.watch([mixture.module]))


def _together(seen: Iterator[Seen]) -> Iterator[Passed]:
    """Sequences (1, T, D) put together, so that few tokens do not mean many small operations."""
    rows: list[tuple[Tensor, Tensor, Tensor]] = []
    for sequence in seen:
        output = sequence.outputs[0]
        output = output[0] if isinstance(output, tuple) else output
        rows.append((sequence.inputs[0][0], output, sequence.output))
        if len(rows) * sequence.output.shape[1] >= _TOKENS:
            yield Passed(*map(torch.cat, zip(*rows, strict=True)))
            rows = []
    if rows:
        yield Passed(*map(torch.cat, zip(*rows, strict=True)))


def tallied(mixture: Mixture, passed: Iterator[Passed]) -> Tally:
    """What the calibration tokens of one layer's experts amount to; each runs on its own only."""
    tally = Tally.empty(mixture.size)
    for batch in passed:
        routing = anatomy.route(mixture, batch.inputs)
        norms = torch.zeros_like(routing.gates, dtype=torch.float64)
        for expert in range(mixture.size):
            rows = routing.chosen[:, expert].nonzero().squeeze(-1)
            if len(rows):
                output = mixture.output(expert, routing.inputs[rows])
                norms[rows, expert] = output.double().norm(dim=-1)
        tally.add(routing, norms, _moved(batch, routing))
    return tally


def _moved(batch: Passed, routing: Routing) -> Tensor:
    """1 - cosine (S x T,) of the residual stream before and after the routed experts' part."""
    whole = batch.outputs.double().flatten(0, -2)
    before = batch.block.double().flatten(0, -2) - whole
    after = before + whole - routing.rest.double()
    return (1 - torch.cosine_similarity(before, after, dim=-1)).clamp(min=0)
