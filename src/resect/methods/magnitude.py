"""Magnitude pruning: the smallest |w| become zero.

Score |W_ij| (Han et al. 2015, arXiv:1506.02626), compared within a matrix, an output row, or over
the whole model (`scope=global`); or N of every M neighbours are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from resect.anatomy import Matrix
from resect.calibration import Tokens
from resect.methods.base import Applied
from resect.methods.masks import Cut, cut_, cuts, removed
from resect.methods.scope import Targets
from resect.methods.scored import Scored


class Magnitude(Scored):
    """One histogram a matrix (`layer`), or one for the model (`global`), serves all levels."""

    name = "magnitude"
    scopes = ("layer", "row", "global")

    def __init__(
        self,
        scope: str = "layer",
        pattern: str | None = None,
        include: str = "*",
        exclude: str = "",
        lm_head: bool = False,
        embeddings: bool = False,
    ) -> None:
        super().__init__(scope, pattern, Targets(include, exclude, lm_head, embeddings))
        self.cuts_: dict[tuple[str, float], Cut] = {}

    def prepare(
        self, model: PreTrainedModel, levels: Sequence[float], calibration: Tokens | None = None
    ) -> None:
        """The exact cut of every level, without sorting."""
        if self.pattern is not None or self.scope == "row":
            return
        matrices = self.targets.of(model)
        groups = {m.name: [m] for m in matrices} if self.scope == "layer" else {"": matrices}
        for name, group in groups.items():
            total = sum(m.weight().numel() for m in group)
            counts = [removed(total, level) for level in levels]
            found = cuts(lambda group=group: (m.weight() for m in group), counts)  # type: ignore[misc]
            self.cuts_.update({(name, lv): cut for lv, cut in zip(levels, found, strict=True)})

    def score(self, matrix: Matrix) -> Tensor:
        """|W|, for rows and patterns."""
        return matrix.weight().float().abs()

    @torch.no_grad()
    def apply(self, model: PreTrainedModel, level: float | None) -> Applied:
        """Zero floor(level x elements) weights of every matrix, or of all together, in place."""
        if self.pattern is not None or self.scope == "row":
            return super().apply(model, level)
        level = self.dose(level)
        shared = self.cuts_.get(("", level))
        # From the last matrix to the first: of equal magnitudes the last ones stay.
        for matrix in reversed(self.targets.of(model)):
            kept = cut_(matrix.weight(), shared or self.cuts_[matrix.name, level])
            if shared is not None and shared.gone:
                shared = shared._replace(kept=shared.kept - kept)
        return Applied(model, self.report(model, level))
