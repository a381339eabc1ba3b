"""The layout of the published pruning study: `<Model>_<Task>/..._<percent>_percent.csv`.

Columns: prompt, true_answer, raw_response, parsed_guess, and subject for MMLU. The model's hub id
stands in the file's name with `_` for `/`; one file is one model at one level on one task.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.recorded import boundary, files
from resect.recorded.row import Recorded, RecordedStudy

RECIPE = "magnitude"
TOPICS = {
    "formal_logic": "logic",
    "logical_fallacies": "logic",
    "global_facts": "logic",
    "college_medicine": "medical",
    "clinical_knowledge": "medical",
}
ROLES = {"BioMistral-7B": "specialist", "Mistral-7B-v0.1": "base"}
LETTERS, WORDS = ("A", "B", "C", "D"), ("yes", "no", "maybe")

_NAME = re.compile(
    r"(?:mmlu_(?P<a>.+)|(?P<b>.+)_(?P<task>[a-z0-9]+))_(?P<percent>[0-9]{1,3})_percent\.csv"
)


class Place(NamedTuple):
    """What a file's name says."""

    id: str
    model: str
    task: str
    level: float


def matches(names: list[str]) -> bool:
    """Whether any file is named as this layout names them."""
    return any(place(name) for name in names)


def place(name: str) -> Place | None:
    """Model, task and level from a file's name, None for other files."""
    match = _NAME.fullmatch(PurePosixPath(name).name)
    if not match:
        return None
    owner, _, model = (match["a"] or match["b"]).partition("_")
    full = f"{owner}/{model}" if model else owner
    return Place(full, model or owner, match["task"] or "mmlu", int(match["percent"]) / 100)


def read(path: Path) -> RecordedStudy:
    """All rows below `path`: the folder, one above it, or the archive."""
    rows: dict[str, list[Recorded]] = {}
    sources: dict[str, str] = {}
    sizes: dict[str, dict[str, int]] = defaultdict(dict)
    unended: set[str] = set()
    ids: dict[str, str] = {}
    for file in files.read(path, lambda name: place(name) is not None):
        where = place(file.name)
        if where is None:  # a single file that was forced into this format
            raise RequestError(f"{file.name} is not named like ..._<percent>_percent.csv.")
        if where.level >= 1:
            raise RequestError(
                f"{file.name} says that {100 * where.level:.0f} % were removed: a level is below "
                "100 %, so rename the file or leave it out."
            )
        rows[file.name] = _rows(file, where)
        sources[file.name], ids[where.model] = file.sha256, where.id
        sizes[where.task][file.name] = len(rows[file.name])
        if not file.data.endswith(b"\n"):
            unended.add(file.name)
    # by name, since an archive has an order of its own
    ordered = [row for name in sorted(rows) for row in rows[name]]
    return RecordedStudy(ordered, sources, TASKS, ids, notes=tuple(_short(sizes, unended)))


def _table(file: files.File) -> list[dict[str, str]]:
    """The rows of one file, which hold the columns needed and one model."""
    table = boundary.table(file)
    for column in ("prompt", "true_answer", "raw_response"):
        if column not in table[0]:
            raise RequestError(f"{file.name} has no column {column!r}.")
    if len({row["model"] for row in table if "model" in row}) > 1:
        raise RequestError(
            f"{file.name} holds two models: split it, or write it in the plain format."
        )
    return table


def _rows(file: files.File, where: Place) -> list[Recorded]:
    rows = []
    for row in _table(file):
        subject, prompt = row.get("subject", ""), row["prompt"]
        letters = bool(subject) or where.task == "mmlu"
        # The same question may stand in two subjects, so the name holds both.
        name = hashlib.sha256(prompt.encode()).hexdigest()[:12]
        task = f"mmlu-{TOPICS.get(subject, subject or 'all')}" if letters else where.task
        rows.append(Recorded(
            model=where.model,
            role=ROLES.get(where.model),
            recipe=RECIPE,
            level=where.level,
            task=task,
            item="/".join(part for part in (where.task, subject, name) if part),
            gold=row["true_answer"],
            text=row["raw_response"],
            options=_options(prompt) if letters else None,
            labels=LETTERS if letters else WORDS if task == "pubmedqa" else (),
            recorded=row.get("parsed_guess") or None,
            tags={"subject": subject} if subject else {},
            prompt=prompt,
            question=_question(prompt),
            source=file.name,
        ))  # fmt: skip
    return rows


def _options(prompt: str) -> dict[str, str] | None:
    """The options as the prompt lists them, None where it does not."""
    rest = "\n" + prompt.rpartition("\nOptions:\n")[2].removesuffix("\nAnswer:")
    parts = []
    for letter in LETTERS:
        before, mark, rest = rest.partition(f"\n{letter}. ")
        if not mark:
            return None
        parts.append(before)
    return None if parts[0] else dict(zip(LETTERS, [*parts[1:], rest], strict=True))


def _question(prompt: str) -> str:
    after = prompt.removeprefix("Question: ").rpartition("\nQuestion: ")[2]
    return after.partition("\nOptions:\n")[0].partition("\nAnswer (")[0]


def _short(sizes: dict[str, dict[str, int]], unended: set[str]) -> list[str]:
    """Files with fewer rows than the others of their task; one that also ends mid-line is cut."""
    notes = []
    for task, rows in sizes.items():
        most = max(rows.values())
        for name, count in rows.items():
            if count == most:
                continue
            if name in unended:
                raise RequestError(
                    f"{name} is cut short: it ends within row {count} of {most}. Record it again, "
                    "or leave it out."
                )
            notes.append(
                f"{name} has {count} of the {most} rows that other files of {task} have: it may "
                "be cut short."
            )
    return notes


def _mmlu(topic: str, subjects: str) -> TaskInfo:
    return TaskInfo(
        name=f"mmlu-{topic}",
        kind="label",
        labels=LETTERS,
        summary=f"MMLU, {topic}: {subjects}",
        protocol=f"as recorded: test questions of {subjects} (the first 200 of each), zero-shot, "
        "at most 5 greedy tokens, stored in upper case; no option log-likelihoods",
        max_new_tokens=5,
    )


TASKS = {
    "mmlu-logic": _mmlu("logic", "formal_logic, logical_fallacies and global_facts"),
    "mmlu-medical": _mmlu("medical", "college_medicine and clinical_knowledge"),
    "pubmedqa": TaskInfo(
        name="pubmedqa",
        kind="label",
        labels=WORDS,
        summary="yes/no/maybe over an abstract, 1,000 expert-labelled questions",
        protocol="as recorded: all 1,000 labelled questions (PQA-L), zero-shot, contexts joined "
        "without a heading, at most 10 greedy tokens, stored in lower case; no option "
        "log-likelihoods",
        max_new_tokens=10,
        scored="text",
        positive="yes",
    ),
}
