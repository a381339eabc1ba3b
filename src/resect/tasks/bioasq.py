"""BioASQ Task B, the yes/no questions with their gold snippets.

Tsatsaronis et al. 2015 (doi:10.1186/s12859-015-0564-6); the 618 questions of 7B to 11B as MIRAGE
selects them (Xiong et al. 2024, arXiv:2402.13178). Not on the hub in that selection.
"""

from __future__ import annotations

from collections.abc import Iterator

from resect.record import TaskInfo
from resect.tasks.contract import LabelTask, Source
from resect.tasks.prompts import context_prompt
from resect.tasks.question import Question
from resect.tasks.sources import Rows

LABELS = ("yes", "no")

ROWS = Rows(
    file="bioasq_yesno.jsonl.gz",
    fields={"id": str, "question": str, "answer": str, "contexts": list, "ideal_answers": list},
)


class BioASQ(LabelTask):
    """Yes or no to a biomedical question, given snippets of abstracts."""

    info = TaskInfo(
        name="bioasq-yesno",
        kind="label",
        labels=LABELS,
        summary="yes/no over snippets of abstracts, 618 questions of BioASQ 7B to 11B",
        protocol="the 618 yes/no questions of BioASQ 7B to 11B with their gold snippets",
        max_new_tokens=10,
        scored="text",
        positive="yes",
        domain="medical",
        file=ROWS.file,
    )

    def questions(self, source: Source) -> Iterator[Question]:
        """The questions in the order of the file."""
        for row in ROWS.read(source):
            yield Question(
                id=f"bioasq/{row['id']}",
                question=row["question"],
                context="\n".join(text.strip() for text in row["contexts"]),
                gold=row["answer"],
                labels=LABELS,
                tags={"challenge": str(row.get("task", ""))},
                reasoning=str(row["ideal_answers"][0]) if row["ideal_answers"] else "",
            )

    def prompt(self, question: Question) -> str:
        """Context, question, labels."""
        return context_prompt(question.context, question.question, LABELS)
