"""Names of states, cells and answers: hashes of everything that can change a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resect.record import digest
from resect.spec.frozen import Frozen


class StateSpec(Frozen):
    """A model as it stands when it is asked: which weights, what was done to them, how it runs."""

    model: str
    steps: tuple[str, ...]
    seed: int | None
    calibration: str | None
    sources: tuple[str, ...]
    dtype: str
    device: str
    versions: Mapping[str, str]

    @property
    def id(self) -> str:
        """Name of the (damaged) model."""
        return digest(self.model_dump())


class CellSpec(Frozen):
    """One model x recipe x level x task, with all that can change its numbers.

    `asking` leaves the item set and the task's name out: another task or a larger limit that
    asks the same item of the same model in the same way finds the answer there. `rule` names what
    decides how many of the items are asked; None where all are.
    """

    state: StateSpec
    task: str
    protocol: Mapping[str, Any]
    items: tuple[str, ...]
    rule: str | None = None

    @property
    def asking(self) -> str:
        """Key of the answers, shared by all cells that ask this state under this protocol."""
        return digest([self.state.id, dict(self.protocol)])

    @property
    def id(self) -> str:
        """The cell's own name."""
        name = [self.asking, self.task, list(self.items)]
        return digest(name if self.rule is None else [*name, self.rule])
