"""MedQA, US (USMLE) test split: the original five options, and four.

Jin et al. 2021 (arXiv:2009.13081). Hub, four options: GBaker/MedQA-USMLE-4-options. The
five-option form has no copy on the hub that loads without a script.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from resect.record import TaskInfo
from resect.tasks.contract import LabelTask, Source
from resect.tasks.prompts import exam_prompt
from resect.tasks.question import Question, lettered
from resect.tasks.sources import Row, Rows

FIVE = Rows(
    file="medqa_usmle_5opt_test.jsonl.gz",
    fields={"id": str, "question": str, "options": list, "answer": str, "step": str},
)


def _convert(row: Mapping[str, Any], number: int) -> Row:
    return {
        "id": f"medqa-us-test-{number:04d}",
        "question": row["question"],
        "options": [row["options"][label] for label in "ABCD"],
        "answer": row["answer_idx"],
        "step": row["meta_info"],
    }


FOUR = Rows(
    file="medqa_usmle_4opt_test.jsonl.gz",
    fields=FIVE.fields,
    hub="GBaker/MedQA-USMLE-4-options",
    split="test",
    revision="0fb93dd23a7339b6dcd27e241cb9b5eca62d4d18",
    columns={"question": str, "options": dict, "answer_idx": str, "meta_info": str},
    convert=_convert,
)


class MedQA(LabelTask):
    """One of five options, closed book."""

    info = TaskInfo(
        name="medqa",
        kind="label",
        labels=tuple("ABCDE"),
        summary="USMLE exam questions with the original five options, 1,273 questions",
        protocol="US test split (1,273), the original five options, closed book, one option a line",
        max_new_tokens=5,
        scored="letter",
        domain="medical",
        file=FIVE.file,
    )
    rows = FIVE

    def questions(self, source: Source) -> Iterator[Question]:
        """The questions in the order of the release."""
        for row in self.rows.read(source):
            name = f"{self.info.name}/{row['id'].removeprefix('medqa-us-')}"
            tags = {"step": row["step"]}
            yield lettered(name, row["question"], row["options"], row["answer"], tags)

    def prompt(self, question: Question) -> str:
        """lm-evaluation-harness's."""
        return exam_prompt(question.question, question.options or {})


class FourOptions(MedQA):
    """One of four options, as lm-evaluation-harness's medqa_4options."""

    info = replace(
        MedQA.info,
        name="medqa-4",
        labels=tuple("ABCD"),
        summary="USMLE exam questions with four options, the same 1,273 questions",
        protocol="US test split (1,273), four options, closed book, prompt of "
        "lm-evaluation-harness (medqa_4options)",
        **FOUR.origin,
    )
    rows = FOUR
