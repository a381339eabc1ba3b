"""Recorded rows into an ordinary run folder: checked and read first, written afterwards."""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from resect.errors import RequestError
from resect.record import Answer, CellResult, Item, RawAnswer, Reading, TaskInfo, digest
from resect.recorded.align import aligned
from resect.recorded.describe import infos, items
from resect.recorded.file_check import bits, checked, gaps, identity
from resect.recorded.roles import control, roles
from resect.recorded.row import Recorded, RecordedStudy
from resect.running import folder
from resect.spec.parents import parent_of
from resect.tasks import readers
from resect.tasks.contract import chosen

RESAMPLES = 2000
OUTPUTS = ("summary.json", "report.html", "card.md", "card.json")


class Cell(NamedTuple):
    """One cell and its rows, in the order of the task's items."""

    result: CellResult
    rows: tuple[Recorded, ...]
    items: tuple[Item, ...]


class Filled(NamedTuple):
    """All that a run folder will hold."""

    models: list[dict[str, Any]]
    tasks: dict[str, TaskInfo]
    items: dict[str, dict[str, Item]]
    cells: list[Cell]
    facts: dict[str, Any]


def fill(study: RecordedStudy, path: Path, format: str, asked: Mapping[str, str | None]) -> Filled:
    """Check every row and lay it out as cells. Writes nothing; raises `RequestError`."""
    rows = checked(study.rows)
    role_of = roles(rows, study.ids, asked)
    tasks = infos(rows, study.tasks)
    rows = aligned(rows, tasks)
    by_task, notes = items(rows, tasks)
    cells = _cells(rows, study.sources, role_of, by_task)
    unknown = {"revision": None, "fingerprint": None, "dtype": None}
    ids = {name: study.ids.get(name, name) for name in role_of}
    models = [
        {"name": name, "role": role, "id": ids[name], **unknown, "parent": parent_of(ids[name])}
        for name, role in role_of.items()
    ]
    recorded = {
        "format": format,
        "path": path.name or str(path),
        "files": len(study.sources),
        "answers": len(rows),
        "digest": digest(sorted(study.sources.items())),
    }
    warnings = [*control(role_of, study.ids), *study.notes, *notes, *bits(rows), *gaps(rows)]
    facts = {
        "study": _declared(path.resolve().name.partition(".")[0], models, rows, tasks, recorded),
        "provenance": _provenance(),
        "warnings": warnings,
        "audit": {**recorded, "sources": dict(study.sources), "stated": list(study.stated)},
    }
    return Filled(models, tasks, by_task, cells, facts)


def write(filled: Filled, out: Path) -> folder.Run:
    """Write what was laid out into `out`, replacing an earlier audit there but never a live run."""
    run = folder.Run.create(out)
    if not run.replaceable():
        raise RequestError(f"{out} holds a run that was not an audit: give another --out.")
    sets: dict[str, Sequence[Item]] = {t: list(i.values()) for t, i in filled.items.items()}
    sets |= {cell.result.cell: cell.items for cell in filled.cells}
    with run.writing(notice=lambda _: None) as store:  # of damage: all is written anew
        # should rendering fail, nothing of an earlier audit may stay beside the new store
        for name in OUTPUTS:
            (run.path / name).unlink(missing_ok=True)
        plan = [cell.result for cell in filled.cells]
        store.put_study(filled.models, filled.tasks, sets, plan, filled.facts)
        readings = _Readings(filled.tasks)
        for cell in filled.cells:
            store.put_answers(list(_answers(cell, readings)))
            store.put_cell(cell.result)
        study = yaml.safe_dump(filled.facts["study"], sort_keys=False, allow_unicode=True)
        folder.write(run.path / "study.yaml", study)
    return run


def _cells(
    rows: Sequence[Recorded],
    sources: Mapping[str, str],
    role_of: Mapping[str, str],
    known: Mapping[str, Mapping[str, Item]],
) -> list[Cell]:
    """Rows by cell: models by role, then the baseline and rising levels, then tasks."""
    groups: dict[tuple[str, str, float | None, str], dict[str, Recorded]] = defaultdict(dict)
    for row in rows:
        groups[row.model, row.recipe, row.level, row.task][row.item] = row
    order = {name: i for i, name in enumerate(role_of)}
    tasks = {name: i for i, name in enumerate(known)}
    cells = []
    for key in sorted(
        groups,
        key=lambda k: (order[k[0]], k[1] != "none", k[1], k[2] is None, k[2] or 0.0, tasks[k[3]]),
    ):
        model, recipe, level, task = key
        names = [name for name in known[task] if name in groups[key]]
        answers = tuple(groups[key][name] for name in names)
        asked = tuple(known[task][name] for name in names)
        sources_of = sorted({row.source for row in answers})
        state = identity([sources[source] for source in sources_of], answers[0])
        keys = tuple(item.key for item in asked)
        asking = digest([state, "recorded", task])
        result = CellResult(
            cell=digest([asking, task, list(keys)]),
            asking=asking,
            state=state,
            model=model,
            role=role_of[model],
            recipe=recipe,
            level=level,
            seed=0,
            task=task,
            status="success",
            reason=None,
            items=keys,
            spec={"recorded": sources_of},
        )
        cells.append(Cell(result, answers, asked))
    return cells


class _Readings:
    """Reads texts by the description of their task; the same text to the same item is read once.

    Where no reader of ours is named, only the recorded score is known.
    """

    def __init__(self, tasks: Mapping[str, TaskInfo]) -> None:
        self.tasks = tasks
        self.readers = {name: readers.again(info) for name, info in tasks.items()}
        self.known: dict[tuple[str, str, str], Reading] = {}

    def of(self, row: Recorded, item: Item) -> Reading:
        if row.text is None:
            return Reading(None, "", "", None)
        key, reader = (row.task, row.item, row.text), self.readers[row.task]
        if reader is None:
            plain = float(row.text.strip() == row.gold.strip())
            return Reading(None, "", "", plain if row.score is None else row.score)
        if key not in self.known:
            self.known[key] = reader.read(row.text, item, row.stopped)
        return self.known[key]

    def name(self, task: str) -> str:
        """The version of what reads the texts of a task."""
        reader = self.readers[task]
        return "recorded" if reader is None else reader.version


def _answers(cell: Cell, readings: _Readings) -> Iterator[Answer]:
    for row, item in zip(cell.rows, cell.items, strict=True):
        raw = RawAnswer(row.text or "", row.stopped, 0, row.option_scores)
        best = chosen(item, row.option_scores, readings.tasks[row.task].scored)
        asking, key = cell.result.asking, item.key
        reader = readings.name(row.task)
        yield Answer(asking, key, raw, readings.of(row, item), reader, best, row.recorded)


def _declared(
    name: str,
    models: Sequence[Mapping[str, Any]],
    rows: Sequence[Recorded],
    tasks: Mapping[str, TaskInfo],
    recorded: Mapping[str, Any],
) -> dict[str, Any]:
    """The study as summary.json shows it: models by role, or by name where several share one."""
    count = Counter(model["role"] for model in models)
    levels: dict[str, set[float]] = defaultdict(set)
    for row in rows:
        if row.recipe != "none":
            levels[row.recipe] |= set() if row.level is None else {row.level}
    unique = {m["role"] if count[m["role"]] == 1 else m["name"]: m["id"] for m in models}
    return {
        "name": name,
        "models": {key: {"id": i, "revision": None, "dtype": None} for key, i in unique.items()},
        "recipes": [{"name": recipe, "levels": sorted(own)} for recipe, own in levels.items()],
        "tasks": list(tasks),
        "limit": None,
        "variants": [],
        "seed": 0,
        "resamples": RESAMPLES,
        "margin": None,
        "alpha": None,
        "recorded": dict(recorded),
    }


def _provenance() -> dict[str, Any]:
    return {
        "resect": version("resect"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in ("numpy", "pandas", "scipy")},
        "device": "none: answers were recorded elsewhere",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
