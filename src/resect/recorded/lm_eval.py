"""lm-evaluation-harness sample files: `samples_<task>_<time>.jsonl`, with `results_<time>.json`.

One folder a model, as `--output_path --log_samples` writes them. Which model, recipe and level
a folder stands for is read by `lm_eval_names`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.recorded import boundary, files, lm_eval_files
from resect.recorded.describe import LETTERS, LONGEST_LABEL, SHORT_LIST
from resect.recorded.lm_eval_files import Results, Sample, Subject, TaskConfig
from resect.recorded.lm_eval_names import RESULTS, SAMPLES, readings, subject_of
from resect.recorded.lm_eval_scored import Scored, accuracies, differing, scored
from resect.recorded.row import ROW, Recorded, RecordedStudy

DOCUMENT = (
    "gold", "labels", "options", "choices", "tags", "recorded", "score", "means", "parent",
    "variant", "context", "stopped",
)  # fmt: skip
"""Fields of a row that stand in the document of a sample that resect exported."""

OTHER = tuple(field.name for field in fields_of(Recorded) if field.name not in DOCUMENT)
"""The other fields of a row."""


def matches(names: list[str]) -> bool:
    """Whether any file is named as lm-eval names its samples."""
    return any(_is(SAMPLES, name) for name in names)


def read(path: Path) -> RecordedStudy:
    """All sample files below `path`; of a task that ran twice for one model, the newest."""
    names = files.names(path)
    newest, notes = _newest([name for name in names if _is(SAMPLES, name)] or names)
    every = _all_results(path)
    rows: list[Recorded] = []
    subjects: dict[str, list[Subject]] = defaultdict(list)
    infos: dict[str, TaskInfo] = {}
    stated: list[dict[str, Any]] = []
    sources: dict[str, str] = {}
    order: dict[str, int] = {}
    for file in files.read(path, lambda name: name in newest):
        subject, results = subject_of(file.name, every, path)
        task = _task(file.name)
        config = results.configs.get(task, TaskConfig())
        info = config.exported(f"the results file of {file.name}")
        answers, computed = _answers(file, task, subject, config, info)
        rows += answers
        subjects[subject.model].append(subject)
        stated += _stated(subject, task, results.results.get(task, {}), computed)
        if info:
            infos[info.name] = info
            order.setdefault(info.name, list(results.configs).index(task))
        sources[file.name] = file.sha256
    # the id is that of the intact model where there is one
    ids = {
        model: min(group, key=lambda subject: subject.recipe != "none").id
        for model, group in subjects.items()
    }
    notes += readings(subject for group in subjects.values() for subject in group)
    notes += differing(stated)
    # our own tasks in the order of their run, not of their files' names
    rows.sort(key=lambda row: order.get(row.task, 0))
    return RecordedStudy(_merged(rows), sources, infos, ids, tuple(stated), tuple(notes))


def _is(pattern: re.Pattern[str], name: str) -> bool:
    return bool(pattern.fullmatch(PurePosixPath(name).name))


def _all_results(path: Path) -> dict[str, Results]:
    """What every results file below `path` says; a lone sample file has its own beside it."""
    if path.is_dir() or path.name.endswith(files.ARCHIVES):
        tables = list(files.read(path, lambda name: _is(RESULTS, name)))
    else:
        beside = sorted(path.parent.glob("results_*.json"))
        tables = [files.single(p, path.parent) for p in beside]
    return {file.name: lm_eval_files.results(file) for file in tables}


def _newest(samples: Sequence[str]) -> tuple[set[str], list[str]]:
    """The last sample file of each folder and task, and a note where one was left out."""
    times: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in samples:
        times[str(PurePosixPath(name).parent), _task(name)].append(name)
    notes = [
        f"{folder}: {task} ran {len(names)} times; only the newest run is read."
        for (folder, task), names in times.items()
        if len(names) > 1
    ]
    return {max(names) for names in times.values()}, notes


def _task(name: str) -> str:
    match = SAMPLES.fullmatch(PurePosixPath(name).name)
    if not match:
        raise RequestError(f"{name} is not named like samples_<task>_<time>.jsonl: rename it.")
    return match["task"]


def _answers(
    file: files.File, task: str, subject: Subject, config: TaskConfig, info: TaskInfo | None
) -> tuple[list[Recorded], dict[str, float]]:
    """The rows of one file, and the scores that follow from them."""
    samples = lm_eval_files.samples(file)
    computed: dict[str, float] = {}
    if samples[0].is_scored:
        documents = scored(samples, config.target_delimiter, file.name, info is not None)
        computed = accuracies(documents)
        fields = _choices(documents, config.target_delimiter)
    else:
        fields = (_text(sample, file.name) for sample in samples)
    rows = []
    for sample, own in zip(samples, fields, strict=True):
        row = Recorded(
            **subject.fields(),
            task=task,
            item=f"{task}/{sample.doc_id}",
            prompt=sample.prompt,
            question=sample.question,
            source=file.name,
            **own,
        )
        rows.append(_exported(row, sample, info) if info else row)
    return rows, computed


def _exported(row: Recorded, sample: Sample, info: TaskInfo) -> Recorded:
    """A row of a file that resect exported: the item as its document has it."""
    fields = {name: getattr(row, name) for name in OTHER}
    fields |= {name: sample.doc[name] for name in DOCUMENT if sample.doc.get(name) is not None}
    fields |= {"task": info.name, "item": sample.doc.get("id")}
    return boundary.value(ROW, fields, f"{row.source}: document {sample.doc_id}")


def _choices(documents: Sequence[Scored], delimiter: str) -> Iterator[dict[str, Any]]:
    """Fields of the rows of multiple-choice documents: the choices as labels where all share a
    few short ones, else letters.
    """
    shared = documents[0].choices
    alike = len(set(shared)) == len(shared) <= SHORT_LIST and all(
        document.choices == shared and max(map(len, shared)) <= LONGEST_LABEL
        for document in documents
    )
    for document in documents:
        labels = document.choices if alike else tuple(LETTERS[: len(document.choices)])
        yield {
            "gold": labels[document.gold],
            "text": None,
            "options": None if alike else dict(zip(labels, document.choices, strict=True)),
            "labels": labels,
            "option_scores": document.scores,
            "choices": tuple(delimiter + choice for choice in document.choices),
        }


def _text(sample: Sample, source: str) -> dict[str, Any]:
    """Fields of the row of a document that was answered in free text."""
    if sample.has_several_targets:
        raise RequestError(
            f"{source}: document {sample.doc_id} has a list of right answers, which is not "
            "supported: give it one."
        )
    reading = sample.filtered_resps
    reading = reading[0] if isinstance(reading, list) and reading else reading
    scores = (sample.score(metric) for metric in sample.metrics or ())
    score = next((score for score in scores if score is not None), None)
    return {
        "gold": str(sample.target).strip(),
        "text": str(sample.resps[0][0]),
        "recorded": reading if isinstance(reading, str) else None,
        "score": None if score is None else float(score),
    }


def _stated(
    subject: Subject, task: str, scores: Mapping[str, Any], computed: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Scores of the results file beside those that follow from the samples."""
    where = {"model": subject.model, "recipe": subject.recipe, "level": subject.level, "task": task}
    return [
        {**where, "metric": name, "stated": stated, "computed": value}
        for name, value in computed.items()
        for stated in (scores.get(f"{name},none"),)
        if isinstance(stated, float) or stated in (0, 1)
    ]


def _merged(rows: list[Recorded]) -> list[Recorded]:
    """Two views of one item, which resect exports as two files, as one row again."""
    table: dict[tuple[Any, ...], Recorded] = {}
    duplicates = []  # which checking will name
    for row in rows:
        key = (row.model, row.recipe, row.level, row.task, row.item)
        other = table.get(key)
        if other and (other.text is None) != (row.text is None):
            texts, scores = (row, other) if other.text is None else (other, row)
            table[key] = replace(texts, option_scores=scores.option_scores, choices=scores.choices)
        elif other:
            duplicates.append(row)
        else:
            table[key] = row
    return [*table.values(), *duplicates]
