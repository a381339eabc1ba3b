"""The weights that a method targets: by default, the matrices inside the decoder blocks."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from resect import anatomy
from resect.anatomy import Matrix
from resect.errors import RequestError


@dataclass(frozen=True)
class Targets:
    """`include` and `exclude` are shell patterns on matrix names, several joined by `|`.

    `lm_head` and `embeddings` add those matrices; where they are tied, either flag prunes both.
    """

    include: str = "*"
    exclude: str = ""
    lm_head: bool = False
    embeddings: bool = False

    def wants(self, name: str) -> bool:
        """Whether a matrix inside the blocks is targeted."""
        return _matches(name, self.include) and not _matches(name, self.exclude)

    def of(self, model: nn.Module) -> list[Matrix]:
        """The targeted matrices in the order of the model, each tensor once."""
        structure = anatomy.read(model)
        matrices = [matrix for matrix in structure.matrices if self.wants(matrix.name)]
        for wanted, end in ((self.embeddings, structure.embedding), (self.lm_head, structure.head)):
            taken = {id(getattr(m.owner, m.parameter)) for m in matrices}
            if wanted and end is not None and id(getattr(end.owner, end.parameter)) not in taken:
                matrices.append(end)
        if not matrices:
            raise RequestError(
                f"no matrix matches include={self.include} exclude={self.exclude}: "
                "`resect inspect` lists the names."
            )
        return matrices

    def __str__(self) -> str:
        ends = [name for name in ("lm_head", "embeddings") if getattr(self, name)]
        narrowed = "" if self.include == "*" else f" matching {self.include}"
        narrowed += f" but {self.exclude}" if self.exclude else ""
        return " and ".join(["matrices inside the decoder blocks" + narrowed, *ends])


def _matches(name: str, patterns: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in str(patterns).split("|") if pattern)
