"""MedMCQA, Indian medical entrance exams: the validation split, whose answers are public.

Pal et al. 2022 (arXiv:2203.14371). Hub: openlifescienceai/medmcqa, whose `cop` counts from 0;
other copies count from 1, which no range check can see. A known row pins the base.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.tasks.contract import LabelTask, Source
from resect.tasks.prompts import exam_prompt
from resect.tasks.question import Question, lettered
from resect.tasks.sources import Row, Rows

LABELS = tuple("ABCD")

KNOWN = {"45258d3d-b974-44dd-a161-c3fccbdadd88": "A"}
"""Impulses run faster, not slower, through myelinated fibres: the statement that is not true."""


def _convert(row: Mapping[str, Any], number: int) -> Row:
    if not 0 <= row["cop"] < len(LABELS):
        raise _wrong_base(f"row {number} has cop {row['cop']}")
    return {
        "id": row["id"],
        "question": row["question"],
        "options": [row[name] for name in ("opa", "opb", "opc", "opd")],
        "answer": LABELS[row["cop"]],
        "subject": row["subject_name"],
        "topic": row["topic_name"],
        "choice_type": row["choice_type"],
        "explanation": row["exp"],
    }


def _wrong_base(found: str) -> RequestError:
    return RequestError(
        f"this copy of MedMCQA does not number its answers from 0 to 3 ({found}): use the "
        f"validation split of {ROWS.hub} at {str(ROWS.revision)[:7]}."
    )


ROWS = Rows(
    file="medmcqa_dev.jsonl.gz",
    fields={"id": str, "question": str, "options": list, "answer": str, "subject": str},
    hub="openlifescienceai/medmcqa",
    split="validation",
    revision="91c6572c454088bf71b679ad90aa8dffcd0d5868",
    columns={
        **dict.fromkeys(("id", "question", "opa", "opb", "opc", "opd", "subject_name"), str),
        "cop": int,
        "choice_type": str,
        "topic_name": (str, type(None)),
        "exp": (str, type(None)),
    },
    convert=_convert,
)


class MedMCQA(LabelTask):
    """One of four options, closed book, 21 subjects."""

    info = TaskInfo(
        name="medmcqa",
        kind="label",
        labels=LABELS,
        summary="Indian medical entrance exams, four options, 4,183 validation questions",
        protocol="validation split (4,183), closed book, prompt of lm-evaluation-harness (medmcqa)",
        max_new_tokens=5,
        scored="letter",
        domain="medical",
        **ROWS.origin,
    )

    def questions(self, source: Source) -> Iterator[Question]:
        """The questions in the order of the release; raises if the known row has another answer."""
        for row in ROWS.read(source):
            if KNOWN.get(row["id"], row["answer"]) != row["answer"]:
                raise _wrong_base(f"the answer to {row['id']} is {row['answer']}")
            tags = {"subject": row["subject"], "choice_type": str(row.get("choice_type"))}
            tags |= {"topic": row["topic"]} if row.get("topic") else {}
            yield lettered(
                f"medmcqa/{row['id']}",
                row["question"],
                row["options"],
                row["answer"],
                tags,
                row.get("explanation") or "",
            )

    def prompt(self, question: Question) -> str:
        """lm-evaluation-harness's."""
        return exam_prompt(question.question, question.options or {}, "Choices:")
