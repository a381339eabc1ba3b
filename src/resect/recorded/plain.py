"""The plain format: JSON Lines or CSV, one row an answer (docs/recorded.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.recorded import files
from resect.recorded.align import named
from resect.recorded.describe import exported
from resect.recorded.row import Found, Recorded

ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz")
NEEDED = ("model", "task", "item", "gold")
WORDS = (
    *NEEDED, "role", "recipe", "text", "recorded", "prompt", "question", "context", "parent",
    "variant",
)  # fmt: skip
STOPPED = ("eos", "stop", "length")
ANSWERS, ASIDE, TASKS = "answers.csv", ("cells.csv", "measurements.csv"), "answers.tasks.json"
"""What `resect export` writes: the answers, what no audit reads, and what the tasks are."""


def matches(names: list[str]) -> bool:
    """Whether any file could be in this format by its name."""
    return any(name.endswith(ENDINGS) for name in names)


def read(path: Path) -> Found:
    """All rows of the JSON Lines and CSV files below `path`."""
    rows: list[Recorded] = []
    sources = {}
    there = {PurePosixPath(name) for name in files.names(path)}

    def wanted(name: str) -> bool:
        place = PurePosixPath(name)
        aside = place.name in ASIDE and place.with_name(ANSWERS) in there
        return name.endswith(ENDINGS) and not aside

    for file in files.read(path, wanted):
        rows += [_row(row, f"{file.name} {where}", file.name) for where, row in _records(file)]
        sources[file.name] = file.sha256
    return Found(rows, sources, _tasks(path))


def _tasks(path: Path) -> dict[str, TaskInfo]:
    """What the tasks are, as an export says it; answers given alone have it beside them."""
    beside = path.with_name(TASKS)
    if path.is_dir() or path.name.endswith(files.ARCHIVES):
        found = list(files.read(path, lambda name: PurePosixPath(name).name == TASKS))
    elif path.name == ANSWERS and beside.is_file():
        found = [files.one(TASKS, files.content(beside))]
    else:
        found = []
    told: dict[str, TaskInfo] = {}
    for file in found:
        try:
            table = json.loads(files.text(file))
        except ValueError:
            raise RequestError(f"{file.name} is cut short or damaged: export again.") from None
        if not isinstance(table, dict):
            raise RequestError(f"{file.name} names no tasks: export again.")
        told |= {name: exported(fields, file.name) for name, fields in table.items()}
    return told


def _records(file: files.File) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if file.name.endswith((".csv", ".csv.gz")):
        for number, row in enumerate(files.table(file), start=1):
            yield f"row {number}", {k: v for k, v in row.items() if v != "" or k == "text"}
    else:
        for number, entry in files.lines(file):
            yield f"line {number}", {k: v for k, v in entry.items() if v is not None}


def _row(row: Mapping[str, Any], where: str, source: str) -> Recorded:
    for name in NEEDED:
        if name not in row:
            raise RequestError(f"{where} has no {name}: docs/recorded.md lists what a row needs.")
    words = {name: _word(row[name], where, name) for name in WORDS if name in row}
    labels = tuple(_word(x, where, "labels") for x in _listed(row.get("labels"), where, "labels"))
    scores = tuple(_number(x, where) for x in _listed(row.get("option_scores"), where, "scores"))
    options = _mapping(row.get("options"), where, "options")
    if "text" not in row and not scores:
        raise RequestError(f"{where} has neither text nor option_scores.")
    score = _number(row["score"], where) if "score" in row else None
    if score is not None and not math.isfinite(score):
        raise RequestError(f"{where}: score {score} is not finite: write 0 or 1, or leave it out.")
    labels = labels or tuple(options or ())
    means = _mapping(row.get("means"), where, "means") or {}
    right = (*labels, *means.values())
    gold = named(words["gold"], right) if labels and words["gold"].strip() else words["gold"]
    if gold is None:
        raise RequestError(
            f"{where}: gold {words['gold']!r} is none of the labels {', '.join(labels)}."
        )
    return Recorded(
        model=words["model"],
        role=words.get("role"),
        recipe=words.get("recipe", "none" if "level" not in row else "compressed"),
        level=_number(row["level"], where) if "level" in row else None,
        task=words["task"],
        item=words["item"],
        gold=gold,
        text=words.get("text"),
        options=options,
        labels=labels,
        option_scores=scores or None,
        choices=tuple(
            _word(x, where, "choices") for x in _listed(row.get("choices"), where, "choices")
        ),
        recorded=words.get("recorded"),
        tags=_mapping(row.get("tags"), where, "tags") or {},
        prompt=words.get("prompt", ""),
        question=words.get("question", ""),
        score=score,
        scored=_one_of(row.get("scored"), ("letter", "text", "text-normalised"), where, "scored"),
        means=means,
        parent=words.get("parent"),
        variant=words.get("variant"),
        context=words.get("context", ""),
        stopped=_one_of(row.get("stopped"), STOPPED, where, "stopped"),
        source=source,
    )


def _one_of(value: Any, known: tuple[str, ...], where: str, name: str) -> Any:
    if value is not None and value not in known:
        said = f"{', '.join(known[:-1])} or {known[-1]}"
        raise RequestError(f"{where}: {name} is {said}, not {value!r}.")
    return value


def _word(value: Any, where: str, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kind = {bool: "true or false", list: "a list", dict: "an object"}.get(
            type(value), "missing"
        )
        raise RequestError(f"{where}: {name} is {kind}: write it as text.")
    return str(value)


def _number(value: Any, where: str) -> float:
    try:
        if not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise RequestError(f"{where}: {value!r} is no number.")


def _listed(value: Any, where: str, name: str) -> list[Any]:
    """A list, as JSON in a CSV cell or as words joined by `|`."""
    found = _json(value, where, name)
    if isinstance(found, str):
        return found.split("|")
    if not isinstance(found, list | None):
        raise RequestError(f"{where}: {name} is no list.")
    return found or []


def _mapping(value: Any, where: str, name: str) -> dict[str, str] | None:
    found = _json(value, where, name)
    if found is None or found == {}:
        return None
    if not isinstance(found, dict):
        raise RequestError(f"{where}: {name} is no object of names and texts.")
    word = str if name == "tags" else lambda entry: _word(entry, where, name)
    return {str(key): word(entry) for key, entry in found.items()}


def _json(value: Any, where: str, name: str) -> Any:
    if not isinstance(value, str) or not value.startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise RequestError(f"{where}: {name} is no JSON.") from None
