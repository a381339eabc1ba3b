"""lm-evaluation-harness sample files: `samples_<task>_<time>.jsonl`, with `results_<time>.json`.

One folder a model, as `--output_path --log_samples` writes them. Which model, recipe and level
a folder stands for is read by `lm_eval_names`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.recorded import files
from resect.recorded.describe import LETTERS, LONGEST_LABEL, MOST_LABELS, exported
from resect.recorded.lm_eval_names import RESULTS, SAMPLES, Subject, readings, subject_of
from resect.recorded.lm_eval_scored import accuracies, arguments, differing, scored, several
from resect.recorded.row import Found, Recorded


def matches(names: list[str]) -> bool:
    """Whether any file is named as lm-eval names its samples."""
    return any(SAMPLES.fullmatch(PurePosixPath(name).name) for name in names)


def read(path: Path) -> Found:
    """All sample files below `path`; of a task that ran twice for one model, the newest."""
    names = files.names(path)
    newest, notes = _newest([name for name in names if _is(SAMPLES, name)] or names)
    results = _all_results(path)
    rows: list[Recorded] = []
    whose: dict[str, list[Subject]] = defaultdict(list)
    infos: dict[str, TaskInfo] = {}
    stated: list[dict[str, Any]] = []
    sources: dict[str, str] = {}
    order: dict[str, int] = {}
    for file in files.read(path, lambda name: name in newest):
        who, said = subject_of(file.name, results, path)
        task = _task(file.name)
        config = (said.get("configs") or {}).get(task) or {}
        got, computed = _read_task(file, task, who, config)
        rows += got
        whose[who.model].append(who)
        stated += _stated(who, task, (said.get("results") or {}).get(task) or {}, computed)
        ours = _ours(config)
        if ours:
            info = exported(ours.get("info"), f"the results file of {file.name}")
            infos[info.name] = info
            order.setdefault(info.name, list(said["configs"]).index(task))
        sources[file.name] = file.sha256
    # the id is that of the intact model where it is there
    ids = {
        model: next((who.id for who in got if who.recipe == "none"), got[0].id)
        for model, got in whose.items()
    }
    notes += [*readings(who for got in whose.values() for who in got), *differing(stated)]
    # our own tasks in the order of their run, not of their files' names
    rows.sort(key=lambda row: order.get(row.task, 0))
    return Found(_merged(rows), sources, infos, ids, tuple(stated), tuple(notes))


def _is(pattern: re.Pattern[str], name: str) -> bool:
    return bool(pattern.fullmatch(PurePosixPath(name).name))


def _all_results(path: Path) -> dict[str, dict[str, Any]]:
    """What every results file below `path` says; a lone sample file has its own beside it."""
    if path.is_dir() or path.name.endswith(files.ARCHIVES):
        found = files.read(path, lambda name: _is(RESULTS, name))
        return {file.name: _results(file) for file in found}
    beside = sorted(path.parent.glob("results_*.json"))
    return {p.name: _results(files.one(p.name, files.content(p))) for p in beside}


def _results(file: files.File) -> dict[str, Any]:
    try:
        found = json.loads(files.text(file))
    except ValueError as error:
        raise RequestError(f"{file.name} is cut short or damaged ({error}).") from None
    kept = ("config", "configs", "results", "model_name")
    if not isinstance(found, dict) or any(
        not isinstance(found.get(name) or {}, dict) for name in kept[:3]
    ):
        raise RequestError(f"{file.name} is no results file of lm-eval.")
    return {name: found[name] for name in kept if name in found}


def _newest(samples: Sequence[str]) -> tuple[set[str], list[str]]:
    """The last sample file of each folder and task, and a note where one was left out."""
    times: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in samples:
        times[str(PurePosixPath(name).parent), _task(name)].append(name)
    notes = [
        f"{folder}: {task} ran {len(names)} times, the newest is read."
        for (folder, task), names in times.items()
        if len(names) > 1
    ]
    return {max(names) for names in times.values()}, notes


def _task(name: str) -> str:
    found = SAMPLES.fullmatch(PurePosixPath(name).name)
    if not found:
        raise RequestError(f"{name} is not named like samples_<task>_<time>.jsonl.")
    return found["task"]


def _read_task(
    file: files.File, task: str, who: Subject, config: Mapping[str, Any]
) -> tuple[list[Recorded], dict[str, float]]:
    """The rows of one file, and the scores that follow from them."""
    documents: dict[Any, dict[str, Any]] = {}
    for number, row in files.lines(file):
        for name in ("doc_id", "doc", "target", "arguments", "resps"):
            if name not in row:
                raise RequestError(f"{file.name} line {number} has no {name}.")
        if str(row["target"]).strip() in ("", "None", "[]"):
            raise RequestError(f"{file.name} line {number} has no gold answer (target).")
        first = documents.setdefault(row["doc_id"], row)  # one line a document and filter
        if first is not row and first.get("filter") == row.get("filter"):
            raise RequestError(f"{file.name} has document {row['doc_id']} twice.")
    if not documents:
        raise RequestError(f"{file.name} has no rows: leave the file out, or record it again.")
    rows = list(documents.values())
    try:
        ours = _ours(config)
        if _is_scored(rows[0]):
            return _choices(rows, task, who, config, ours, file.name)
        return _texts(rows, task, who, ours, file.name), {}
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise RequestError(
            f"{file.name} is not laid out as lm-eval writes samples ({error!r})."
        ) from None


def _is_scored(row: Mapping[str, Any]) -> bool:
    first = row["resps"][0][0]
    return isinstance(first, list) and len(first) == 2


def _choices(
    rows: Sequence[Mapping[str, Any]],
    task: str,
    who: Subject,
    config: Mapping[str, Any],
    ours: Mapping[str, Any] | None,
    source: str,
) -> tuple[list[Recorded], dict[str, float]]:
    delimiter = str(config.get("target_delimiter", " "))
    documents = scored(rows, delimiter, source, ours is not None)
    shared = documents[0].choices
    alike = len(set(shared)) == len(shared) <= MOST_LABELS and all(
        one.choices == shared and max(map(len, shared)) <= LONGEST_LABEL for one in documents
    )
    found = []
    for row, one in zip(rows, documents, strict=True):
        labels = one.choices if alike else tuple(LETTERS[: len(one.choices)])
        base = Recorded(
            **who.fields(),
            task=task,
            item=f"{task}/{row['doc_id']}",
            gold=labels[one.gold],
            text=None,
            options=None if alike else dict(zip(labels, one.choices, strict=True)),
            labels=labels,
            option_scores=one.scores,
            choices=tuple(delimiter + choice for choice in one.choices),
            prompt=arguments(row)[0][0],
            question=str(row["doc"].get("question", "")),
            source=source,
        )
        found.append(_own(base, row["doc"], ours) if ours else base)
    return found, accuracies(documents)


def _texts(
    rows: Sequence[Mapping[str, Any]],
    task: str,
    who: Subject,
    ours: Mapping[str, Any] | None,
    source: str,
) -> list[Recorded]:
    found = []
    for row in rows:
        if several(row["target"]):
            raise RequestError(
                f"{source}: document {row['doc_id']} has a list of right answers: not read, give "
                "it one gold answer."
            )
        read = row.get("filtered_resps")
        read = read[0] if isinstance(read, list) and read else read
        metric = next((m for m in row.get("metrics") or () if row.get(m) in (0, 1)), None)
        base = Recorded(
            **who.fields(),
            task=task,
            item=f"{task}/{row['doc_id']}",
            gold=str(row["target"]).strip(),
            text=str(row["resps"][0][0]),
            recorded=read if isinstance(read, str) else None,
            prompt=arguments(row)[0][0],
            question=str(row["doc"].get("question", "")),
            score=None if metric is None else float(row[metric]),
            source=source,
        )
        found.append(_own(base, row["doc"], ours) if ours else base)
    return found


def _own(base: Recorded, doc: Mapping[str, Any], ours: Mapping[str, Any]) -> Recorded:
    """A row of a file that resect exported: the item as it was."""
    return replace(
        base,
        task=ours["info"]["name"],
        item=doc["id"],
        gold=doc["gold"],
        labels=tuple(doc["labels"]),
        options=doc["options"],
        tags=doc["tags"],
        recorded=doc["recorded"],
        choices=tuple(doc["choices"]),
        score=doc["score"],
        means=doc.get("means") or {},
        parent=doc.get("parent"),
        variant=doc.get("variant"),
        context=doc.get("context") or "",
        stopped=doc.get("stopped"),
    )


def _stated(
    who: Subject, task: str, said: Mapping[str, Any], computed: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Scores of the results file beside those that follow from the samples."""
    keys = {name: f"{name},none" for name in computed}
    where = {"model": who.model, "recipe": who.recipe, "level": who.level, "task": task}
    return [
        {**where, "metric": name, "stated": said[keys[name]], "computed": value}
        for name, value in computed.items()
        if isinstance(said.get(keys[name]), int | float)
    ]


def _merged(rows: list[Recorded]) -> list[Recorded]:
    """Two views of one item, which resect exports as two files, as one row again."""
    table: dict[tuple[Any, ...], Recorded] = {}
    kept = []
    for row in rows:
        key = (row.model, row.recipe, row.level, row.task, row.item)
        other = table.get(key)
        if other and (other.text is None) != (row.text is None):
            texts, scores = (row, other) if other.text is None else (other, row)
            table[key] = replace(texts, option_scores=scores.option_scores, choices=scores.choices)
        elif other:
            kept.append(row)  # a duplicate, which checking will name
        else:
            table[key] = row
    return [*table.values(), *kept]


def _ours(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What resect's own export says of a task beside lm-eval's fields."""
    metadata = config.get("metadata")
    found = metadata.get("resect") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else None
