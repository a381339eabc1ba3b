"""MMLU, asked as the published pruning study asked it: five subjects, letters as answers.

Hendrycks et al. 2021 (arXiv:2009.03300). Hub: cais/mmlu, one config a subject, split test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from resect.prompts import letter_prompt
from resect.record import Item, TaskInfo
from resect.tasks import hub, offline
from resect.tasks.base import LabelTask, Source

_LABELS = tuple("ABCD")


class Row(NamedTuple):
    """One question of one subject; `answer` is a letter."""

    subject: str
    number: int
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
        rows = list(self._offline(source)) if source.data_dir else list(self._hub())
        by_subject = [[r for r in rows if r.subject == s][: self.first] for s in self.topics]
        if source.limit is not None:
            share, more = divmod(source.limit, len(by_subject))
            by_subject = [got[: share + (n < more)] for n, got in enumerate(by_subject)]
        return [self._item(row) for got in by_subject for row in got]

    def _offline(self, source: Source) -> Iterator[Row]:
        fields = ("id", "subject", "question", "options", "answer")
        for row in offline.rows(source.data_dir, self.file, fields):
            number = int(row["id"].rsplit("-", 1)[-1])
            yield Row(row["subject"], number, row["question"], row["options"], row["answer"])

    def _hub(self) -> Iterator[Row]:
        for subject in self.topics:
            for number, row in enumerate(hub.rows(self.hub_id, subject, "test")):
                letter = _LABELS[int(row["answer"])]
                yield Row(subject, number, row["question"], list(row["choices"]), letter)

    def _item(self, row: Row) -> Item:
        options = dict(zip(_LABELS, row.options, strict=True))
        return Item(
            id=f"mmlu/{row.subject}/{row.number}",
            prompt=letter_prompt(row.question, options),
            gold=row.answer,
            labels=_LABELS,
            choices=tuple(f" {label}" for label in _LABELS),
            options=options,
            question=row.question,
            tags={"subject": row.subject, "topic": self.topics[row.subject]},
        )
