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
from resect.store.formulas import unguarded

ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz")
NEEDED = ("model", "task", "item", "gold")
WORDS = (
    *NEEDED, "role", "recipe", "text", "recorded", "prompt", "question", "context", "parent",
    "variant",
)  # fmt: skip
STOPPED, SCORED = ("eos", "stop", "length"), ("letter", "text", "text-normalised")
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
        tables = list(files.read(path, lambda name: PurePosixPath(name).name == TASKS))
    elif path.name == ANSWERS and beside.is_file():
        tables = [files.one(TASKS, files.content(beside))]
    else:
        tables = []
    infos: dict[str, TaskInfo] = {}
    for file in tables:
        try:
            table = json.loads(files.text(file))
        except ValueError:
            raise RequestError(f"{file.name} is cut short or damaged: export again.") from None
        if not isinstance(table, dict):
            raise RequestError(f"{file.name} names no tasks: export again.")
        infos |= {name: exported(fields, file.name) for name, fields in table.items()}
    return infos


def _records(file: files.File) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if file.name.endswith((".csv", ".csv.gz")):
        for number, row in enumerate(map(unguarded, files.table(file)), start=1):
            yield f"row {number}", {k: v for k, v in row.items() if v != "" or k == "text"}
    else:
        for number, entry in files.lines(file):
            yield f"line {number}", {k: v for k, v in entry.items() if v is not None}


def _row(row: Mapping[str, Any], where: str, source: str) -> Recorded:
    for name in NEEDED:
        if name not in row:
            raise RequestError(f"{where} has no {name}: docs/recorded.md lists what a row needs.")
    recipe = "none" if "level" not in row else "compressed"
    words: dict[str, Any] = {"role": None, "recipe": recipe, "text": None}
    words |= {name: _word(row[name], where, name) for name in WORDS if name in row}
    labels = _words(row, where, "labels")
    scores = tuple(_number(x, where) for x in _listed(row, where, "option_scores", "scores"))
    options = _mapping(row, where, "options")
    if "text" not in row and not scores:
        raise RequestError(f"{where} has neither text nor option_scores.")
    score = _optional(row, where, "score")
    if score is not None and not math.isfinite(score):
        raise RequestError(f"{where}: score {score} is not finite: write 0 or 1, or leave it out.")
    labels = labels or tuple(options)
    means = _mapping(row, where, "means")
    words["gold"] = _gold(words["gold"], labels, means, where)
    return Recorded(
        **words,
        level=_optional(row, where, "level"),
        options=options or None,
        labels=labels,
        option_scores=scores or None,
        choices=_words(row, where, "choices"),
        tags=_mapping(row, where, "tags"),
        score=score,
        scored=_one_of(row, where, "scored", SCORED),
        means=means,
        stopped=_one_of(row, where, "stopped", STOPPED),
        source=source,
    )


def _gold(answer: str, labels: tuple[str, ...], means: Mapping[str, str], where: str) -> str:
    """The label that a gold answer is, or what it means; as it stands where there are no labels."""
    if not labels or not answer.strip():
        return answer
    gold = named(answer, (*labels, *means.values()))
    if gold is None:
        raise RequestError(f"{where}: gold {answer!r} is none of the labels {', '.join(labels)}.")
    return gold


def _one_of(row: Mapping[str, Any], where: str, name: str, known: tuple[str, ...]) -> Any:
    value = row.get(name)
    if value is not None and value not in known:
        words = f"{', '.join(known[:-1])} or {known[-1]}"
        raise RequestError(f"{where}: {name} is {words}, not {value!r}.")
    return value


def _words(row: Mapping[str, Any], where: str, name: str) -> tuple[str, ...]:
    return tuple(_word(entry, where, name) for entry in _listed(row, where, name, name))


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


def _optional(row: Mapping[str, Any], where: str, name: str) -> float | None:
    return _number(row[name], where) if name in row else None


def _listed(row: Mapping[str, Any], where: str, name: str, called: str) -> list[Any]:
    """A list, as JSON in a CSV cell or as words joined by `|`."""
    entries = _json(row.get(name), where, called)
    if isinstance(entries, str):
        return entries.split("|")
    if not isinstance(entries, list | None):
        raise RequestError(f"{where}: {called} is no list.")
    return entries or []


def _mapping(row: Mapping[str, Any], where: str, name: str) -> dict[str, str]:
    entries = _json(row.get(name), where, name)
    if entries is None:
        return {}
    if not isinstance(entries, dict):
        raise RequestError(f"{where}: {name} is no object of names and texts.")
    word = str if name == "tags" else lambda entry: _word(entry, where, name)
    return {str(key): word(entry) for key, entry in entries.items()}


def _json(value: Any, where: str, name: str) -> Any:
    if not isinstance(value, str) or not value.startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise RequestError(f"{where}: {name} is no JSON.") from None
