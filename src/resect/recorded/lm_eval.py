"""lm-evaluation-harness sample files: `samples_<task>_<time>.jsonl`, with `results_<time>.json`.

One folder a model, as `--output_path --log_samples` writes them. Which model, treatment and level
a folder stands for is read by `lm_eval_names`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.recorded import files
from resect.recorded.describe import LETTERS, LONGEST_LABEL, MOST_LABELS
from resect.recorded.lm_eval_names import RESULTS, SAMPLES, Subject, subject_of
from resect.recorded.row import Found, Recorded


class Scored(NamedTuple):
    """One multiple-choice document: log-likelihoods of its choices, the right one's place."""

    scores: tuple[float, ...]
    choices: tuple[str, ...]
    gold: int


def matches(names: list[str]) -> bool:
    """Whether any file is named as lm-eval names its samples."""
    return any(SAMPLES.fullmatch(PurePosixPath(name).name) for name in names)


def read(path: Path) -> Found:
    """All sample files below `path`; of a task that ran twice for one model, the newest."""
    results: dict[str, dict[str, Any]] = {}
    samples: dict[str, files.File] = {}
    for file in files.read(path, _wanted):
        if RESULTS.fullmatch(PurePosixPath(file.name).name):
            results[file.name] = _results(file)
        else:
            samples[file.name] = file
    if path.is_file():  # a lone sample file: its results lie beside it
        for beside in sorted(path.parent.glob("results_*.json")):
            results[beside.name] = _results(files.File(beside.name, beside.read_bytes()))
    rows: list[Recorded] = []
    ids: dict[str, str] = {}
    infos: dict[str, TaskInfo] = {}
    stated: list[dict[str, Any]] = []
    newest, notes = _newest(samples)
    for name in newest:
        who, said = subject_of(name, results, path)
        task = _task(name)
        config = (said.get("configs") or {}).get(task) or {}
        got, computed = _read_task(samples[name], task, who, config)
        rows += got
        ids[who.model] = who.id
        stated += _stated(who, task, (said.get("results") or {}).get(task) or {}, computed)
        if "resect" in (config.get("metadata") or {}):
            info = _info(config["metadata"]["resect"]["info"])
            infos[info.name] = info
    sources = {name: samples[name].sha256 for name in newest}
    return Found(_merged(rows), sources, infos, ids, tuple(stated), tuple(notes))


def _wanted(name: str) -> bool:
    base = PurePosixPath(name).name
    return bool(SAMPLES.fullmatch(base) or RESULTS.fullmatch(base))


def _results(file: files.File) -> dict[str, Any]:
    try:
        found = json.loads(files.text(file))
    except ValueError as error:
        raise RequestError(f"{file.name} is cut short or damaged ({error}).") from None
    if not isinstance(found, dict):
        raise RequestError(f"{file.name} is no results file of lm-eval.")
    return found


def _newest(samples: Mapping[str, files.File]) -> tuple[list[str], list[str]]:
    """The last sample file of each folder and task, and a note where one was left out."""
    times: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in samples:
        times[str(PurePosixPath(name).parent), _task(name)].append(name)
    notes = [
        f"{folder}: {task} ran {len(names)} times, the newest is read."
        for (folder, task), names in times.items()
        if len(names) > 1
    ]
    return [max(names) for names in times.values()], notes


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
        if str(row["target"]).strip() in ("", "None"):
            raise RequestError(f"{file.name} line {number} has no gold answer (target).")
        first = documents.setdefault(row["doc_id"], row)  # one line a document and filter
        if first is not row and first.get("filter") == row.get("filter"):
            raise RequestError(f"{file.name} has document {row['doc_id']} twice.")
    if not documents:
        raise RequestError(f"{file.name} has no rows: leave the file out, or record it again.")
    rows = list(documents.values())
    try:
        ours = (config.get("metadata") or {}).get("resect")
        if _is_scored(rows[0]):
            return _choices(rows, task, who, config, ours, file.name)
        return _texts(rows, task, who, ours, file.name), {}
    except (KeyError, IndexError, TypeError, ValueError) as error:
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
    scored = [_scored(row, delimiter) for row in rows]
    shared = scored[0].choices
    alike = len(shared) <= MOST_LABELS and all(
        one.choices == shared and max(map(len, shared)) <= LONGEST_LABEL for one in scored
    )
    found = []
    for row, one in zip(rows, scored, strict=True):
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
            prompt=_arguments(row)[0][0],
            question=str(row["doc"].get("question", "")),
            source=source,
        )
        found.append(_own(base, row["doc"], ours) if ours else base)
    return found, _accuracies(scored)


def _texts(
    rows: Sequence[Mapping[str, Any]],
    task: str,
    who: Subject,
    ours: Mapping[str, Any] | None,
    source: str,
) -> list[Recorded]:
    found = []
    for row in rows:
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
            prompt=_arguments(row)[0][0],
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
    )


def _arguments(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(context, continuation) of each request, from both layouts lm-eval has used."""
    found = row["arguments"]
    if isinstance(found, dict):
        return [(part["arg_0"], part.get("arg_1")) for part in found.values()]
    return [(part[0], part[1]) for part in found]


def _scored(row: Mapping[str, Any], delimiter: str) -> Scored:
    arguments = _arguments(row)
    scores = [float(answer[0][0]) for answer in row["resps"]]
    if "acc_mutual_info" in (row.get("metrics") or ()):  # the second half has no context
        arguments, scores = arguments[: len(scores) // 2], scores[: len(scores) // 2]
    choices = tuple(str(text).removeprefix(delimiter) for _, text in arguments)
    target = str(row["target"]).strip()
    if target.startswith("["):
        raise RequestError(f"document {row['doc_id']} has several right choices: not read.")
    gold = int(target) if target.isdigit() else choices.index(target)
    if not 0 <= gold < len(choices):
        raise RequestError(f"document {row['doc_id']} has no gold answer among its choices.")
    return Scored(tuple(scores), choices, gold)


def _accuracies(scored: Sequence[Scored]) -> dict[str, float]:
    """lm-eval's own scores from the samples: the best sum, by character and by byte."""
    found = {}
    for name in ("acc", "acc_norm", "acc_bytes"):
        right = 0
        for one in scored:
            values = [s / _size(name, c) for s, c in zip(one.scores, one.choices, strict=True)]
            right += max(range(len(values)), key=values.__getitem__) == one.gold
        found[name] = right / len(scored)
    return found


def _size(metric: str, choice: str) -> int:
    """What a log-likelihood is divided by; an empty choice counts as one character."""
    sizes = {"acc": 1, "acc_norm": len(choice), "acc_bytes": len(choice.encode())}
    return sizes[metric] or 1


def _stated(
    who: Subject, task: str, said: Mapping[str, Any], computed: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Scores of the results file beside those that follow from the samples."""
    keys = {name: f"{name},none" for name in computed}
    where = {"model": who.model, "treatment": who.treatment, "level": who.level, "task": task}
    return [
        {**where, "metric": name, "stated": said[keys[name]], "computed": value}
        for name, value in computed.items()
        if keys[name] in said
    ]


def _merged(rows: list[Recorded]) -> list[Recorded]:
    """Two views of one item, which resect exports as two files, as one row again."""
    table: dict[tuple[Any, ...], Recorded] = {}
    kept = []
    for row in rows:
        key = (row.model, row.treatment, row.level, row.task, row.item)
        other = table.get(key)
        if other and (other.text is None) != (row.text is None):
            texts, scores = (row, other) if other.text is None else (other, row)
            table[key] = replace(texts, option_scores=scores.option_scores, choices=scores.choices)
        elif other:
            kept.append(row)  # a duplicate, which checking will name
        else:
            table[key] = row
    return [*table.values(), *kept]


def _info(fields: Mapping[str, Any]) -> TaskInfo:
    return TaskInfo(**{
        **fields, "labels": tuple(fields["labels"]), "stop": tuple(fields["stop"])
    })  # fmt: skip
