"""MMLU, asked as the published pruning study asked it: five subjects, letters as answers.

Hendrycks et al. 2021 (arXiv:2009.03300). Hub: cais/mmlu, one config a subject, split test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from resect.errors import RequestError
from resect.prompts import letter_prompt
from resect.record import Item, TaskInfo
from resect.tasks import hub, offline
from resect.tasks.base import LabelTask, Source

_LABELS = tuple("ABCD")


class Row(NamedTuple):
    """One question of one subject; `answer` is a letter."""

    subject: str
    question: str
    options: list[str]
    answer: str


class Lobotomy(LabelTask):
    """Three logic and two medical subjects, at most the first 200 questions of each."""

    info = TaskInfo(
        name="mmlu-lobotomy",
        kind="label",
        labels=_LABELS,
        summary="five MMLU subjects (logic and medicine), 762 four-option questions",
        protocol="test split of formal_logic, logical_fallacies, global_facts, college_medicine "
        "and clinical_knowledge, the first 200 of each, zero-shot, at most 5 greedy tokens; "
        "options view: log-likelihood of the letters",
        max_new_tokens=5,
        scored="letter",
    )
    topics: ClassVar = {
        "formal_logic": "logic",
        "logical_fallacies": "logic",
        "global_facts": "logic",
        "college_medicine": "medical",
        "clinical_knowledge": "medical",
    }
    first = 200
    hub_id, file = "cais/mmlu", "mmlu_test.jsonl.gz"

    def items(self, source: Source) -> list[Item]:
        """Questions subject by subject; `limit` is shared out, so that every subject is there."""
        by_subject: dict[str, list[Row]] = {subject: [] for subject in self.topics}
        for row in self._offline(source) if source.data_dir else self._hub():
            if len(by_subject[row.subject]) < self.first:
                by_subject[row.subject].append(row)
        if source.limit is not None:
            share, more = divmod(source.limit, len(by_subject))
            for number, got in enumerate(by_subject.values()):
                del got[share + (number < more) :]
        return [
            self._item(row, number) for got in by_subject.values() for number, row in enumerate(got)
        ]

    def _offline(self, source: Source) -> Iterator[Row]:
        fields: offline.Kinds = {"subject": str, "question": str, "options": list, "answer": str}
        for row in offline.rows(source.data_dir, self.file, fields):
            if row["subject"] in self.topics:
                yield Row(row["subject"], row["question"], row["options"], row["answer"])

    def _hub(self) -> Iterator[Row]:
        for subject in self.topics:
            for row in hub.rows(self.hub_id, subject, "test"):
                yield Row(subject, row["question"], list(row["choices"]), _LABELS[row["answer"]])

    def _item(self, row: Row, number: int) -> Item:
        if len(row.options) != len(_LABELS) or row.answer not in _LABELS:
            raise RequestError(
                f"question {number} of {row.subject} has no four options and answer."
            )
        options = dict(zip(_LABELS, row.options, strict=True))
        return Item(
            id=f"mmlu/{row.subject}/{number}",
            prompt=letter_prompt(row.question, options),
            gold=row.answer,
            labels=_LABELS,
            choices=tuple(f" {label}" for label in _LABELS),
            options=options,
            question=row.question,
            tags={"subject": row.subject, "topic": self.topics[row.subject]},
        )
