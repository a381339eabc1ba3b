"""What neurons and heads share: a projection reads them, which tells how much they matter.

After a cut the projection can be fitted anew (`update`), from what it read in the intact model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn
from transformers import PreTrainedModel

from resect.anatomy import Matrix
from resect.methods.masks import zeros
from resect.methods.options import Above, Seed
from resect.methods.parts import channels, update
from resect.methods.parts.channels import ChannelScores, Inputs, Readout
from resect.methods.parts.structured import Structured, one_of
from resect.methods.rng import uniform
from resect.methods.step import Context

_PUBLISHED = {"obs": "lstsq", "flap": "bias"}
"""The update of each criterion's publication: what `update=auto` means."""
_SPARSE = 0.01  # share of zeros from which a projection counts as pruned


class Projected(Structured):
    """Parts whose output one projection reads.

    `update`: `lstsq` fits the projection anew to the parts that stay (`damp` as in SparseGPT),
    `bias` adds the mean of what went to its bias, `none` leaves it; `auto` is what was published
    with the criterion. A projection with zeros from a step before is never fitted anew.
    """

    channel_scores: ClassVar[ChannelScores] = channels.CHANNEL_SCORES

    def __init__(self, criterion: str, fit: str, damp: Above, seed: Seed) -> None:
        self.criterion, self.damp, self.seed = criterion, damp, seed
        one_of("update", fit, update.UPDATES)
        self.update = _PUBLISHED.get(criterion, "none") if fit == "auto" else fit
        self.random = criterion == "random"
        self.by_inputs = criterion in self.channel_scores or criterion == "obs"
        self.calibrated = self.by_inputs or criterion == "taylor" or self.update != "none"

    def readouts(self, model: PreTrainedModel) -> list[Readout]:
        """The projections and their parts, in the order of the model."""
        raise NotImplementedError

    def read_channels(self, readout: Readout, staying: Mapping[str, Tensor]) -> Tensor:
        """Channels of the intact projection (rising indices) that read the parts `staying`."""
        raise NotImplementedError

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """As every structured method; the projections must be able to have the update."""
        super().fits(model, levels)
        self.fits_update(model)

    def fits_update(self, model: PreTrainedModel) -> None:
        """A projection must be able to have a bias where `update=bias` asks for one."""
        if self.update == "bias":
            update.bias_field(model, [each.matrix for each in self.readouts(model)])

    def part_scores(self, model: PreTrainedModel, context: Context) -> dict[str, Tensor]:
        """Scores (parts,) by the readout's name; stores what the update needs."""
        readouts = self.readouts(model)
        self.notes_: list[str] = []
        scores = {} if self.by_inputs else self._weight_scores(model, context, readouts)
        if not self.by_inputs and self.update == "none":
            return scores
        self.archive_ = update.Archive()
        if self.update == "bias":
            self.biases_ = update.bias_field(model, [each.matrix for each in readouts])
        text = self.calibration(context)
        products = self.criterion == "obs" or self.update == "lstsq"
        for readout, inputs in channels.gather(model, text, readouts, products):
            if self.by_inputs:
                scores[readout.name] = self.by_channels(readout, inputs)
            self._store(readout, inputs)
        return scores

    def _weight_scores(
        self, model: PreTrainedModel, context: Context, readouts: Sequence[Readout]
    ) -> dict[str, Tensor]:
        """Scores (parts,) of criteria that need no inputs: chance, salience or magnitude."""
        if self.random:
            return {each.name: uniform(self.seed, each.name, (each.parts,)) for each in readouts}
        size: Callable[[Matrix], Tensor] = channels.squares
        if self.criterion == "taylor":
            matrices = [matrix for each in readouts for matrix, _ in each.weights]
            size = channels.salience(model, self.calibration(context), matrices)
        return {each.name: each.total(size) for each in readouts}

    def by_channels(self, readout: Readout, inputs: Inputs | None) -> Tensor:
        """Scores (parts,) by what the projection reads, by magnitude where that is nothing."""
        if inputs is None:  # an expert that no token of the text was routed to
            self.notes_.append(f"no token reached {readout.name}: ranked by magnitude")
            return readout.total(channels.squares)
        weight = readout.matrix.weight()
        if self.criterion == "obs":
            assert inputs.second is not None
            return channels.removal_order(weight, inputs.second, readout.parts, self.damp)
        score = self.channel_scores[self.criterion](weight, inputs)
        return score.reshape(readout.parts, -1).sum(1)

    def _store(self, readout: Readout, inputs: Inputs | None) -> None:
        """Store what the update of one projection needs, or say why there is none."""
        weight = readout.matrix.weight()
        if self.update == "none":
            return
        if inputs is None:
            if not self.by_inputs:  # else it was said with the ranking
                self.notes_.append(f"no token reached {readout.name}: it is not fitted")
        elif self.update == "lstsq" and zeros(weight) > _SPARSE * weight.numel():
            self.notes_.append(
                f"{readout.matrix.name} has zeros from a step before, which a fit would fill: it "
                "is not fitted"
            )
        else:
            bias = getattr(readout.matrix.owner, "bias", None)
            second = inputs.second if self.update == "lstsq" else None
            self.archive_.put(
                readout.name,
                update.Intact(weight.clone(), None if bias is None else bias.data.clone(), second,
                              inputs.mean),
            )  # fmt: skip

    def update_(self, model: PreTrainedModel, staying: Mapping[str, Tensor]) -> None:
        """Fit every projection anew, from the intact one."""
        if self.update == "none":
            return
        if self.update == "bias":
            field, modules = self.biases_
            update.add_biases_(model, modules, field)
        for readout in self.readouts(model):
            if readout.name not in self.archive_.names:
                continue
            intact = self.archive_.get(readout.name)
            stay = self.read_channels(readout, staying).to(intact.mean.device)
            if self.update == "bias":
                linear = readout.matrix.owner
                assert isinstance(linear, nn.Linear)
                linear.bias.data.copy_(update.compensation(intact, stay))
            else:
                assert intact.second is not None
                fitted = update.least_squares(intact.weight, intact.second, stay, self.damp)
                weight = readout.matrix.weight()
                cut = weight.shape[1] == len(stay)  # else the other parts are only silent
                weight[:, slice(None) if cut else stay] = fitted.to(weight.dtype)

    def notes(self, staying: Mapping[str, Tensor]) -> tuple[str, ...]:
        """Projections that no token came to, or that could not be fitted."""
        return tuple(self.notes_)
