"""GSM8K: grade-school word problems, the final number of a worked solution.

Cobbe et al. 2021 (arXiv:2110.14168). Hub: openai/gsm8k, config main.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from resect.record import TaskInfo
from resect.tasks.contract import QuestionTask, Source
from resect.tasks.question import Question
from resect.tasks.readers import Number
from resect.tasks.sources import Row, Rows


def _convert(row: Mapping[str, Any], at: int) -> Row:
    solution, _, answer = row["answer"].rpartition("####")
    return {
        "id": f"gsm8k-{at:04d}",
        "question": row["question"],
        "solution": solution.strip(),
        "answer": answer.strip().replace(",", ""),
    }


TEST = Rows(
    file="gsm8k_test.jsonl.gz",
    fields=dict.fromkeys(("id", "question", "solution", "answer"), str),
    hub="openai/gsm8k",
    config="main",
    revision="cc7b047b6e5bb11b4f1af84efc572db110a51b3c",
    columns={"question": str, "answer": str},
    convert=_convert,
)
TRAIN = replace(TEST, file="gsm8k_train.jsonl.gz", split="train")


class GSM8K(QuestionTask):
    """The number at the end of a solution, compared exactly."""

    info = TaskInfo(
        name="gsm8k",
        kind="number",
        domain="general",
        labels=(),
        summary="grade-school word problems, final number, 1,319 questions",
        protocol="test split of 1,319 questions, the final number compared exactly (after ####, "
        "else announced, else the last one)",
        max_new_tokens=256,
        stop=("Question:",),
        primary="exact_match",
        **TEST.origin,
    )
    reader = Number()
    num_fewshot = 5
    pool_name = "worked solutions drawn by seed from the train split"

    def questions(self, source: Source) -> Iterator[Question]:
        """The test split in the order of the release."""
        return map(_question, TEST.read(source))

    def pool(self, question: Question, source: Source) -> Sequence[Question]:
        """The train split in the order of the seed."""
        return self.shuffled("train", source, lambda: map(_question, TRAIN.read(source)))

    def prompt(self, question: Question) -> str:
        """As lm-evaluation-harness asks it."""
        return f"Question: {question.question}\nAnswer:"


def _question(row: Row) -> Question:
    return Question(
        id=f"gsm8k/{row['id'].rpartition('-')[2]}",
        question=row["question"],
        gold=row["answer"],
        reasoning=row["solution"],
        shown=f"{row['solution']}\n#### {row['answer']}",
    )
