"""A gate behind the intact cells of a run: what can still be judged; a stop if nothing can."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from resect.errors import RunError
from resect.findings.intact_outlook import undecided
from resect.findings.rows import Missing, Undecided
from resect.running.resolve import Resolved
from resect.running.walk import Event, Finished, Notice, Sweep
from resect.store.sqlite import Store


class Hopeless(RunError):
    """No version of any model could pass, whatever the rest of the run shows."""


class Gate:
    """Follows the events of a run. When a model's intact cells are done, it is looked at once.

    `notice` gets a sentence on the tasks that cannot be judged. `Hopeless` is raised where no task
    can be: of the specialist, or of all models where there is none.
    """

    def __init__(self, resolved: Resolved, store: Store, left: Sequence[Sweep], notice: Notice):
        self.store, self.notice = store, notice
        self.rules = resolved.rules
        self.tasks = resolved.infos
        roles = _swept_roles(left)
        specialists = [model for model, role in roles.items() if role == "specialist"]
        self.decisive = set(specialists or roles)
        self.open = _intact_cells(left if self.rules else (), roles)
        for model in roles if self.rules else ():
            if model not in self.open:  # asked in an earlier run
                self._look(model)

    def see(self, event: Event) -> None:
        """Look at an event that is stored already."""
        if not isinstance(event, Finished):
            return
        model, cell = event.result.model, event.result.cell
        if cell not in self.open[model]:
            return
        self.open[model].remove(cell)
        if not self.open[model]:
            self._look(model)

    def _look(self, model: str) -> None:
        lost = undecided(model, self.store.answers(), self.tasks, self.store.cells(), self.rules)
        if not lost:
            return
        reasons = "; ".join(map(_reason, lost))
        if len(lost) < len(self.rules):
            rest = ", ".join(name for name in self.rules if name not in {row.task for row in lost})
            self.notice(
                f"{model} cannot be judged on every task, so no version of it can pass: {reasons}. "
                f"Still judged: {rest}. List the other tasks under shown_only."
            )
            return
        self.decisive.discard(model)
        if self.decisive:
            self.notice(f"{model} cannot be judged on any task: {reasons}.")
            return
        raise Hopeless(
            f"{model} cannot be judged on any task: {reasons}. Ask it otherwise "
            "(--apply-chat-template auto, --num_fewshot 3), ask more items, or run it --anyway."
        )


def _swept_roles(left: Sequence[Sweep]) -> dict[str, str]:
    """The role of every model that is still to be damaged."""
    swept = {sweep.model for sweep in left if any(c.recipe != "none" for c in sweep.cells)}
    return {sweep.model: sweep.ref.role for sweep in left if sweep.model in swept}


def _intact_cells(left: Sequence[Sweep], models: Collection[str]) -> defaultdict[str, set[str]]:
    """The intact cells of `models` that are still to be asked, by model."""
    cells: defaultdict[str, set[str]] = defaultdict(set)
    for sweep in left:
        for cell in sweep.cells:
            if cell.recipe == "none" and sweep.model in models:
                cells[sweep.model].add(cell.spec.id)
    return cells


def _reason(row: Undecided) -> str:
    if row.why is Missing.NO_SKILL and row.low is not None and row.floor is not None:
        return (
            f"{row.task}: intact it may score as low as {row.low:.2f}, where a constant answer "
            f"scores {row.floor:.2f}"
        )
    needed = f", {row.needed} are needed" if row.needed else ""
    return f"{row.task}: {row.why} ({row.n or 0} items{needed})"
