"""MMLU, asked as the published pruning study asked it: five subjects, letters as answers.

Hendrycks et al. 2021 (arXiv:2009.03300). Hub: cais/mmlu, one config a subject, split test.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar

from resect.errors import RequestError
from resect.prompts import letter_prompt
from resect.record import TaskInfo
from resect.tasks.base import LabelTask, Question, Source
from resect.tasks.rows import Row, Rows

LABELS = tuple("ABCD")


def _convert(row: Mapping[str, Any], number: int) -> Row:
    return {**row, "options": list(row["choices"]), "answer": LABELS[row["answer"]]}


TEST = Rows(
    file="mmlu_test.jsonl.gz",
    fields={"subject": str, "question": str, "options": list, "answer": str},
    hub="cais/mmlu",
    split="test",
    revision="c30699e8356da336a370243923dbaf21066bb9fe",
    columns={"subject": str, "question": str, "choices": list, "answer": int},
    convert=_convert,
)
DEV = replace(TEST, file="mmlu_dev.jsonl.gz", split="dev")


class Lobotomy(LabelTask):
    """Three logic and two medical subjects, at most the first 200 questions of each."""

    info = TaskInfo(
        name="mmlu-lobotomy",
        kind="label",
        labels=LABELS,
        summary="five MMLU subjects (logic and medicine), 762 four-option questions",
        protocol="test split of formal_logic, logical_fallacies, global_facts, college_medicine "
        "and clinical_knowledge, the first 200 of each",
        max_new_tokens=5,
        scored="letter",
        hub=TEST.hub,
        revision=TEST.revision,
        file=TEST.file,
    )
    topics: ClassVar = {
        "formal_logic": "logic",
        "logical_fallacies": "logic",
        "global_facts": "logic",
        "college_medicine": "medical",
        "clinical_knowledge": "medical",
    }
    first: ClassVar = 200
    pool_name = "the first dev rows of the subject"

    def questions(self, source: Source) -> Iterator[Question]:
        """Questions subject by subject."""
        rows = _by_subject(TEST, self.topics, source)
        for subject, topic in self.topics.items():
            for number, row in enumerate(rows[subject][: self.first]):
                yield _question(row, f"mmlu/{subject}/{number}", topic)

    def limited(self, questions: Iterable[Question], limit: int | None) -> Iterator[Question]:
        """`limit` is shared out, so that every subject is there."""
        parts: dict[str, list[Question]] = {}
        for question in questions:
            parts.setdefault(question.tags["subject"], []).append(question)
        share, more = divmod(limit, len(parts)) if limit is not None else (None, 0)
        for number, got in enumerate(parts.values()):
            yield from islice(got, None if share is None else share + (number < more))

    def pool(self, question: Question, source: Source) -> Sequence[Question]:
        """The five dev rows of the question's subject."""
        subject = question.tags["subject"]
        rows = enumerate(_by_subject(DEV, [subject], source)[subject])
        return [_question(row, f"mmlu/{subject}/dev/{n}", "") for n, row in rows]

    def prompt(self, question: Question) -> str:
        """The study's: question, options, `Answer:`."""
        return letter_prompt(question.question, question.options or {})


def _by_subject(rows: Rows, subjects: Iterable[str], source: Source) -> dict[str, list[Row]]:
    """The rows of each subject in their order; the hub has one config a subject."""
    found: dict[str, list[Row]] = {subject: [] for subject in subjects}
    if source.data_dir is None:
        return {s: list(replace(rows, config=s).read(source)) for s in found}
    for row in rows.read(source):
        if row["subject"] in found:
            found[row["subject"]].append(row)
    return found


def _question(row: Row, name: str, topic: str) -> Question:
    if len(row["options"]) != len(LABELS) or row["answer"] not in LABELS:
        raise RequestError(f"question {name} has no four options and answer.")
    return Question(
        id=name,
        question=row["question"],
        gold=row["answer"],
        labels=LABELS,
        options=dict(zip(LABELS, row["options"], strict=True)),
        tags={"subject": row["subject"], "topic": topic},
    )
