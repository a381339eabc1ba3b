"""The plan of a study: its sweeps, without the cells that are already stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any, Protocol

from resect.ask import first_budget
from resect.findings.choice import LENIENT, alpha_of
from resect.findings.looks import BETA, SHARES
from resect.models import devices
from resect.record import TRANSFORMERS, Answer, digest
from resect.running.resolve import UNTOUCHED, Resolved
from resect.running.sequential import Plan, Stage
from resect.running.walk import Cell, Sweep
from resect.spec import BASELINE, INTACT, CellSpec, ModelRef, Recipe, StateSpec, Study
from resect.store.sqlite import Held


class Stored(Protocol):
    """What planning asks of a store."""

    def answered(self, asking: str) -> Set[str]:
        """Keys of the items that have an answer."""
        ...

    def answers_to(self, asking: str, items: Collection[str]) -> tuple[Answer, ...]:
        """The answers to some items."""
        ...

    def finished(self, cell: str) -> bool:
        """Whether this very cell ended well."""
        ...

    def skipped(self, cell: str) -> bool:
        """Whether this very cell was not needed."""
        ...

    def measured(self, state: str) -> Held | None:
        """What is held of a measured state."""
        ...


def sweeps(resolved: Resolved) -> list[Sweep]:
    """One sweep a model and recipe, with every cell of the study.

    The baseline is asked once a model and runtime: where the model was loaded at the start of its
    first sweep, elsewhere at the start of the first sweep that is asked there. A study without a
    recipe asks nothing else. A study that is asked in looks has a sweep for the baselines alone,
    since all others need their answers.
    """
    study, planned, rule = resolved.study, [], _rule(resolved)
    for role, ref in study.models.items():
        ref = ref.model_copy(update={"revision": resolved.identities[role].revision})
        recipes = [candidate for candidate in study.recipes if candidate.applies_to(role)]
        alone = [BASELINE] if rule is not None or not recipes else []
        waiting = _runtimes(study, recipes)
        cells: tuple[Cell, ...] = ()
        for recipe in (*alone, *recipes):
            now = waiting if rule is not None else [TRANSFORMERS, recipe.runtime]
            for runtime in [place for place in waiting if place in now]:
                cells += _baseline(resolved, role, runtime)
                waiting.remove(runtime)
            cells += () if recipe is BASELINE else _cells(resolved, role, recipe, rule)
            planned.append(_sweep(resolved, role, ref, recipe, cells))
            cells = ()
    return planned


def _runtimes(study: Study, recipes: Sequence[Recipe]) -> list[str]:
    """Where the intact model is asked: where it was loaded, then where its recipes are."""
    runtimes = [recipe.runtime for recipe in recipes]
    if not (study.choose and runtimes):  # the step to another runtime is shown elsewhere
        runtimes.insert(0, TRANSFORMERS)
    return list(dict.fromkeys(runtimes))


def _sweep(
    resolved: Resolved, role: str, ref: ModelRef, recipe: Recipe, cells: tuple[Cell, ...]
) -> Sweep:
    """The cells of one model under one recipe, with what the study says of all of them."""
    study = resolved.study
    chain = resolved.chains.get(recipe.key, UNTOUCHED)
    return Sweep(
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
        lean=study.choose,
    )


def due(planned: Sequence[Sweep], stored: Stored) -> list[Sweep]:
    """The sweeps with only the cells that still miss something; none that has nothing to do.

    A cell that stands in several places (one model in two roles, say) is run in the first. A sweep
    that is asked in looks keeps all its cells, since what they have decides what else is asked.
    """
    left, gauged = [], _Gauged(planned, stored)
    taken: set[str] = set()
    for sweep in planned:
        cells, lacks = [], False
        for cell in sweep.cells:
            missing = _unanswered(cell, stored)
            partly = cell.spec.rule is not None
            finished = stored.skipped(cell.spec.id) or (
                stored.finished(cell.spec.id) and gauged.enough(sweep, cell.spec.state.id)
            )
            due = not finished or (bool(missing) and not partly)
            if (due or partly) and cell.spec.id not in taken:
                cells.append(replace(cell, missing=missing))
                lacks |= due
        if lacks:
            taken.update(cell.spec.id for cell in cells)
            left.append(replace(sweep, cells=tuple(cells)))
    return left


def _unanswered(cell: Cell, stored: Stored) -> frozenset[int]:
    """The rows of a cell's items that have no answer."""
    answered = stored.answered(cell.spec.asking)
    return frozenset(i for i, key in enumerate(cell.spec.items) if key not in answered)


def rounds(planned: Sequence[Sweep]) -> list[list[Sweep]]:
    """The sweeps that can run together: those asked in looks after all others."""
    in_looks = [sweep for sweep in planned if _asked_in_looks(sweep)]
    others = [sweep for sweep in planned if not _asked_in_looks(sweep)]
    return [part for part in (others, in_looks) if part]


def _asked_in_looks(sweep: Sweep) -> bool:
    return any(cell.spec.rule is not None for cell in sweep.cells)


def ready(sweep: Sweep, resolved: Resolved, stored: Stored, tried: int = 0) -> Sweep:
    """A sweep with all that it needs: one asked in looks, with the answers that decide.

    `tried` is the number of versions that were tested before, where the smallest is chosen.
    """
    if not _asked_in_looks(sweep):
        return sweep
    study, role = resolved.study, sweep.ref.role
    baseline = _baseline(resolved, role, sweep.recipe.runtime)
    intact = {cell.spec.task: cell.spec for cell in baseline}
    plan = Plan(
        rules=resolved.rules,
        seed=study.seed,
        confirms=not study.choose and _is_one_of_several(study, role),
        stages=_stages(study, tried),
        min_speed=study.min_speed,
        intact={name: _answers(spec, stored) for name, spec in intact.items()},
        held={cell.spec.id: _answers(cell.spec, stored) for cell in sweep.cells},
    )
    return replace(sweep, plan=plan)


def _is_one_of_several(study: Study, role: str) -> bool:
    return len([recipe for recipe in study.recipes if recipe.applies_to(role)]) > 1


def _stages(study: Study, tried: int) -> tuple[Stage, ...]:
    """All items at once; to choose, first those that select, then those that confirm."""
    if not study.choose:
        return (Stage(None, study.alpha),)
    return (Stage(0, LENIENT), Stage(1, alpha_of(tried, study.alpha)))


def _answers(spec: CellSpec, stored: Stored) -> tuple[Answer, ...]:
    return stored.answers_to(spec.asking, frozenset(spec.items))


class _Gauged:
    """Which states need no more measuring: what is held of each against what its study asks.

    Memory and speed are shared by the states of one model that have one shape, except where the
    study asks for each. Where the workload could not be run it is tried again, as a failed cell is.
    """

    def __init__(self, planned: Sequence[Sweep], stored: Stored) -> None:
        states = {(c.model, cell.spec.state.id) for c in planned for cell in c.cells}
        held = {(m, state): row for m, state in states if (row := stored.measured(state))}
        self.shapes = {state: row.shape for (_, state), row in held.items()}
        worked = {(m, state): row.shape for (m, state), row in held.items() if row.workload}
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
    cells = _cells(resolved, role, INTACT[runtime], None)
    runtime = str(resolved.served.get(role, {}).get("runtime", runtime))
    return tuple(replace(c, recipe=BASELINE.name, level=0.0, runtime=runtime) for c in cells)


def _rule(resolved: Resolved) -> str | None:
    """The name of what decides how many items are asked; None where all are."""
    study = resolved.study
    if not study.asks_in_looks:
        return None
    several, names = len(study.recipes) > 1, [recipe.name for recipe in study.recipes]
    rule = {
        "rule": [study.alpha, study.margin, study.retain, study.seed, several, study.min_speed],
        "versions": names if study.choose else None,
        "tasks": {name: asdict(info) for name, info in resolved.infos.items()},
        "shown_only": list(study.shown_only),
        "looks": [SHARES, BETA],
    }
    return digest(rule)


def _cells(resolved: Resolved, role: str, recipe: Recipe, rule: str | None) -> tuple[Cell, ...]:
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
            keys = resolved.keys[task]
            spec = CellSpec(state=state, task=task, protocol=protocol, items=keys, rule=rule)
            cell = Cell(spec, recipe.name, level, info, items, frozenset(), recipe.runtime)
            cells.append(cell)
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
