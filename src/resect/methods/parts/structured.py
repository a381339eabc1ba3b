"""What the methods share that cut whole parts out, so that the model is really smaller.

Parts are ranked against each other within a group (the neurons of one MLP, the experts of one
layer), once, on the intact model; every level keeps the best of each group, so the parts that stay
at any level are the last of that order. A method's own file holds which groups there are, how
their parts score, and how they are cut out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.errors import RequestError, unknown
from resect.methods.calibration.calibration_text import Tokens
from resect.methods.masks import removed
from resect.methods.step import Applied, Context, Method
from resect.record import StepReport


class Group(NamedTuple):
    """Parts that are ranked against each other, how many (`size`), and their group's name."""

    name: str
    size: int


class Structured(Method):
    """Keep the parts with the highest scores. `unit` names a part in words, in the plural.

    A sweep cuts on in place: only the model at its present level is in memory.
    """

    nested = True
    rebuilds = True
    unit = ""
    criterion = ""

    def groups(self, model: PreTrainedModel) -> list[Group]:
        """The groups in the order of the model; raises `RequestError` where there are none."""
        raise NotImplementedError

    def scores(self, model: PreTrainedModel, context: Context) -> Mapping[str, Tensor]:
        """Scores (size,) of every group's parts, by its name; the lowest go first."""
        raise NotImplementedError

    def remaining(self, model: PreTrainedModel, group: Group, level: float) -> int:
        """How many parts of a group stay: all but floor(level x size), or what can be had.

        Raises `RequestError` where the model cannot do with so few.
        """
        return group.size - removed(group.size, level)

    def cut_(self, model: PreTrainedModel, staying: Mapping[str, Tensor]) -> bool:
        """Leave only the parts `staying` (rising indices) of every group, in place.

        The config follows, so that plain `from_pretrained` loads the model. Whether the parts are
        cut out (else they are zeroed).
        """
        raise NotImplementedError

    def measure(self, model: PreTrainedModel) -> None:
        """Learn the widths of a model that stands before its cut."""

    def shrink_(self, model: PreTrainedModel, level: float) -> None:
        """Give a model, which may be without data, the shapes of a level: any parts are cut."""
        self.measure(model)
        groups = self.groups(model)
        self.cut_(model, {g.name: torch.arange(self.remaining(model, g, level)) for g in groups})

    def update_(self, model: PreTrainedModel, staying: Mapping[str, Tensor]) -> None:
        """Change what is left of a cut model to make up for what went, in place.

        `staying` are indices among the parts of the intact model.
        """

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """The model must have such parts, and keep enough of every group at every level."""
        super().fits(model, levels)
        groups = self.groups(model)
        for level in levels:
            for group in groups:
                self.remaining(model, group, level)

    @torch.no_grad()
    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Learn from the intact model which parts stay at each level."""
        self.sizes_ = {group.name: group.size for group in self.groups(model)}
        self.rank(model, levels, context)

    def rank(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Rank the parts of every group; of equal scores the first ones go first."""
        scores = self.scores(model, context)
        self.order_ = {
            name: torch.argsort(scores[name].double().cpu(), stable=True) for name in self.sizes_
        }

    def stay(self, group: Group, count: int) -> Tensor:
        """Which `count` parts of a group stay: the best of the ranking."""
        return self.order_[group.name][group.size - count :]

    def notes(self, staying: Mapping[str, Tensor]) -> tuple[str, ...]:
        """Sentences that make a cell degraded: why `staying` is not what the criterion says."""
        return ()

    def calibration(self, context: Context) -> Tokens:
        """The study's calibration text; raises `RequestError` where there is none."""
        if context.text is None:
            raise RequestError(
                f"{self.name},criterion={self.criterion} needs calibration text: give "
                "--calibration."
            )
        return context.text

    @torch.no_grad()
    def apply(self, model: PreTrainedModel, level: float | None) -> Applied:
        """Cut the lowest parts out, in place, of an intact model or of one at a lower level."""
        if level is None:
            raise RequestError(f"{self.name} needs a level: write {self.name}:0.25, or sweep it.")
        standing = {group.name: group.size for group in self.groups(model)}
        staying, places = {}, {}
        for name, size in self.sizes_.items():
            group = Group(name, size)
            now = self.stay(group, standing[name]).sort().values
            staying[name] = self.stay(group, self.remaining(model, group, level)).sort().values
            places[name] = torch.searchsorted(now, staying[name])
        total = sum(self.sizes_.values())
        gone = total - sum(map(len, staying.values()))
        physical = self.cut_(model, places) if gone else True
        if gone:
            self.update_(model, staying)
        report = StepReport(
            step=self.name,
            asked=level,
            measured=gone / total,
            targeted=total,
            gone=gone,
            scope=f"{total} {self.unit} in {len(staying)} groups",
            notes=self.notes(staying) if gone else (),
            unit=self.unit,
            physical=physical,
        )
        return Applied(model, report)


def one_of(option: str, value: str, known: Sequence[str]) -> str:
    """The value of an option; raises `RequestError` where it is none of those known."""
    if value not in known:
        raise unknown(option, value, known)
    return value
