"""What criteria that use activations share: second moments of every matrix's input.

`inputs=pruned` captures a block's inputs after the blocks before it were pruned, as the papers do:
one pass over the calibration text per level. `inputs=dense` captures all inputs once, from the
intact model, for all levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect import anatomy
from resect.anatomy import Block, Matrix
from resect.errors import RunError, unknown
from resect.methods.calibration.capture import Moments, Spool, blocks_in_turn, squares
from resect.methods.step import Applied, Context
from resect.methods.weights.scored import Scored


@dataclass(eq=False)
class Calibrated(Scored):
    """A method whose score needs `Moments` of every input: sums of its `statistic`."""

    inputs: str = "pruned"

    calibrated = True
    statistic = staticmethod(squares)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inputs not in ("pruned", "dense"):
            raise unknown("inputs", self.inputs, ("pruned", "dense"))
        self.nested = self.inputs == "dense" and self.nested

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Dense: capture every block's moments once. Pruned: only store the text."""
        super().prepare(model, levels, context)
        assert context.text is not None, "asked for above"
        self.text_ = context.text
        if self.inputs == "dense":
            self.spool_ = Spool()
            for turn in blocks_in_turn(
                model, self.text_, self.targets.wants, self.statistic, False
            ):
                self.spool_.put(turn.block.name, turn.gather())

    @torch.no_grad()
    def apply(self, model: PreTrainedModel, level: float | None) -> Applied:
        """Prune block by block, in place."""
        level = self.dose(level)
        self.targets.of(model)  # raises where nothing matches
        notes: list[str] = []
        for block, moments in self._moments(model):
            for matrix in block.matrices:
                if self.targets.wants(matrix.name):
                    own = self.level_of(matrix, level)
                    note = self.prune(matrix, _finite(moments.get(matrix.site), matrix), own)
                    notes += [note] if note else []
            moments.clear()  # before the next block's are captured
        return Applied(model, self.report(model, level, tuple(notes)))

    def _moments(self, model: PreTrainedModel) -> Iterator[tuple[Block, dict[str, Moments]]]:
        if self.inputs == "dense":
            for block in anatomy.read(model).blocks:
                yield block, self.spool_.get(block.name)
            return
        wants = self.targets.wants
        for turn in blocks_in_turn(model, self.text_, wants, self.statistic, True):
            yield turn.block, turn.gather()

    def prune(self, matrix: Matrix, moments: Moments | None, level: float) -> str | None:
        """Zero one matrix in place, to its own `level`; a sentence where it could not be scored by
        activations.
        """
        note = None
        if moments is None:  # an expert that no calibration token was routed to
            note = f"no calibration token reached {matrix.name}: pruned by magnitude"
        score = self.score_with(matrix.weight(), moments)
        matrix.weight().masked_fill_(self.mask(score, level), 0)
        return note

    def score_with(self, weight: Tensor, moments: Moments | None) -> Tensor:
        """Scores (O, I), not negative, fp32; by magnitude alone where there are no moments."""
        raise NotImplementedError


def _finite(moments: Moments | None, matrix: Matrix) -> Moments | None:
    """The moments; raises `RunError` where they are not finite, as a NaN ranks above everything."""
    if moments is not None and not bool(moments.total.isfinite().all()):
        raise RunError(
            f"the inputs of {matrix.name} are not finite on the calibration text: use "
            "--dtype bfloat16 or float32, or another text."
        )
    return moments
