"""The plain format: JSON Lines or CSV, one row an answer (docs/recorded.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from resect.errors import RequestError
from resect.recorded import files
from resect.recorded.row import Found, Recorded

ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz")
NEEDED = ("model", "task", "item", "gold")


def matches(names: list[str]) -> bool:
    """Whether any file could be in this format by its name."""
    return any(name.endswith(ENDINGS) for name in names)


def read(path: Path) -> Found:
    """All rows of the JSON Lines and CSV files below `path`."""
    rows: list[Recorded] = []
    sources = {}
    for file in files.read(path, lambda name: name.endswith(ENDINGS)):
        rows += [_row(row, f"{file.name} {where}", file.name) for where, row in _records(file)]
        sources[file.name] = file.sha256
    return Found(rows, sources)


def _records(file: files.File) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if ".csv" in file.name:
        for number, row in enumerate(files.table(file), start=1):
            yield f"row {number}", {k: v for k, v in row.items() if v != "" or k == "text"}
    else:
        for number, entry in files.lines(file):
            yield f"line {number}", {k: v for k, v in entry.items() if v is not None}


def _row(row: Mapping[str, Any], where: str, source: str) -> Recorded:
    for name in NEEDED:
        if name not in row:
            raise RequestError(f"{where} has no {name}: docs/recorded.md lists what a row needs.")
    labels = tuple(map(str, _listed(row.get("labels"), where, "labels")))
    scores = tuple(_number(x, where) for x in _listed(row.get("option_scores"), where, "scores"))
    options = _mapping(row.get("options"), where, "options")
    if "text" not in row and not scores:
        raise RequestError(f"{where} has neither text nor option_scores.")
    score = row.get("score")
    return Recorded(
        model=str(row["model"]),
        role=str(row["role"]) if "role" in row else None,
        treatment=str(row.get("treatment", "none" if "level" not in row else "compressed")),
        level=_number(row["level"], where) if "level" in row else None,
        task=str(row["task"]),
        item=str(row["item"]),
        gold=str(row["gold"]),
        text=str(row["text"]) if "text" in row else None,
        options=options,
        labels=labels or tuple(options or ()),
        option_scores=scores or None,
        choices=tuple(map(str, _listed(row.get("choices"), where, "choices"))),
        recorded=str(row["recorded"]) if "recorded" in row else None,
        tags=_mapping(row.get("tags"), where, "tags") or {},
        prompt=str(row.get("prompt", "")),
        question=str(row.get("question", "")),
        score=None if score is None else _number(score, where),
        scored=_scored(row.get("scored"), where),
        source=source,
    )


def _scored(value: Any, where: str) -> str | None:
    if value not in (None, "letter", "text", "text-normalised"):
        raise RequestError(f"{where}: scored is letter, text or text-normalised, not {value!r}.")
    return None if value is None else str(value)


def _number(value: Any, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise RequestError(f"{where}: {value!r} is no number.") from None


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
    return {str(key): str(entry) for key, entry in found.items()}


def _json(value: Any, where: str, name: str) -> Any:
    if not isinstance(value, str) or not value.startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise RequestError(f"{where}: {name} is no JSON.") from None
