"""MedQuAD: consumer health questions with long answers, on held-out topics.

Ben Abacha and Demner-Fushman 2019 (arXiv:1901.08079). Hub: lavita/MedQuAD. A question is held out
by the hash of what it is about, so that no disease is on both sides; recovery may train on the
others (`MedQuAD.training`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from resect.record import TaskInfo
from resect.tasks.contract import QuestionTask, Source
from resect.tasks.question import Question
from resect.tasks.readers import Overlap
from resect.tasks.sources import Row, Rows

HELD_OUT = 10
"""One in so many topics is held out."""


def _convert(row: Mapping[str, Any], at: int) -> Row:
    return {
        "id": f"{row['document_source']}:{row['question_id']}",
        "source": row["document_source"],
        "focus": row["question_focus"],
        "qtype": row["question_type"],
        "question": row["question"],
        "answer": row["answer"] or "",
    }


ROWS = Rows(
    file="medquad_qa.jsonl.gz",
    fields=dict.fromkeys(("id", "source", "focus", "qtype", "question", "answer"), str),
    hub="lavita/MedQuAD",
    split="train",
    revision="84ea67f83cec9692ad254eaa02c9731b24ecfe4c",
    columns=dict.fromkeys(
        ("document_source", "question_id", "question_focus", "question_type",
         "question"), str,
    ),
    convert=_convert,
)  # fmt: skip


def held_out(focus: str) -> bool:
    """Whether questions about this topic are the task's, by SHA-256 of its folded name."""
    folded = " ".join(focus.casefold().split())
    return int(hashlib.sha256(folded.encode()).hexdigest(), 16) % HELD_OUT == 0


class MedQuAD(QuestionTask):
    """Explain; scored by overlap with the answer of a health institute."""

    info = TaskInfo(
        name="medquad",
        kind="text",
        domain="medical",
        labels=(),
        summary="consumer health questions, long answers by health institutes, held-out topics",
        protocol="pairs whose topic's hash falls into one tenth, equal pairs once, ROUGE-L, token "
        "F1 and omission against the institute's answer, whole",
        max_new_tokens=256,
        stop=("\nQuestion:",),
        primary="rouge_l",
        margin=0.02,
        **ROWS.origin,
    )
    reader = Overlap()
    pool_name = "drawn by seed from the other held-out pairs"

    def questions(self, source: Source) -> Iterator[Question]:
        """The held-out pairs in the order of the release."""
        seen = set()
        for row in ROWS.read(source):
            pair = (row["question"], row["answer"])
            if not row["answer"].strip() or not held_out(row["focus"]) or pair in seen:
                continue
            seen.add(pair)
            yield Question(
                id=f"medquad/{row['id']}",
                question=row["question"],
                gold=row["answer"],
                tags={"source": row["source"], "type": row["qtype"]},
            )

    def training(self, source: Source) -> Iterator[str]:
        """Pairs on topics that are not held out, as they would be answered."""
        for row in ROWS.read(source):
            if row["answer"].strip() and not held_out(row["focus"]):
                yield f"Question: {row['question']}\nAnswer: {row['answer']}"

    def prompt(self, question: Question) -> str:
        """Question and cue."""
        return f"Question: {question.question}\nAnswer:"
