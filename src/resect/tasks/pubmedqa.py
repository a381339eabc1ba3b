"""PubMedQA, the labelled thousand, asked as the published pruning study asked it.

Jin et al. 2019 (arXiv:1909.06146), PQA-L. Hub: qiaojin/PubMedQA, config pqa_labeled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resect.prompts import context_prompt
from resect.record import TaskInfo
from resect.tasks.base import LabelTask, Question, Source
from resect.tasks.rows import Row, Rows

LABELS = ("yes", "no", "maybe")


def _convert(row: Mapping[str, Any], number: int) -> Row:
    return {**row, "id": row["pubid"], "contexts": row["context"]["contexts"]}


ROWS = Rows(
    file="pubmedqa_pqal.jsonl.gz",
    fields={"id": (str, int), "question": str, "contexts": list, "final_decision": str},
    hub="qiaojin/PubMedQA",
    config="pqa_labeled",
    split="train",
    columns={"pubid": (str, int), "question": str, "context": dict, "final_decision": str},
    convert=_convert,
)


class PubMedQA(LabelTask):
    """Yes, no or maybe to a question, given the abstract without its conclusion."""

    info = TaskInfo(
        name="pubmedqa",
        kind="label",
        domain="medical",
        labels=LABELS,
        summary="yes/no/maybe over an abstract, 1,000 expert-labelled questions",
        protocol="all 1,000 labelled questions (PQA-L), contexts joined without a heading",
        max_new_tokens=10,
        scored="text",
        positive="yes",
        hub=ROWS.hub,
        revision=ROWS.revision,
        file=ROWS.file,
    )

    def questions(self, source: Source) -> Iterator[Question]:
        """The questions in the order of the release."""
        for row in ROWS.read(source):
            yield Question(
                id=f"pubmedqa/{row['id']}",
                question=row["question"],
                context="".join(row["contexts"]),
                gold=row["final_decision"],
                labels=LABELS,
                tags={"year": str(row["year"])} if row.get("year") else {},
            )

    def prompt(self, question: Question) -> str:
        """The study's: context, question, labels."""
        return context_prompt(question.context, question.question, LABELS)
