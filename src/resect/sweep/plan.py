"""A study to courses, minus what is stored. All that can be wrong is found here, before a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from resect import methods, models, tasks
from resect.course import Cell, Course
from resect.errors import RequestError
from resect.models import Identity
from resect.record import Item, TaskInfo
from resect.spec import BASELINE, CellSpec, ModelRef, StateSpec, Study, Treatment
from resect.tasks import Source


class Stored(Protocol):
    """What planning asks of a store."""

    def answered(self, asking: str) -> Set[str]:
        """Keys of the items that have an answer."""
        ...

    def finished(self, cell: str) -> bool:
        """Whether this very cell ended well."""
        ...

    def measured(self, state: str) -> bool:
        """Whether this state was measured."""
        ...


@dataclass(frozen=True)
class Resolved:
    """A checked study: what its names stand for."""

    study: Study
    device: str
    names: Mapping[str, str]
    identities: Mapping[str, Identity]
    infos: Mapping[str, TaskInfo]
    items: Mapping[str, tuple[Item, ...]]
    keys: Mapping[str, tuple[str, ...]]
    random: Mapping[str, bool]

    def warnings(self) -> list[str]:
        """What a reader must know of the study itself: a control that is not the parent."""
        specialist, base = self.study.models.get("specialist"), self.study.models.get("base")
        parent = self.identities["specialist"].parent if specialist else None
        if not parent or not base or parent.rsplit("/", 1)[-1] == self.names["base"]:
            return []
        return [
            f"the control is not the parent: {self.names['specialist']} names {parent} as its "
            f"base model, the study compares it with {base.id}"
        ]


def resolve(study: Study) -> Resolved:
    """Check every name and file of a study and load its items. Raises `RequestError`."""
    if not study.treatments:
        raise RequestError("the study names no method: give --method, or treatments in the YAML.")
    random = {}
    for treatment in study.treatments:
        random[treatment.name] = check(treatment)
    device = models.device_of(study.device)
    found = {name: tasks.get(name) for name in study.tasks}
    source = Source(
        Path(study.data_dir).expanduser() if study.data_dir else None,
        study.limit,
        study.seed,
    )
    items = {name: tuple(task.items(source)) for name, task in found.items()}
    for name, got in items.items():
        if not got:
            raise RequestError(f"task {name} has no items: check its data file.")
        if len({item.id for item in got}) < len(got):
            raise RequestError(f"task {name} has two items with the same id: mend its data file.")
    identities = {role: models.identify(ref) for role, ref in study.models.items()}
    infos = {name: task.info for name, task in found.items()}
    keys = {name: tuple(item.key for item in got) for name, got in items.items()}
    names = _names(study.models)
    return Resolved(study, device, names, identities, infos, items, keys, random)


def check(treatment: Treatment) -> bool:
    """Refuse a treatment that cannot be run; says whether any step of it is random."""
    parts = [methods.check(step) for step in treatment.steps]
    for number, (step, method) in enumerate(zip(treatment.steps, parts, strict=True)):
        if method.terminal and number + 1 < len(parts):
            raise RequestError(f"nothing can follow {step.method}: put it last in the treatment.")
        if methods.METHODS[step.method].dose and step.level is None and number != treatment.swept:
            raise RequestError(
                f"{step.method} has no level: write {step.method}:0.5, or give levels to sweep."
            )
    if treatment.levels and treatment.swept is None:
        raise RequestError(f"levels are given, but no step of {treatment.name!r} is left to sweep.")
    if treatment.swept is not None:
        swept = treatment.steps[treatment.swept]
        dose = methods.METHODS[swept.method].dose
        if dose is None:
            raise RequestError(f"{swept.method} takes no level, so it cannot be swept.")
        for level in treatment.levels if "fraction" in dose else ():
            methods.check(swept.model_copy(update={"level": level}))
    return any(method.random for method in parts)


def courses(resolved: Resolved) -> list[Course]:
    """One course a model and treatment, with every cell of the study.

    The baseline is asked once a model, at the start of its first course.
    """
    study, planned = resolved.study, []
    for role, ref in study.models.items():
        cells = _cells(resolved, role, BASELINE)
        for treatment in study.treatments:
            cells += _cells(resolved, role, treatment)
            planned.append(
                Course(
                    ref,
                    resolved.names[role],
                    treatment,
                    study.seed,
                    resolved.device,
                    study.batch_tokens,
                    cells,
                )
            )
            cells = ()
    return planned


def due(planned: Sequence[Course], stored: Stored) -> list[Course]:
    """The courses with only the cells that still miss something; none that has nothing to do."""
    left = []
    for course in planned:
        cells = []
        for cell in course.cells:
            got = stored.answered(cell.spec.asking)
            missing = frozenset(i for i, key in enumerate(cell.spec.items) if key not in got)
            ended = stored.finished(cell.spec.id) and stored.measured(cell.spec.state.id)
            if missing or not ended:
                cells.append(replace(cell, missing=missing))
        if cells:
            left.append(replace(course, cells=tuple(cells)))
    return left


def _cells(resolved: Resolved, role: str, treatment: Treatment) -> tuple[Cell, ...]:
    """The cells of one model under one treatment, in rising order of level."""
    found = []
    for level in treatment.levels or ((0.0,) if treatment is BASELINE else (None,)):
        steps = treatment.at(level)
        if not steps and treatment is not BASELINE:
            continue  # level 0 of a single step is the baseline
        state = _state(resolved, role, treatment, tuple(str(step) for step in steps))
        for task, items in resolved.items.items():
            info = resolved.infos[task]
            protocol = {
                "max_new_tokens": info.max_new_tokens,
                "stop": list(info.stop),
                "version": info.version,
            }
            spec = CellSpec(state=state, task=task, protocol=protocol, items=resolved.keys[task])
            found.append(Cell(spec, treatment.name, level, info, items, frozenset()))
    return tuple(found)


def _state(
    resolved: Resolved, role: str, treatment: Treatment, steps: tuple[str, ...]
) -> StateSpec:
    identity = resolved.identities[role]
    random = resolved.random.get(treatment.name, False)
    return StateSpec(
        model=identity.fingerprint,
        steps=steps,
        seed=resolved.study.seed if random else None,
        dtype=identity.dtype,
        device=resolved.device.split(":")[0],
        versions={name: _minor(version(name)) for name in ("torch", "transformers")},
    )


def _minor(full: str) -> str:
    return ".".join(full.split(".")[:2])


def _names(refs: Mapping[str, ModelRef]) -> dict[str, str]:
    """Short names of the models, longer where two would be called alike."""
    short = [ref.name for ref in refs.values()]
    return {
        role: ref.name if short.count(ref.name) == 1 else f"{ref.name} ({role})"
        for role, ref in refs.items()
    }
