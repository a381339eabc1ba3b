"""The plan of a study: its sweeps, without the cells that are already stored."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Protocol

from resect.ask import first_budget
from resect.models import devices
from resect.record import TRANSFORMERS
from resect.running.resolve import UNTOUCHED, Resolved
from resect.running.walk import Cell, Sweep
from resect.spec import BASELINE, INTACT, CellSpec, Recipe, StateSpec
from resect.store.sqlite import Held


class Stored(Protocol):
    """What planning asks of a store."""

    def answered(self, asking: str) -> Set[str]:
        """Keys of the items that have an answer."""
        ...

    def finished(self, cell: str) -> bool:
        """Whether this very cell ended well."""
        ...

    def measured(self, state: str) -> Held | None:
        """What is held of a measured state."""
        ...


def sweeps(resolved: Resolved) -> list[Sweep]:
    """One sweep a model and recipe, with every cell of the study.

    The baseline is asked once a model and runtime: where the model was loaded at the start of its
    first sweep, elsewhere at the start of the first sweep that is asked there. A study without a
    recipe asks nothing else.
    """
    study, planned = resolved.study, []
    for role, ref in study.models.items():
        ref = ref.model_copy(update={"revision": resolved.identities[role].revision})
        cells, begun = _baseline(resolved, role, TRANSFORMERS), {TRANSFORMERS}
        recipes = [candidate for candidate in study.recipes if candidate.applies_to(role)]
        for recipe in recipes or (BASELINE,):
            if recipe.runtime not in begun:
                cells += _baseline(resolved, role, recipe.runtime)
                begun.add(recipe.runtime)
            cells += () if recipe is BASELINE else _cells(resolved, role, recipe)
            chain = resolved.chains.get(recipe.key, UNTOUCHED)
            planned.append(
                Sweep(
                    ref=ref,
                    model=resolved.names[role],
                    recipe=recipe,
                    seed=study.seed_of(recipe),
                    device=resolved.places[role],
                    batch_tokens=_batch_tokens(resolved),
                    measure=study.measure,
                    calibration=study.calibration if chain.calibration else None,
                    data_dir=study.data_path,
                    runtime=study.runtime,
                    tiny=resolved.tiny[role],
                    cells=cells,
                )
            )
            cells = ()
    return planned


def due(planned: Sequence[Sweep], stored: Stored) -> list[Sweep]:
    """The sweeps with only the cells that still miss something; none that has nothing to do.

    A cell that stands in several places (one model in two roles, say) is run in the first.
    """
    left, taken, gauged = [], set(), _Gauged(planned, stored)
    for sweep in planned:
        cells = []
        for cell in sweep.cells:
            answered = stored.answered(cell.spec.asking)
            missing = frozenset(i for i, key in enumerate(cell.spec.items) if key not in answered)
            finished = stored.finished(cell.spec.id) and gauged.enough(sweep, cell.spec.state.id)
            if (missing or not finished) and cell.spec.id not in taken:
                cells.append(replace(cell, missing=missing))
                taken.add(cell.spec.id)
        if cells:
            left.append(replace(sweep, cells=tuple(cells)))
    return left


class _Gauged:
    """Which states need no more measuring: what is held of each against what its study asks.

    Memory and speed are shared by the states of one model that have one shape, except where the
    study asks for each. Where the workload could not be run it is tried again, as a failed cell is.
    """

    def __init__(self, planned: Sequence[Sweep], stored: Stored) -> None:
        states = {(c.model, cell.spec.state.id) for c in planned for cell in c.cells}
        held = {(m, state): found for m, state in states if (found := stored.measured(state))}
        self.shapes = {state: found.shape for (_, state), found in held.items()}
        worked = {(m, state): found.shape for (m, state), found in held.items() if found.workload}
        self.known: set[Any] = {state for _, state in worked}
        self.known |= {(model, shape) for (model, _), shape in worked.items()}

    def enough(self, sweep: Sweep, state: str) -> bool:
        """Whether `state` is measured; a cell that is told no measures it for all others."""
        if state not in self.shapes:
            return False
        if sweep.measure == "sizes":
            return True
        asked = state if sweep.measure == "full" else (sweep.model, self.shapes[state])
        known = asked in self.known
        self.known.add(asked)
        return known


def _baseline(resolved: Resolved, role: str, runtime: str) -> tuple[Cell, ...]:
    """The cells of the intact model in a runtime."""
    cells = _cells(resolved, role, INTACT[runtime])
    runtime = str(resolved.served.get(role, {}).get("runtime", runtime))
    return tuple(replace(c, recipe=BASELINE.name, level=0.0, runtime=runtime) for c in cells)


def _cells(resolved: Resolved, role: str, recipe: Recipe) -> tuple[Cell, ...]:
    """The cells of one model under one recipe, in rising order of level."""
    cells = []
    for level in recipe.levels or (None,):
        if level == 0:
            continue  # every curve starts at the baseline
        state = _state(resolved, role, recipe, level)
        for task, items in resolved.items.items():
            info = resolved.infos[task]
            protocol = {
                "max_new_tokens": info.max_new_tokens,
                "stop": list(info.stop),
                "scored": info.scored,
                "version": info.version,
                "batch_tokens": _batch_tokens(resolved),
            }
            spec = CellSpec(state=state, task=task, protocol=protocol, items=resolved.keys[task])
            cells.append(Cell(spec, recipe.name, level, info, items, frozenset(), recipe.runtime))
    return tuple(cells)


def _state(resolved: Resolved, role: str, recipe: Recipe, level: float | None) -> StateSpec:
    identity = resolved.identities[role]
    chain = resolved.chains.get(recipe.key, UNTOUCHED)
    elsewhere = recipe.runtime != TRANSFORMERS
    steps = zip(recipe.at(level), chain.methods, strict=True)
    libraries = dict.fromkeys(method.library for method in chain.methods if method.library)
    return StateSpec(
        model=identity.fingerprint,
        steps=tuple(f"{step} v{method.version}" for step, method in steps),
        seed=resolved.study.seed_of(recipe) if chain.random else None,
        calibration=chain.calibration,
        sources=(*chain.sources, *(resolved.study.runtime.options() if elsewhere else ())),
        dtype=identity.dtype,
        device=devices.kind(resolved.device),
        versions={name: _minor(version(name)) for name in ("torch", "transformers", *libraries)},
    )


def _batch_tokens(resolved: Resolved) -> int:
    """The budget that a cell is named by: the device's first, whatever memory then allows."""
    return resolved.study.batch_tokens or first_budget(devices.kind(resolved.device))


def _minor(full: str) -> str:
    return ".".join(full.split(".")[:2])
