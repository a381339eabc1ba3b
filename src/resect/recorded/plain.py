"""The plain format: JSON Lines or CSV, one row an answer (docs/recorded.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.recorded import boundary, files
from resect.recorded.align import named
from resect.recorded.describe import exported
from resect.recorded.row import ROW, Recorded, RecordedStudy
from resect.store.formulas import unguarded

ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz")
ANSWERS, ASIDE, TASKS = "answers.csv", ("cells.csv", "measurements.csv"), "answers.tasks.json"
"""What `resect export` writes: the answers, what no audit reads, and what the tasks are."""

_TASKS = TypeAdapter(dict[str, Any])


def matches(names: list[str]) -> bool:
    """Whether any file could be in this format by its name."""
    return any(name.endswith(ENDINGS) for name in names)


def read(path: Path) -> RecordedStudy:
    """All rows of the JSON Lines and CSV files below `path`."""
    rows: list[Recorded] = []
    sources = {}
    below = {PurePosixPath(name) for name in files.names(path)}

    def wanted(name: str) -> bool:
        place = PurePosixPath(name)
        aside = place.name in ASIDE and place.with_name(ANSWERS) in below
        return name.endswith(ENDINGS) and not aside

    for file in files.read(path, wanted):
        rows += [_row(row, where, file.name) for where, row in _records(file)]
        sources[file.name] = file.sha256
    return RecordedStudy(rows, sources, _tasks(path))


def _tasks(path: Path) -> dict[str, TaskInfo]:
    """What the tasks are, as an export says it; answers given alone have it beside them."""
    beside = path.with_name(TASKS) if path.name == ANSWERS else path
    if path.is_dir() or path.name.endswith(files.ARCHIVES):
        tables = list(files.read(path, lambda name: PurePosixPath(name).name == TASKS))
    elif beside != path and beside.is_file():
        tables = [files.single(beside, path.parent)]
    else:
        tables = []
    return {
        name: exported(fields, file.name)
        for file in tables
        for name, fields in boundary.document(file, _TASKS).items()
    }


def _records(file: files.File) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rows without their empty fields, each with where it stands."""
    if file.name.endswith((".csv", ".csv.gz")):
        for number, row in enumerate(map(unguarded, boundary.table(file)), start=1):
            where = f"{file.name} row {number}"
            yield where, {k: v for k, v in row.items() if v != "" or k == "text"}
    else:
        for where, entry in boundary.lines(file):
            yield where, {k: v for k, v in entry.items() if v is not None}


def _row(row: Mapping[str, Any], where: str, source: str) -> Recorded:
    recipe = "none" if "level" not in row else "compressed"
    recorded = boundary.value(ROW, {"recipe": recipe, **row, "source": source}, where)
    if recorded.text is None and not recorded.option_scores:
        raise RequestError(f"{where} has neither text nor option_scores: give one of them.")
    labels = recorded.labels or tuple(recorded.options or ())
    gold = recorded.gold
    if labels and gold.strip():
        label = named(gold, (*labels, *recorded.means.values()))
        if label is None:
            raise RequestError(
                f"{where}: gold {gold!r} is none of the labels {', '.join(labels)}: write one of "
                "them."
            )
        gold = label
    return replace(
        recorded,
        gold=gold,
        labels=labels,
        options=recorded.options or None,
        option_scores=recorded.option_scores or None,
    )
