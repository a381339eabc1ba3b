"""MLP neurons, so that every MLP is narrower.

With h = act(gate) * up of a neuron, and a its mean |h| over the tokens of a text (T target, D
distractor), besides the criteria of `channels`:

- `activation`: a over the calibration text.
- `magnitude`: the norm of the neuron's three weight vectors together.
- `selectivity`: (a_T - a_D) / (a_T + a_D + eps), in [-1, 1]. Our reading of arXiv:2604.27115, whose
  equation is not public.
- `contribution`: (a_T - a_D) * ||W_down[:, j]||, how much more the neuron writes on the target
  (in the ratio the norm would cancel, and a difference of h alone depends on its scale).
- `random`: uniform, by seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import mlp
from resect.anatomy.config import follow_
from resect.errors import RequestError
from resect.methods.calibration.calibration_text import name_of
from resect.methods.masks import removed
from resect.methods.options import Above, Count, Seed, Whole
from resect.methods.parts import channels
from resect.methods.parts.channels import CHANNEL_SCORES, ChannelScores, Readout
from resect.methods.parts.projected import Projected
from resect.methods.parts.structured import Group, one_of
from resect.methods.step import Context, Method
from resect.models.loading import is_clinic
from resect.spec import Calibration

_COMPARING = ("selectivity", "contribution")
_CLINIC = ("task:clinic-medicine", "task:clinic-logic")
_EPS = 1e-8


class Neurons(Projected):
    """`order=selective` takes the lowest scores first, `reverse` the highest.

    `target` and `distractor` name texts as --calibration does, each read in `nsamples` windows of
    `seqlen` tokens (128 of 2048); the clinic's own models have defaults, in windows of 40.
    `multiple_of` rounds widths up (hardware likes multiples of 128).
    """

    name = "neurons"
    unit = "neurons"
    version = 2
    channel_scores: ClassVar[ChannelScores] = {
        **CHANNEL_SCORES,
        "activation": lambda _, inputs: inputs.size,
    }

    def __init__(
        self,
        criterion: str = "obs",
        order: str = "selective",
        target: str = "",
        distractor: str = "",
        nsamples: Whole = 128,
        seqlen: Count = 0,
        multiple_of: Whole = 1,
        update: str = "auto",
        damp: Above = 0.01,
        seed: Seed = 0,
    ) -> None:
        known = ("obs", *self.channel_scores, "taylor", *_COMPARING, "magnitude", "random")
        one_of("criterion", criterion, known)
        super().__init__(criterion, update, damp, seed)
        self.order = one_of("order", order, ("selective", "reverse"))
        self.multiple_of = multiple_of
        self.compares = criterion in _COMPARING
        if not self.compares and (target or distractor):
            raise RequestError(
                f"criterion {criterion} reads no target and no distractor: add "
                "criterion=selectivity, or leave them out."
            )
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
        self.fits_update(model)
        if self.compares and not self.named and not is_clinic(model):
            raise RequestError(
                f"neurons by {self.criterion} compares two texts: name them, like "
                "target=task:clinic-medicine,distractor=task:clinic-logic (a task's training "
                "texts, a text file, c4)."
            )

    def groups(self, model: PreTrainedModel) -> list[Group]:
        """Every MLP, also that of one expert."""
        return [Group(each.name, each.width) for each in mlp.read(model)]

    def readouts(self, model: PreTrainedModel) -> list[Readout]:
        """Every down projection; its channels are the neurons."""
        return [
            Readout(
                each.name,
                each.down,
                each.width,
                (*((up, 0) for up in each.ups), (each.down, 1)),
            )
            for each in mlp.read(model)
        ]

    def read_channels(self, readout: Readout, staying: Mapping[str, Tensor]) -> Tensor:
        """A neuron is one channel."""
        return staying[readout.name]

    def measure(self, model: PreTrainedModel) -> None:
        """Find which field of the config says how wide each MLP is."""
        self.widths_ = mlp.widths(model)
        self.steps_ = {each.name: math.lcm(each.step, self.multiple_of) for each in mlp.read(model)}

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Measure, then rank."""
        self.measure(model)
        super().prepare(model, levels, context)

    def scores(self, model: PreTrainedModel, context: Context) -> Mapping[str, Tensor]:
        """Scores as the criterion says, turned round for the reverse order."""
        scores = self.part_scores(model, context)
        if self.compares:
            scores |= self._compared(model, context)
        if self.order == "selective":
            return scores
        return {name: -score for name, score in scores.items()}

    def _compared(self, model: PreTrainedModel, context: Context) -> dict[str, Tensor]:
        """Scores of the MLPs that tokens of both texts come to."""
        readouts = self.readouts(model)
        texts = (context.tokens(text, model) for text in self.texts)
        both = [
            [inputs for _, inputs in channels.gather(model, text, readouts, products=False)]
            for text in texts
        ]
        scores = {}
        for readout, target, distractor in zip(readouts, *both, strict=True):
            if target is None or distractor is None:
                self.notes_.append(f"no token reached {readout.name}: ranked by magnitude")
                continue
            more = target.size - distractor.size
            if self.criterion == "contribution":
                scores[readout.name] = more * channels.norms(readout.matrix.weight())
            else:
                scores[readout.name] = more / (target.size + distractor.size + _EPS)
        return scores

    def remaining(self, model: PreTrainedModel, group: Group, level: float) -> int:
        """Counted in the config's width, which all its MLPs share, and rounded up."""
        _, width, times = self.widths_[group.name]
        left, step = width - removed(width, level), self.steps_[group.name]
        return min(width, -(-left // step) * step) * times

    def cut_(self, model: PreTrainedModel, staying: Mapping[str, Tensor]) -> bool:
        """Cut rows of gate and up and columns of down; the config's widths follow."""
        mlp.keep_(model, staying)
        follow_(model, {w.field: len(staying[name]) // w.times for name, w in self.widths_.items()})
        return True


class Nodes(Neurons):
    """The plain preset of the compression study: in every layer, the nodes with least weight."""

    name = "nodes"
    version = 1

    def __init__(self, multiple_of: Whole = 1) -> None:
        super().__init__("magnitude", multiple_of=multiple_of)
