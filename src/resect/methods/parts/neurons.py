"""MLP neurons, so that every MLP is narrower: the least task-specific first, or the most.

With h = act(gate) * up of a neuron, and a its mean |h| over the tokens of a text (T target, D
distractor):

- `selectivity`: (a_T - a_D) / (a_T + a_D + eps), in [-1, 1]. Our reading of arXiv:2604.27115, whose
  equation is not public.
- `contribution`: (a_T - a_D) * ||W_down[:, j]||, how much more the neuron writes on the target
  (in the ratio the norm would cancel, and a difference of h alone depends on its scale).
- `activation`: a over the calibration text.
- `magnitude`: the norm of the neuron's three weight vectors together.
- `random`: uniform, by seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import mlp
from resect.anatomy.config import follow_
from resect.anatomy.mlp import Mlp
from resect.errors import RequestError, unknown
from resect.methods.calibration.calibration_text import Tokens, name_of
from resect.methods.calibration.capture import blocks_in_turn, sizes
from resect.methods.masks import removed
from resect.methods.options import Count, Seed, Whole
from resect.methods.parts.structured import Group, Structured
from resect.methods.rng import uniform
from resect.methods.step import Context, Method
from resect.models.loading import is_clinic
from resect.spec import Calibration

_CRITERIA = ("selectivity", "contribution", "activation", "magnitude", "random")
_ORDERS = ("selective", "reverse")
_CLINIC = ("task:clinic-medicine", "task:clinic-logic")
_EPS = 1e-8


class Neurons(Structured):
    """`order=selective` takes the lowest scores first, `reverse` the highest.

    `target` and `distractor` name texts as --calibration does, each read in `nsamples` windows of
    `seqlen` tokens (128 of 2048); the clinic's own models have defaults, in windows of 40.
    `multiple_of` rounds widths up (hardware likes multiples of 128).
    """

    name = "neurons"
    unit = "neurons"

    def __init__(
        self,
        criterion: str = "selectivity",
        order: str = "selective",
        target: str = "",
        distractor: str = "",
        nsamples: Whole = 128,
        seqlen: Count = 0,
        multiple_of: Whole = 1,
        seed: Seed = 0,
    ) -> None:
        for option, given, known in (
            ("criterion", criterion, _CRITERIA),
            ("order", order, _ORDERS),
        ):
            if given not in known:
                raise unknown(option, str(given), known)
        self.criterion, self.order = criterion, order
        self.multiple_of, self.seed = multiple_of, seed
        self.random = criterion == "random"
        self.calibrated = criterion == "activation"
        self.compares = criterion in ("selectivity", "contribution")
        if not self.compares and (target or distractor):
            raise RequestError(f"criterion {criterion} reads no target and no distractor.")
        if self.random and order == "reverse":
            raise RequestError("random removal has no reverse: leave out order.")
        if bool(target) != bool(distractor):
            raise RequestError("target and distractor belong together: name both, or none.")
        self.named = bool(target)
        window = seqlen or (2048 if self.named else 40)
        names = (target, distractor) if self.named else _CLINIC
        self.texts = [
            Calibration.of(data=data, nsamples=nsamples, seqlen=window, seed=seed)
            for data in (names if self.compares else ())
        ]

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """Target and distractor, as they are read."""
        return tuple(name_of(text, data_dir) for text in self.texts)

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """The model must have MLPs whose width its config says; texts must be named."""
        Method.fits(self, model, levels)  # every count of neurons can be had
        mlp.widths(model)
        if self.compares and not self.named and not is_clinic(model):
            raise RequestError(
                f"neurons by {self.criterion} compares two texts: name them, like "
                "target=task:clinic-medicine,distractor=task:clinic-logic (a task's training "
                "texts, a text file, c4)."
            )

    def groups(self, model: PreTrainedModel) -> list[Group]:
        """Every MLP, also that of one expert."""
        return [Group(one.name, one.width) for one in mlp.read(model)]

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Rank, and find which field of the config says how wide each MLP is."""
        self.widths_ = mlp.widths(model)
        self.steps_ = {one.name: math.lcm(one.step, self.multiple_of) for one in mlp.read(model)}
        super().prepare(model, levels, context)

    def scores(self, model: PreTrainedModel, context: Context) -> Mapping[str, Tensor]:
        """Scores as the criterion says, turned round for the reverse order."""
        mlps = mlp.read(model)
        self.unreached_: list[str] = []
        if self.random:
            return {one.name: uniform(self.seed, one.name, (one.width,)) for one in mlps}
        if self.criterion == "magnitude":
            found = {one.name: norms(one) for one in mlps}
        else:
            found = self._active(model, mlps, context)
        return found if self.order == "selective" else {n: -score for n, score in found.items()}

    def _active(
        self, model: PreTrainedModel, mlps: list[Mlp], context: Context
    ) -> dict[str, Tensor]:
        if self.compares:
            texts = [context.tokens(text, model) for text in self.texts]
        elif context.text is not None:
            texts = [context.text]
        else:
            raise RequestError("neurons by activation needs text: give --calibration.")
        seen = [mean_sizes(model, mlps, text) for text in texts]
        found = {}
        for one in mlps:
            missing = [one.name for means in seen if one.name not in means]
            if missing:  # an expert that no token of a text was routed to
                self.unreached_.append(one.name)
                found[one.name] = norms(one)
                continue
            target, *others = (means[one.name] for means in seen)
            found[one.name] = target
            if others:
                found[one.name] = self._compared(target, others[0], one)
        return found

    def _compared(self, target: Tensor, distractor: Tensor, one: Mlp) -> Tensor:
        more = target - distractor
        if self.criterion == "contribution":
            return more * one.down.weight().float().norm(dim=0)
        return more / (target + distractor + _EPS)

    def notes(self, kept: Mapping[str, Tensor]) -> tuple[str, ...]:
        """MLPs that no token of a text came to."""
        return tuple(f"no token reached {name}: ranked by magnitude" for name in self.unreached_)

    def kept(self, model: PreTrainedModel, group: Group, level: float) -> int:
        """Counted in the config's width, which all its MLPs share, and rounded up."""
        _, width, times = self.widths_[group.name]
        left, step = width - removed(width, level), self.steps_[group.name]
        return min(width, -(-left // step) * step) * times

    def cut_(self, model: PreTrainedModel, kept: Mapping[str, Tensor]) -> bool:
        """Cut rows of gate and up and columns of down; the config's widths follow."""
        mlp.keep_(model, kept)
        follow_(model, {w.field: len(kept[name]) // w.times for name, w in self.widths_.items()})
        return True


class Nodes(Neurons):
    """The plain preset of the compression study: in every layer, the nodes with least weight."""

    name = "nodes"

    def __init__(self, multiple_of: Whole = 1) -> None:
        super().__init__("magnitude", multiple_of=multiple_of)


def norms(one: Mlp) -> Tensor:
    """The norm of each neuron's weights in gate, up and down together (W,)."""
    squares = [up.weight().float().square().sum(1) for up in one.ups]
    return torch.stack([*squares, one.down.weight().float().square().sum(0)]).sum(0).sqrt()


def mean_sizes(model: PreTrainedModel, mlps: Sequence[Mlp], text: Tokens) -> dict[str, Tensor]:
    """Mean |h| of every neuron over the tokens that reach its MLP (W,), by the MLP's name."""
    names = {one.down.site: one.name for one in mlps}
    wanted = {one.down.name for one in mlps}
    found = {}
    for turn in blocks_in_turn(model, text, wanted.__contains__, sizes, changing=False):
        for site, moments in turn.gather().items():
            found[names[site]] = moments.total / moments.tokens
    return found
